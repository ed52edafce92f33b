"""Gather an index's pictures from copies of their public places into one folder, by content.

Rules: a file counts only if its sha256 stands in the index; what is gone is counted, never replaced; nothing is downloaded here
(`bringing.py` does that).
"""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path


def gather(wanted: Iterable[str], places: Iterable[Path], folder: Path) -> set[str]:
    """Copy each picture found in `places` to `folder/<sha256>`; returns the hashes now present.

    A place is a git repository (every version of every file is looked at) or an ordinary folder, such as an unpacked package.
    """
    missing = {digest for digest in wanted if not (folder / digest).exists()}
    present = set(wanted) - missing
    folder.mkdir(parents=True, exist_ok=True)
    for place in places:
        for content in _blobs(place) if _is_git(place) else _files(place):
            digest = hashlib.sha256(content).hexdigest()
            if digest in missing:
                partial = folder / f"{digest}.partial"
                partial.write_bytes(content)
                partial.rename(folder / digest)
                missing.discard(digest)
                present.add(digest)
    return present


def _is_git(place: Path) -> bool:
    return (place / "objects").is_dir() or (place / ".git").exists()


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()


def _blobs(place: Path) -> Iterator[bytes]:
    git = ["git", "-C", str(place), "cat-file"]
    listing = subprocess.run(
        [*git, "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [line.split()[0] for line in listing.splitlines() if line.endswith(" blob")]
    with subprocess.Popen([*git, "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        if reader.stdin is None or reader.stdout is None:
            raise RuntimeError("no pipes to git")
        for name in names:
            reader.stdin.write(name.encode() + b"\n")
            reader.stdin.flush()
            header = reader.stdout.readline().split()
            if len(header) == 3:
                yield reader.stdout.read(int(header[2]))
                reader.stdout.read(1)
        reader.stdin.close()
