"""Choosing how chains of custody are presented and where to; they stream through one by one.

Rules: a file output is written beside its place and renamed when complete; text and JSON stream, HTML is written at the end.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from assay.provenance.custody.examining import Examined
from assay.provenance.trust import TrustPolicy
from assay.scanning.report.custody_document import SCHEMA, to_json
from assay.scanning.report.placing import report_file
from assay.scanning.scan import Failure

Outcome = Examined | Failure
Present = Callable[[Outcome], None]


@contextmanager
def presenter(form: str, output: Path | None, policy: TrustPolicy, *, depth: int = 0) -> Iterator[Present]:
    """Yield a function that presents one outcome. `form` is text, json, crjson or html."""
    if output is None:
        with writing(form, sys.stdout, policy, depth) as present:
            yield present
        return
    with report_file(output) as stream, writing(form, stream, policy, depth) as present:
        yield present


@contextmanager
def writing(form: str, stream: TextIO, policy: TrustPolicy, depth: int) -> Iterator[Present]:
    """The same, to a stream."""
    match form:
        case "text":
            from assay.scanning.report.custody_terminal import CustodyTerminal

            terminal = CustodyTerminal(stream, depth=depth)
            yield lambda outcome: terminal.show(outcome if isinstance(outcome, Failure) else outcome.custody)
        case "json" | "crjson":
            line = _document if form == "json" else _crjson(policy)

            def write_line(outcome: Outcome) -> None:
                stream.write((_failure(outcome) if isinstance(outcome, Failure) else line(outcome)) + "\n")
                stream.flush()

            yield write_line
        case "html":
            from assay.scanning.report.custody_html import page

            gathered: list[Outcome] = []
            yield gathered.append
            stream.write(page(gathered))
        case _:
            raise ValueError(f"no presenter for {form!r}")


def line(outcome: Outcome) -> str:
    """One outcome as the line of JSON that `assay verify --format json` prints, with its line break."""
    return (_failure(outcome) if isinstance(outcome, Failure) else _document(outcome)) + "\n"


def _document(examined: Examined) -> str:
    return to_json(examined.custody)


def _failure(failure: Failure) -> str:
    error = failure.error
    said = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    return json.dumps({"schema": SCHEMA, "asset": {"name": failure.name}, "error": said}, separators=(",", ":"))


def _crjson(policy: TrustPolicy) -> Callable[[Examined], str]:
    """The C2PA library's own crJSON, on one line; what it says is its judgement, not assay's."""
    from assay.provenance import _c2pa
    from assay.provenance.errors import AssayError

    def line(examined: Examined) -> str:
        asset = examined.asset
        try:
            said = _c2pa.crjson(asset, _c2pa.context(policy.anchors()), sidecar=examined.manifest_store)
        except AssayError:
            return _failure(Failure(asset.name, AssayError(examined.custody.headline)))
        return json.dumps(json.loads(said), ensure_ascii=True, separators=(",", ":"))

    return line
