"""assay's own invisible mark: six bytes spread over the luminance of the whole picture, read without the original.

How it works: the picture is looked at in one canonical size (an area of 512×512 pixels, its own shape), so that resizing
changes nothing. A tile of 128×128 pixels is repeated over it. The tile is made in the Fourier domain: some of its middle
frequencies carry a fixed pattern by which position and scale are found again, the others the payload with a 32-bit
checksum under a convolutional code. The pattern follows the picture's own texture, where it is seen least.

Rules: whoever has this code can write any payload and remove any mark, so a mark leads to a manifest and proves nothing; it
says nothing of origin by itself; a payload is given only if its checksum holds, never the nearest. No foreign code or
weights; sources: Cox et al. 1997 (spread spectrum), Kutter 1998 (repeated tiles against scaling and cropping), Viterbi 1967.
"""

import hashlib
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.watermarks.convolution import decoded_bits, encoded_bits
from assay.detectors.watermarks.protocol import Decoded
from assay.provenance.decoding import rgb
from assay.provenance.errors import AssayError

Floats = NDArray[np.float32]

PAYLOAD = 6  # bytes
LEAST_PSNR, MOST_PSNR = 40.3, 45.0  # decibels between picture and marked picture, by how much texture there is
SMALLEST = 128  # pixels of the shorter side
_KEY = b"assay.spread.1"
_AREA = 512 * 512  # pixels of the canonical size
_TILE = 128  # pixels of the canonical size
_BAND = (5.0, 24.0)  # cycles per tile that are used: periods of 26 to 5 canonical pixels
_SYNC = 0.35  # share of the frequencies that carry the fixed pattern
_CODED = 3 * (8 * PAYLOAD + 32 + 6)
_STRONGEST = 6.0  # grey levels of the mark's standard deviation where the texture is strongest
_HOST = 0.7  # share of the picture's own values at those frequencies that is made up for
_SMOOTH, _ROUGH = 8.0, 20.0  # mean texture up to which the mark is weakest, and from which on strongest
_PEAK = (
    6.0  # standard deviations that the fixed pattern must reach before a payload is looked for; marks reach 9 and more
)
_SCALES = (1.0, *(1 - step / 200 for step in range(1, 46)))  # of lengths: what cropping leaves of the canonical size
_THOROUGH_SCALES = tuple(1 + step / 200 for step in range(1, 61))  # and what borders add


@dataclass(frozen=True, slots=True)
class _Layout:
    """The frequencies in use: indices into the half spectrum, their rings (whole cycles per tile), whether they carry the
    fixed pattern, their fixed phases (fourth roots of one), and the coded bit that each of the others belongs to."""

    places: NDArray[np.intp]
    rings: NDArray[np.intp]
    sync: NDArray[np.bool_]
    phases: NDArray[np.complex128]
    owner: NDArray[np.intp]


class SpreadMark:
    """Reads and writes assay's own mark."""

    name = "assay.spread.1"

    def detect(self, image: Image.Image, *, thorough: bool = False) -> Decoded | None:
        """The payload, if one is there whose checksum holds. Crops to 0.78 of the sides are searched; `thorough`: borders, too."""
        if min(image.size) < SMALLEST:
            return None
        grey = rgb(image).convert("L")
        for scale in (*_SCALES, *_THOROUGH_SCALES) if thorough else _SCALES:
            if found := _found(grey, scale):
                place = "as it is" if scale == 1 else f"canonical size times {scale:g}"
                return Decoded(
                    scheme=self.name, payload=found[0], generator="", matched=found[1], bits=_CODED, place=place
                )
        return None

    def mark(self, image: Image.Image) -> tuple[Image.Image, bytes]:
        """A marked copy with a payload by lot. Raises `AssayError` where the picture is too small."""
        payload = secrets.token_bytes(PAYLOAD)
        try:
            return embed(image, payload), payload
        except ValueError as error:
            raise AssayError(f"the picture cannot be marked: {error}", "ask for a larger one") from error

    def read(self, image: Image.Image) -> bytes | None:
        """The payload of a picture that was not cropped."""
        return found[0] if (found := _found(rgb(image).convert("L"), 1.0)) else None


def detect(image: Image.Image, *, thorough: bool = False) -> Decoded | None:
    """`SpreadMark().detect`."""
    return SpreadMark().detect(image, thorough=thorough)


