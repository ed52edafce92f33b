import custody_assets as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provenance.asset import Asset
from assay.provenance.jumbf.containers import asides, embedded_stores, end_of_picture
from assay.provenance.jumbf.store import parse_store
from assay.provenance.media_type import MediaType

CREDENTIAL = made.leaf(made.authority())
FORMATS = {
    MediaType.JPEG: lambda: made.encoded(made.picture(), "JPEG"),
    MediaType.PNG: lambda: made.encoded(made.picture(), "PNG"),
    MediaType.WEBP: lambda: made.encoded(made.picture(), "WEBP"),
    MediaType.GIF: lambda: made.encoded(made.picture(), "GIF"),
    MediaType.TIFF: lambda: made.encoded(made.picture(), "TIFF"),
    MediaType.DNG: lambda: made.encoded(made.picture(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}),
    MediaType.AVIF: lambda: made.encoded(made.picture(), "AVIF"),
    MediaType.HEIC: lambda: made.encoded(made.picture(), "HEIF"),
    MediaType.JXL: lambda: made.encoded(made.picture(), "JXL"),
    MediaType.SVG: lambda: made.SVG,
}


@pytest.mark.parametrize("media_type", FORMATS)
def test_the_store_is_found_in_every_format_and_is_what_the_sdk_wrote(media_type: MediaType) -> None:
    plain = FORMATS[media_type]()
    assert embedded_stores(plain, media_type) == ()
    signed = made.sign(plain, made.created(), CREDENTIAL, media_type=media_type.value)
    asset = Asset.from_bytes(signed.content)
    assert asset.media_type is media_type
    (found,) = embedded_stores(asset.content, asset.media_type)
    (manifest,) = parse_store(found.store).manifests
    assert manifest.signature is not None
    assert manifest.signature.chain == tuple(c.public_bytes(made.serialization.Encoding.DER) for c in CREDENTIAL.chain)
    assert found.store[: len(signed.store)] == signed.store


def test_a_store_of_several_segments_is_joined() -> None:
    description = made.created()
    description["assertions"].append({"label": "org.example.bulk", "data": {"bulk": "0123456789" * 20_000}})
    signed = made.sign(made.encoded(made.picture()), description, CREDENTIAL)
    (found,) = embedded_stores(signed.content, MediaType.JPEG)
    assert len(found.store) > 200_000
    assert found.store == signed.store
    assert parse_store(found.store).manifests[0].assertions[-1].label == "c2pa.hash.data"


@given(st.sampled_from(list(MediaType)), st.binary(max_size=200))
def test_any_bytes_are_read_without_an_exception(media_type: MediaType, content: bytes) -> None:
    embedded_stores(content, media_type)


@pytest.mark.parametrize("media_type", FORMATS)
def test_truncated_and_altered_files_are_read_without_an_exception(media_type: MediaType) -> None:
    signed = made.sign(FORMATS[media_type](), made.created(), CREDENTIAL, media_type=media_type.value).content
    for at in range(0, len(signed), 97):
        embedded_stores(signed[:at], media_type)
        embedded_stores(signed[:at] + b"\xff\xff\xff\xff" + signed[at + 4 :], media_type)


@pytest.mark.parametrize("media_type", [MediaType.JPEG, MediaType.PNG, MediaType.GIF])
def test_the_end_of_a_picture_is_its_own_mark_whatever_follows(media_type: MediaType) -> None:
    plain = FORMATS[media_type]()
    for tail in (b"", b"more", plain):
        assert end_of_picture(plain + tail, media_type) == len(plain)
    assert end_of_picture(plain[:-12], media_type) is None


def test_the_end_of_a_jpeg_of_several_scans() -> None:
    plain = made.encoded(made.picture((320, 240)), progressive=True, quality=95, restart_marker_blocks=2)
    assert end_of_picture(plain + plain, MediaType.JPEG) == len(plain)


@given(st.sampled_from(list(MediaType)), st.binary(max_size=200))
def test_any_bytes_have_an_end_and_metadata_or_none(media_type: MediaType, content: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff", b"GIF89a\x01\0\x01\0\x80\0\0"):
        end_of_picture(head + content, media_type)
        list(asides(head + content, media_type))
