"""The shipped models load, refuse what is not theirs, and give the same answer however they are asked."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.detectors.calibration import Conformal, Point, PredictionSet
from assay.detectors.card import ModelRefused, View, model_folder, read_card, shipped_models
from assay.detectors.classifier import Classifier, Network, load
from assay.detectors.evidence import Origin, Silence
from assay.detectors.quality import Bucket, measure
from assay.detectors.signals.pixels import PixelsSignal
from assay.detectors.subject import Subject
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.protocol import Sample, Scores, judge_by
from assay.detectors.views import factors, whole
from assay.provenance.asset import Asset
from assay.provenance.decoding import upright
from assay.provenance.errors import AssayError


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Smooth random shapes: no photograph, but a picture with structure."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module", params=shipped_models())
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return load(request.param, threads=1)


def test_deep_is_shipped() -> None:
    assert "deep" in shipped_models()


def test_together_is_as_alone(classifier: Classifier) -> None:
    images = [picture(seed) for seed in range(3)]
    qualities = [measure(image) for image in images]
    together = classifier.opinions(images, qualities)
    for image, quality, opinion in zip(images, qualities, together, strict=True):
        (alone,) = classifier.opinions([image], [quality])
        assert alone.logit == pytest.approx(opinion.logit, abs=1e-3)
        assert alone.domain == opinion.domain
        assert alone.point == opinion.point


def test_measuring_apart_judges_as_the_finished_model_does(classifier: Classifier) -> None:
    """`judge_by`, which the figures of pictures set aside come from, against the classifier itself."""
    images = [picture(seed) for seed in range(12)]
    qualities = [measure(image) for image in images]
    features = classifier.features(images)
    logits, shares, novelty = classifier.head.run(features, "logits", "domain", "novelty")
    row = Example(
        sha256="0" * 64, label=Label.HUMAN, generator="", source="", group="", domain=None, licence="", dhash=""
    )
    sample = Sample(
        features=features,
        examples=(row,) * len(images),
        covariates=np.array([quality.covariates() for quality in qualities], np.float32),
        buckets=tuple(quality.bucket.value for quality in qualities),
    )
    scores = Scores(
        logits=(logits * shares).sum(axis=1).astype(np.float64),
        domains=shares.argmax(axis=1),
        novelty=novelty.astype(np.float64),
    )
    lowered = {
        domain: {point: replace(one, llr=-0.3 - order) for order, (point, one) in enumerate(points.items())}
        for domain, points in classifier.card.thresholds.items()
    }
    card = replace(classifier.card, thresholds=lowered)  # so that some pass
    bold = Classifier(card, threads=1)
    judged = judge_by(card, sample, scores)
    opinions = bold.opinions(images, qualities)
    for number, opinion in enumerate(opinions):
        for point in Point:
            assert bool(judged.passed[point][number]) is opinion.passes(point)
        assert judged.sets[number] == opinion.prediction
        if opinion.llr is not None:
            assert judged.llr[number] == pytest.approx(opinion.llr, abs=1e-3)


def test_graph_optimisation_does_not_change_the_logit(classifier: Classifier) -> None:
    pixels = whole(upright(picture(7)), classifier.card.view)[None]
    plain = Network(classifier.card.folder / "encoder.onnx", threads=1, optimised=False)
    expected = classifier.head.run(plain.run(pixels, "features")[0], "logits")[0]
    found = classifier.head.run(classifier.encoder.run(pixels, "features")[0], "logits")[0]
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_later_blocks_see_means_of_four_patches_and_the_pooled_tokens_are_those_of_the_map() -> None:
    """docs/adr/0016; a heat map lays the second half of its tokens over the picture, four at a time."""
    deep = load("deep", threads=1)
    features, patches = deep.encoder.run(whole(upright(picture(7)), deep.card.view)[None], "features", "patches")
    width = patches.shape[2] // 2
    early, late = patches[0, :, :width], patches[0, :, width:]
    squares = late.reshape(7, 2, 7, 2, width)
    assert (squares == squares[:, :1, :, :1]).all()
    assert len(np.unique(late, axis=0)) == 49
    assert len(np.unique(early, axis=0)) == 196
    np.testing.assert_allclose(
        features[0].reshape(2, 2, width)[:, 1], [early.mean(axis=0), late.mean(axis=0)], atol=1e-4
    )


def test_weights_are_never_multiplied_as_integers(classifier: Classifier) -> None:
    """Integer products differ between processors, or make rounding amplify the differences of floats (docs/adr/0011)."""
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(classifier.card.folder / "encoder.onnx").graph
    kinds = {node.op_type for node in graph.node}
    assert not kinds & {"MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DynamicQuantizeLinear"}


def test_an_altered_file_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    for file in ("card.json", "head.onnx"):
        shutil.copy(model_folder("deep") / file, folder)
    (folder / "encoder.onnx").symlink_to(model_folder("deep") / "encoder.onnx")
    content = bytearray((folder / "head.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "head.onnx").write_bytes(content)
    with pytest.raises(ModelRefused, match=r"head\.onnx"):
        load(folder)


@pytest.mark.parametrize("file", ["encoder.onnx", "head.onnx"])
def test_a_file_that_the_card_does_not_list_is_refused_by_name(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "swift"
    shutil.copytree(model_folder("swift"), folder)
    card = json.loads((folder / "card.json").read_text())
    del card["files"][file]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelRefused, match=f"model swift: its card does not list {file}"):
        load(folder)


def test_an_unknown_model_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(ModelRefused, match="no model here") as refusal:
        load("nonesuch")
    assert "deep" in refusal.value.hint


def test_a_tiny_picture_is_not_judged(classifier: Classifier) -> None:
    image = picture(1, (100, 90))
    (opinion,) = classifier.opinions([image], [measure(image)])
    assert opinion.abstained is not None
    assert opinion.llr is None
    assert opinion.point is None


@pytest.mark.parametrize(
    ("generated_from", "human_to", "prediction", "silence"),
    [
        (-99.0, 99.0, PredictionSet.BOTH, Silence.INCONCLUSIVE),
        (99.0, -99.0, PredictionSet.NEITHER, Silence.INAPPLICABLE),
        (99.0, 99.0, PredictionSet.HUMAN, Silence.INCONCLUSIVE),
        (-99.0, -99.0, PredictionSet.GENERATED, None),
    ],
)
def test_conformal_sets_silence_and_never_call_a_picture_captured(
    generated_from: float, human_to: float, prediction: PredictionSet, silence: Silence | None
) -> None:
    """A model that passes every point speaks only where the set is "generated"; a picture of any set is never captured."""
    card = read_card("swift")
    low = {point: replace(card.thresholds["photograph"][point], llr=-99.0) for point in Point}
    bounds = Conformal(alpha=0.1, generated_from=generated_from, human_to=human_to)
    passing = low if prediction is not PredictionSet.HUMAN else card.thresholds["photograph"]
    classifier = Classifier(
        replace(
            card,
            thresholds=dict.fromkeys(card.domains, passing),
            conformal=dict.fromkeys(card.domains, bounds),
            novelty_limit=1e9,
        ),
        threads=1,
    )
    image = picture(3)
    quality = measure(image)
    (opinion,) = classifier.opinions([image], [quality])
    said = PixelsSignal("swift").weighed(opinion, quality)
    assert opinion.prediction is prediction
    assert (opinion.abstained is not None) == (prediction in (PredictionSet.BOTH, PredictionSet.NEITHER))
    assert said.silence is silence
    assert said.origin in (None, Origin.SYNTHETIC) or said.origin is Origin.UNDETERMINED


@pytest.mark.parametrize("point", Point)
def test_a_silence_is_told_with_what_is_missed_at_the_point_that_was_asked(
    point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rates of `sensitive`, where more is seen, would make a silence at `balanced` look like more than it is."""
    card = read_card("swift")
    high = {
        domain: {each: replace(threshold, llr=99.0) for each, threshold in thresholds.items()}
        for domain, thresholds in card.thresholds.items()
    }
    deaf = Classifier(replace(card, thresholds=high, conformal={}, novelty_limit=1e9), threads=1)
    monkeypatch.setattr("assay.detectors.signals.pixels.load", lambda *_, **__: deaf)
    buffer = io.BytesIO()
    picture(3).save(buffer, "PNG")
    subject = Subject(Asset.from_bytes(buffer.getvalue()), AssayError("not looked at"))
    said = PixelsSignal("swift", point=point).examine(subject)
    (domain,) = (trace.value.split()[0] for trace in said.traces if trace.field == "domain")
    (bucket,) = (trace.value.partition(":")[0] for trace in said.traces if trace.field == "quality")
    _, seen = card.thresholds[domain][point].rates(Bucket(bucket))
    assert said.silence is Silence.INCONCLUSIVE
    assert f"At the {point} operating point it left {1 - seen.value:.0%} of generated pictures" in said.statement