def embed(image: Image.Image, payload: bytes, *, psnr: float | None = None) -> Image.Image:
    """A copy of `image` that carries `payload` (6 bytes): RGB, L or RGBA; other modes become RGB.

    `psnr` is the strength in decibels; where none is given, between 40.3 (much texture, which hides the mark and drowns it)
    and 45 (little).
    Raises `ValueError` for another length, or a side below 128 pixels.
    """
    if len(payload) != PAYLOAD:
        raise ValueError(f"a payload has {PAYLOAD} bytes, this has {len(payload)}")
    if min(image.size) < SMALLEST:
        raise ValueError(f"a marked picture has sides of at least {SMALLEST} pixels")
    picture = image if image.mode in ("RGB", "RGBA", "L") else rgb(image)
    grey = rgb(picture).convert("L")
    canonical = _canonical(grey, 1.0)
    texture, wanted = _local(_detail(canonical)), _spectrum(payload)
    if psnr is None:
        rough = float(np.log2(texture.mean() / _SMOOTH) / np.log2(_ROUGH / _SMOOTH))
        psnr = MOST_PSNR - (MOST_PSNR - LEAST_PSNR) * min(max(rough, 0.0), 1.0)
    even = _laid_out(_tile(wanted), texture)
    strength = _strength(even, psnr)
    hosts = (_folded(canonical) * wanted.conj()).real / _folded_gain(canonical, strength * even, wanted)
    tile = _tile(wanted * (1 - _HOST * hosts).clip(0.25, 3))
    small = _laid_out(tile, texture)
    mark = np.asarray(Image.fromarray(small).resize(image.size, Image.Resampling.BICUBIC))
    strength = _strength(mark, psnr)
    pixels = np.asarray(picture).astype(np.float32)
    colours = pixels[..., :3] if pixels.ndim == 3 else pixels[..., None]
    changed = np.rint(colours + strength * mark[..., None]).clip(0, 255)
    result = pixels.copy()
    if pixels.ndim == 3:
        result[..., :3] = changed
    else:
        result = changed[..., 0]
    return Image.fromarray(result.astype(np.uint8), picture.mode)


