"""Faces are found where they are, at any size and turn of the file, and nowhere else."""

import numpy as np
import pytest
from drawn_faces import crowd, drawn_face
from PIL import Image

from assay.detectors.card import model_folder
from assay.detectors.faces import MARGIN, NETWORKS, Face, FaceFinder, apart
from assay.provenance.decoding import upright


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(*(model_folder("faces") / name for name in NETWORKS))


def at(face: Face) -> tuple[float, float]:
    return (face.left + face.right) / 2, (face.top + face.bottom) / 2


@pytest.mark.parametrize("side", [160, 240, 400, 1600])
def test_a_drawn_face_is_found_where_it_was_drawn(finder: FaceFinder, side: int) -> None:
    (face,) = finder.faces(drawn_face(side))
    x, y = at(face)
    assert x == pytest.approx(side / 2, abs=0.06 * side)
    assert y == pytest.approx(0.54 * side, abs=0.1 * side)
    assert 0.35 * side < face.right - face.left < 0.7 * side
    assert face.probability > 0.9


def test_several_faces_come_largest_first_and_small_ones_are_left_out(finder: FaceFinder) -> None:
    picture = crowd((500, 60, 220), (80, 200, 320), (760, 420, 90))
    found = finder.faces(picture)
    assert [round(at(face)[0] / 100) for face in found] == [2, 6]  # the third is some 55 pixels high
    assert found[0].side > found[1].side
    assert len(finder.faces(picture, least=40)) == 3


def test_no_face_where_there_is_none(finder: FaceFinder) -> None:
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (300, 400, 3), np.uint8))
    smooth = Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8)).resize((400, 300))
    for picture in (noise, smooth, Image.new("RGB", (300, 300)), Image.new("RGB", (1, 1)), Image.new("RGB", (3000, 9))):
        assert finder.faces(picture) == ()


def test_a_picture_on_its_side_is_turned_first(finder: FaceFinder) -> None:
    lying = drawn_face(300).transpose(Image.Transpose.ROTATE_90)
    lying.getexif()[0x0112] = 6
    (face,) = finder.faces(upright(lying))
    assert at(face)[0] == pytest.approx(150, abs=18)


def test_a_crop_is_a_square_with_its_margin_inside_the_picture() -> None:
    picture = Image.new("RGB", (400, 300))

    def face(left: float, top: float, right: float, bottom: float) -> Face:
        return Face(left=left, top=top, right=right, bottom=bottom, probability=1.0)

    side = round(100 * (1 + 2 * MARGIN))
    assert face(150, 100, 230, 200).crop(picture).size == (side, side)
    assert face(0, 0, 80, 100).crop(picture).size == (side, side)  # moved inwards, not cut
    assert face(20, 10, 330, 300).crop(picture).size == (300, 300)  # never larger than the picture


def test_a_crop_at_the_edge_still_holds_the_face() -> None:
    picture = Image.new("RGB", (400, 300))
    picture.paste((255, 255, 255), (300, 200, 400, 300))
    crop = Face(left=300, top=200, right=400, bottom=300, probability=1.0).crop(picture)
    assert (np.asarray(crop)[..., 0] == 255).sum() == 100 * 100


def test_of_boxes_that_overlap_the_most_probable_stays() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.7], [1, 1, 11, 11, 0.9], [30, 30, 40, 40, 0.6]], np.float32)
    np.testing.assert_array_equal(apart(boxes, 0.5), boxes[[1, 2]])
    assert len(apart(boxes, 0.9)) == 3
    assert apart(np.zeros((0, 5), np.float32), 0.5).shape == (0, 5)


def test_the_shipped_graphs_are_those_that_the_weights_give(tmp_path) -> None:
    pytest.importorskip("lz4", reason="the published weights need lz4")
    building = pytest.importorskip("assay.detectors.training.face_finder")
    try:
        weights = building.published_weights()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    building.build(weights, tmp_path)
    for name in NETWORKS:
        assert (tmp_path / name).read_bytes() == (model_folder("faces") / name).read_bytes()
