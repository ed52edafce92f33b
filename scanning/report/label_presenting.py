"""Label decisions for people and programs: two lines of text, or one line of JSON each.

Rules: strings of the file go through `plain`; the label and its reason stand together.
"""

import json
from collections.abc import Callable
from typing import TextIO

from assay.provenance.text import plain
from assay.scanning.labels.labelling import Document, labelled
from assay.scanning.labels.policy import LabelPolicy
from assay.scanning.report.document import document
from assay.scanning.scan import Failure, Report


def presenting_to(form: str, stream: TextIO, policy: LabelPolicy) -> Callable[[Report | Failure], None]:
    """A function that writes the label of one outcome to `stream`. `form` is text or json."""
    write = {"json": to_json, "text": to_text}[form]

    def show(outcome: Report | Failure) -> None:
        stream.write(write(labelled(document(outcome), policy)))
        stream.flush()

    return show


def to_json(decision: Document) -> str:
    """One line of ASCII JSON."""
    return json.dumps(decision, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n"


def to_text(decision: Document) -> str:
    """The label, the file, and why."""
    shown = f" “{decision['shown']}”" if decision["shown"] else ""
    lines = [f"{decision['label']:<11}{plain(decision['asset']['name'])}{shown}"]
    lines.append(f"           {plain(decision['reason'], limit=600)}")
    lines += [f"           · {plain(piece['statement'], limit=400)}" for piece in decision["rests_on"]["evidence"]]
    return "\n".join(lines) + "\n"
