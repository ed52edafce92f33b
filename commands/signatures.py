"""`assay signatures`: the signing log, replayed and checked."""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.provenance.text import plain

if TYPE_CHECKING:
    from assay.provenance.signing.log import Entry

LOG = click.option("--log", "log_path", type=click.Path(path_type=Path), help="Another log file.")


@click.group()
def signatures() -> None:
    """Replay and check the log of all signatures made on this machine."""


@signatures.command("list")
@LOG
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(log_path: Path | None, output: str) -> None:
    """Replay the log, oldest first.

    Example: assay signatures list --format json
    """
    from assay.provenance.signing.log import SigningLog

    for entry in SigningLog(log_path).entries():
        if output == "json":
            click.echo(json.dumps(asdict(entry), ensure_ascii=False))
            continue
        mark = "  development" if entry.development else ""
        target = entry.path or f"{entry.asset} (in memory)"
        click.echo(f"{entry.sequence:>6}  {entry.time}  {entry.manifest}  {plain(target)}  {plain(entry.signer)}{mark}")


@signatures.command()
@LOG
@click.option("--files", is_flag=True, help="Also hash every file that is still where it was written.")
def check(log_path: Path | None, files: bool) -> None:
    """Check that no line of the log was changed, removed or moved.

    Note the head's hash somewhere else: only so can you tell later that the newest lines are still there. Exit code 1 if
    anything does not hold.

    Example: assay signatures check --files
    """
    from assay.provenance.signing.log import SigningLog

    log = SigningLog(log_path)
    found = log.check()
    click.echo(f"{found.entries} entries hold, head {found.head}")
    if found.fault:
        click.echo(f"assay: {plain(found.fault)}", err=True)
        sys.exit(1)
    if files:
        latest = {entry.path: entry for entry in log.entries() if entry.path}
        states = {path: _state(entry) for path, entry in latest.items()}
        for path, state in states.items():
            if state != "as signed":
                click.echo(f"{state}  {plain(path)}")
        changed = sum(state == "changed" for state in states.values())
        click.echo(
            f"{len(states)} files: {sum(s == 'as signed' for s in states.values())} as signed, {changed} changed"
        )
        if changed:
            sys.exit(1)


def _state(entry: "Entry") -> str:
    try:
        with Path(entry.path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "not there"
    return "as signed" if digest == entry.sha256 else "changed"
