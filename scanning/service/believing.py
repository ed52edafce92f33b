"""What is believed of a worker's answer: a worker that was taken over can lie about the file in hand, and harm nobody with it.

Rules: what is counted is of closed sets; a document is one line, of the file that was asked about, and as shallow as whoever reads
it next needs it; the fields that this process itself reads are there, each of its type. What is only passed on is not looked
at further: this runs for every upload, some 70 microseconds for a report of 10 kB, half of them for reading JSON.
"""

from typing import Annotated, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from assay.detectors.evidence import Basis, Origin
from assay.provenance.custody.chain import BottomLine
from assay.scanning.service.examining import ASK, LOOK, OUT_OF_MEMORY, SCAN, VERIFY, Answer, Task

_NOTHING = frozenset({""})
_VERDICT = frozenset(Origin), frozenset(basis.word for basis in Basis)
_COUNTED = {SCAN: _VERDICT, LOOK: _VERDICT, VERIFY: (frozenset(BottomLine), _NOTHING)}
T = TypeVar("T")
_Every = Annotated[list[T], FailFast()]  # or there would be one complaint for each of millions
_Word = Annotated[str, Field(pattern=f"^({'|'.join(basis.word for basis in Basis)})$")]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True)


class _Asset(_Shape):
    name: str
    sha256: str = ""


class _Document(_Shape):
    asset: _Asset

    def comes_to(self) -> tuple[str, str, str] | None:
        """Error, origin and basis, which the answer has to tell as well; None where only the answer tells them."""
        return None


class _Error(_Shape):
    kind: str
    message: str
    hint: str


class _Failure(_Document):
    assay: str
    error: _Error

    def comes_to(self) -> tuple[str, str, str]:
        return self.error.kind, "", ""


class _Verdict(_Shape):
    origin: str
    basis: str
    headline: str
    contested: bool
    grounds: _Every[str]


class _Finding(_Shape):
    code: str


class _Trace(_Shape):
    field: str
    value: str


class _Evidence(_Shape):
    signal: str
    basis: _Word
    statement: str
    traces: _Every[_Trace]


class _Link(_Shape):
    digital_source_types: _Every[str]


class _Custody(_Shape):
    bottom_line: str = ""
    links: _Every[_Link] = []


class _Report(_Document):
    """What a label policy asks of a report."""

    assay: str
    verdict: _Verdict
    findings: _Every[_Finding]
    evidence: _Every[_Evidence]
    custody: _Custody

    def comes_to(self) -> tuple[str, str, str]:
        return "", self.verdict.origin, self.verdict.basis


def believed(task: Task, message: bytes, *, within: float) -> Answer:
    """The answer that a worker's message holds, `within` so many seconds after it was asked.

    Raises `ValueError`, `TypeError` or `RecursionError` on what no worker would say that is ours alone.
    """
    answer = Answer.unpacked(message)
    if not 0 <= answer.seconds <= within:
        raise ValueError("it took longer than anybody waited")
    origins, bases = (_NOTHING, _NOTHING) if answer.error else _COUNTED.get(task.do, (_NOTHING, _NOTHING))
    if answer.origin not in origins or answer.basis not in bases:
        raise ValueError("an unknown origin or basis")
    if answer.error != OUT_OF_MEMORY and task.do in (SCAN, VERIFY, ASK):
        said = orjson.loads(answer.body)
        # no more than 254 levels: `loads` takes 1,024, which are too many for whoever reads it later
        orjson.dumps(said)
        if task.do != ASK:
            _check(task, answer, said)
    return answer


def _check(task: Task, answer: Answer, said: object) -> None:
    body = answer.body
    if not isinstance(said, dict) or not body.isascii() or body.count(b"\n") != 1 or not body.endswith(b"\n"):
        raise ValueError("not one line of JSON")
    shape = _Document if task.do == VERIFY else _Failure if "error" in said else _Report
    try:
        document = shape.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if document.asset.name != task.name or document.asset.sha256 not in ("", task.sha256):
        raise ValueError("it speaks of another file")
    if document.comes_to() not in (None, (answer.error, answer.origin, answer.basis)):
        raise ValueError("it comes to something else than it says")
