"""An asset: the bytes of one image, what format they really are, and their hash.

Rules: the format is told by content; limits are checked before anything is parsed; an asset never changes.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from assay.provenance.errors import LimitExceeded, UnreadableFile, UnsupportedFormat
from assay.provenance.limits import DEFAULT_LIMITS, Limits
from assay.provenance.media_type import MediaType, describe, sniff

__all__ = ["DEFAULT_LIMITS", "Asset", "Limits"]


@dataclass(frozen=True, slots=True)
class Asset:
    """One image file in memory. `name` is what the user called it (a path, a URL, an upload's label)."""

    name: str
    content: bytes = field(repr=False)
    media_type: MediaType
    sha256: str
    path: Path | None = None

    @classmethod
    def open(cls, path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> "Asset":
        """Read a file. Raises `UnreadableFile`, `LimitExceeded` or `UnsupportedFormat`."""
        path = Path(path)
        try:
            if not path.is_file():
                path.stat()  # raises FileNotFoundError, PermissionError …
                raise UnreadableFile(f"{path}: is no regular file", "name a file")
            size = path.stat().st_size
            if size > limits.bytes:
                raise LimitExceeded(str(path), "bytes", found=size, limit=limits.bytes)
            with path.open("rb") as file:
                content = file.read(limits.bytes + 1)  # the file may have grown since
        except OSError as error:
            raise UnreadableFile.from_os_error(path, error) from error
        return cls.from_bytes(content, name=str(path), path=path, limits=limits)

    @classmethod
    def from_bytes(
        cls,
        content: bytes,
        *,
        name: str = "image",
        path: Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
        sha256: str = "",
    ) -> "Asset":
        """Wrap bytes. `sha256` of them where it is known already. Raises `LimitExceeded` or `UnsupportedFormat`."""
        if len(content) > limits.bytes:
            raise LimitExceeded(name, "bytes", found=len(content), limit=limits.bytes)
        media_type = sniff(content)
        if media_type is None:
            raise UnsupportedFormat(name, describe(content))
        return cls(name, content, media_type, sha256 or hashlib.sha256(content).hexdigest(), path)
