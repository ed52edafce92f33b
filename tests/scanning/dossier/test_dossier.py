"""A dossier is whole, self-contained and sealed, and any change to it shows."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from custody_assets import authority, trust_list
from outcomes import CAPTURED, DECLARED, HOSTILE, PIXELS, SILENT, report
from PIL import Image, ImageFile
from referencing import Registry, Resource
from signing_assets import picture
from time_stamping import time_authority, time_stamper

from assay.commands.dossier import dossier
from assay.detectors.evidence import Origin
from assay.detectors.heatmap import LEGEND
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer
from assay.provenance.errors import OutputRefused, SigningFailed, UnreadableFile
from assay.provenance.signing import CallbackSigner, Recipe, SoftwareAgent, SourceType, open_signer, sign
from assay.provenance.trust import Purpose, TrustPolicy, default_policy
from assay.provenance.trust.stamping import StampRefused
from assay.scanning.demo import make_exhibits
from assay.scanning.dossier.checking import check_dossier, holds
from assay.scanning.dossier.extract import extract
from assay.scanning.dossier.making import make_dossier
from assay.scanning.dossier.mapping import evidence_map
from assay.scanning.dossier.page import _EDGES, page, to_pdf
from assay.scanning.report.custody_html import _STATES
from assay.scanning.scan import Report, Scanner, standard_signals
from assay.scanning.words import DEVELOPED, SURE_OF_DEVELOPED

MODEL = {"name": "deep", "version": "1", "card_sha256": "0" * 64, "files": {}, "known_failures": [HOSTILE]}
SCHEMAS = Path(__file__).resolve().parents[3] / "docs/schema"


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    open_signer("dev:")
    return Scanner(signals=standard_signals(None))


@pytest.fixture(scope="module")
def examined(scanner: Scanner) -> Report:
    recipe = Recipe.created(SourceType.TRAINED_ALGORITHMIC_MEDIA, SoftwareAgent(HOSTILE), title=HOSTILE)
    return scanner.scan(sign(picture("JPEG"), recipe, open_signer("dev:")).asset)


@pytest.fixture(scope="module")
def made(examined: Report, scanner: Scanner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dossiers") / "one"
    make_dossier(
        examined, folder, scanner=scanner, signer=open_signer("dev:"), examiner=HOSTILE, note="case 12", pdf=True
    )
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "dossier"))


def answers(folder: Path, policy: TrustPolicy | None = None) -> dict[str, Answer]:
    return {check.question: check.answer for check in check_dossier(folder, policy or default_policy())}


def test_a_dossier_holds_everything_and_holds(folder: Path, examined: Report) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "dossier.html", "dossier.pdf", "extract.json", "original.jpg", "seal.json", "seal.sig", "signer.pem",
    ]  # fmt: skip
    assert (folder / "original.jpg").read_bytes() == examined.asset.content
    assert (folder / "dossier.pdf").read_bytes().startswith(b"%PDF-")
    checks = check_dossier(folder, default_policy())
    assert holds(checks)
    assert [check.answer for check in checks] == [
        Answer.YES, Answer.YES, Answer.UNKNOWN, Answer.UNKNOWN, Answer.YES, Answer.YES, Answer.YES,
    ]  # fmt: skip


def test_a_manifest_beside_the_image_is_kept_and_checked_again(tmp_path: Path) -> None:
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Camera"))
    (tmp_path / "in.jpg").write_bytes(picture("JPEG").content)
    sign(Asset.open(tmp_path / "in.jpg"), recipe, open_signer("dev:"), into=tmp_path / "photo.jpg", sidecar=True)
    output = tmp_path / "dossier"
    done = CliRunner().invoke(dossier, [str(tmp_path / "photo.jpg"), "-o", str(output), "--no-pixels", "--no-pdf"])
    assert done.exit_code == 0, done.output
    assert (output / "original.jpg.c2pa").read_bytes() == (tmp_path / "photo.c2pa").read_bytes()
    found = json.loads((output / "extract.json").read_text())
    _validate(found)
    assert found["report"]["custody"]["bottom_line"] == "trusted"
    assert answers(output)["Is its chain of custody judged as it was?"] is Answer.YES
    (output / "original.jpg.c2pa").unlink()
    assert answers(output)["Are the files those that were sealed?"] is Answer.NO
    assert answers(output)["Is its chain of custody judged as it was?"] is Answer.UNKNOWN


def test_the_extract_is_as_its_published_schema_says(folder: Path) -> None:
    found = json.loads((folder / "extract.json").read_text())
    _validate(found)
    assert found["original"]["sha256"] == found["report"]["asset"]["sha256"]
    assert {gap["what"] for gap in found["not_checked"]} >= {"truth", "pixels", "revocation"}


def test_what_is_known_of_a_revocation_stands_on_the_page(folder: Path) -> None:
    (link,) = json.loads((folder / "extract.json").read_text())["report"]["custody"]["links"]
    assert link["revocation"]["statement"] in (folder / "dossier.html").read_text()


def _validate(found: object) -> None:
    schemas = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    base = schemas["dossier-1.json"]["$id"].rsplit("/", 1)[0]
    registry: Registry = Registry().with_resources(  # type: ignore[type-arg]
        [(f"{base}/{name}", Resource.from_contents(schema)) for name, schema in schemas.items()]
    )
    jsonschema.Draft202012Validator(schemas["dossier-1.json"], registry=registry).validate(found)


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "question"),
    [
        (lambda f: _append(f / "dossier.html"), "Are the files those that were sealed?"),
        (lambda f: _flip(f / "original.jpg"), "Is the image the one that was examined?"),
        (lambda f: (f / "dossier.pdf").unlink(), "Are the files those that were sealed?"),
        (lambda f: (f / "extra.txt").write_text("x"), "Are the files those that were sealed?"),
        (lambda f: _append(f / "seal.json"), "Is the seal that of the named signer?"),
        (lambda f: _flip(f / "seal.sig"), "Is the seal that of the named signer?"),
        (lambda f: (f / "seal.tsr").write_bytes(b"no stamp"), "Is it certified when it was sealed?"),
        (lambda f: _append(f / "extract.json"), "Do the pages name this extract?"),
    ],
)
def test_any_change_shows(folder: Path, change: Callable[[Path], object], question: str) -> None:
    change(folder)
    assert answers(folder)[question] is Answer.NO


def test_a_link_in_place_of_a_file_shows(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.pdf"
    (folder / "dossier.pdf").rename(moved)
    (folder / "dossier.pdf").symlink_to(moved)
    assert answers(folder)["Are the files those that were sealed?"] is Answer.NO


def test_the_seal_can_be_checked_with_openssl_alone(folder: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    key = subprocess.run(
        ["openssl", "x509", "-in", "signer.pem", "-pubkey", "-noout"], cwd=folder, capture_output=True, check=True
    ).stdout
    (tmp_path / "key.pem").write_bytes(key)
    command = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        str(tmp_path / "key.pem"),
        "-signature",
        "seal.sig",
        "seal.json",
    ]
    assert "openssl ts" not in (folder / "dossier.html").read_text()  # nobody was asked for a stamp
    assert b"Verified OK" in subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def test_the_sealers_certificate_can_be_compared_with_one_from_elsewhere(folder: Path) -> None:
    policy = default_policy()
    own = (folder / "signer.pem").read_bytes()
    other = authority().chain_pem
    said = {c.question: c.answer for c in check_dossier(folder, policy, expected=own)}
    assert said["Is the signer known?"] is Answer.YES
    said = {c.question: c.answer for c in check_dossier(folder, policy, expected=other)}
    assert said["Is the signer known?"] is Answer.NO


def test_a_stamp_certifies_the_time_for_whoever_believes_its_authority(
    examined: Report, scanner: Scanner, tmp_path: Path
) -> None:
    root = authority("Stamp Root")
    at = datetime.now(UTC)
    with time_authority(time_stamper(root), at) as stamping:
        make_dossier(
            examined, tmp_path / "d", scanner=scanner, signer=open_signer("dev:"), authority=stamping.url, pdf=False
        )
    question = "Is it certified when it was sealed?"
    assert "openssl ts -verify" in (tmp_path / "d/dossier.html").read_text()
    assert answers(tmp_path / "d", TrustPolicy())[question] is Answer.UNKNOWN
    believing = TrustPolicy(lists=(trust_list(root, purpose=Purpose.TIME_STAMPING),))
    assert answers(tmp_path / "d", believing)[question] is Answer.YES
    _flip(tmp_path / "d" / "seal.sig")
    assert answers(tmp_path / "d", believing)[question] is Answer.NO


def test_an_authority_that_stamps_something_else_leaves_no_dossier(
    examined: Report, scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.provenance.trust.stamping.fetch", lambda *_, **__: b"\x30\x03\x02\x01\x00")
    with pytest.raises(StampRefused):
        make_dossier(
            examined, tmp_path / "d", scanner=scanner, signer=open_signer("dev:"), authority="http://x.test/", pdf=False
        )
    assert list(tmp_path.iterdir()) == []


def test_a_signer_that_fails_or_lies_leaves_no_dossier(examined: Report, scanner: Scanner, tmp_path: Path) -> None:
    def fail(message: bytes) -> bytes:
        raise RuntimeError("token removed")

    chain = open_signer("dev:").chain
    for act, reason in ((fail, "token removed"), (lambda message: b"\0" * 64, "does not fit")):
        with pytest.raises(SigningFailed, match=reason):
            make_dossier(examined, tmp_path / "d", scanner=scanner, signer=CallbackSigner.of(chain, act), pdf=False)
    assert list(tmp_path.iterdir()) == []


def test_no_dossier_is_written_over_anything(folder: Path, examined: Report, scanner: Scanner) -> None:
    with pytest.raises(OutputRefused):
        make_dossier(examined, folder, scanner=scanner, signer=open_signer("dev:"), pdf=False)
    assert holds(check_dossier(folder, default_policy()))


def test_a_folder_that_is_no_dossier_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        check_dossier(tmp_path, default_policy())


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def test_the_page_is_self_contained_and_nothing_of_the_file_is_markup(folder: Path) -> None:
    text = (folder / "dossier.html").read_text()
    tags = Tags(text)
    assert not tags.names & {"script", "iframe", "link", "object", "form"}
    assert all(address.startswith("data:image/jpeg;base64,") for address in tags.addresses)
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_every_voice_and_its_error_rates_are_on_the_page() -> None:
    given = report(SILENT, DECLARED, CAPTURED, PIXELS)
    given = replace(given, custody=replace(given.custody))  # type: ignore[type-var]
    found = extract(given, policy=TrustPolicy(), original="original.png", model=MODEL, note=HOSTILE)
    text = page(found, given, extract_sha256="0" * 64, sealed_by=HOSTILE)
    assert "3 of 2,100" in text
    assert "1,234" in text  # the byte that a trace was read from
    assert "against the verdict" in text
    assert not Tags(text).names & {"script", "b>x"}


def test_known_failures_are_told_to_their_end() -> None:
    failure = f"nearly blind to {'generator 1/20, ' * 60}and to the last 0/16."
    found = extract(report(PIXELS), policy=TrustPolicy(), original="o.png", model=MODEL | {"known_failures": [failure]})
    assert failure in page(found, report(PIXELS), extract_sha256="0" * 64, sealed_by="x")


def test_frames_that_were_not_looked_at_are_named() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("teal", "red")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    moving = replace(report(SILENT), asset=Asset.from_bytes(buffer.getvalue(), name="moving.gif"))
    for given, left_out in ((moving, True), (report(SILENT), False)):
        found = extract(given, policy=TrustPolicy(), original="o.gif", model=MODEL)
        assert ("frames" in {gap["what"] for gap in found["not_checked"]}) is left_out


def test_a_development_key_is_not_called_known_to_a_trust_list(folder: Path) -> None:
    text = (folder / "dossier.html").read_text()
    assert "intact, and signed with this machine&#39;s own development key" in text
    assert "a trust list knows the signer" not in text
    assert f"<h2>{DEVELOPED[Origin.SYNTHETIC]}</h2>" in text
    assert SURE_OF_DEVELOPED in text
    assert "A trusted signature" not in text


def test_the_map_of_pixel_evidence_is_on_the_page_and_its_filters_in_the_extract() -> None:
    given = report(PIXELS)
    found = extract(given, policy=TrustPolicy(), original="original.png", model=MODEL, mapped=True)
    heat = Image.new("RGB", (60, 40), "orange")
    assert f"Where the pixel evidence lies. {LEGEND}" in page(
        found, given, extract_sha256="0" * 64, sealed_by="x", heat=heat
    )
    assert [item["for"] for item in found["filters"]] == ["the picture on the pages", "the map of the pixel evidence"]
    assert evidence_map(report(SILENT), "deep") is None


def test_writing_pdf_fetches_nothing_and_leaves_pillow_strict(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture("PNG").content)
    plain = to_pdf("<p>hello</p>")
    asking = to_pdf(f'<p>hello</p><img src="{secret.as_uri()}"><img src="http://127.0.0.1:9/x.png">')
    assert b"/Image" not in asking
    assert b"/Image" not in plain
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_every_state_of_a_link_has_its_line_on_paper() -> None:
    assert set(_EDGES) == {*_STATES.values(), "broken", "ghost"}


def test_a_cut_in_the_chain_is_drawn_on_paper_as_on_the_screen(scanner: Scanner, tmp_path: Path) -> None:
    list(make_exhibits(tmp_path))
    report = scanner.scan_path(tmp_path / "06-laundered.jpg")
    make_dossier(report, tmp_path / "d", scanner=scanner, signer=open_signer("dev:"), pdf=False)
    svg = (tmp_path / "d" / "dossier.html").read_text().partition("<svg")[2].partition("</svg>")[0]
    shapes = re.findall(r"<(?:path|circle)[^>]*>", svg)
    assert 'class="cut"' in svg
    assert all(' fill="' in shape for shape in shapes), shapes
