"""Where assay keeps what must outlive one call on this machine: the development authority, the signing log, trust lists.

Rules: the folder is private to the user (0700) and is made on first write, never on import or on reading.
"""

import os
from pathlib import Path

from assay.provenance.errors import OutputRefused


def home() -> Path:
    """Return the state folder: `$ASSAY_HOME`, else `$XDG_STATE_HOME/assay`, else `~/.local/state/assay`. May not exist."""
    if override := os.environ.get("ASSAY_HOME"):
        return Path(override).expanduser()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "assay"


def private_folder(*parts: str) -> Path:
    """Return a folder under `home()`, made with mode 0700 where it is missing. Raises `OutputRefused`."""
    folder = home().joinpath(*parts)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused.from_os_error(folder, error) from error
    return folder
