"""Whether a file's embedded thumbnail shows the picture that the file shows.

Rules: the thumbnail is hostile bytes: decoded as JPEG only, never above a small size; black bars that cameras add are taken
off; the picture may have been turned since.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.provenance.decoding import grey

if TYPE_CHECKING:
    from assay.detectors.subject import Subject

_LARGEST = 1024 * 1024  # pixels
_SIDE = 16  # both pictures are compared at 16×16
ALIKE = 0.75  # least correlation of the same picture (docs/camera-traces.md has the counts)
SAME_SHAPE = 0.04  # relative difference of the aspect ratios


@dataclass(frozen=True, slots=True)
class Comparison:
    """`likeness` is the best correlation over the four turns, −1 to 1; `shape` the relative difference of aspect ratios."""

    likeness: float
    shape: float


def compare(subject: "Subject", thumbnail: bytes) -> Comparison | None:
    """Compare an EXIF thumbnail with the picture; None where the thumbnail cannot be decoded or shows nothing.

    Raises what `Subject.image` raises.
    """
    small = _decoded(thumbnail)
    if small is None:
        return None
    cut = _without_bars(np.asarray(small, dtype=np.float32))
    reference = _normal(cut)
    if reference is None:
        return None
    best = Comparison(-1.0, 1.0)
    whole = np.asarray(_reduced(subject), dtype=np.float32)
    for turns in range(4):
        turned = np.rot90(whole, turns)
        candidate = _normal(turned)
        if candidate is None:
            return None
        shape = abs((turned.shape[1] / turned.shape[0]) / (cut.shape[1] / cut.shape[0]) - 1)
        likeness = float((reference * candidate).mean())
        if likeness > best.likeness:
            best = Comparison(likeness, shape)
    return best


def _reduced(subject: "Subject") -> Image.Image:
    """The picture in grey, small: from JPEG at an eighth of its size where nobody has decoded it yet."""
    if subject.large:
        return subject.sketch
    picture = subject.image
    factor = max(picture.size) // 256
    return grey(picture).reduce(factor) if factor > 1 else grey(picture)


def _decoded(thumbnail: bytes) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(thumbnail), formats=("JPEG",))
        if image.width * image.height > _LARGEST or min(image.size) < 16:
            return None
        return image.convert("L")
    except Exception:  # decoders raise whatever they like on hostile bytes
        return None


def _without_bars(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take off black bars of equal width at two opposite sides."""
    for _ in range(2):
        dark = pixels.max(axis=1) < 40
        bar = 0
        while bar < len(dark) // 4 and dark[bar] and dark[-1 - bar]:
            bar += 1
        pixels = (pixels[bar : len(pixels) - bar] if bar else pixels).T
    return pixels


def _normal(pixels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """16×16 with mean 0 and variance 1; None where it is flat."""
    small = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float32)
    spread = float(small.std())
    return (small - small.mean()) / spread if spread > 4 else None
