"""A file's bytes on their way to a child process: memory that both see, for a pipe copies them twice more in small pieces.

Rules: the parent writes and never reads back; one carrier serves one child at a time, and that child alone can spoil what is
in it, which is its own input. What both map is sealed against shrinking, so that no child can take the parent's memory away
under its feet; larger files are written and read without being mapped, and their memory is given back afterwards.
"""

import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

MAPPED: Final = 16 * 1024 * 1024  # bytes


class Carrier:
    """Made in the parent, passed to a child as an argument of its process."""

    def __init__(self, mapped: Connection | None = None, large: Connection | None = None) -> None:
        # `Connection`s because multiprocessing knows how to hand their descriptors to a spawned process.
        self._large = large or Connection(_memory())
        self._mapped = mapped if large else _sealed()
        self._view: mmap.mmap | None = None

    def __reduce__(self) -> tuple[Callable[..., "Carrier"], tuple[Any, ...]]:
        """The descriptors go to the child, which maps for itself."""
        return Carrier, (self._mapped, self._large)

    def load(self, content: bytes) -> bytes:
        """Put the content in; the answer is what to tell the child. Raises `OSError` where memory is short."""
        if len(content) <= MAPPED and (view := self._viewed(writable=True)) is not None:
            view[: len(content)] = content
        else:
            rest, at = memoryview(content), 0
            while rest:
                written = os.pwrite(self._large.fileno(), rest, at)
                rest, at = rest[written:], at + written
        return len(content).to_bytes(8, "big")

    def unload(self, told: bytes) -> bytes:
        """In the child: the content."""
        size = int.from_bytes(told, "big")
        if size <= MAPPED and (view := self._viewed(writable=False)) is not None:
            return view[:size]
        content = os.pread(self._large.fileno(), size, 0)
        while len(content) < size:
            piece = os.pread(self._large.fileno(), size - len(content), len(content))
            if not piece:
                raise EOFError("the content is shorter than was said")
            content += piece
        return content

    def shrink(self, size: int) -> None:
        """After a file of `size` bytes was answered."""
        if size > MAPPED:
            os.ftruncate(self._large.fileno(), 0)

    def close(self) -> None:
        """Give the memory back."""
        self._large.close()
        if self._mapped is not None:
            self._mapped.close()
        if self._view is not None:
            self._view.close()

    def _viewed(self, *, writable: bool) -> mmap.mmap | None:
        if self._view is None and self._mapped is not None:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._view = mmap.mmap(self._mapped.fileno(), MAPPED, access=access)
        return self._view


def _memory() -> int:
    if sys.platform == "linux":
        return os.memfd_create("assay")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _sealed() -> Connection | None:
    """Memory whose size nobody can change; None where the platform cannot promise that."""
    if sys.platform != "linux":
        return None
    descriptor = os.memfd_create("assay", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, MAPPED)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return Connection(descriptor)
