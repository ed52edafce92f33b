"""Choosing a presenter and where it writes; outcomes stream through it one by one.

Rules: a file output is written beside its place and renamed when complete; text and JSON stream, HTML is written at the end.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from assay.scanning.report.placing import report_file
from assay.scanning.scan import Failure, Report

if TYPE_CHECKING:
    from assay.scanning.labels.policy import LabelPolicy

Present = Callable[[Report | Failure], None]


@contextmanager
def presenter(
    form: str,
    output: Path | None,
    *,
    depth: int = 0,
    prior: float | None = None,
    labels: "LabelPolicy | None" = None,
) -> Iterator[Present]:
    """Yield a function that presents one outcome. `form` is text, json or html; `prior` the user's own probability.

    With `labels` it presents the label that this policy gives, as text or json.
    """
    if output is None:
        with writing(form, sys.stdout, depth, prior, labels) as present:
            yield present
        return
    with report_file(output) as stream, writing(form, stream, depth, prior, labels) as present:
        yield present


@contextmanager
def writing(
    form: str, stream: TextIO, depth: int, prior: float | None, labels: "LabelPolicy | None" = None
) -> Iterator[Present]:
    """The same, to a stream."""
    if labels is not None:
        from assay.scanning.report.label_presenting import presenting_to

        yield presenting_to(form, stream, labels)
        return
    match form:
        case "text":
            from assay.scanning.report.terminal import TerminalPresenter

            yield TerminalPresenter(stream, depth=depth, prior=prior).show
        case "json":
            from assay.scanning.report.document import to_json

            def write_line(outcome: Report | Failure) -> None:
                stream.write(to_json(outcome, prior=prior) + "\n")
                stream.flush()

            yield write_line
        case "html":
            from assay.scanning.report.html import page

            gathered: list[Report | Failure] = []
            yield gathered.append
            stream.write(page(gathered, prior=prior))
        case _:
            raise ValueError(f"no presenter for {form!r}")
