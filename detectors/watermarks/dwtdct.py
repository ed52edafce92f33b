"""The dwtDct mark of the invisible-watermark library, which several generators write into every picture they make.

How it is written: the picture in YUV, channel U, one level of a Haar transform, 4×4 blocks of the low band row by row; block n
carries bit n mod L in its largest coefficient (the first excepted), moved to 1/4 (zero) or 3/4 (one) of a step of 36. No DCT
takes part, in spite of the name. Sources: ShieldMnt/invisible-watermark (maxDct), and each generator named below.

Rules: bits are compared with payloads that real generators write, never read freely; flat blocks have no vote; every
threshold holds for the maximum over everything that was tried (docs/watermarks.md has the counts).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.detectors.watermarks.protocol import Decoded
from assay.provenance.decoding import rgb

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]

_TO_U = tuple(np.float32(weight * 0.492 / 2) for weight in (-0.299, -0.587, 1 - 0.114))  # of red, green, blue; halved
_STEP = 36.0
_ONE = (
    20.5,
    29.5,
)  # remainders that only a written one leaves: the writer aims at 27, the rest is what rounding and JPEG do
_FLAT = 1.0  # a block whose low band spans less than this was not written into, or carries nothing readable
_SMALLEST = 256 * 256  # pixels; the library refuses smaller ones
_LONG_SIDES = (512, 576, 640, 704, 768, 832, 896, 1024, 1152, 1216, 1280, 1344, 1360, 1536)  # pixels generators make
_WORTH_A_LOOK = 0.7  # share of bits that must match in the sample
_OFFSETS_TRIED = 6
_AS_IT_IS = "as it is"
_UNMARKED = 1_098  # real pictures looked at as they are, without a false positive (docs/watermarks.md)
_UNMARKED_DEEP = 327  # and rescaled and cropped
_BAND = 8  # rows of blocks in each of the three bands that the first look reads


@dataclass(frozen=True, slots=True)
class Payload:
    """A bit string that one family of generators writes. `least` bits must match in a picture as it is or rescaled, and
    `least_cropped` after a search over crops (None: too short for such a search). Text has a bit pattern of period 8 that a
    picture with a regular texture can imitate (up to 98 of 136 bits of "StableDiffusionV1"): the thresholds lie well above."""

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
    Payload(
        "Stable Diffusion 1", _text_bits("StableDiffusionV1"), 116, 122, "CompVis/stable-diffusion, scripts/txt2img.py"
    ),
    Payload(
        "Stable Diffusion 1 inpainting",
        _text_bits("StableDiffusionV1-Inpainting"),
        192,
        200,
        "runwayml/stable-diffusion, scripts/inpaint_st.py",
    ),
    Payload("Stable Diffusion 2", _text_bits("SDV2"), 30, None, "Stability-AI/stablediffusion, scripts/txt2img.py"),
    Payload("InvokeAI", _text_bits("InvokeAI"), 56, 60, "invoke-ai/InvokeAI, docs/features/OTHER.md"),
)


@dataclass(frozen=True, slots=True)
class Match:
    """How many bits of a payload a picture agrees on when looked at in one way, and how many it needs."""

    payload: Payload
    matched: int
    least: int
    place: str


class DwtDct:
    """Reads the dwtDct mark."""

    name = "dwtDct"

    def detect(self, image: "Image", *, thorough: bool = False) -> Decoded | None:
        """Compare the picture with every known payload: as it is, and with `thorough` also cropped and rescaled."""
        if not can_carry(image) or not (thorough or _first_look(image)):
            return None
        looks = (as_it_is, rescaled, cropped) if thorough else (as_it_is,)
        for look in looks:
            found = [match for match in look(image) if match.matched >= match.least]
            if found:
                return _decoded(max(found, key=lambda match: match.matched / len(match.payload.bits)))
        return None


def can_carry(image: "Image") -> bool:
    """Whether a picture is large enough for the mark and has colour at all."""
    return (
        image.width * image.height >= _SMALLEST
        and min(image.size) >= 64
        and image.mode not in ("1", "L", "LA", "I", "F")
    )


def _low_band(image: "Image") -> Floats:
    """Channel U (OpenCV's scale, around 128) after one Haar level: sums of 2×2 pixels, halved. Shape (height/2, width/2)."""
    return _low_band_of(_rgb(image))


def _rgb(image: "Image") -> NDArray[np.uint8]:
    return np.asarray(image if image.mode == "RGB" else rgb(image))


def _low_band_of(pixels: NDArray[np.uint8]) -> Floats:
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    rows = np.add(pixels[0:height:2, :width], pixels[1:height:2, :width], dtype=np.uint16)
    low = np.full((height // 2, width // 2), 256, np.float32)
    for channel, weight in enumerate(_TO_U):
        low += (rows[:, 0::2, channel] + rows[:, 1::2, channel]) * weight
    return low


def _votes(low: Floats) -> Floats:
    """+1 for a one, −1 for a zero, 0 for a block without a voice. Shape (block rows, block columns)."""
    return _voiced(low)[1]


def _written(low: Floats) -> tuple[float, Floats]:
    """The share of voices whose remainder lies where a writer puts it, and the votes."""
    remainder, votes = _voiced(low)
    aimed = (np.abs(remainder - 9) < 1.5) | (np.abs(remainder - 27) < 1.5)
    return float((aimed & (votes != 0)).sum() / max(votes.size, 1)), votes


def _voiced(low: Floats) -> tuple[Floats, Floats]:
    """The remainder of each block's largest coefficient, and its vote."""
    rows, columns = low.shape[0] // 4, low.shape[1] // 4
    blocks = low[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4)
    places = blocks.transpose(1, 3, 0, 2).reshape(16, rows, columns)  # one plane for each place in a block
    largest = places[1:].max(axis=0)
    remainder = largest % np.float32(_STEP)  # the band is never negative
    votes = np.where(remainder < _ONE[0], np.float32(-1), np.where(remainder < _ONE[1], np.float32(1), np.float32(0)))
    votes[np.maximum(largest, places[0]) - places.min(axis=0) < _FLAT] = 0
    return remainder, votes


@cache
def _pattern(bits: tuple[int, ...]) -> NDArray[np.intp]:
    return np.array(bits)


def _matched(votes: Floats, payload: Payload, numbers: NDArray[Any], *, least_voices: int = 4) -> int:
    """How many bits of a payload the blocks agree on; `numbers` is each block's number in the writer's count. 0 where some
    bit has fewer than `least_voices`, or three blocks in four are silent."""
    bits = _pattern(payload.bits)
    length = len(bits)
    places = numbers % length
    voices = np.bincount(places, weights=(votes != 0).ravel(), minlength=length)
    if voices.min() < least_voices or voices.sum() < votes.size / 4:
        return 0
    means = np.bincount(places, weights=votes.ravel(), minlength=length) / voices
    if np.ptp(means) < 0.2:
        return 0
    return int(((means > means.mean()) == (bits > 0)).sum())


def _compared(votes: Floats, *, place: str, extra: int = 0) -> Iterator[Match]:
    """Every payload, blocks counted from the picture's own corner; `extra` bits are needed where much was tried."""
    numbers = np.arange(votes.size)
    for payload in PAYLOADS:
        matched = _matched(votes, payload, numbers)
        yield Match(payload, matched, min(payload.least + extra, len(payload.bits)), place)


def _decoded(match: Match) -> Decoded:
    text = "".join(map(str, match.payload.bits))
    return Decoded(
        scheme=DwtDct.name,
        payload=int(text, 2).to_bytes((len(text) + 7) // 8, "big"),
        generator=match.payload.generator,
        matched=match.matched,
        bits=len(text),
        place=match.place,
        unmarked=_UNMARKED if match.place == _AS_IT_IS else _UNMARKED_DEEP,
    )


def as_it_is(image: "Image") -> Iterator[Match]:
    """The picture as the generator may have written it."""
    return _compared(_votes(_low_band(image)), place=_AS_IT_IS)


def _first_look(image: "Image") -> bool:
    """Whether some payload shows in a sample of block rows. Costs a tenth of the whole; misses almost nothing that the
    whole would find (benchmarks/watermarks.py counts)."""
    columns, rows = image.width // 8, image.height // 8
    if rows <= 3 * _BAND:
        return True
    starts = np.array([rows * part // 6 - _BAND // 2 for part in (1, 3, 5)])
    tops = [int(start) * 8 for start in starts]
    bands = [_rgb(image.crop((0, top, columns * 8, top + _BAND * 8))) for top in tops]
    votes = _votes(_low_band_of(np.concatenate(bands)))
    numbers = (starts[:, None] * columns + np.arange(_BAND * columns)[None, :]).ravel()
    return any(_matched(votes, one, numbers, least_voices=1) >= len(one.bits) * _WORTH_A_LOOK for one in PAYLOADS)


def rescaled(image: "Image") -> Iterator[Match]:
    """Undo a resize: try the sizes that generators make and that keep this picture's shape."""
    picture = rgb(image)
    for side in _LONG_SIDES:
        factor = side / max(image.size)
        size = (round(image.width * factor / 8) * 8, round(image.height * factor / 8) * 8)
        if size == image.size or not 0.4 <= factor <= 2.5 or min(size) < 256:
            continue
        if any(abs(whole - length * factor) > 2 for whole, length in zip(size, image.size, strict=True)):
            continue
        low = _low_band(picture.resize(size))  # bicubic
        yield from _compared(_votes(low), place=f"rescaled to {size[0]}×{size[1]}", extra=2)


def cropped(image: "Image") -> Iterator[Match]:
    """Undo a crop: the likeliest of the 64 offsets of the 8×8 grid, all first blocks, all row lengths modulo the payload's."""
    likeliest = sorted(_offsets(image), key=lambda one: one[0], reverse=True)[:_OFFSETS_TRIED]
    for _, (across, down), votes in likeliest:
        for payload in PAYLOADS:
            if payload.least_cropped is not None:
                matched = _matched_cropped(votes, payload)
                yield Match(payload, matched, payload.least_cropped, f"cropped; grid at {across}, {down}")


def _offsets(image: "Image") -> Iterator[tuple[float, tuple[int, int], Floats]]:
    """For each of the 64 places (across, down) where the writer's grid may begin: how much it looks like one, and the votes."""
    rgb = _rgb(image)
    for down in (0, 1):
        for across in (0, 1):
            low = _low_band_of(rgb[down:, across:])
            for i in range(4):
                for j in range(4):
                    written, votes = _written(low[i:, j:])
                    yield written, (2 * j + across, 2 * i + down), votes


def _matched_cropped(votes: Floats, payload: Payload) -> int:
    """The most bits that agree over every first block and every row length of the uncropped picture.

    Rows are correlated with the payload at every shift at once (FFT over columns folded modulo L); a row length of C blocks
    then shifts row r by r·C.
    """
    bits = _pattern(payload.bits)
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
    best_wide, best_first = divmod(int(totals.argmax()), length)
    numbers = (row[:, None] * best_wide + np.arange(columns)[None, :] + best_first).ravel()
    return _matched(votes, payload, numbers)
