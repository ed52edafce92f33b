"""Fingerprints: the standard's own vectors, exact distances, an index that never holds what was forgotten."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photograph_like import photograph
from PIL import Image

from assay.detectors.fingerprints.aligning import agreement
from assay.detectors.fingerprints.grounds import (
    INSET,
    TURNS,
    WHOLE,
    View,
    content_box,
    crop_views,
    cut,
    first_views,
    framed_views,
    ground,
)
from assay.detectors.fingerprints.index import HammingIndex, distance
from assay.detectors.fingerprints.iscc import SequenceRefused, code_of_pixels, image_codes, sequence, text
from assay.detectors.fingerprints.pdq import pdq
from assay.detectors.fingerprints.searching import fingerprints
from assay.provenance.repository import Repository

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")


def test_iscc_of_flat_pictures_is_the_standards() -> None:
    """iscc-core's conformance vectors: all black, and all white (of which the first 128 bits are published)."""
    assert text(code_of_pixels(np.zeros((32, 32)))) == "ISCC:EED" + "Q" + "A" * 51
    assert code_of_pixels(np.full((32, 32), 255.0))[:16] == b"\x80" + bytes(15)


def test_iscc_is_the_median_cut_of_the_cosine_transform() -> None:
    grey = np.asarray(ground(photograph(3)).resize((32, 32)), np.float64)
    steps = np.arange(32)
    basis = np.cos(np.pi * np.outer(steps, 2 * steps + 1) / 64)
    spectrum = basis @ grey @ basis.T
    bits = []
    for top, left in ((0, 0), (0, 8), (8, 0), (8, 8)):
        block = spectrum[top : top + 8, left : left + 8].ravel()
        bits += list(block > np.median(block))
    assert code_of_pixels(grey) == np.packbits(bits).tobytes()


def test_a_soft_bindings_value_is_a_sequence_of_units() -> None:
    body = bytes(range(32))
    assert sequence(body)[:2] == b"\x21\x07"
    other = b"\x30\x00abcd"  # a Data-Code of 32 bits: allowed, and of no use here
    assert image_codes(other + sequence(body)) == (body,)
    assert text(body) == "ISCC:" + base64.b32encode(sequence(body)).decode().rstrip("=")


@pytest.mark.parametrize("value", ["", "21", "2800010000000000", "200800" + "00" * 36, "3000000000", "30000000000000",
                                   "60100000000000000000"])  # fmt: skip
def test_what_iep_0020_rejects_is_rejected(value: str) -> None:
    with pytest.raises(SequenceRefused):
        image_codes(bytes.fromhex(value))


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_the_reader_of_sequences(value: bytes) -> None:
    try:
        codes = image_codes(value)
    except SequenceRefused:
        return
    assert all(len(code) == 32 for code in codes)


def test_pdq_survives_what_it_is_made_for() -> None:
    original = ground(photograph(1))
    small = ground(photograph(1).resize((200, 150)).convert("RGB"))
    one, quality = pdq(cut(original, WHOLE))
    assert quality >= 50
    assert distance(one, pdq(cut(small, WHOLE))[0]) <= 20
    assert distance(one, pdq(cut(ground(photograph(2)), WHOLE))[0]) > 60


def test_a_picture_with_nothing_in_it_gets_no_fingerprint() -> None:
    assert fingerprints(Image.new("RGB", (300, 200), "grey")) == ()
    assert {one.region for one in fingerprints(photograph(1))} == {"whole", "core"}


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_every_position_is_among_the_first_guesses(turn: Image.Transpose | None) -> None:
    original = ground(photograph(4))
    copy = original if turn is None else original.transpose(turn)
    hashed = pdq(cut(original, WHOLE))[0]
    near = [view for view in first_views(copy) if distance(hashed, pdq(cut(copy, view.box, view.turn))[0]) <= 8]
    assert near


def test_crops_are_guessed_within_the_grid() -> None:
    views = crop_views()
    assert len(views) == 100
    uncut = View("cropped", (INSET, INSET, 1 - INSET, 1 - INSET), "core")
    assert any(np.allclose(view.box, uncut.box) for view in views)
    assert all(-1e-9 <= view.box[0] < view.box[2] <= 1 + 1e-9 for view in views)