def _laid_out(tile: Floats, texture: Floats) -> Floats:
    """The tile repeated over the canonical picture, stronger where there is texture."""
    rows, columns = texture.shape
    return np.tile(tile, (-(-rows // _TILE), -(-columns // _TILE)))[:rows, :columns] * np.sqrt(texture)


def _strength(mark: Floats, psnr: float) -> float:
    return min(255 / 10 ** (psnr / 20) / float(np.sqrt((mark**2).mean()) + 1e-9), _STRONGEST)


def _folded_gain(canonical: Floats, mark: Floats, wanted: NDArray[np.complex128]) -> float:
    """How strong the mark's frequencies come out when all tiles are added up."""
    change = _folded(canonical + mark) - _folded(canonical)
    return max(float((change * wanted.conj()).real.mean()), 1e-6)


def _folded(canonical: Floats) -> NDArray[np.complex128]:
    """The frequencies in use after all tiles are added up, each place weighted against its texture."""
    detail = _detail(canonical)
    flat = detail / _local(detail)
    rows, columns = canonical.shape
    padded = np.zeros((-(-rows // _TILE) * _TILE, -(-columns // _TILE) * _TILE), np.float32)
    padded[:rows, :columns] = flat
    tile = padded.reshape(-1, _TILE, padded.shape[1] // _TILE, _TILE).sum(axis=(0, 2))
    return np.fft.rfft2(tile).ravel()[_layout().places]


def _canonical(grey: Image.Image, scale: float) -> Floats:
    """The picture at the canonical size times `scale`, in grey."""
    factor = scale * np.sqrt(_AREA / (grey.width * grey.height))
    size = max(round(grey.width * factor), 1), max(round(grey.height * factor), 1)
    return np.asarray(grey.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0), dtype=np.float32)


def _detail(canonical: Floats) -> Floats:
    """What is left without the coarse shapes."""
    size = canonical.shape[1], canonical.shape[0]
    coarse = Image.fromarray(canonical).resize((max(size[0] // 8, 1), max(size[1] // 8, 1)), Image.Resampling.BOX)
    return np.asarray(canonical - np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)), dtype=np.float32)


def _local(detail: Floats) -> Floats:
    """How much detail there is around each pixel: local standard deviation, with a floor. Shape as given."""
    size = detail.shape[1], detail.shape[0]
    local = Image.fromarray(detail * detail).resize(
        (max(size[0] // 16, 1), max(size[1] // 16, 1)), Image.Resampling.BOX
    )
    coarse = Image.fromarray(np.sqrt(np.maximum(np.asarray(local), 4.0)).clip(2, 128))
    return np.asarray(coarse.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def _found(grey: Image.Image, scale: float) -> tuple[bytes, int] | None:
    return next(filter(None, map(_read, _looks(grey, scale))), None)


def _looks(grey: Image.Image, scale: float) -> Iterator[Floats]:
    """The coded bits as soft values (positive for one) at the likeliest positions where the fixed pattern shows."""
    layout = _layout()
    values = _even(_folded(_canonical(grey, scale)))
    product = np.zeros(_TILE * (_TILE // 2 + 1), np.complex128)
    product[layout.places[layout.sync]] = (values * layout.phases.conj())[layout.sync]
    coarse, half = product.reshape(_TILE, -1), _TILE // 2
    fine = np.zeros((2 * _TILE, _TILE + 1), np.complex128)  # positions twice as fine: half a pixel matters
    fine[:half, : half + 1] = coarse[:half]
    fine[-half:, : half + 1] = coarse[half:]
    surface = np.fft.irfft2(fine, s=(2 * _TILE, 2 * _TILE))
    spread = float(surface.std()) + 1e-12
    for _ in range(2):
        down, across = divmod(int(surface.argmax()), 2 * _TILE)
        if surface[down, across] < _PEAK * spread:
            return
        yield _demodulated(values, np.array([[down / 2, across / 2]]))[0]
        surface[max(down - 2, 0) : down + 3, max(across - 2, 0) : across + 3] = 0


def words_at(grey: Image.Image, places: NDArray[np.float64], *, scale: float = 1.0) -> Floats:
    """Soft words at any positions (n, 2) (down, across; canonical pixels) of a picture, whether a mark is there or not: for
    counting chance. Shape (n, coded bits)."""
    return _demodulated(_even(_folded(_canonical(grey, scale))), places)


def _even(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """All rings of frequencies made equally strong."""
    rings = _layout().rings
    power = np.bincount(rings, weights=np.abs(values) ** 2) / np.maximum(np.bincount(rings), 1)
    return np.asarray(values / np.sqrt(power[rings] + 1e-9), dtype=np.complex128)


def _demodulated(values: NDArray[np.complex128], places: NDArray[np.float64]) -> Floats:
    """The soft coded bits at each position (down, across). Shape (n, coded bits)."""
    layout, (order, starts) = _layout(), _despreading()
    row, column = np.divmod(layout.places[order], _TILE // 2 + 1)
    row = np.where(row >= _TILE // 2, row - _TILE, row)
    wheel = np.arange(-_TILE // 2, _TILE // 2) * (2j * np.pi / _TILE)
    down, across = (np.exp(np.outer(places[:, axis], wheel)).astype(np.complex64) for axis in (0, 1))
    turns = down[:, row + _TILE // 2] * across[:, column + _TILE // 2]
    turned = (turns * (values * layout.phases.conj())[order].astype(np.complex64)).real
    return np.add.reduceat(turned, starts, axis=1)


@cache
def _despreading() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The frequencies of the payload, sorted by the coded bit that they carry, and where each bit's begin."""
    layout = _layout()
    carrying = np.flatnonzero(~layout.sync)
    order = carrying[np.argsort(layout.owner[carrying], kind="stable")]
    return order, np.searchsorted(layout.owner[order], np.arange(_CODED))


@cache
def _layout() -> _Layout:
    row, column = np.divmod(np.arange(_TILE * (_TILE // 2 + 1)), _TILE // 2 + 1)
    row = np.where(row >= _TILE // 2, row - _TILE, row)
    radius = np.hypot(row, column)
    used = (radius >= _BAND[0]) & (radius < _BAND[1]) & ((column > 0) | (row > 0))
    places = np.flatnonzero(used)
    words = np.frombuffer(hashlib.shake_256(_KEY).digest(8 * len(places)), ">u4").reshape(2, -1)
    order = np.argsort(words[0], kind="stable")
    sync = np.zeros(len(places), bool)
    sync[order[: int(_SYNC * len(places))]] = True
    owner = np.zeros(len(places), np.intp)
    rest = order[int(_SYNC * len(places)) :]
    owner[rest] = np.arange(len(rest)) % _CODED
    phases = np.array([1, 1j, -1, -1j])[words[1] % 4]
    return _Layout(places, radius[places].astype(np.intp), sync, phases, owner)


def _spectrum(payload: bytes) -> NDArray[np.complex128]:
    """The mark's phases at the frequencies in use, of magnitude 1."""
    layout = _layout()
    coded = np.array(encoded_bits(_framed(payload))) * 2.0 - 1
    return layout.phases * np.where(layout.sync, 1.0, coded[layout.owner])


def _tile(values: NDArray[np.complex128]) -> Floats:
    """The tile with these values at the frequencies in use, standard deviation 1."""
    spectrum = np.zeros(_TILE * (_TILE // 2 + 1), np.complex128)
    spectrum[_layout().places] = values
    tile = np.fft.irfft2(spectrum.reshape(_TILE, -1), s=(_TILE, _TILE))
    return np.asarray(tile / tile.std(), dtype=np.float32)


def _framed(payload: bytes) -> list[int]:
    framed = payload + zlib.crc32(_KEY + payload).to_bytes(4, "big")
    bits: list[int] = np.unpackbits(np.frombuffer(framed, np.uint8)).tolist()
    return bits


def _read(soft: Floats) -> tuple[bytes, int] | None:
    """The payload and how many coded bits agree with it, if the checksum holds."""
    bits = decoded_bits(soft[None])[0]
    payload = checked(bits)
    if payload is None:
        return None
    return payload, int(((soft > 0) == np.array(encoded_bits(bits.tolist()), bool)).sum())


def checked(bits: NDArray[np.uint8]) -> bytes | None:
    """The payload in 80 decoded bits, if its checksum holds."""
    payload, difference = compared(bits)
    return payload if difference == 0 else None


def compared(bits: NDArray[np.uint8]) -> tuple[bytes, int]:
    """The payload in 80 decoded bits, and in which of 32 bits its checksum is another than the one that follows it."""
    framed = np.packbits(bits).tobytes()
    payload = framed[:PAYLOAD]
    return payload, zlib.crc32(_KEY + payload) ^ int.from_bytes(framed[PAYLOAD:], "big")
