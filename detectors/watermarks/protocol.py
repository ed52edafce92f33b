"""What every watermark decoder answers, whatever its scheme.

Rules: a decoder never guesses a payload: it answers with what it read and how well that matched, or with None; whoever can
run an embedder can forge any of these marks.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A watermark that was read.

    `generator` is the family of generators known to write this payload, empty where the payload names none. `matched` of
    `bits` agreed with the payload. `place` says how the picture had to be looked at ("as it is", "cropped by 3, 5 pixels").
    `unmarked` is in how many pictures without a mark it was looked for in this way and never read; 0 where nobody counted.
    """

    scheme: str
    payload: bytes
    generator: str
    matched: int
    bits: int
    place: str
    unmarked: int = 0

    @property
    def chance(self) -> float:
        """The 95 % upper bound on the share of unmarked pictures in which it is read by chance; 1 where nobody counted."""
        return 1 - 0.05 ** (1 / self.unmarked) if self.unmarked else 1.0


class Watermark(Protocol):
    """A decoder of one scheme. `name` is the scheme's own name."""

    name: str

    def detect(self, image: "Image", *, thorough: bool = False) -> Decoded | None:
        """Read the mark from an image of any mode. `thorough` allows a search over crops and scales that may take seconds.

        Raises `MissingExtra` where an optional dependency is not installed.
        """
        ...
