"""Recovered manifests for terminals, programs and browsers: the original beside the copy, proof apart from likelihood.

Rules: strings of files go through `plain`; the page has no script and makes no request; pictures are re-encoded.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assay import __version__
from assay.detectors.fingerprints.searching import operating_point
from assay.provenance.asset import Asset, Limits
from assay.provenance.custody.chain import BottomLine
from assay.provenance.errors import AssayError
from assay.provenance.replacing import replacing
from assay.provenance.text import plain
from assay.scanning.recovering import Recovered, Recovery
from assay.scanning.report.custody_document import custody_document
from assay.scanning.report.custody_terminal import CustodyTerminal
from assay.scanning.report.html import environment, links
from assay.scanning.report.picture import thumbnail

SCHEMA = "assay.recovery/1"
Present = Callable[[Recovery], None]
_THUMBNAIL = Limits(bytes=4 * 1024 * 1024, pixels=4_000_000)
_STYLES = {BottomLine.TRUSTED: "green", BottomLine.VALID: "yellow", BottomLine.INCOMPLETE_HISTORY: "yellow"}


@contextmanager
def presenter(form: str, output: Path | None) -> Iterator[Present]:
    """Yield a function that presents one recovery. `form` is text, json or html; a file output must be new."""
    if output is None:
        with _writing(form, sys.stdout) as present:
            yield present
        return
    with (
        replacing(output) as temporary,
        temporary.open("w", encoding="utf-8") as stream,
        _writing(form, stream) as present,
    ):
        yield present


@contextmanager
def _writing(form: str, stream: TextIO) -> Iterator[Present]:
    match form:
        case "text":
            console = Console(file=stream, width=None if stream.isatty() else 100, highlight=False)
            yield lambda recovery: show(recovery, console)
        case "json":
            yield lambda recovery: print(json.dumps(document(recovery), separators=(",", ":")), file=stream, flush=True)
        case "html":
            gathered: list[Recovery] = []
            yield gathered.append
            stream.write(page(gathered))
        case _:
            raise ValueError(f"no presenter for {form!r}")


def show(recovery: Recovery, console: Console) -> None:
    """Write one recovery for people in a terminal."""
    console.print(Text(plain(recovery.asset.name), "bold"))
    console.print(Text(f"  {plain(recovery.headline, limit=400)}", "bold" if recovery.found else "bold yellow"))
    if recovery.own.links:
        _item(console, "! its own manifest", Text(plain(recovery.own.headline, limit=400)), "yellow")
    if not recovery.found:
        _item(console, "searched", Text(f"{recovery.searched:,} remembered manifests"))
    for found in recovery.found:
        style = _STYLES.get(found.custody.bottom_line, "red")
        line = found.custody.bottom_line.value.replace("-", " ")
        record = found.record
        _item(console, "original", Text(f"{plain(record.name)}, {_size(found)}, sha256 {record.sha256[:16]}…"))
        _item(console, "custody", Text(line, f"bold {style}"))
        proved = ("proved", "dim") if found.holds else ("not proved", "red")
        _item(console, proved[0], Text(plain(found.proved, limit=700)), proved[1])
        _item(console, "certain" if found.same_bytes else "only likely", Text(plain(found.likely, limit=700)), "yellow")
        if not found.same_bytes:
            _item(console, "counts as", Text("marked at most, never as proved"))
        if found.custody.links:
            _item(console, "its chain", Text("what the recovered manifest says of the original"))
            CustodyTerminal(console.file, width=console.width, called="the original").tree(
                found.custody, indent=" " * 6
            )
    console.print()


def document(recovery: Recovery) -> dict[str, Any]:
    """One recovery as a plain, versioned document; `found` is the best first."""
    return {
        "schema": SCHEMA,
        "asset": {"name": recovery.asset.name, "sha256": recovery.asset.sha256},
        "headline": recovery.headline,
        "searched": recovery.searched,
        "own_custody": recovery.own.bottom_line.value,
        "found": [
            {
                "manifest": found.record.manifest,
                "original": {
                    "sha256": found.record.sha256,
                    "name": found.record.name,
                    "media_type": found.record.media_type,
                    "width": found.record.width,
                    "height": found.record.height,
                    "remembered": found.record.kept,
                },
                "same_bytes": found.same_bytes,
                "distance": found.match.distance if found.match else 0 if found.same_bytes else None,
                "agreement": round(found.match.agreement, 4) if found.match else 1.0 if found.same_bytes else None,
                "how": _how(found),
                "mark": _mark(found),
                "false_matches": None if found.same_bytes else asdict(operating_point().false_matches),
                "proved": found.proved,
                "likely": found.likely,
                "custody": custody_document(found.custody),
            }
            for found in recovery.found
        ],
    }


def _how(found: Recovered) -> str:
    if found.same_bytes:
        return "the same bytes"
    return found.match.how if found.match else "by its mark"


def _mark(found: Recovered) -> dict[str, Any] | None:
    if (mark := found.mark) is None:
        return None
    return {"scheme": mark.scheme, "payload": mark.payload.hex(), "agreeing": mark.matched, "bits": mark.bits}


def page(recoveries: list[Recovery]) -> str:
    """Recoveries as one HTML document."""
    return (
        environment()
        .get_template("recovery.html.j2")
        .render(
            title="Where has this picture's manifest gone?",
            cards=[_card(recovery) for recovery in recoveries],
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
        )
    )


def _card(recovery: Recovery) -> dict[str, Any]:
    return {
        "name": recovery.asset.name.rsplit("/", 1)[-1],
        "sha256": recovery.asset.sha256,
        "picture": thumbnail(recovery.asset),
        "headline": recovery.headline,
        "searched": f"{recovery.searched:,}",
        "own": recovery.own if recovery.own.links else None,
        "found": [
            {
                "record": found.record,
                "size": _size(found),
                "picture": _original(found),
                "line": found.custody.bottom_line.value,
                "holds": found.holds,
                "proved": found.proved,
                "likely": found.likely,
                "match": found.match,
                "mark": found.mark,
                "same": found.same_bytes,
                "chain": links(found.custody),
            }
            for found in recovery.found
        ],
    }


def _original(found: Recovered) -> str:
    if not found.thumbnail:
        return ""
    try:
        return thumbnail(Asset.from_bytes(found.thumbnail, name="original", limits=_THUMBNAIL))
    except AssayError:
        return ""


def _size(found: Recovered) -> str:
    record = found.record
    return f"{record.width}×{record.height} {record.media_type}" if record.width else record.media_type


def _item(console: Console, title: str, body: Text, style: str = "dim") -> None:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=18, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(title, style), body)
    console.print(Padding(row, (0, 0, 0, 4), expand=False))
