"""A file's bytes on their way to a child process: memory that both see, for a pipe copies them twice more in small pieces.

Rules: the parent writes and never reads back; one carrier serves one child at a time, and that child alone can spoil what is
in it, which is its own input; after a large file the memory is given back.
"""

import os
import tempfile
from multiprocessing.connection import Connection

_KEPT = 16 * 1024 * 1024  # bytes


class Carrier:
    """Made in the parent, passed to a child as an argument of its process."""

    def __init__(self) -> None:
        # A `Connection` because multiprocessing knows how to hand its descriptor to a spawned process.
        self._descriptor = Connection(_memory())

    def load(self, content: bytes) -> bytes:
        """Put the content in; the answer is what to tell the child. Raises `OSError` where memory is short."""
        descriptor, rest, at = self._descriptor.fileno(), memoryview(content), 0
        while rest:
            written = os.pwrite(descriptor, rest, at)
            rest, at = rest[written:], at + written
        return len(content).to_bytes(8, "big")

    def unload(self, told: bytes) -> bytes:
        """In the child: the content."""
        size = int.from_bytes(told, "big")
        content = os.pread(self._descriptor.fileno(), size, 0)
        while len(content) < size:
            piece = os.pread(self._descriptor.fileno(), size - len(content), len(content))
            if not piece:
                raise EOFError("the content is shorter than was said")
            content += piece
        return content

    def shrink(self, size: int) -> None:
        """After a file of `size` bytes was answered."""
        if size > _KEPT:
            os.ftruncate(self._descriptor.fileno(), 0)

    def close(self) -> None:
        """Give the memory back."""
        self._descriptor.close()


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("assay")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
