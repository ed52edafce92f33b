"""Adobe's TrustMark (C2PA soft-binding algorithms com.adobe.trustmark.P, .Q, .B, .C), read by the `trustmark` package where it is installed.

Rules: nothing is downloaded: without the model files in place the decoder says what to do; a payload counts only if it
is read twice, from the picture and from a slightly compressed copy, with the same error correction each time (chance marks
are not that stable), and never in the weakest scheme. TrustMark carries an identifier; it does not say who made the picture.
"""

import hashlib
import io
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.detectors.watermarks.protocol import Decoded
from assay.provenance.decoding import rgb
from assay.provenance.errors import AssayError, MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

_WEAKEST = 3  # BCH_3 accepts chance bits too easily


class TrustMark:
    """Reads one variant of TrustMark: Q (the package's default), P, B or C."""

    def __init__(self, variant: str = "Q") -> None:
        if variant not in ("B", "C", "P", "Q"):
            raise ValueError(f"TrustMark has no variant {variant}")
        self.variant = variant
        self.name = f"TrustMark {variant}"

    def installed(self) -> bool:
        """Whether the package and this variant's files are there. Imports nothing."""
        folder = self._folder()
        return folder is not None and all((folder / name).is_file() for name in self._files())

    def detect(self, image: "Image", *, thorough: bool = False) -> Decoded | None:
        """The payload, if it is read alike twice. Raises `MissingExtra`, or `AssayError` where model files are missing."""
        first = self._read(rgb(image))
        if first is None:
            return None
        buffer = io.BytesIO()
        rgb(image).save(buffer, "JPEG", quality=95, subsampling=0)
        from PIL import Image as Pillow

        if self._read(Pillow.open(buffer).convert("RGB")) != first:
            return None
        bits, _ = first
        payload = int(bits, 2).to_bytes((len(bits) + 7) // 8, "big")
        return Decoded(
            scheme=self.name, payload=payload, generator="", matched=len(bits), bits=len(bits), place="as it is"
        )

    def _read(self, image: "Image") -> tuple[str, int] | None:
        bits, found, scheme = self._decoder.decode(image, MODE="binary")
        usable = found and scheme != _WEAKEST and bits and set(bits) <= {"0", "1"}
        return (str(bits), int(scheme)) if usable else None

    @cached_property
    def _decoder(self) -> Any:
        folder = self._folder()
        if folder is None:
            raise MissingExtra("reading TrustMark", "trustmark")
        if not self.installed():
            raise AssayError(
                f"the model files of TrustMark {self.variant} are not there, and assay downloads nothing",
                "run the package's own example once; it fetches them",
            )
        module = import_module("trustmark")
        known = import_module("trustmark.trustmark").MODEL_CHECKSUMS
        for name in self._files():  # a file that does not fit would make the package go to the network
            if hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() != known[name]:
                raise AssayError(f"{name} is not the file that the trustmark package expects", "fetch it again")
        return module.TrustMark(verbose=False, model_type=self.variant, loadRemover=False, device="cpu")

    def _files(self) -> tuple[str, ...]:
        return f"trustmark_{self.variant}.yaml", f"encoder_{self.variant}.ckpt", f"decoder_{self.variant}.ckpt"

    @staticmethod
    def _folder() -> Path | None:
        found = find_spec("trustmark")
        return Path(found.origin).parent / "models" if found and found.origin else None
