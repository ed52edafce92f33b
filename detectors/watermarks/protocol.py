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
    """

    scheme: str
    payload: bytes
    generator: str
    matched: int
    bits: int
    place: str


class Watermark(Protocol):
    """A decoder of one scheme. `name` is the scheme's own name."""

    name: str

    def detect(self, image: "Image", *, deep: bool = False) -> Decoded | None:
        """Read the mark from an image of any mode. `deep` allows a search over crops and scales that may take seconds.

        Raises `MissingExtra` where an optional dependency is not installed.
        """
        ...
