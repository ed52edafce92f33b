"""Derivatives: every change is stated, nothing is stated that did not happen, positions are gone from file and history."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms
from signing_assets import actions, active, picture, read

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import OutputRefused
from assay.provenance.media_type import MediaType
from assay.provenance.signing import Assertion, Recipe, Signer, SoftwareAgent, SourceType, sign
from assay.provenance.signing.deriving import Box, Derivation, DerivationRefused, derive

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><d exif:GPSLatitude='48,51.5N'/></x:xmpmeta>"


def photo(size: tuple[int, int] = (90, 60), **options: Any) -> Asset:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Example"
    position = exif.get_ifd(ExifTags.IFD.GPSInfo)
    position[1], position[2] = "N", (48.0, 51.0, 30.0)
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[0x927C] = b"maker note at 48.8583"
    for tag, value in options.items():
        exif[ExifTags.Base[tag]] = value
    buffer = io.BytesIO()
    gradient = Image.linear_gradient("L").resize(size)
    Image.merge("RGB", (gradient, gradient, gradient)).save(buffer, "JPEG", exif=exif, xmp=XMP)
    return Asset.from_bytes(buffer.getvalue(), name="photo.jpg")


def captured(signer: Signer) -> Asset:
    position = Assertion(
        "c2pa.metadata", {"@context": {"exif": "http://ns.adobe.com/exif/1.0/"}, "exif:GPSLatitude": "48,51.5N"}
    )
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Example Camera"))
    return sign(photo(), replace(recipe, assertions=(position,)), signer).asset


def labels(asset: Asset) -> list[str]:
    return [action["action"] for action in actions(read(asset))]


def test_each_change_is_an_action_and_the_original_is_the_parent(signer: Signer) -> None:
    original = captured(signer)
    derivation = Derivation(crop=Box(10, 0, 60, 60), resize=(30, 30), media_type=MediaType.WEBP)
    derived = derive(original, derivation, signer)
    reading = read(derived.asset)
    assert reading.state == "Trusted"
    assert derived.asset.media_type is MediaType.WEBP
    assert Image.open(io.BytesIO(derived.asset.content)).size == (30, 30)
    assert labels(derived.asset) == ["c2pa.opened", "c2pa.cropped", "c2pa.resized", "c2pa.converted"]
    cropped = actions(reading)[1]["parameters"]
    assert {key.rpartition(".")[2]: value for key, value in cropped.items()} == {
        "x": 10,
        "y": 0,
        "width": 60,
        "height": 60,
    }
    (parent,) = active(reading)["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert parent["active_manifest"] in reading.report["manifests"]
    assert derived.source_sha256 == original.sha256


def test_positions_leave_the_file_and_the_history(signer: Signer) -> None:
    original = captured(signer)
    assert b"48,51.5N" in original.content
    derived = derive(original, Derivation(drop_gps=True), signer)
    reading = read(derived.asset)
    assert reading.state == "Trusted"
    assert b"48,51.5N" not in derived.asset.content
    assert b"48.8583" not in derived.asset.content
    exif = Image.open(io.BytesIO(derived.asset.content)).getexif()
    assert ExifTags.IFD.GPSInfo not in exif
    assert exif[ExifTags.Base.Make] == "Example"
    redacted = [action for action in actions(reading) if action["action"] == "c2pa.redacted"]
    assert redacted[0]["parameters"]["redacted"].endswith("c2pa.metadata")
    assert redacted[0]["reason"] == "c2pa.PII.present"
    (parent_label,) = set(reading.report["manifests"]) - {derived.manifest_label}
    kept = {assertion["label"] for assertion in reading.report["manifests"][parent_label]["assertions"]}
    assert kept == {"c2pa.actions.v2"}


@pytest.mark.parametrize(
    ("content", "redacted"),
    [
        ({"locationCreated": {"geo": {"@type": "GeoCoordinates", "latitude": 48.85, "longitude": 2.35}}}, True),
        ({"places": [{"lat": 48.85, "lng": 2.35}]}, True),
        ({"http://www.w3.org/2003/01/geo/wgs84_pos#lat": 48.85}, True),
        ({"place": {"type": "Point", "coordinates": [2.35, 48.85]}}, True),
        ({"platform": "flat", "longest": 3, "geometry": "square", "translation": {"lattice": "none"}}, False),
    ],
)
def test_assertions_with_coordinates_are_redacted(signer: Signer, content: dict[str, Any], redacted: bool) -> None:
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Example Camera"))
    original = sign(picture(), replace(recipe, assertions=(Assertion("org.example.place", content),)), signer).asset
    derived = derive(original, Derivation(drop_gps=True), signer)
    assert ("c2pa.redacted" in labels(derived.asset)) is redacted
    assert read(derived.asset).state == "Trusted"
    assert not any("stays" in warning for warning in derived.warnings)


def test_a_position_that_cannot_be_taken_out_is_said(signer: Signer) -> None:
    camera = SoftwareAgent("Example Camera")
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, camera, parameters={"org.example.latitude": 48.85})
    derived = derive(sign(picture(name="a"), recipe, signer).asset, Derivation(drop_gps=True), signer)
    assert "a position stays in the history of a.png: actions" in derived.warnings[-1]
    assert "c2pa.redacted" not in labels(derived.asset)


def thumbnails(asset: Asset) -> list[str]:
    return [
        holder["thumbnail"]["identifier"].rpartition("/")[2]
        for manifest in read(asset).report["manifests"].values()
        for holder in (manifest, *manifest.get("ingredients", ()))
        if holder.get("thumbnail")
    ]


def shown_twice(signer: Signer) -> Asset:
    """A picture with three thumbnails in its history."""
    first = sign(picture("JPEG"), replace(Recipe.generated(SoftwareAgent("model")), thumbnail=32), signer).asset
    return sign(first, replace(Recipe.published(), thumbnail=32), signer).asset


def test_small_pictures_of_what_was_cropped_away_leave_the_history(signer: Signer) -> None:
    original = shown_twice(signer)
    assert len(thumbnails(original)) == 3
    cropped = derive(original, Derivation(crop=Box(0, 0, 8, 8)), signer)
    assert thumbnails(cropped.asset) == []
    assert b"\xff\xd8\xff" not in cropped.asset.content[3:]
    reading = read(cropped.asset)
    assert reading.state == "Trusted"
    reasons = [action["reason"] for action in actions(reading) if action["action"] == "c2pa.redacted"]
    assert reasons == ["io.readthedocs.assay.cropped"] * 3
    again = derive(cropped.asset, Derivation(crop=Box(0, 0, 4, 4)), signer, thumbnail=8)
    assert thumbnails(again.asset) == ["c2pa.thumbnail.claim"]
    assert verify(again.asset).bottom_line is BottomLine.TRUSTED


def test_small_pictures_stay_where_nothing_was_cropped(signer: Signer) -> None:
    derived = derive(shown_twice(signer), Derivation(resize=(8, 8)), signer, thumbnail=8)
    assert len(thumbnails(derived.asset)) == 5


def test_a_small_picture_that_cannot_be_taken_out_is_said(signer: Signer) -> None:
    original = shown_twice(signer)
    report = read(original).report
    (first,) = set(report["manifests"]) - {report["active_manifest"]}
    content = original.content.replace(f"/c2pa/{first}".encode(), f"/c2pa/{first[:-4]}gone".encode())
    cropped = derive(Asset.from_bytes(content, name="a.jpg"), Derivation(crop=Box(0, 0, 8, 8)), signer)
    assert "may have been cropped away stays in the history of a.jpg: " in cropped.warnings[-1]
    assert thumbnails(cropped.asset) == ["c2pa.thumbnail.claim"]


@pytest.mark.parametrize(
    ("xmp", "dropped"),
    [
        (b"<d exif:GPSLatitude='48,51.5N'/>", True),
        (b"<d xmlns:w='http://www.w3.org/2003/01/geo/wgs84_pos#' w:lat='48.8583' w:long='2.2945'/>", True),
        (b"<d><geo:Point><geo:lat>48.8583</geo:lat>\n<geo:long>2.2945</geo:long></geo:Point></d>", True),
        (b'<d\n\tschema:longitude\n= "2.2945" />', True),
        (b"<d><x:places><rdf:Seq><rdf:li lng='2.2945'/></rdf:Seq></x:places></d>", True),
        (b"<d><x:coordinates>48.8583 2.2945</x:coordinates></d>", True),
        (
            b"<d xmlns:geo='http://www.w3.org/2003/01/geo/wgs84_pos#' dc:format='flat' x:plat='1'>so lat and lon</d>",
            False,
        ),
        (b"<d xmp:longest='3'><x:lattice>long</x:lattice></d>", False),
    ],
)
@pytest.mark.parametrize("target", [MediaType.JPEG, MediaType.TIFF])
def test_coordinates_leave_xmp_by_any_name(signer: Signer, xmp: bytes, dropped: bool, target: MediaType) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", xmp=xmp)
    original = Asset.from_bytes(buffer.getvalue(), name="a.jpg")
    assert xmp in derive(original, Derivation(media_type=target), signer).asset.content
    derived = derive(original, Derivation(media_type=target, drop_gps=True), signer).asset
    assert (xmp not in derived.content) is dropped
    told = [action.get("description") == "the position was taken out" for action in actions(read(derived))]
    assert any(told) is dropped


@pytest.mark.parametrize("compression", ["raw", "tiff_deflate"])
def test_positions_leave_a_tiff_whose_pixels_stay(signer: Signer, compression: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[700] = "Example", XMP
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "TIFF", exif=exif, compression=compression)
    original = Asset.from_bytes(buffer.getvalue(), name="a.tif")
    assert b"48,51.5N" in derive(original, Derivation(), signer).asset.content
    derived = derive(original, Derivation(drop_gps=True), signer).asset
    assert b"48,51.5N" not in derived.content
    found = Image.open(io.BytesIO(derived.content)).getexif()
    assert found[ExifTags.Base.Make] == "Example"
    assert ExifTags.IFD.GPSInfo not in found


def test_a_signed_tiff_can_be_derived_from(signer: Signer) -> None:
    signed = sign(picture("TIFF"), Recipe.published(), signer).asset
    reading = read(derive(signed, Derivation(), signer).asset)
    assert reading.state == "Trusted"
    assert len(reading.report["manifests"]) == 2


def test_without_drop_gps_the_position_stays(signer: Signer) -> None:
    derived = derive(captured(signer), Derivation(resize=(30, 30)), signer)
    assert ExifTags.IFD.GPSInfo in Image.open(io.BytesIO(derived.asset.content)).getexif()
    assert "c2pa.redacted" not in labels(derived.asset)


def test_a_picture_is_never_enlarged_and_nothing_is_claimed(signer: Signer) -> None:
    derived = derive(picture(), Derivation(resize=(4000, 4000)), signer)
    assert Image.open(io.BytesIO(derived.asset.content)).size == (48, 32)
    assert labels(derived.asset) == ["c2pa.opened", "c2pa.transcoded"]


def test_a_picture_on_its_side_is_turned_upright_before_it_is_cropped(signer: Signer) -> None:
    derived = derive(photo((90, 60), Orientation=6), Derivation(crop=Box(0, 0, 60, 30)), signer)
    image = Image.open(io.BytesIO(derived.asset.content))
    assert image.size == (60, 30)
    assert ExifTags.Base.Orientation not in image.getexif()
    assert labels(derived.asset)[:3] == ["c2pa.opened", "c2pa.orientation", "c2pa.cropped"]


def test_an_orientation_that_means_nothing_turns_nothing(signer: Signer) -> None:
    derived = derive(photo((90, 60), Orientation=9), Derivation(), signer)
    assert Image.open(io.BytesIO(derived.asset.content)).size == (90, 60)
    assert "c2pa.orientation" not in labels(derived.asset)


def test_an_embedded_preview_of_the_uncropped_picture_is_not_carried_along(signer: Signer) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "blue").save(buffer, "JPEG")
    preview = buffer.getvalue()
    first = b"\0\1" + b"\x01\x12\0\3\0\0\0\1\0\6\0\0" + (26).to_bytes(4, "big")
    entries = (
        b"\x01\x03\0\3\0\0\0\1\0\6\0\0"
        + b"\x02\x01\0\4\0\0\0\1" + (8 + 18 + 42).to_bytes(4, "big")
        + b"\x02\x02\0\4\0\0\0\1" + len(preview).to_bytes(4, "big")
    )  # fmt: skip
    exif = b"Exif\0\0MM\0*" + (8).to_bytes(4, "big") + first + b"\0\3" + entries + bytes(4) + preview
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(buffer, "JPEG", exif=exif)
    assert preview in buffer.getvalue()
    derived = derive(Asset.from_bytes(buffer.getvalue(), name="a.jpg"), Derivation(crop=Box(0, 0, 20, 20)), signer)
    assert preview not in derived.asset.content


def test_what_a_format_cannot_carry_is_named(signer: Signer) -> None:
    derived = derive(photo(), Derivation(media_type=MediaType.GIF), signer)
    (left,) = [action for action in actions(read(derived.asset)) if action["action"] == "c2pa.edited.metadata"]
    assert left["description"] == "not carried over: EXIF, XMP"


def test_a_profile_goes_along_only_with_the_pixels_it_describes(signer: Signer) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode, kept in (("RGB", True), ("L", False)):
        buffer = io.BytesIO()
        Image.new(mode, (8, 8)).save(buffer, "PNG", icc_profile=profile)
        derivation = Derivation(media_type=MediaType.WEBP)
        derived = derive(Asset.from_bytes(buffer.getvalue(), name="a.png"), derivation, signer)
        assert ("icc_profile" in Image.open(io.BytesIO(derived.asset.content)).info) is kept
        described = [action.get("description") for action in actions(read(derived.asset))]
        assert ("not carried over: colour profile" in described) is not kept


def test_further_pictures_in_a_jpeg_are_missed_aloud(signer: Signer) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    derived = derive(Asset.from_bytes(buffer.getvalue(), name="a.jpg"), Derivation(), signer)
    described = [action.get("description", "") for action in actions(read(derived.asset))]
    assert any("further pictures in the file" in words for words in described)


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "LA", "L", "1", "I;16"])
@pytest.mark.parametrize(
    "target", [MediaType.JPEG, MediaType.PNG, MediaType.WEBP, MediaType.AVIF, MediaType.TIFF, MediaType.GIF]
)
def test_every_mode_goes_into_every_format(signer: Signer, mode: str, target: MediaType) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (24, 16), 30_000 if mode == "I;16" else 0).save(buffer, "TIFF")
    derived = derive(
        Asset.from_bytes(buffer.getvalue(), name="a.tif"), Derivation(resize=(12, 12), media_type=target), signer
    )
    assert Image.open(io.BytesIO(derived.asset.content)).size == (12, 8)
    assert read(derived.asset).state == "Trusted"


def test_transparency_laid_on_white_is_said(signer: Signer) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(buffer, "PNG")
    derived = derive(Asset.from_bytes(buffer.getvalue(), name="a.png"), Derivation(media_type=MediaType.JPEG), signer)
    assert Image.open(io.BytesIO(derived.asset.content)).getpixel((4, 4)) == (255, 255, 255)
    assert "transparency laid on white" in [action.get("description") for action in actions(read(derived.asset))]


def test_a_crop_outside_the_picture_is_refused(signer: Signer) -> None:
    with pytest.raises(DerivationRefused, match="not inside its 48 × 32 pixels"):
        derive(picture(), Derivation(crop=Box(40, 0, 20, 20)), signer)


def test_an_animation_is_refused(signer: Signer) -> None:
    buffer = io.BytesIO()
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(DerivationRefused, match="several frames"):
        derive(Asset.from_bytes(buffer.getvalue(), name="a.gif"), Derivation(), signer)


@pytest.mark.parametrize("signed", [True, False])
def test_a_tiff_of_several_pages_is_refused(signer: Signer, signed: bool) -> None:
    buffer = io.BytesIO()
    pages = [Image.new("L", (8, 8), shade) for shade in (0, 100, 200)]
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    asset = Asset.from_bytes(buffer.getvalue(), name="a.tif")
    if signed:
        asset = sign(asset, Recipe.published(), signer).asset
    with pytest.raises(DerivationRefused, match="several frames"):
        derive(asset, Derivation(), signer)


def test_a_manifest_in_a_directory_of_its_own_is_no_page(signer: Signer) -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "TIFF")
    content = bytearray(buffer.getvalue() + bytes(len(buffer.getvalue()) % 2))
    link = (first := int.from_bytes(content[4:8], "little")) + 2 + 12 * content[first]
    content[link : link + 4] = len(content).to_bytes(4, "little")
    content += struct.pack("<HHHI4sI", 1, 0xCD41, 7, 4, b"c2pa", 0)
    derived = derive(Asset.from_bytes(bytes(content), name="a.tif"), Derivation(media_type=MediaType.PNG), signer)
    assert "c2pa.edited.metadata" not in labels(derived.asset)


def png(bits: int) -> bytes:
    """One red pixel. Pillow writes no colours of 16 bits."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = b"\0" + b"\xff" * (bits // 8) + bytes(2 * bits // 8)
    header = struct.pack(">IIBBBBB", 1, 1, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


def tiff(bits: int) -> bytes:
    """One pixel of red, green and blue."""
    tags = [(256, 1), (257, 1), (259, 1), (262, 2), (277, 3), (278, 1), (279, 3 * bits // 8)]
    at = 8 + 2 + 12 * (len(tags) + 2) + 4
    entries = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags]
    entries += [struct.pack("<HHII", 258, 3, 3, at), struct.pack("<HHII", 273, 4, 1, at + 6)]
    directory = struct.pack("<H", len(entries)) + b"".join(sorted(entries, key=lambda entry: entry[1::-1])) + bytes(4)
    return b"II*\0\x08\0\0\0" + directory + struct.pack("<HHH", bits, bits, bits) + bytes(3 * bits // 8)


def heic(bits: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="writing HEIC needs the extra heic")
    buffer = io.BytesIO()
    mode = "RGB;16" if bits > 8 else "RGB"
    pillow_heif.from_bytes(mode, (64, 64), bytes(64 * 64 * 3 * (1 + (bits > 8)))).save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("made", "bits"), [(png, 16), (png, 8), (tiff, 16), (tiff, 8), (heic, 10), (heic, 8)])
@pytest.mark.parametrize("target", [MediaType.PNG, MediaType.JPEG])
def test_a_depth_that_is_lost_is_said(
    signer: Signer, made: Callable[[int], bytes], bits: int, target: MediaType
) -> None:
    derived = derive(Asset.from_bytes(made(bits), name="a"), Derivation(media_type=target), signer)
    said = [action.get("description") for action in actions(read(derived.asset))]
    assert said.count("reduced to 8 bits for each channel") == (bits > 8)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_the_depth_of_grey_is_kept_or_said_once(signer: Signer, mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (8, 8)).save(buffer, "TIFF")
    asset = Asset.from_bytes(buffer.getvalue(), name="a.tif")
    for target, lost in ((MediaType.PNG, mode != "I;16"), (MediaType.JPEG, True)):
        said = [
            action.get("description")
            for action in actions(read(derive(asset, Derivation(media_type=target), signer).asset))
        ]
        assert said.count("reduced to 8 bits for each channel") == lost


def test_the_original_is_never_the_target(signer: Signer, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(photo().content)
    with pytest.raises(OutputRefused, match="source itself"):
        derive(Asset.open(source), Derivation(), signer, into=source, overwrite=True)
    assert source.read_bytes() == photo().content


@pytest.mark.parametrize(
    "reference",
    [
        "<d dcterms:provenance='self#jumbf=/c2pa/urn:1' dc:format='image/jpeg'/>",
        '<d dc:format="image/jpeg" dcterms:provenance = "https://manifests.example/1"/>',
        "<d dc:format='image/jpeg'/><dcterms:provenance>\n https://manifests.example/1 </dcterms:provenance>",
        "<d dc:format='image/jpeg'/><dcterms:provenance rdf:resource='https://manifests.example/1'/>",
    ],
)
def test_what_names_the_originals_manifest_is_not_carried_over(reference: str, signer: Signer) -> None:
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/' xmlns:dcterms='http://purl.org/dc/terms/'>{reference}</x:xmpmeta>"
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG", xmp=xmp.encode())
    made = derive(Asset.from_bytes(buffer.getvalue(), name="photo.jpg"), Derivation(), signer)
    with Image.open(io.BytesIO(made.asset.content)) as image:
        kept = image.info["xmp"]
    assert b"image/jpeg" in kept
    assert b":provenance" not in kept
    assert "not carried over: reference to a manifest" in [a.get("description") for a in actions(read(made.asset))]
