"""Presenters show the same outcome to people and machines, and never let a string of the file do anything."""

import io
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import jsonschema
import pytest
from outcomes import CAPTURED, DECLARED, FAILURE, HOSTILE, PIXELS, SILENT, report
from PIL import Image

from assay.detectors.evidence import Evidence, Finding, Origin, Rate, Severity, Silence
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.errors import MissingExtra
from assay.scanning.report.document import document, to_json
from assay.scanning.report.html import LEAD_OF_PIXELS, TITLE, TITLE_OF_PIXELS, page
from assay.scanning.report.terminal import TerminalPresenter
from assay.scanning.scan import Failure, Report
from assay.scanning.service.looking import fragment
from assay.scanning.words import PIXELS_LEFT_OUT

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs/schema/report-1.json").read_text())
OUTCOMES = {
    "nothing": report(SILENT),
    "declared": report(SILENT, DECLARED, name=f"{HOSTILE}.png"),
    "conflict": report(DECLARED, CAPTURED),
    "inferred": report(SILENT, PIXELS),
    "failure": FAILURE,
}


def terminal(outcome: Report | Failure, depth: int = 2) -> str:
    stream = io.StringIO()
    TerminalPresenter(stream, depth=depth, width=100).show(outcome)
    return stream.getvalue()


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_document_keeps_to_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document(OUTCOMES[name]))


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_document_is_one_line_of_ascii(name: str) -> None:
    line = to_json(OUTCOMES[name])
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == document(OUTCOMES[name])


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_terminal_sees_no_control_characters(name: str) -> None:
    shown = terminal(OUTCOMES[name])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_the_terminal_reads_nothing_of_the_file_as_markup() -> None:
    assert "[bold]x[/bold]" in " ".join(terminal(OUTCOMES["declared"]).split())


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_page_lets_no_string_of_the_file_become_markup(name: str) -> None:
    html = page([OUTCOMES[name]])
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "<script" not in html


def test_the_page_evaluates_no_template_in_a_string_of_the_file() -> None:
    html = page([OUTCOMES["declared"]])
    assert "{{7*7}}" in html
    assert "49 [bold]" not in html


def test_the_page_asks_nothing_of_anybody() -> None:
    html = page(list(OUTCOMES.values()))
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", html)
    assert "url(" not in html
    assert "@import" not in html


def test_a_page_carries_the_pictures_and_every_verdict() -> None:
    html = page(list(OUTCOMES.values()))
    assert html.count("data:image/jpeg;base64,") == 4
    assert html.count('class="stamp') == 5


def test_terminal_snapshots(snapshot: object) -> None:
    assert {name: terminal(outcome, depth=1) for name, outcome in OUTCOMES.items()} == snapshot


@pytest.mark.parametrize(
    "piece",
    [
        Evidence.silent("pixels", Silence.INCONCLUSIVE, "It left many unflagged."),
        Evidence.silent("pixels", Silence.INAPPLICABLE, "Not judged: too small."),
        Evidence.silent("faces", Silence.ABSENT, "No face was found."),
        Evidence.silent("watermark", Silence.FAILED, "The watermark could not be looked for."),
        Evidence.silent(
            "pixels",
            Silence.FAILED,
            "no runtime",
            findings=(Finding("pixels-not-examined", Severity.NOTE, "Not looked at."),),
        ),
    ],
)
def test_what_was_not_heard_is_told_beside_an_answer_that_says_nothing(piece: Evidence) -> None:
    outcome, told = report(SILENT, piece), piece.findings[0].statement if piece.findings else piece.statement
    assert told in terminal(outcome, depth=0)
    assert told in page([outcome]).partition("<details")[0]


def test_a_silent_pixel_model_is_no_part_of_an_answer_that_rests_on_more() -> None:
    quiet = Evidence.silent("pixels", Silence.INCONCLUSIVE, "It left many unflagged.")
    outcome = report(DECLARED, quiet, Evidence.silent("faces", Silence.ABSENT, "No face was found."))
    assert "No face was found." in terminal(outcome, depth=0)  # for it was asked for by name
    assert "It left many unflagged." not in terminal(outcome, depth=0)


