"""The development authority as an anchor: what `signing.development` makes, and this user's policy believes.

Rules: reading makes nothing.
"""

from functools import lru_cache
from pathlib import Path

from assay.provenance.home import home

DEVELOPMENT_LIST = "urn:assay:development"  # the name of the trust list that holds the development anchor
DEVELOPMENT_TITLE = "development authority of this machine"


def development_anchor() -> str | None:
    """The development authority's certificate as PEM; None where this user has no such authority. Makes nothing."""
    path = home() / "development" / "authority.pem"
    try:
        return _text(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _text(path: Path, _mtime_ns: int) -> str:
    """Every signature asks for the anchor; the file is read again only when it has changed."""
    return path.read_text()
