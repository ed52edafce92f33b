"""The RivaGAN mark of the invisible-watermark library: 32 bits, read by a small network that the library ships.

Rules: the network comes from the user's own installation of `invisible-watermark` (MIT); it answers 32 bits for any picture, so
a mark counts only where it agrees with a payload that somebody is known to write.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.detectors.watermarks.protocol import Decoded
from assay.provenance.decoding import rgb
from assay.provenance.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

    from assay.detectors.classifier import Network

LEAST = 30  # of 32 bits: by chance one picture in eight million per payload
_LARGEST = 1024  # pixels: the network's memory grows with the picture
_THRESHOLD = 0.52  # the library's own


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPayload:
    """Four bytes that somebody writes with RivaGAN, and who that is."""

    payload: bytes
    generator: str


class RivaGan:
    """Compares the 32 bits of a picture with known payloads."""

    name = "RivaGAN"

    def __init__(self, known: tuple[KnownPayload, ...]) -> None:
        if any(len(one.payload) != 4 for one in known):
            raise ValueError("a RivaGAN payload has 4 bytes")
        self.known = known

    @cached_property
    def _network(self) -> "Network":
        from assay.detectors.classifier import Network

        found = find_spec("imwatermark")
        path = Path(found.origin).parent / "rivagan_decoder.onnx" if found and found.origin else None
        if path is None or not path.is_file():
            raise MissingExtra("reading RivaGAN marks", "rivagan")
        return Network(path)

    def read(self, image: "Image") -> int:
        """The 32 bits, first bit highest. Any picture gives some."""
        picture = rgb(image)
        if max(picture.size) > _LARGEST:
            across, down = (max(length - _LARGEST, 0) // 2 for length in picture.size)
            picture = picture.crop(
                (across, down, across + min(_LARGEST, picture.width), down + min(_LARGEST, picture.height))
            )
        pixels = np.asarray(picture, dtype=np.float32)[..., ::-1] / 127.5 - 1  # blue first, as the library feeds it
        frame = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None, :, None])
        bits = self._network.run(frame)[0]
        return int("".join("1" if bit > _THRESHOLD else "0" for bit in bits.ravel()[:32]), 2)

    def detect(self, image: "Image", *, thorough: bool = False) -> Decoded | None:
        """The known payload that agrees best, if at least 30 bits do."""
        if min(image.size) < 64 or not self.known:
            return None
        bits = self.read(image)
        matched, best = max(
            ((32 - (bits ^ int.from_bytes(one.payload, "big")).bit_count(), one) for one in self.known),
            key=lambda pair: pair[0],
        )
        if matched < LEAST:
            return None
        return Decoded(
            scheme=self.name, payload=best.payload, generator=best.generator, matched=matched, bits=32, place="as it is"
        )
