"""An item that was read: its bytes, the sidecar beside it, the key of its result, and what a child is asked about it.

Rules: equal files with equal sidecars have equal keys and give equal questions, whatever they are called; a file without a
sidecar is asked about by its bare bytes.
"""

import hashlib
from dataclasses import dataclass, replace

from assay.provenance.errors import AssayError
from assay.provenance.sidecar import Beside
from assay.scanning import asking
from assay.scanning.audit.row import SUBJECT
from assay.scanning.audit.sources import Item

_MARK = b"\x00with a sidecar\x00"  # leads a question that is no bare file; a file that begins so is asked about so, too
_NAME = f"{SUBJECT}.c2pa"


@dataclass(frozen=True, slots=True)
class Given:
    """`beside` is called after nobody's file; `refused` says why a sidecar that is there could not be read."""

    content: bytes
    sha256: str
    beside: Beside | None = None
    refused: str = ""

    @property
    def key(self) -> str:
        """The file's hash; where a sidecar lies beside it, the sidecar's, and whether another could be meant, follow."""
        if self.beside is None:
            return self.sha256
        return f"{self.sha256}+{hashlib.sha256(self.beside.store).hexdigest()}{'' if self.beside.sole else '?'}"

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self.content) + (len(self.beside.store) if self.beside else 0)

    def question(self) -> bytes:
        """What to ask a child."""
        if self.beside is None and not self.refused and not self.content.startswith(_MARK):
            return self.content
        return _MARK + asking.question(SUBJECT, self.content, beside=self.beside, refused=self.refused)


def read(item: Item) -> Given:
    """Read an item and what lies beside it. Raises `AssayError` where the item itself cannot be read."""
    content = item.read()
    given = Given(content, hashlib.sha256(content).hexdigest())
    if item.beside is None:
        return given
    try:
        beside = item.beside()
    except AssayError as error:
        return replace(given, refused=f"the sidecar beside it cannot be read: {error.message}")
    return replace(given, beside=replace(beside, name=_NAME) if beside else None)


def asked(question: bytes) -> bytes | None:
    """In the child: the message of `asking` within a question; None where it is a bare file."""
    return question[len(_MARK) :] if question.startswith(_MARK) else None
