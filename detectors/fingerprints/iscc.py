"""The ISCC Image-Code of ISO 24138:2024, and its form as the C2PA soft binding `io.iscc.v0` (IEP-0020, draft).

Rules: the code of a given 32 x 32 grey picture is that of the reference implementation, bit for bit; values are sequences of
ISCC-UNITs, of which only an Image-Code of version 0 with 256 bits is used.
"""

import base64
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from assay.provenance.decoding import upright
from assay.provenance.errors import AssayError

ISCC = "io.iscc.v0"
_SIDE = 32
_IMAGE_CODE = bytes((0x21, 0x07))  # MainType CONTENT, SubType IMAGE, Version 0, Length 7: 256 bits
_MAIN_TYPES = range(5)  # META, SEMANTIC, CONTENT, DATA, INSTANCE


class SequenceRefused(AssayError):
    """These bytes are no sequence of ISCC-UNITs."""


def image_code(image: Image.Image) -> bytes:
    """The Image-Code's body of 32 bytes: upright, on white, without uniform borders, grey, 32 x 32 (ISO 24138)."""
    whole = upright(image)
    ground = Image.new("RGB", whole.size, whole.getpixel((0, 0)))
    difference = ImageChops.difference(whole, ground)
    inside = ImageChops.add(difference, difference).getbbox()
    grey = (whole.crop(inside) if inside else whole).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return code_of_pixels(np.asarray(grey, np.float64))


class ImageCode:
    """The Image-Code as a soft binding (`Fingerprinter`)."""

    algorithm = ISCC

    def value(self, image: Image.Image) -> bytes:
        """One ISCC-UNIT with its header."""
        return sequence(image_code(image))


def code_of_pixels(grey: NDArray[np.float64]) -> bytes:
    """The body for normalised pixels, float (32, 32): four blocks of the cosine transform, each against its median."""
    spectrum = _dct(_dct(grey).T).T
    bits = []
    for top, left in product((0, 8), repeat=2):
        block = spectrum[top : top + 8, left : left + 8].ravel()
        bits.append(block > np.median(block))
    return np.packbits(np.concatenate(bits)).tobytes()


def sequence(body: bytes) -> bytes:
    """The soft binding's value: one ISCC-UNIT with its header."""
    return _IMAGE_CODE + body


def text(body: bytes) -> str:
    """The canonical form, `ISCC:…`."""
    return "ISCC:" + base64.b32encode(sequence(body)).decode().rstrip("=")


def image_codes(value: bytes) -> tuple[bytes, ...]:
    """The bodies of all Image-Codes in a soft binding's value. Raises `SequenceRefused` for what is no ISCC-SEQ."""
    found, at = [], 0
    while at < len(value):
        header = value[at : at + 2]
        if len(header) < 2:
            raise SequenceRefused("the ISCC sequence ends within a header")
        main, length = header[0] >> 4, header[1] & 0x0F
        if main not in _MAIN_TYPES or length > 7 or header[0] & 0x08 or header[1] & 0x80:
            raise SequenceRefused("the ISCC sequence holds a header that is not allowed in it")
        end = at + 2 + 4 * (length + 1)
        if end > len(value):
            raise SequenceRefused("the ISCC sequence ends within a body")
        if header == _IMAGE_CODE:
            found.append(value[at + 2 : end])
        at = end
    if not value:
        raise SequenceRefused("the ISCC sequence is empty")
    return tuple(found)


def _dct(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unscaled cosine transform (type II) of each row by Lee's recursion, so that sums that cancel are exactly zero."""
    length = rows.shape[-1]
    if length == 1:
        return rows
    half = length // 2
    mirrored = rows[..., : half - 1 : -1]
    weights = np.cos((np.arange(half) + 0.5) * np.pi / length) * 2.0
    even = _dct(rows[..., :half] + mirrored)
    odd = _dct((rows[..., :half] - mirrored) / weights)
    result = np.empty_like(rows)
    result[..., ::2] = even
    result[..., 1:-1:2] = odd[..., :-1] + odd[..., 1:]
    result[..., -1] = odd[..., -1]
    return result
