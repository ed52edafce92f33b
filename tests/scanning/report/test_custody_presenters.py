"""The same chain for people and machines; no string of the file ever does anything."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import custody_assets as made
import jsonschema
import pytest
from custodies import CUSTODIES, YES, custody, examined, link
from outcomes import FAILURE, HOSTILE, SILENT, report
from syrupy.assertion import SnapshotAssertion

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Action, Answer, Axes, Axis, BottomLine, Gap, Ingredient, Standing
from assay.provenance.custody.examining import Examined
from assay.provenance.custody.verifying import verify
from assay.provenance.trust import TrustPolicy
from assay.scanning.report.custody_document import custody_document, to_json
from assay.scanning.report.custody_html import page
from assay.scanning.report.custody_presenting import presenter
from assay.scanning.report.custody_terminal import CustodyTerminal
from assay.scanning.report.custody_words import picture_of, remote_step
from assay.scanning.report.terminal import TerminalPresenter

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs/schema/custody-1.json").read_text())
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def terminal(name: str, depth: int = 0) -> str:
    stream = io.StringIO()
    CustodyTerminal(stream, depth=depth, width=100).show(CUSTODIES[name])
    return stream.getvalue()


@pytest.mark.parametrize("name", CUSTODIES)
def test_every_document_keeps_to_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(custody_document(CUSTODIES[name]))


def test_a_real_chain_keeps_to_the_schema_and_is_one_line_of_ascii() -> None:
    signer = made.leaf(made.authority())
    jpeg = made.encoded(made.picture())
    parent = made.sign(jpeg, made.created(), signer).content
    content = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(parent, title=HOSTILE),)).content
    found = verify(Asset.from_bytes(content), TrustPolicy())
    jsonschema.Draft202012Validator(SCHEMA).validate(custody_document(found))
    line = to_json(found)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["links"][1]["ingredients"][0]["title"] == HOSTILE


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("name", CUSTODIES)
def test_the_terminal_shows_a_chain_at_three_depths(name: str, depth: int, snapshot: SnapshotAssertion) -> None:
    shown = terminal(name, depth)
    assert not CONTROLS.search(shown)
    assert shown == snapshot


def test_the_terminal_reads_nothing_of_the_file_as_markup() -> None:
    assert "[bold]x[/bold]" in " ".join(terminal("hostile").replace("│", "").split())


@pytest.mark.parametrize("name", CUSTODIES)
def test_the_page_shows_a_chain_as_a_picture(name: str, snapshot: SnapshotAssertion) -> None:
    html = page([examined(name)])
    assert not CONTROLS.search(html)
    assert "<img src=x" not in html
    assert "{{7*7}}" in html or name not in ("hostile", "unreadable")
    assert "<script" not in html
    for pattern, instead in (
        (r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "data:image/jpeg;base64,…"),
        (r"(?s)<style>.*</style>", "<style>…</style>"),
        (r"Made by assay \S+ on [^.]+\.", "Made by assay … on …."),
        (r"\s+", " "),
        (r"(?<=>) (?=<)", "\n"),
    ):
        html = re.sub(pattern, instead, html)
    assert html == snapshot


def test_a_signer_whom_a_list_knows_and_a_responder_does_not_is_not_said_to_be_on_no_list() -> None:
    doubted = Axes(
        YES, YES, Axis(Answer.UNKNOWN, "on a list, but the responder does not know this certificate"), YES, YES
    )
    outcome = replace(
        examined("trusted"),
        custody=custody(BottomLine.VALID, link("photo", now=Standing.VALID, recorded=Standing.TRUSTED, axes=doubted)),
    )
    stream = io.StringIO()
    CustodyTerminal(stream, width=200).show(outcome.custody)
    for shown in (page([outcome]), stream.getvalue()):
        assert "a trust list knows the signer, but whether to trust them is in doubt" in shown
        assert "no trust list knows the signer" not in shown


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Manifests.example.org/a.c2pa", "manifests.example.org"),
        ("https://manifests.example.org;rm/a.c2pa", ""),
        ("https://$(rm).example.org/", ""),
        ("https://localhost/a", ""),
        ("https://[::1/a", ""),
        (HOSTILE, ""),
    ],
)
def test_a_manifest_that_is_kept_elsewhere_is_told_with_how_to_ask_for_it(url: str, host: str) -> None:
    gap = Gap("remote-manifest-not-fetched", "its manifest is kept there and was not fetched")
    found = custody(BottomLine.NO_MANIFEST, remote_url=url, breaks=(gap,), headline="Kept elsewhere, not fetched.")
    stream = io.StringIO()
    CustodyTerminal(stream, width=200).show(found)
    TerminalPresenter(stream, width=200).show(replace(report(SILENT), custody=found))
    assert stream.getvalue().count("Kept elsewhere, not fetched.") == 2
    assert stream.getvalue().count(f"assay verify --fetch-remote {host}") == (2 if host else 0)
    failed = replace(found, breaks=(replace(gap, statement="its manifest was not fetched: no such host"),))
    assert "--fetch-remote" not in remote_step(failed)


def test_a_page_takes_failures_and_many_files() -> None:
    html = page([FAILURE, *map(examined, CUSTODIES)])
    assert html.count("<article") == 1 + len(CUSTODIES)
    assert "<img src=x" not in html


def test_thumbnails_are_re_encoded_and_hostile_ones_left_out() -> None:
    """A thumbnail is a file of its own: what is no picture is not shown, what is one reaches the page only re-encoded."""
    signer = made.leaf(made.authority())
    jpeg = made.encoded(made.picture())
    good = made.encoded(made.picture((40, 30), "#336699"), "PNG")
    shown = []
    for thumbnail in (good, b"<svg onload=alert(1)>"):
        description = made.created() | {"thumbnail": {"format": "image/png", "identifier": "t"}}
        content = made.sign(jpeg, description, signer, resources={"t": thumbnail}).content
        ingredients = (made.parent(content),)
        asset = Asset.from_bytes(made.sign(jpeg, made.opened(), signer, ingredients=ingredients).content)
        found = verify(asset, TrustPolicy())
        assert found.picture(found.links[0].thumbnail) == ("image/png", thumbnail)
        html = page([Examined(asset, found)])
        assert "onload" not in html
        shown.append(html.count("data:image/jpeg"))
    assert shown == [2, 1]


def test_a_source_used_twice_is_drawn_twice_and_its_own_sources_once() -> None:
    old = link("old")
    middle = link("middle", ingredients=(Ingredient(title="old", relationship="parentOf", manifest="old"),))
    both = tuple(Ingredient(title=t, relationship="componentOf", manifest="middle") for t in ("one", "two"))
    root = picture_of(custody(BottomLine.TRUSTED, old, middle, link("top", ingredients=both)))
    assert root is not None
    assert [len(child.children) for child in root.children] == [1, 0]


def test_a_chain_of_hostile_width_and_depth_is_drawn_within_bounds() -> None:
    links = [link("0")]
    for number in range(1, 300):
        before = Ingredient(title=str(number), relationship="parentOf", manifest=str(number - 1))
        extras = tuple(Ingredient(title="x", relationship="componentOf") for _ in range(5))
        links.append(link(str(number), ingredients=(before, *extras), actions=(Action(label="c2pa.opened"),)))
    found = custody(BottomLine.TRUSTED, *links)
    html = page([Examined(examined("trusted").asset, found)])
    assert html.count('<section class="node') <= 61
    assert "more sources are not drawn" in html
    stream = io.StringIO()
    CustodyTerminal(stream, width=100).show(found)
    assert len(stream.getvalue().splitlines()) < 3_000


@pytest.mark.parametrize("form", ["json", "crjson"])
def test_machine_formats_are_one_document_a_line(form: str, tmp_path: Path) -> None:
    signer = made.leaf(made.authority())
    asset = Asset.from_bytes(made.sign(made.encoded(made.picture()), made.created(), signer).content, name="a.jpg")
    target = tmp_path / "out.jsonl"
    with presenter(form, target, TrustPolicy()) as present:
        present(Examined(asset, verify(asset, TrustPolicy())))
        present(FAILURE)
    first, second = map(json.loads, target.read_text().splitlines())
    assert ("bottom_line" if form == "json" else "manifests") in first
    assert second["error"]["kind"] == "UnsupportedFormat"
    jsonschema.Draft202012Validator(SCHEMA).validate(second)
