"""A Pillow image that is signed when it is saved, for pixels in memory can carry no manifest.

Rules: what is saved is encoded once and then signed; a picture made from this one (`resize`, `crop` …) is somebody else's
work and an ordinary Pillow image again, and so is a copy of it; a picture of several frames is refused, for only one would be kept.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from assay.provenance.generating.attesting import carried
from assay.provenance.generating.provider import CannotDo
from assay.provenance.replacing import replacing
from assay.provenance.signing.signing import Signed


class SignedPicture(Image.Image):
    """A Pillow image whose `save` writes a signed file."""

    _sign: Callable[[bytes], Signed]

    @classmethod
    def of(cls, picture: Image.Image, sign: Callable[[bytes], Signed]) -> "SignedPicture":
        """Take over the pixels of `picture`; `sign` signs encoded bytes. Raises `CannotDo` where it has several frames."""
        if getattr(picture, "n_frames", 1) > 1:
            raise CannotDo("a Pillow image of several frames cannot be signed", "return its bytes or a path")
        signed = cls()
        signed.__dict__.update(picture.copy().__dict__)
        signed._sign = sign
        return signed

    def __reduce__(self) -> tuple[Any, ...]:
        return Image.Image, (), self.__getstate__()

    def signed(self, file_format: str = "PNG", **parameters: Any) -> Signed:
        """Encode, sign, and return the signature with the signed asset. Raises `SigningFailed` or `CannotDo`."""
        return self._sign(encode(self, file_format, **parameters))

    def save(self, fp: Any, format: str | None = None, **parameters: Any) -> None:  # noqa: A002 Pillow's own name
        """As Pillow's, but signed. A path that exists is replaced, as Pillow does."""
        named = isinstance(fp, str | bytes | os.PathLike)
        name = fp if named else getattr(fp, "name", "")  # of a temporary file: a number, or None
        suffix = Path(os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else "").suffix.lower()
        file_format = format or Image.registered_extensions().get(suffix)
        if file_format is None:
            raise CannotDo(f"no image format has the ending {suffix!r}", "name a format")
        content = carried(self.signed(file_format, **parameters))
        if not named:
            fp.write(content)
            return
        with replacing(Path(os.fsdecode(fp)), overwrite=True) as temporary:
            temporary.write_bytes(content)


def encode(picture: Image.Image, file_format: str, **parameters: Any) -> bytes:
    """A picture in one of Pillow's formats."""
    buffer = io.BytesIO()
    Image.Image.save(picture, buffer, file_format, **parameters)
    return buffer.getvalue()
