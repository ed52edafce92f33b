"""The period of two pixels that interpolation from a colour filter array leaves in a picture at its native size.

A camera measures green at half of its pixels, in a chessboard, and interpolates the rest: interpolated pixels are predicted
better by their neighbours. Source: Popescu and Farid 2005; Gallagher and Chen 2008, re-implemented from the papers.

Rules: compression to 8×8 blocks leaves periods of its own, one of them two pixels long: the period must stand out from the
other multiples of 1/8; resizing removes it, and upsampling networks can leave one, so neither presence nor absence decides.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.provenance.decoding import rgb

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 512  # pixels; the middle of the picture
STANDS_OUT = 12.0


@dataclass(frozen=True, slots=True)
class Period:
    """How far the chessboard of green stands out: its spectral line over the median of the spectrum around it, and over the
    strongest other line of 8×8 blocks."""

    over_spectrum: float
    over_blocks: float

    @property
    def visible(self) -> bool:
        """Whether it stands out from both."""
        return self.over_spectrum >= STANDS_OUT and self.over_blocks >= 2


def chessboard(image: "Image") -> Period | None:
    """The chessboard period of green in the middle of a picture, at the parity of its own pixels; None below 256 pixels."""
    side = min(SIDE, image.width // 16 * 16, image.height // 16 * 16)
    if side < 256:
        return None
    across, down = (image.width - side) // 2, (image.height - side) // 2
    crop = rgb(image.crop((across, down, across + side, down + side)))
    green = np.asarray(crop)[..., 1].astype(np.float32)
    around = (green[:-2, 1:-1] + green[2:, 1:-1] + green[1:-1, :-2] + green[1:-1, 2:]) / 4
    errors = np.zeros_like(green)
    errors[1:-1, 1:-1] = np.minimum(np.abs(green[1:-1, 1:-1] - around), 16)
    spectrum = np.abs(np.fft.rfft2(errors - errors.mean()))
    half, eighth = side // 2, side // 8
    line = float(spectrum[half, half])
    near = spectrum[half - 24 : half + 25, half - 24 : half]
    blocks = [spectrum[i * eighth, j * eighth] for i in range(8) for j in range(5) if (i, j) not in ((4, 4), (0, 0))]
    return Period(line / float(np.median(near) + 1e-6), line / float(max(blocks) + 1e-6))
