"""Where a report is written: beside its place first, whole or not at all.

Rule: a report replaces a report, never a picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from assay.provenance.errors import OutputRefused
from assay.provenance.media_type import sniff
from assay.provenance.replacing import replacing


@contextmanager
def report_file(target: Path) -> Iterator[TextIO]:
    """Yield a stream whose text becomes the file `target`. Raises `OutputRefused`."""
    refuse_picture(target)
    with replacing(target, overwrite=True) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yield stream


def refuse_picture(target: Path) -> None:
    """Raise `OutputRefused` where `target` is a picture: a slip of the hand must not cost a photograph."""
    if not target.is_file():
        return
    try:
        with target.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise OutputRefused.from_os_error(target, error) from error
    if sniff(head) is not None:
        raise OutputRefused(f"{target}: exists already, and is a picture", "name another output")
