"""Faces are told one by one, by their own answers, and apart from the whole picture's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawn_faces import crowd, drawn_face
from PIL import Image

from assay.cli import assay
from assay.detectors.calibration import Point
from assay.detectors.card import FACES, read_card
from assay.detectors.classifier import Opinion, RuntimeUnavailable
from assay.detectors.evidence import Basis, Evidence, Origin, Silence
from assay.detectors.faces import Face, FaceClassifier, load, measured
from assay.detectors.quality import measure
from assay.detectors.signals.faces import FacesSignal
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError


@pytest.fixture(scope="module")
def model() -> FaceClassifier:
    return load(threads=1)


def opinion(*, llr: float | None, point: Point | None, abstained: str | None = None) -> Opinion:
    rate = read_card(FACES).thresholds["photograph"][Point.BALANCED].rates(measure(Image.new("RGB", (9, 9))).bucket)[0]
    return Opinion(
        model=FACES, version="1", logit=0.0, score=0.5, domain="photograph", domain_share=1.0, novelty=1.0, llr=llr,
        prediction=None, point=point, abstained=abstained, false_positive_rate=rate, true_positive_rate=rate,
    )  # fmt: skip


def face(side: int) -> Face:
    return Face(left=10, top=20, right=10 + side, bottom=20 + side, probability=1.0)


QUIET = opinion(llr=-0.3, point=None)
FLAGGED = opinion(llr=1.1, point=Point.BALANCED)
BARELY = opinion(llr=0.6, point=Point.SENSITIVE)
OUTSIDE = opinion(llr=None, point=None, abstained="the picture is unlike all that the model was measured on")


def said(*opinions: Opinion, found: int | None = None, point: Point = Point.BALANCED) -> Evidence:
    judged = tuple((face(200 - 10 * number), one) for number, one in enumerate(opinions))
    return FacesSignal(point=point).weighed(judged, len(opinions) if found is None else found)


def test_one_face_that_passes_speaks_with_its_own_ratio() -> None:
    evidence = said(QUIET, FLAGGED, BARELY)
    assert (evidence.origin, evidence.basis, evidence.llr) == (Origin.COMPOSITE, Basis.INFERRED, 1.1)
    assert evidence.statement.startswith("Face 2 of 3 judged")
    assert [trace.field for trace in evidence.traces] == ["face 1", "face 2", "face 3"]
    assert "190 x 190 pixels at 10, 20: log10 likelihood ratio +1.10" in evidence.traces[1].value
    assert "balanced" in evidence.traces[1].value
    assert "nothing said" in evidence.traces[0].value
    assert "nothing said" in evidence.traces[2].value


def test_the_point_asked_for_decides() -> None:
    assert said(BARELY).silence is Silence.INCONCLUSIVE
    assert said(BARELY, point=Point.SENSITIVE).origin is Origin.COMPOSITE
    assert said(FLAGGED, point=Point.STRICT).silence is Silence.INCONCLUSIVE


def test_two_faces_that_pass_are_counted_and_never_summed() -> None:
    evidence = said(FLAGGED, replace(FLAGGED, llr=1.4))
    assert evidence.llr == 1.4
    assert "So do 1 more" in evidence.statement


@pytest.mark.parametrize(
    ("opinions", "silence"),
    [((), Silence.ABSENT), ((QUIET,), Silence.INCONCLUSIVE), ((OUTSIDE,), Silence.INAPPLICABLE), ((OUTSIDE, QUIET), Silence.INCONCLUSIVE)],
)  # fmt: skip
def test_silence_has_its_reason(opinions: tuple[Opinion, ...], silence: Silence) -> None:
    evidence = said(*opinions)
    assert (evidence.silence, evidence.llr) == (silence, None)
    assert len(evidence.traces) == len(opinions)


def test_an_abstaining_model_does_not_speak_at_any_point() -> None:
    unsure = replace(FLAGGED, abstained="its answer is usual for generated and for human-made pictures alike")
    assert said(unsure, point=Point.SENSITIVE).silence is Silence.INCONCLUSIVE


def test_an_opinion_whose_errors_were_hardly_measured_is_withheld() -> None:
    assert measured(FLAGGED) is FLAGGED
    assert FLAGGED.false_positive_rate is not None
    withheld = measured(replace(FLAGGED, false_positive_rate=replace(FLAGGED.false_positive_rate, hits=0, trials=15)))
    assert (withheld.llr, withheld.point) == (None, None)
    assert said(withheld, point=Point.SENSITIVE).silence is Silence.INAPPLICABLE
    assert "only 15 human-made faces" in said(withheld).statement


def test_faces_that_are_not_judged_are_counted() -> None:
    assert said(QUIET, found=7).traces[-1].value == "6"


def test_every_face_gets_the_answer_that_it_gets_alone(model: FaceClassifier) -> None:
    picture = crowd((60, 120, 300), (520, 150, 260))
    judged, found = model.opinions(picture, measure(picture))
    assert found == 2
    for one, together in judged:
        crop = one.crop(picture)
        apart = picture.copy()
        apart.paste((120, 130, 120), (0, 0, 450, 600) if one.left > 450 else (450, 0, 900, 600))
        ((_, alone),), _ = model.opinions(apart, measure(apart))
        assert alone.logit == pytest.approx(together.logit, abs=0.15)
        assert crop.width == crop.height


def test_a_picture_without_faces_and_a_file_without_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "plain.png")
    assert examined(tmp_path / "plain.png").silence is Silence.ABSENT
    (tmp_path / "cut.png").write_bytes((tmp_path / "plain.png").read_bytes()[:60])
    assert examined(tmp_path / "cut.png").silence is Silence.FAILED


def examined(path: Path) -> Evidence:
    return FacesSignal(threads=1).examine(Subject(Asset.open(path), AssayError("not asked")))


def test_detect_and_scan_state_faces_apart(tmp_path: Path) -> None:
    drawn_face(320).save(tmp_path / "face.png")
    for command in ("detect", "scan"):
        done = CliRunner().invoke(assay, [command, str(tmp_path / "face.png"), "--faces", "--format", "json"])
        assert done.exit_code == 0, done.output
        evidence = {piece["signal"]: piece for piece in json.loads(done.stdout)["evidence"]}
        assert {"pixels", "faces"} <= set(evidence)
        (trace,) = (trace for trace in evidence["faces"]["traces"] if trace["field"] == "face 1")
        assert "pixels at" in trace["value"]
    plain = CliRunner().invoke(assay, ["detect", str(tmp_path / "face.png"), "--format", "json"])
    assert [piece["signal"] for piece in json.loads(plain.stdout)["evidence"]] == ["pixels"]


def test_faces_without_pixels_are_refused(tmp_path: Path) -> None:
    drawn_face(200).save(tmp_path / "face.png")
    done = CliRunner().invoke(assay, ["scan", str(tmp_path / "face.png"), "--faces", "--no-pixels"])
    assert done.exit_code == 2


def test_a_machine_that_cannot_run_the_model_is_told_and_nothing_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object, **__: object) -> None:
        raise RuntimeUnavailable("ONNX Runtime cannot be loaded on this machine")

    monkeypatch.setattr("assay.detectors.signals.faces.load", unable)
    Image.new("RGB", (80, 80)).save(tmp_path / "grey.png")
    evidence = examined(tmp_path / "grey.png")
    assert evidence.silence is Silence.FAILED
    assert "cannot be loaded" in evidence.statement
