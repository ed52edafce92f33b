"""Bring an index's pictures from their public places, source by source: clone or download, gather by content, delete.

Rules: a file counts only if its sha256 stands in the index; what is gone is counted and said, never replaced; a source is
fetched only while a picture of it is missing, so that a stopped run goes on; nothing that was fetched is run or kept.
"""

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.detectors.training.examples import Example
from assay.detectors.training.gathering import gather

HOSTING = "https://github.com"
_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)( \(.*\))?")  # in brackets: which part of it
_PACKAGE = re.compile(r"debian:([a-z0-9][a-z0-9.+-]+)")
_SECONDS = 3600  # for one source


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of one source: pictures that its rows name, those that are there now, and why others may not be."""

    source: str
    wanted: int
    present: int
    reason: str = ""


def bring(examples: Iterable[Example], folder: Path, *, hosting: str = HOSTING) -> Iterator[Brought]:
    """Copy the pictures of `examples` to `folder/<sha256>`, and tell of each source when it is done.

    A source is a repository, cloned with its history, or `debian:` and a package, for which `apt-get` and `dpkg-deb` are needed.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        wanted[example.source].add(example.sha256)
    folder.mkdir(parents=True, exist_ok=True)
    for source, digests in sorted(wanted.items()):
        reason = ""
        if not all((folder / digest).exists() for digest in digests):
            with TemporaryDirectory(prefix=".source-", dir=folder) as place:
                reason = _fetch(source, Path(place), hosting)
                if not reason:
                    gather(digests, [Path(place)], folder)
        present = sum((folder / digest).exists() for digest in digests)
        yield Brought(source=source, wanted=len(digests), present=present, reason=reason)


def _fetch(source: str, place: Path, hosting: str) -> str:
    """Fetch a source into an empty folder; why it could not be, or nothing."""
    steps: tuple[list[str], ...]
    if package := _PACKAGE.fullmatch(source):
        steps = (["apt-get", "download", "--quiet", package[1]], ["sh", "-c", "dpkg-deb -x ./*.deb . && rm ./*.deb"])
    elif repository := _REPOSITORY.fullmatch(source):
        steps = (["git", "clone", "--quiet", "--bare", "--", f"{hosting}/{repository[1]}", "."],)
    else:
        return "assay does not know how to fetch it"
    quiet = os.environ | {"GIT_TERMINAL_PROMPT": "0"}  # what is gone asks for a password
    for step in steps:
        try:
            subprocess.run(step, cwd=place, env=quiet, timeout=_SECONDS, capture_output=True, text=True, check=True)
        except subprocess.CalledProcessError as error:
            return error.stderr.strip().splitlines()[-1] if error.stderr.strip() else f"{step[0]} failed"
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            return f"{step[0]} is not installed" if isinstance(error, FileNotFoundError) else f"{step[0]} took too long"
    return ""
