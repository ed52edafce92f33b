"""The one way in which assay writes a file: to a temporary neighbour, checked by the caller, then renamed into place.

Rules: the source is never touched; a failure or an interrupt leaves neither a half-written output nor a temporary file; an
existing file is replaced only when the caller says so.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from assay.provenance.errors import OutputRefused
from assay.provenance.interrupts import held, let_through


@contextmanager
def replacing(
    target: Path, *, sources: tuple[Path, ...] = (), overwrite: bool = False, mode: int = 0o644
) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is renamed to `target`, on failure it is removed.

    `sources` are files that must survive: if one of them is `target` (also by link), `OutputRefused` is raised. The file's
    mode is `mode`, less what the process' umask takes away.
    """
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise OutputRefused.same_file(target)
    if target.exists() and not overwrite:
        raise OutputRefused.exists(target)
    with held():
        temporary = target.parent / f".{target.stem[:40]}-{secrets.token_hex(8)}{target.suffix}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(mode, exist_ok=False)
        except OSError as error:
            raise OutputRefused.from_os_error(target, error) from error
        try:
            with let_through():
                yield temporary
            _rename(temporary, target, overwrite)
        except OSError as error:
            raise OutputRefused.from_os_error(target, error) from error
        finally:
            temporary.unlink(missing_ok=True)


def free(target: Path) -> Path:
    """`target`, or where it exists `target-2`, `target-3` …"""
    names = (target.with_stem(f"{target.stem}-{number}") for number in count(2))
    return next(path for path in chain((target,), names) if not path.exists())


def _rename(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(target)
        return
    try:
        os.link(temporary, target)  # unlike rename, link refuses to replace a file that came into being meanwhile
    except FileExistsError as error:
        raise OutputRefused.exists(target) from error
    except OSError:  # no hard links on this file system
        temporary.replace(target)
