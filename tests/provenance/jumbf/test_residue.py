import custody_assets as made
import pytest

from assay.provenance.jumbf.boxes import boxes
from assay.provenance.jumbf.containers import BMFF_UUID, embedded_stores
from assay.provenance.jumbf.residue import broken_carriers, provenance_reference, stray_stores
from assay.provenance.media_type import MediaType

CREDENTIAL = made.leaf(made.authority())


def signed(fmt: str, media_type: MediaType) -> bytes:
    return made.sign(made.encoded(made.picture(), fmt), made.created(), CREDENTIAL, media_type=media_type.value).content


def strays(content: bytes, media_type: MediaType) -> tuple[str, ...]:
    return stray_stores(content, media_type, embedded_stores(content, media_type))


@pytest.mark.parametrize(
    ("fmt", "media_type", "tag", "renamed", "place"),
    [
        ("PNG", MediaType.PNG, b"caBX", b"xaBX", "a PNG chunk “xaBX”"),
        ("WEBP", MediaType.WEBP, b"C2PA", b"XXXX", "a RIFF chunk “XXXX”"),
        ("AVIF", MediaType.AVIF, b"uuid", b"free", "a box “free”"),
        ("JPEG", MediaType.JPEG, b"\xff\xeb", b"\xff\xea", "a JPEG segment of type EA"),
        ("AVIF", MediaType.AVIF, BMFF_UUID, bytes(16), "BMFF uuid"),
    ],
)
def test_a_retagged_box_is_found_and_named(
    fmt: str, media_type: MediaType, tag: bytes, renamed: bytes, place: str
) -> None:
    content = signed(fmt, media_type)
    assert strays(content, media_type) == ()
    hidden = content.replace(tag, renamed, 1)
    assert embedded_stores(hidden, media_type) == ()
    assert strays(hidden, media_type) == (
        f"a manifest store lies in {place}, where readers of this format do not look",
    )


def test_a_store_behind_the_image_is_found_beside_the_one_that_counts() -> None:
    content = signed("PNG", MediaType.PNG)
    (found,) = embedded_stores(content, MediaType.PNG)
    assert "after the image" in strays(content + found.store, MediaType.PNG)[0]


@pytest.mark.parametrize(
    ("fmt", "media_type", "what"),
    [
        ("PNG", MediaType.PNG, "caBX chunk"),
        ("WEBP", MediaType.WEBP, "C2PA chunk"),
        ("AVIF", MediaType.AVIF, "C2PA box"),
    ],
)
def test_an_emptied_carrier_is_residue(fmt: str, media_type: MediaType, what: str) -> None:
    content = signed(fmt, media_type)
    (found,) = embedded_stores(content, media_type)
    emptied = content.replace(found.store, bytes(len(found.store)))
    assert broken_carriers(emptied, media_type, store_found=False) == (f"1 {what} is left of a manifest that is gone",)
    assert broken_carriers(made.encoded(made.picture(), fmt), media_type, store_found=False) == ()


def test_left_over_app11_segments_are_residue() -> None:
    content = signed("JPEG", MediaType.JPEG).replace(b"jumdc2pa", b"jumdc2px", 1)
    assert broken_carriers(content, MediaType.JPEG, store_found=False) == (
        "1 APP11 segment is left of a manifest that is gone",
    )


@pytest.mark.parametrize(
    ("xmp", "found"),
    [
        (
            b'<x xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="https://a.example/m?x=1&amp;y=2"/>',
            "https://a.example/m?x=1&y=2",
        ),
        (
            b"<x xmlns:d='http://purl.org/dc/terms/'><d:provenance>https://a.example/m</d:provenance></x>",
            "https://a.example/m",
        ),
        (b'<x xmlns:dcterms="http://purl.org/dc/terms/" dcterms:created="2020"/>', ""),
        (b'<x dcterms:provenance="https://a.example/m"/>', ""),
    ],
)
def test_the_reference_to_a_manifest_is_read_under_any_prefix(xmp: bytes, found: str) -> None:
    assert provenance_reference(b"noise" + xmp) == found


def test_boxes_end_where_they_do_not_fit() -> None:
    assert [box.kind for box in boxes(b"\0\0\0\x08free" + b"\0\0\0\xffjunk", 0, 16)] == [b"free"]
