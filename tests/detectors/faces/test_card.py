"""A gate on the model for faces: what its card must say, and what it must not be worse than."""

import pytest

from assay.detectors.card import FACES, ModelCard, ModelRefused, read_card, shipped_models
from assay.detectors.faces import LEAST, NETWORKS, FaceClassifier


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(FACES)


def test_it_is_no_model_for_whole_pictures() -> None:
    assert FACES not in shipped_models()


def test_every_file_is_hashed_and_an_altered_one_is_refused(card: ModelCard, tmp_path) -> None:
    assert set(card.files) == {card.encoder, "head.onnx", *NETWORKS}
    for file in card.files:
        card.verified(file)
    folder = tmp_path / "faces"
    folder.mkdir()
    (tmp_path / "deep").symlink_to(card.folder.parent / "deep")
    for file in ("card.json", "head.onnx", *NETWORKS):
        (folder / file).write_bytes((card.folder / file).read_bytes())
    FaceClassifier(read_card(folder), threads=1)
    (folder / NETWORKS[1]).write_bytes(b"\0" + (card.folder / NETWORKS[1]).read_bytes()[1:])
    with pytest.raises(ModelRefused, match=NETWORKS[1]):
        FaceClassifier(read_card(folder), threads=1)


def test_discrimination_and_false_positives(card: ModelCard) -> None:
    strict = card.figures["strict"]
    assert strict["arms"]["all"]["auc"][0] >= 0.7
    for point, most in (("strict", 0.02), ("balanced", 0.03), ("sensitive", 0.09)):
        hits, faces, *_ = strict["points"][point]["false_positive"]
        assert hits <= most * faces
    assert strict["calibration"]["cllr"] <= 1.0
    assert 0.3 <= card.figures["controls"]["labels_shuffled_auc"] <= 0.7


def test_pictures_are_counted_as_well_as_faces(card: ModelCard) -> None:
    for point, classes in card.figures["pictures"].items():
        for label, side in (("human", "false_positive"), ("generated", "true_positive")):
            flagged, pictures = classes[label]
            faces_flagged, faces, *_ = card.figures["strict"]["points"][point][side]
            assert flagged <= faces_flagged
            assert pictures <= faces


def test_swaps_stand_apart_with_their_controls(card: ModelCard) -> None:
    swaps = card.figures["swaps"]
    assert set(swaps) == {"inswapper-128", "faceforensics-deepfake"}
    for found in swaps.values():
        assert found["other_sources"]["faces"] > 0
    assert swaps["faceforensics-deepfake"]["same_source"]["faces"] > 0
    assert swaps["inswapper-128"]["same_source"] is None
    assert any("not trained on" in failure for failure in card.failures)


def test_faces_smaller_than_the_limit_were_never_measured(card: ModelCard) -> None:
    assert card.least_side == LEAST
