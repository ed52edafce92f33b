"""The dwtDct mark of the invisible-watermark library, which several generators write into every picture they make.

How it is written: the picture in YUV, channel U, one level of a Haar transform, 4×4 blocks of the low band row by row; block n
carries bit n mod L in its largest coefficient (the first excepted), moved to 1/4 (zero) or 3/4 (one) of a step of 36. No DCT
takes part, in spite of the name. Sources: ShieldMnt/invisible-watermark (maxDct), and each generator named below.

Rules: bits are compared with payloads that real generators write, never read freely; flat blocks have no vote; every
threshold holds for the maximum over everything that was tried (docs/watermarks.md has the counts).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.detectors.watermarks.protocol import Decoded

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]

_STEP = 36.0
_ONE = (20.5, 29.5)  # remainders that only a written one leaves: the writer aims at 27, the rest is what rounding and JPEG do
_FLAT = 1.0  # a block whose low band spans less than this was not written into, or carries nothing readable
_SMALLEST = 256 * 256  # pixels; the library refuses smaller ones
_LONG_SIDES = (512, 576, 640, 704, 768, 832, 896, 1024, 1152, 1216, 1280, 1344, 1360, 1536)  # pixels generators make
_BANDS = 24  # rows of blocks that the first look reads


@dataclass(frozen=True, slots=True)
class Payload:
    """A bit string that one family of generators writes. `least` bits must match in a picture as it is or rescaled, and
    `least_cropped` after a search over crops (None: too short for such a search)."""

    generator: str
    bits: tuple[int, ...]
    least: int
    least_cropped: int | None
    source: str


def _bits(text: str) -> tuple[int, ...]:
    return tuple(int(bit) for bit in text)


def _text_bits(text: str) -> tuple[int, ...]:
    return _bits("".join(f"{byte:08b}" for byte in text.encode()))


PAYLOADS = (
    Payload(
        "Stable Diffusion XL",
        _bits("101100111110110010010000011110111011000110011110"),
        41,
        46,
        "Stability-AI/generative-models; diffusers, pipelines/stable_diffusion_xl/watermark.py",
    ),
    Payload(
        "FLUX",
        _bits("1010101111111010000111100111001111010100101110"),
        40,
        45,
        "black-forest-labs/flux: bin(0x2AFE879CF52E)[2:], which loses the two leading zeros of 48 bits",
    ),
    Payload(
        "FLUX",
        _bits("001010101111111010000111100111001111010100101110"),
        41,
        46,
        "the same constant written with all 48 bits",
    ),
    Payload("Stable Diffusion 1", _text_bits("StableDiffusionV1"), 96, 114, "CompVis/stable-diffusion, scripts/txt2img.py"),
    Payload(
        "Stable Diffusion 1 inpainting",
        _text_bits("StableDiffusionV1-Inpainting"),
        152,
        174,
        "runwayml/stable-diffusion, scripts/inpaint_st.py",
    ),
    Payload("Stable Diffusion 2", _text_bits("SDV2"), 30, None, "Stability-AI/stablediffusion, scripts/txt2img.py"),
    Payload("InvokeAI", _text_bits("InvokeAI"), 52, 60, "invoke-ai/InvokeAI, docs/features/OTHER.md"),
)


class DwtDct:
    """Reads the dwtDct mark."""

    name = "dwtDct"

    def detect(self, image: "Image", *, deep: bool = False) -> Decoded | None:
        """Compare the picture with every known payload: as it is, and with `deep` also cropped and rescaled."""
        if not can_carry(image):
            return None
        if deep or _first_look(image):
            found = _best(_votes(_low_band(image)), place="as it is")
            if found or not deep:
                return found
        return _rescaled(image) or _cropped(image) if deep else None


def can_carry(image: "Image") -> bool:
    """Whether a picture is large enough for the mark and has colour at all."""
    return image.width * image.height >= _SMALLEST and min(image.size) >= 64 and image.mode not in ("1", "L", "LA", "I", "F")


def _low_band(image: "Image") -> Floats:
    """Channel U (OpenCV's scale, around 128) after one Haar level: sums of 2×2 pixels, halved. Shape (height/2, width/2)."""
    luminance, chroma, _ = image.convert("RGB").convert("YCbCr").split()
    del luminance
    cb = np.asarray(chroma).astype(np.float32)
    height, width = cb.shape[0] // 2 * 2, cb.shape[1] // 2 * 2
    cb = cb[:height, :width]
    sums = cb[0::2, 0::2] + cb[0::2, 1::2] + cb[1::2, 0::2] + cb[1::2, 1::2]
    return np.asarray(256 + (sums / 2 - 256) * np.float32(0.492 / 0.564), dtype=np.float32)  # U = 0.492 (B − Y), Cb = 0.564 (B − Y)


def _votes(low: Floats) -> Floats:
    """+1 for a one, −1 for a zero, 0 for a block without a voice. Shape (block rows, block columns)."""
    rows, columns = low.shape[0] // 4, low.shape[1] // 4
    blocks = low[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4).transpose(0, 2, 1, 3).reshape(rows, columns, 16)
    top = np.abs(blocks[..., 1:]).max(axis=2)
    remainder = top % np.float32(_STEP)
    votes = np.where(remainder < _ONE[0], np.float32(-1), np.where(remainder < _ONE[1], np.float32(1), np.float32(0)))
    return np.where(np.ptp(blocks, axis=2) < _FLAT, np.float32(0), votes)


def _matched(votes: Floats, bits: NDArray[Any], numbers: NDArray[Any]) -> int:
    """How many bits of a payload the blocks agree on; `numbers` is each block's number in the writer's count."""
    length = len(bits)
    voices = np.bincount(numbers % length, weights=(votes != 0).ravel(), minlength=length)
    if voices.min() < 4 or voices.sum() < votes.size / 4:
        return 0
    means = np.bincount(numbers % length, weights=votes.ravel(), minlength=length) / voices
    if np.ptp(means) < 0.2:
        return 0
    return int(((means > means.mean()) == (bits > 0)).sum())


def _best(votes: Floats, *, place: str, extra: int = 0) -> Decoded | None:
    """The best payload at or above its threshold (raised by `extra` bits), blocks counted from the picture's own corner."""
    numbers = np.arange(votes.size)
    found = [
        (matched / len(payload.bits), payload, matched)
        for payload in PAYLOADS
        if (matched := _matched(votes, np.array(payload.bits), numbers)) >= min(payload.least + extra, len(payload.bits))
    ]
    if not found:
        return None
    _, payload, matched = max(found, key=lambda one: one[0])
    return _decoded(payload, matched, place)


def _decoded(payload: Payload, matched: int, place: str) -> Decoded:
    text = "".join(map(str, payload.bits))
    raw = int(text, 2).to_bytes((len(text) + 7) // 8, "big")
    return Decoded(
        scheme=DwtDct.name,
        payload=raw,
        generator=payload.generator,
        matched=matched,
        bits=len(payload.bits),
        place=place,
    )


def _first_look(image: "Image") -> bool:
    """Whether some payload shows in a sample of block rows. Costs a tenth of the whole; misses almost nothing that the
    whole would find (benchmarks/watermarks.py counts)."""
    columns, rows = image.width // 8, image.height // 8
    if rows <= _BANDS * 2:
        return True
    votes, numbers = [], []
    for row in np.linspace(0, rows - 1, _BANDS).astype(int):
        band = image.crop((0, int(row) * 8, columns * 8, int(row) * 8 + 8))
        votes.append(_votes(_low_band(band)))
        numbers.append(np.arange(row * columns, (row + 1) * columns))
    sample, count = np.concatenate(votes), np.concatenate(numbers)
    return any(_matched(sample, np.array(one.bits), count) >= len(one.bits) * 0.66 for one in PAYLOADS)


def _rescaled(image: "Image") -> Decoded | None:
    """Undo a resize: try the sizes that generators make and that keep this picture's shape."""
    for side in _LONG_SIDES:
        factor = side / max(image.size)
        size = tuple(round(length * factor / 8) * 8 for length in image.size)
        if size == image.size or not 0.4 <= factor <= 2.5 or min(size) < 256:
            continue
        if any(abs(whole - length * factor) > 2 for whole, length in zip(size, image.size, strict=True)):
            continue
        resized = image.convert("RGB").resize(size)  # bicubic
        if found := _best(_votes(_low_band(resized)), place=f"rescaled to {size[0]}×{size[1]}", extra=2):
            return found
    return None


def _cropped(image: "Image") -> Decoded | None:
    """Undo a crop: all 64 offsets of the 8×8 grid, all first blocks and all row lengths modulo the payload's length."""
    best: tuple[float, Payload, int, str] | None = None
    for offset, votes in _offsets(image):
        for payload in PAYLOADS:
            if payload.least_cropped is None:
                continue
            matched = _matched_cropped(votes, payload)
            score = matched / len(payload.bits)
            if matched >= payload.least_cropped and (best is None or score > best[0]):
                best = score, payload, matched, f"cropped, grid at {offset[0]}, {offset[1]}"
    return _decoded(*best[1:]) if best else None


def _offsets(image: "Image") -> Iterator[tuple[tuple[int, int], Floats]]:
    """The votes at each of the 64 places where the writer's grid may begin; (across, down) in pixels."""
    picture = image.convert("RGB")
    for down in (0, 1):
        for across in (0, 1):
            low = _low_band(picture.crop((across, down, picture.width, picture.height)))
            for i in range(4):
                for j in range(4):
                    yield (2 * j + across, 2 * i + down), _votes(low[i:, j:])


def _matched_cropped(votes: Floats, payload: Payload) -> int:
    """The most bits that agree over every first block and every row length of the uncropped picture.

    Rows are correlated with the payload at every shift at once (FFT over columns folded modulo L); a row length of C blocks
    then shifts row r by r·C.
    """
    bits = np.array(payload.bits)
    length, (rows, columns) = len(bits), votes.shape
    silent = votes == 0
    centred = np.where(silent, 0, votes - votes.sum() / max((~silent).sum(), 1))
    folded = np.zeros((rows, -(-columns // length) * length), np.float32)
    folded[:, :columns] = centred
    folded = folded.reshape(rows, -1, length).sum(axis=1)
    template = bits - bits.mean()
    # agreement[r, s] = Σ_c folded[r, c] · template[(c + s) mod L]
    agreement = np.fft.irfft(np.conj(np.fft.rfft(folded, axis=1)) * np.fft.rfft(template), n=length, axis=1)
    shifts = np.arange(length)
    totals = np.empty((length, length), np.float32)  # [row length, first block]
    row = np.arange(rows)
    for wide in range(length):
        totals[wide] = agreement[row[:, None], (shifts[None, :] + (row * wide)[:, None]) % length].sum(axis=0)
    wide, first = np.unravel_index(int(totals.argmax()), totals.shape)
    numbers = (row[:, None] * int(wide) + np.arange(columns)[None, :] + int(first)).ravel()
    return _matched(votes, bits, numbers)