def test_flat_surroundings_are_left_out() -> None:
    page = Image.new("L", (400, 500), 250)
    page.paste(ground(photograph(1)).resize((300, 300)), (50, 100))
    left, top, right, bottom = content_box(page)
    assert np.allclose((left * 400, top * 500, right * 400, bottom * 500), (50, 100, 350, 400), atol=3)
    assert content_box(Image.new("L", (40, 40))) == WHOLE


def test_a_picture_with_flat_margins_is_seen_on_a_page_of_another_brightness() -> None:
    """Its own margins are flat, so that its content is not where it ends; the step to the page is."""
    picture = Image.new("L", (300, 240), 20)
    picture.paste(ground(photograph(1)).resize((120, 160)), (140, 40))
    page = Image.new("L", (400, 360), 245)
    page.paste(picture, (50, 80))
    exact = (50, 80, 350, 320)
    assert not np.allclose(np.multiply(content_box(page), (400, 360, 400, 360)), exact, atol=10)
    boxes = [np.multiply(view.box, (400, 360, 400, 360)) for view in framed_views(page)]
    assert any(np.allclose(box, exact, atol=1) for box in boxes)
    assert len(boxes) <= 12
    assert framed_views(Image.new("L", (40, 40))) == ()
    assert framed_views(Image.new("L", (1, 1))) == ()


def test_the_second_look_tells_copies_from_strangers() -> None:
    original = ground(photograph(1))
    thumbnail = original.resize((256, 192))
    cropped = original.crop((20, 10, original.width - 8, original.height - 15)).resize((300, 220))
    view = View("whole", WHOLE, "whole")
    assert agreement(cropped, view, thumbnail) > 0.8
    assert agreement(ground(photograph(2)), view, thumbnail) < 0.4
    assert agreement(Image.new("L", (100, 100), 90), view, thumbnail) == pytest.approx(0, abs=1e-6)


def _filled(repository: Repository, values: list[bytes]) -> None:
    for number, value in enumerate(values):
        repository._base.execute("INSERT INTO fingerprint VALUES (?, 'pdq', 'whole', ?)", (number + 1, value))


@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=30), st.binary(min_size=32, max_size=32), st.integers(0, 256)
)
@settings(max_examples=25, deadline=None)
def test_the_index_counts_every_bit(tmp_path_factory, values, query, within) -> None:
    with Repository(tmp_path_factory.mktemp("index") / "r.sqlite") as repository:
        _filled(repository, values)
        found = HammingIndex(repository, "pdq", "whole").nearest([query], within=within, most=100)
    wanted = {number + 1: distance(value, query) for number, value in enumerate(values)}
    assert {hit.record: hit.distance for hit in found} == {n: d for n, d in wanted.items() if d <= within}
    assert [hit.distance for hit in found] == sorted(hit.distance for hit in found)


def test_the_index_is_mapped_grows_and_forgets(tmp_path) -> None:
    chance = np.random.default_rng(1)
    values = [chance.bytes(32) for _ in range(5_000)]
    with Repository(tmp_path / "r.sqlite") as repository:
        repository._base.execute("BEGIN")
        _filled(repository, values)
        repository._base.execute("COMMIT")
        index = HammingIndex(repository, "pdq", "whole")
        assert index.nearest([values[4_321]], within=0, most=1)[0].record == 4_322
        (file,) = repository.index_folder.iterdir()
        again = HammingIndex(repository, "pdq", "whole")
        assert again.nearest([values[17]], within=0, most=1)[0].record == 18
        fresh = chance.bytes(32)
        repository._base.execute("INSERT INTO fingerprint VALUES (6000, 'pdq', 'whole', ?)", (fresh,))
        assert again.nearest([fresh], within=0, most=1)[0].record == 6_000
        repository._base.execute("DELETE FROM fingerprint WHERE record = 18")
        repository._base.execute("UPDATE forgotten SET count = count + 1")  # as another process forgets
        for searched in (index, again, HammingIndex(repository, "pdq", "whole")):
            assert searched.nearest([values[17]], within=0, most=1) == ()
        assert not file.exists()


def test_a_damaged_index_file_is_made_anew(tmp_path) -> None:
    with Repository(tmp_path / "r.sqlite") as repository:
        _filled(repository, [bytes(32)])
        repository.index_folder.mkdir()
        (repository.index_folder / "pdq-whole-0.npy").write_bytes(b"\x93NUMPY no more")
        assert HammingIndex(repository, "pdq", "whole").nearest([bytes(32)], within=0, most=1)[0].record == 1
