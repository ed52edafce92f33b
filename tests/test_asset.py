"""Assets are told by content, and limits hold before anything is parsed."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from assay.provenance.asset import Asset, Limits
from assay.provenance.decoding import decode, grey, rgb
from assay.provenance.errors import DecodeFailed, LimitExceeded, UnreadableFile, UnsupportedFormat
from assay.provenance.media_type import MediaType, sniff


def encoded(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "olive").save(buffer, form, **options)
    return buffer.getvalue()


PILLOW = {
    MediaType.JPEG: "JPEG",
    MediaType.PNG: "PNG",
    MediaType.WEBP: "WEBP",
    MediaType.GIF: "GIF",
    MediaType.TIFF: "TIFF",
    MediaType.AVIF: "AVIF",
    MediaType.BMP: "BMP",
}


@pytest.mark.parametrize("media_type", PILLOW)
def test_formats_are_told_by_content_and_decoded(media_type: MediaType) -> None:
    asset = Asset.from_bytes(encoded(PILLOW[media_type]), name="misleading.txt")
    assert asset.media_type is media_type
    assert decode(asset).size == (40, 30)


@given(st.binary(max_size=300))
def test_sniffing_any_bytes_gives_a_format_or_none(content: bytes) -> None:
    assert sniff(content) in (None, *MediaType)


@given(st.sampled_from(list(PILLOW)), st.integers(0, 1200))
def test_sniffing_any_beginning_never_fails(media_type: MediaType, length: int) -> None:
    assert sniff(encoded(PILLOW[media_type])[:length]) in (None, media_type, MediaType.TIFF)


def test_text_with_an_images_name_is_called_text(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_text("this is no photograph")
    with pytest.raises(UnsupportedFormat, match=r"photo\.jpg: not a supported image: its content is text"):
        Asset.open(path)


def test_what_is_missing_or_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        Asset.open(tmp_path / "missing.jpg")
    with pytest.raises(UnreadableFile, match="no regular file"):
        Asset.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ftp://example.org/a.png", "download the file"),
        ("https://example.org/a.png", "download the file"),
        ("HTTPS://example.org/" + "a" * 300, "download the file"),
        ("file:///home/a.png", "name the path alone"),
        ("s3://bucket/a.png", "assay audit"),
    ],
)
def test_a_url_is_no_missing_file(name: str, hint: str) -> None:
    with pytest.raises(UnreadableFile, match="a URL, and files are not fetched from " + name.lower()[:4]) as failure:
        Asset.open(name)
    assert hint in failure.value.hint


def test_a_file_that_looks_like_a_url_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ftp:/example.org").mkdir(parents=True)
    (tmp_path / "ftp:/example.org/a.png").write_bytes(encoded("PNG"))
    monkeypatch.chdir(tmp_path)
    assert Asset.open("ftp://example.org/a.png").media_type is MediaType.PNG


def test_too_many_bytes_are_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encoded("PNG"))
    with pytest.raises(LimitExceeded, match="bytes exceed the limit of 10"):
        Asset.open(path, limits=Limits(bytes=10))


def test_truncated_pixels_are_a_failure_not_a_guess() -> None:
    content = encoded("JPEG", quality=95)
    asset = Asset.from_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DecodeFailed, match="cannot be decoded"):
        decode(asset)


def png_header(width: int, height: int) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + ihdr
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
    )


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"%PDF-1.7", "take the pictures out of it"),
        (b"\0\0\0\x18ftypmp42", "save a frame"),
        (b"<!DOCTYPE html><html>", "save the picture itself"),
        (b"PK\x03\x04", "assay audit"),
        (b"", "get the file again"),
        (b"hello", "not by the file's ending"),
    ],
)
def test_what_is_given_in_place_of_a_picture_is_named_with_what_to_do(content: bytes, hint: str) -> None:
    with pytest.raises(UnsupportedFormat) as refused:
        Asset.from_bytes(content)
    assert hint in refused.value.hint


def test_a_palette_with_many_transparencies_is_decoded_without_a_warning() -> None:
    buffer = io.BytesIO()
    Image.new("P", (64, 48), 1).save(buffer, "PNG", transparency=bytes([7, 90] * 128))
    image = decode(Asset.from_bytes(buffer.getvalue()))
    assert isinstance(image.info["transparency"], bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rgb(image).mode == "RGB"
        assert grey(image).mode == "L"


@pytest.mark.parametrize("size", [(60_000, 60_000), (2_000_000_000, 2)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(LimitExceeded, match="pixels exceed the limit"):
        decode(Asset.from_bytes(png_header(*size)))


def test_a_decoder_that_nobody_asked_for_never_sees_the_file() -> None:
    # Pillow would read this as BLP, a format whose header once cost hundreds of megabytes; assay does not know it.
    with pytest.raises(UnsupportedFormat):
        Asset.from_bytes(b"BLP2" + bytes(280))
