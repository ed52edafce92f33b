"""What is believed of a worker's answer: all that an honest one says, and no lie that could harm anybody but its own caller."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import custody_assets as made
import httpx
import pytest
from misbehaving import obeying, report_on
from outcomes import picture
from serving import served_here

from assay.provenance.asset import Limits
from assay.provenance.trust import TrustPolicy
from assay.scanning.labels.labelling import labelled
from assay.scanning.labels.policy import PRESETS, read_label_policy
from assay.scanning.service.believing import believed
from assay.scanning.service.examining import ASK, LOOK, RECOVER, SCAN, VERIFY, Examining, Task

TASK = Task(do=SCAN, name="a.png", content=b"a picture")
HEAD = {"error": "", "origin": "undetermined", "basis": "none", "seconds": 0.1}
REPORT = report_on("a.png")


def message(head: str, body: str) -> bytes:
    return len(head).to_bytes(4, "big") + head.encode() + body.encode()


def said(body: object = REPORT, **head: object) -> bytes:
    return message(json.dumps(HEAD | head), json.dumps(body) + "\n")


def nested(levels: int) -> dict[str, object]:
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return REPORT | {"more": inner}


def evidence(**changed: object) -> dict[str, object]:
    return REPORT | {"evidence": [{"signal": "a", "basis": "none", "statement": "", "traces": []} | changed]}


LIES = {
    "no number of seconds": said(seconds=float("nan")),
    "seconds without end": said(seconds=float("inf")),
    "seconds before it was asked": said(seconds=-0.1),
    "more seconds than anybody waited": said(seconds=1.5),
    "more seconds than a number holds": message(json.dumps(HEAD).replace("0.1", "1" * 400), json.dumps(REPORT) + "\n"),
    "an origin of its own": said(origin="label1"),
    "a basis of its own": said(basis="proved\nx"),
    "the bottom line of a chain": said(origin="trusted"),
    "a verdict of nothing": said(origin="", basis=""),
    "a verdict on a failure": said(error="UnsupportedFormat"),
    "another verdict": said(origin="captured", basis="proved"),
    "a failure without an error": said(REPORT | {"error": {"kind": "A", "message": "", "hint": ""}}),
    "a failure of another kind": said(
        {"assay": "0", "asset": {"name": "a.png"}, "error": {"kind": "A", "message": "", "hint": ""}},
        error="B", origin="", basis="",
    ),
    "a failure that is none": said(REPORT | {"error": 5}),
    "a report without custody": said({name: value for name, value in REPORT.items() if name != "custody"}),
    "no object": said([REPORT]),
    "a report without a version": said({name: value for name, value in REPORT.items() if name != "assay"}),
    "no evidence": said(REPORT | {"evidence": None}),
    "evidence on a basis of its own": said(evidence(basis="none\n")),
    "evidence without a signal": said(evidence(signal=None)),
    "a trace without a value": said(evidence(traces=[{"field": "a"}])),
    "grounds that are no names": said(REPORT | {"verdict": REPORT["verdict"] | {"grounds": [{}]}}),
    "links that are none": said(REPORT | {"custody": {"links": [None]}}),
    "another file": said(report_on("b.png")),
    "another content": said(REPORT | {"asset": {"name": "a.png", "sha256": "00"}}),
    "more levels than are read": said(nested(300)),
    "more levels than anybody reads": message(json.dumps(HEAD), "[" * 100_000),
    "more levels than a head has": message("[" * 100_000, ""),
    "more digits than are read": message(json.dumps(HEAD), json.dumps(REPORT)[:-1] + f', "more": {"1" * 5000}}}\n'),
    "no number": said(REPORT | {"more": float("nan")}),
    "two lines": said()[:-1] + b"\n\n",
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lie_is_refused(lie: bytes) -> None:
    with pytest.raises((ValueError, TypeError, RecursionError)):
        believed(TASK, lie, within=1.0)


@pytest.mark.parametrize("answer", [said(), said(nested(200)), said(evidence(traces=[{"field": "", "value": ""}]))])
def test_what_is_believed_can_be_read(answer: bytes) -> None:
    assert json.loads(believed(TASK, answer, within=1.0).body)["asset"] == {"name": "a.png"}


def test_a_million_errors_are_one_refusal() -> None:
    with pytest.raises(ValueError, match=r"^evidence\.0: ") as refused:
        believed(TASK, said(REPORT | {"evidence": [1] * 1_000_000}), within=1.0)
    assert len(str(refused.value)) < 200


def test_questions_to_a_database_are_as_shallow() -> None:
    with pytest.raises(TypeError):
        believed(
            Task(do=ASK), message(json.dumps(HEAD | {"origin": "", "basis": ""}), "[" * 300 + "]" * 300), within=1.0
        )


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    signer = made.leaf(made.authority(), "Somebody")
    signed = made.sign(made.encoded(made.picture()), made.created(), signer).content
    edited = made.sign(made.encoded(made.picture()), made.opened(), signer, ingredients=(made.parent(signed),)).content
    return [picture(), signed, edited, signed[:-40] + bytes(40), picture()[:100], b"no image", b""]


def test_whatever_an_honest_worker_says_is_believed_and_can_be_labelled(contents: list[bytes]) -> None:
    examine = Examining(model=None, policy=TrustPolicy(lists=()), limits=Limits())()
    policies = [read_label_policy(name) for name in PRESETS]
    for content in contents:
        for do in (SCAN, VERIFY, LOOK, RECOVER, ASK):
            task = Task(do=do, name="ünï <code>.png", prior=0.5, content=content)
            answer = believed(task, examine(task.packed()), within=60.0)
            if do == SCAN:
                for policy in policies:
                    assert labelled(json.loads(answer.body), policy)["label"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose worker says what uploads hold."""
    state: Path = tmp_path_factory.mktemp("state")
    with served_here(obeying, state=state, queue=0) as address:
        yield address


def told(address: str, path: str, answer: bytes) -> httpx.Response:
    head = int.from_bytes(answer[:4], "big") + 4
    content = b"say " + answer[4:head] + b"\n" + answer[head:]
    return httpx.post(f"{address}{path}?name=a.png", content=content, timeout=30, trust_env=False)


@pytest.mark.parametrize("lie", ["no number of seconds", "an origin of its own", "a report without custody"])
def test_who_is_lied_to_is_told_and_nobody_else_notices(address: str, lie: str) -> None:
    for path in ("/v1/scan", "/v1/label"):
        answer = told(address, path, LIES[lie])
        assert (answer.status_code, answer.json()["kind"]) == (500, "ParserCrashed")
        assert "its answer is malformed" in answer.json()["detail"]
    counted = httpx.get(f"{address}/metrics", trust_env=False).text
    assert "nan" not in counted.lower()
    assert "label1" not in counted


def test_a_job_whose_report_is_too_deep_can_still_be_read(address: str) -> None:
    accepted = told(address, "/v1/jobs", said(nested(900)))
    for _ in range(100):
        job = httpx.get(f"{address}{accepted.headers['location']}", trust_env=False)
        assert job.status_code == 200
        if job.json()["state"] == "finished":
            break
        time.sleep(0.1)
    assert job.json()["files"][0]["document"]["error"]["kind"] == "ParserCrashed"
