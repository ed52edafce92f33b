"""The page's piece for one image: nothing that the server would refuse, and a map only where the classifier spoke."""

import base64
import io

import pytest
from outcomes import FAILURE, HOSTILE, report
from photograph_like import jpeg_asset, photograph
from PIL import Image

from assay.detectors.evidence import Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.detectors.heatmap import LEGEND
from assay.provenance.custody.chain import BottomLine
from assay.provenance.repository import Repository
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.scanning.recovering import remember
from assay.scanning.report.fragments import accepted
from assay.scanning.scan import Scanner, standard_signals
from assay.scanning.service.looking import fragment, heatmap_of

PIXELS = Evidence(
    signal="pixels", statement=f"Looks so. {HOSTILE}", origin=Origin.SYNTHETIC, basis=Basis.INFERRED, llr=1.2
)
CLAIM = Evidence(
    signal="declaration-source-type",
    statement="It says so.",
    origin=Origin.CAPTURED,
    basis=Basis.DECLARED,
    traces=(Trace("XMP field", HOSTILE, 12), Trace("other", "value")),
    findings=(Finding("tampered", Severity.ALARM, HOSTILE), Finding("odd", Severity.NOTE, "a note")),
)
QUIET = Evidence.silent("watermark", Silence.FAILED, "It could not look.")


@pytest.mark.parametrize(
    "outcome",
    [
        report(PIXELS),
        report(CLAIM, PIXELS, QUIET, name=f"{HOSTILE}.png"),
        report(bottom_line=BottomLine.UNREADABLE),
        FAILURE,
    ],
)
def test_the_server_accepts_what_workers_write(outcome) -> None:
    written = accepted(fragment(outcome, prior=0.3, heatmap="data:image/jpeg;base64,AAAA"))
    assert "<img src=x" not in written
    assert written.startswith("<article")


def test_alarms_stand_beside_the_answer_and_silence_is_no_all_clear() -> None:
    written = fragment(report(CLAIM, PIXELS, QUIET))
    assert written.index("finding alarm") < written.index("Who says so")
    assert "could not look" in written
    assert "contradiction" in written
    assert "a note" in written


def test_a_page_without_pixels_says_so() -> None:
    without = "runs without its pixel classifier"
    assert without in fragment(report(CLAIM))
    assert without not in fragment(report(CLAIM, PIXELS))
    assert "Every check that applies" not in fragment(report(CLAIM))
    assert "Every check that applies" in fragment(report(CLAIM, PIXELS))


@pytest.mark.parametrize(
    "intruder", ["<script>x</script>", '<a href="http://127.0.0.1/">x</a>', '<img src="/x">', "<form></form>"]
)
def test_what_a_worker_should_not_write_is_refused(intruder: str) -> None:
    with pytest.raises(ValueError, match="in a page"):
        accepted(fragment(report(PIXELS)).replace("</article>", f"{intruder}</article>"))


def test_a_map_is_drawn_where_the_classifier_spoke() -> None:
    drawn = heatmap_of(report(PIXELS), "deep")
    kind, _, content = drawn.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (64, 48)
    assert f'<p class="legend">{LEGEND}</p>' in fragment(report(PIXELS), heatmap=drawn)
    assert heatmap_of(report(CLAIM), "deep") == ""
    assert heatmap_of(report(PIXELS), None) == ""
    assert heatmap_of(FAILURE, "deep") == ""


def test_a_recovered_manifest_is_likely_and_its_picture_stands_beside_the_copy(tmp_path, monkeypatch) -> None:
    pytest.importorskip("pdqhash", reason="needs the extra `recovery`")
    original = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "repository.sqlite"))
    with Repository(tmp_path / "repository.sqlite") as repository:
        remember(original, repository)
    outcome = Scanner(signals=standard_signals(None)).scan(jpeg_asset(photograph(1).resize((400, 300)), quality=60))
    written = accepted(fragment(outcome))
    assert "SYNTHETIC" in written.upper()
    assert "<small>likely</small>" in written
    assert "watermark" not in written.partition("What else the file shows")[0].lower()
    assert written.count("data:image/jpeg") == 2
    assert "Compare the two" in written
    (recovered,) = outcome.verdict.grounds
    assert written.count(recovered.statement[:60]) == 2  # who says so, and its card
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "gone.sqlite"))
    assert fragment(outcome).count("data:image/jpeg") == 1
