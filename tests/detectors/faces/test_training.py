"""Faces are extracted from laundered pictures, and swaps are scored by heads that saw nothing of their group."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import crowd, drawn_face

from assay.detectors.calibration import Point
from assay.detectors.card import View, model_folder
from assay.detectors.training.building import build_model
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.facing import extract_faces
from assay.detectors.training.protocol import Recipe, Sample
from assay.detectors.training.swaps import measure_swaps, pictures_flagged

SWAP = np.array([4.0] * 8 + [0.0] * 8, np.float32)  # the direction in which generated faces lie
MARK = np.array([0.0] * 8 + [6.0] * 8, np.float32)  # a source's own mark, which says nothing of how its faces were made


def example(number: int, label: Label, group: str, generator: str = "", source: str = "") -> Example:
    return Example(
        sha256=hashlib.sha256(f"{label}{group}{number}".encode()).hexdigest(),
        label=label,
        generator=generator,
        source=source or group,
        group=group,
        domain=None,
        licence="",
    )


def test_faces_come_from_laundered_pictures_and_are_kept(tmp_path: Path) -> None:
    pictures = {"one": drawn_face(900), "two": crowd((20, 40, 420), (460, 100, 420)), "none": crowd(), "cut": None}
    examples, places = [], {}
    for number, (name, picture) in enumerate(pictures.items()):
        one = example(number, Label.HUMAN, name)
        places[one.sha256] = tmp_path / one.sha256
        examples.append(one)
        if picture is None:
            places[one.sha256].write_bytes(b"no picture")
        else:
            picture.save(places[one.sha256], "PNG")
    encoder, folder = model_folder("deep") / "encoder.onnx", model_folder("faces")

    def extracted() -> Sample:
        return extract_faces(examples, places, encoder, folder, tmp_path / "work", view=View.BICUBIC, seed=5)

    sample = extracted()
    counts = {name: sample.groups.count(name) for name in pictures}
    assert counts["none"] == counts["cut"] == 0
    assert counts["one"] <= 1
    assert counts["two"] <= 2
    assert sum(counts.values()) >= 1
    assert len(sample.features) == len(sample.buckets) == len(sample.covariates) == sum(counts.values())
    for place in places.values():
        place.unlink()  # nothing is read twice
    np.testing.assert_array_equal(extracted().features, sample.features)


def faces(label: Label, count: int, groups: int, mean: np.ndarray, generator: str = "", source: str = "") -> Sample:
    random = np.random.default_rng([count, groups, len(generator)])
    made = [
        example(number, label, f"{source or label}{number % groups}", f"{generator}{number % groups}" if generator else "", source)
        for number in range(count)
    ]  # fmt: skip
    features = (mean + random.standard_normal((count, 16))).astype(np.float32)
    return Sample(
        features=features,
        examples=tuple(made),
        covariates=np.zeros((count, 4), np.float32),
        buckets=("small",) * count,
    )


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A model on features made up here: swaps that only carry their source's mark, and swaps that look generated."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "encoder.onnx").write_bytes(b"")
    human = faces(Label.HUMAN, 240, 24, np.zeros(16, np.float32))
    marked = faces(Label.HUMAN, 20, 1, MARK, source="marked")
    generated = faces(Label.GENERATED, 240, 24, SWAP, "net")
    recipe = Recipe(ranges=((0, 16),), strength=0.01)
    looks = faces(Label.ALTERED, 30, 5, SWAP, "swapper", source="elsewhere")
    only_marked = faces(Label.ALTERED, 30, 1, MARK, "pretender", source="marked")
    swaps = looks.joined(only_marked)
    pytest.importorskip("onnx")

    def more(measured) -> dict:
        return {"pictures": pictures_flagged(measured), "swaps": measure_swaps(measured, recipe, swaps)}

    build_model(
        human.joined(marked).joined(generated), recipe, folder, name="made-up", version="1", seed=0,
        command="none", view=View.BICUBIC, more=more,
    )  # fmt: skip
    return json.loads((folder / "card.json").read_text("utf-8"))


def test_a_swap_that_looks_generated_is_flagged(card: dict) -> None:
    found = {name: swaps for name, swaps in card["figures"]["swaps"].items() if name.startswith("swapper")}
    assert sum(swaps["faces"] for swaps in found.values()) == 30
    assert sum(swaps["sensitive"][0] for swaps in found.values()) > 20
    assert all(swaps["same_source"] is None for swaps in found.values())
    assert min(swaps["other_sources"]["auc"][0] for swaps in found.values()) > 0.9


def test_a_control_of_the_same_source_unmasks_what_only_tells_sources(card: dict) -> None:
    (found,) = (swaps for name, swaps in card["figures"]["swaps"].items() if name.startswith("pretender"))
    assert found["same_source"]["faces"] == 20
    assert 0.25 < found["same_source"]["auc"][0] < 0.75


def test_pictures_with_a_flagged_face_are_counted(card: dict) -> None:
    counts = card["figures"]["pictures"]
    assert set(counts) == {point.value for point in Point}
    assert counts["sensitive"]["human"][1] == 260
    assert counts["sensitive"]["generated"][0] > 150