def test_a_silent_pixel_model_is_told_where_only_a_face_speaks() -> None:
    face = replace(PIXELS, signal="faces", origin=Origin.COMPOSITE, statement="One face does.")
    outcome = report(face, Evidence.silent("pixels", Silence.INCONCLUSIVE, "It left many unflagged."))
    for shown in (terminal(outcome, depth=0), page([outcome]).partition("<details")[0]):
        assert "It left many unflagged." in shown
        assert "A face in this picture is more like" in " ".join(shown.split())


def test_it_is_told_that_pixels_were_left_out_or_that_nothing_else_was_weighed() -> None:
    quiet = Evidence.silent("pixels", Silence.INCONCLUSIVE, "It left many unflagged.")
    for outcome, told in ((report(SILENT), True), (report(DECLARED), True), (report(SILENT, quiet), False)):
        for shown in (terminal(outcome, 0), terminal(outcome, 1), page([outcome])):
            assert (PIXELS_LEFT_OUT in " ".join(shown.split())) is told
    alone = page([report(quiet, bottom_line=BottomLine.TRUSTED), FAILURE])
    assert TITLE_OF_PIXELS in alone
    assert LEAD_OF_PIXELS in alone
    assert TITLE not in alone
    assert TITLE in page([report(quiet), report(SILENT, quiet)])


def test_a_picture_that_cannot_be_decoded_says_what_to_do_and_what_that_leaves_out() -> None:
    missing = MissingExtra("decoding image/heic", "heic")
    outcome = replace(report(SILENT), width=None, height=None, undecoded=missing)
    wanted = "pip install 'assay[heic]'). What needs pixels was not examined."
    assert wanted in " ".join(terminal(outcome, depth=0).split())
    assert wanted in unescape(page([outcome]))
    assert wanted in unescape(fragment(outcome))


def test_it_is_told_that_only_the_first_frame_of_an_animation_was_looked_at() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("teal", "red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    moving = replace(report(SILENT), asset=Asset.from_bytes(buffer.getvalue(), name="moving.gif"))
    for shown in (terminal(moving, depth=0), page([moving])):
        assert "only the first of 3 frames or pages looked at" in shown
    assert "frames" not in terminal(report(SILENT), depth=0)
    assert [document(each)["asset"]["frames"] for each in (moving, report(SILENT))] == [3, 1]
    assert document(replace(moving, width=None, height=None))["asset"]["frames"] is None


def test_one_picture_was_flagged_and_several_were() -> None:
    one = Rate(hits=1, trials=1000, low=0.0, high=0.005)
    shown = " ".join(terminal(report(replace(PIXELS, false_positive_rate=one)), depth=0).split())
    assert "1 was flagged wrongly" in shown
    assert "3 were flagged wrongly" in " ".join(terminal(report(PIXELS), depth=0).split())


def test_a_posterior_only_with_the_users_prior() -> None:
    outcome = report(PIXELS)
    assert "posterior" not in document(outcome)["verdict"]
    stated = document(outcome, prior=0.01)["verdict"]["posterior"]
    assert stated["prior"] == 0.01
    assert stated["value"] == pytest.approx(0.01 * 10**1.6 / (0.01 * 10**1.6 + 0.99))
    assert stated["statement"] in page([outcome], prior=0.01)
    stream = io.StringIO()
    TerminalPresenter(stream, prior=0.01).show(outcome)
    assert "with your prior" in stream.getvalue()
    jsonschema.Draft202012Validator(SCHEMA).validate(document(outcome, prior=0.01))


def test_a_manifest_that_was_not_in_the_file_is_named_beside_the_custody() -> None:
    custody = replace(report().custody, bottom_line=BottomLine.VALID, place="the sidecar a\x1b.c2pa", apart=True)
    beside = replace(report(), custody=custody)
    assert "manifest: the sidecar a\\u{1b}.c2pa" in " ".join(terminal(beside, 0).split())
    assert "Manifest: the sidecar a\\u{1b}.c2pa." in page([beside])
    within = replace(beside, custody=replace(custody, place="APP11", apart=False))
    assert "APP11" not in terminal(within, 0) + page([within])