def test_a_card_older_than_conformal_sets_is_read(tmp_path: Path) -> None:
    document = json.loads((model_folder("swift") / "card.json").read_text())
    document.pop("conformal", None)
    (tmp_path / "card.json").write_text(json.dumps(document))
    assert read_card(tmp_path).conformal == {}


def test_a_model_for_pictures_made_ready_in_another_way_is_refused(tmp_path: Path) -> None:
    document = json.loads((model_folder("swift") / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(document | {"views": "whole"}))
    with pytest.raises(ModelRefused, match="'whole'") as refusal:
        read_card(tmp_path)
    assert "assay train" in refusal.value.hint


@pytest.mark.parametrize("view", View)
def test_a_model_looks_at_the_views_that_its_card_names(view: View) -> None:
    image, own = picture(7, (900, 700)), load("swift", threads=1)
    looking = Classifier(replace(own.card, view=view), threads=1)
    (expected,) = own.encoder.run(whole(upright(image), view)[None], "features")
    np.testing.assert_array_equal(looking.features([image]), expected)


def test_views_differ_where_pictures_shrink() -> None:
    image = upright(picture(7, (900, 700)))
    bicubic, hamming = (whole(image, view).astype(int) for view in (View.BICUBIC, View.HAMMING))
    assert 0 < np.abs(bicubic - hamming).mean() < 3


@pytest.mark.parametrize("size", [(1156, 867), (4000, 3000), (1000, 1000), (3000, 400), (300, 224), (60, 5000)])
@pytest.mark.parametrize("view", View)
def test_averaging_leaves_enough_of_either_side(view: View, size: tuple[int, int]) -> None:
    across, down = factors(size, view)
    assert size[0] / across >= min(size[0], 0.8 * 224)
    assert size[1] / down >= min(size[1], 0.8 * 224)
    assert 1 <= max(size[0] / across, size[1] / down) / 224 < 2 * max(size) / min(size)
    plain = np.asarray(picture(7, size).resize((224, 224), Image.Resampling.BOX), int)
    assert np.abs(whole(picture(7, size), view) - plain).mean() < 6


def test_every_mode_and_orientation_is_read(classifier: Classifier) -> None:
    for mode in ("L", "LA", "P", "RGBA", "CMYK", "1", "I;16"):
        image = picture(2).convert("L").convert(mode) if mode != "I;16" else Image.new("I;16", (320, 240), 9000)
        assert whole(upright(image), classifier.card.view).shape == (224, 224, 3)


def test_thresholds_fall_from_strict_to_sensitive(classifier: Classifier) -> None:
    for domain in classifier.card.domains:
        thresholds = [classifier.card.thresholds[domain][point].llr for point in Point]
        assert thresholds == sorted(thresholds, reverse=True)


def test_the_card_states_its_failures_and_figures(classifier: Classifier) -> None:
    card = read_card(classifier.card.folder)
    assert card.failures
    assert {"strict", "generators_known", "controls"} <= set(card.figures)
    assert card.training["pictures"]["human"] > 0
    assert card.training["terms"]
