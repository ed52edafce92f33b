"""What training rests on: draws that do not know the class, folds that keep groups together, indexes that hold."""

import hashlib
import io
import os
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.detectors.card import View, model_folder
from assay.detectors.evaluation import auc
from assay.detectors.quality import jpeg_quality, measure
from assay.detectors.training.bringing import bring
from assay.detectors.training.choosing import choose, may_be_fitted
from assay.detectors.training.examples import (
    Domain,
    Example,
    Label,
    read_index,
    spread,
    without_near_duplicates,
    write_index,
)
from assay.detectors.training.folds import assign, crossings, family, generators_apart, rows_beside, training_rows
from assay.detectors.training.gathering import gather
from assay.detectors.training.grid import gridded
from assay.detectors.training.grid import measure as measure_grid
from assay.detectors.training.laundering import GRID, Cell, launder, launder_to
from assay.detectors.training.pairs import AUTOENCODER, SIDE, write_pairs
from assay.detectors.training.pipeline import extract, with_hashes
from assay.detectors.training.protocol import Recipe, Sample
from assay.detectors.training.screens import screenshot
from assay.detectors.training.viewing import look

DATASETS = Path(__file__).resolve().parents[3] / "datasets"


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def example(number: int, label: Label, group: str, generator: str = "", dhash: str = "") -> Example:
    return Example(
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        label=label,
        generator=generator,
        source=group,
        group=group,
        domain=None,
        licence="",
        dhash=dhash,
    )


def examples() -> list[Example]:
    random = np.random.default_rng(1)
    made = [example(i, Label.HUMAN, f"h{random.integers(30)}") for i in range(300)]
    made += [
        example(1000 + i, Label.GENERATED, f"g{i % 20}", ("flux-1", "sana", "kolors", "sd3")[i % 4]) for i in range(200)
    ]
    return made


def test_laundering_is_a_function_of_the_draw_alone() -> None:
    for seed in range(8):
        first = launder(picture((700, 500)), np.random.default_rng(seed))
        again = launder(picture((700, 500)), np.random.default_rng(seed))
        assert first == again


def test_laundered_shape_and_size_do_not_depend_on_the_original() -> None:
    """Two originals of different shape and enough pixels come out with the same side and shape for the same draw."""
    for seed in range(12):
        sizes = []
        for size in ((1024, 1024), (2400, 1600)):
            image = Image.open(io.BytesIO(launder(picture(size), np.random.default_rng(seed))))
            sizes.append((image.format, *image.size))
        assert sizes[0][0] == sizes[1][0]
        assert abs(sizes[0][1] - sizes[1][1]) <= 3
        assert abs(sizes[0][2] - sizes[1][2]) <= 3


def test_laundering_strips_metadata_and_shows_no_background() -> None:
    image = picture((400, 300)).convert("RGBA")
    image.putalpha(0)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    opened = Image.open(io.BytesIO(launder(Image.open(io.BytesIO(file.getvalue())), np.random.default_rng(3))))
    assert not opened.getexif()
    assert opened.mode == "RGB"


@pytest.mark.parametrize("cell", GRID, ids=lambda cell: cell.name)
def test_a_cell_is_what_it_says(cell: object) -> None:
    image = Image.open(io.BytesIO(launder_to(picture((1600, 1200)), cell, np.random.default_rng(0))))  # type: ignore[arg-type]
    assert abs(max(image.size) - cell.long_side) <= 1  # type: ignore[attr-defined]
    assert image.format == cell.codec  # type: ignore[attr-defined]
    if image.format == "JPEG":
        assert measure(image).jpeg_quality == cell.quality  # type: ignore[attr-defined]


def test_a_screenshot_shows_the_whole_picture_in_a_frame_of_its_own() -> None:
    shown = Image.new("RGB", (400, 300), (200, 30, 60))
    screens = [screenshot(shown, np.random.default_rng(seed)) for seed in range(12)]
    for screen in screens:
        pixels = np.asarray(screen, np.int16)
        inside = (np.abs(pixels - np.array((200, 30, 60))) <= 2).all(axis=2)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert width / height == pytest.approx(4 / 3, rel=0.02)
        assert inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert width >= 0.7 * screen.width
    assert len({screen.size for screen in screens}) > 6
    assert (screenshot(shown, np.random.default_rng(3)).tobytes()) == screens[3].tobytes()


def test_groups_never_straddle_folds() -> None:
    made = examples()
    folds = assign(made)
    for group in {one.group for one in made}:
        assert len({int(fold) for one, fold in zip(made, folds, strict=True) if one.group == group}) == 1


def test_the_strict_arm_crosses_sources_and_generators() -> None:
    made = examples()
    folds = assign(made)
    heads = list(crossings(made, folds, strict=True, least=3))
    assert len(heads) > len(set(folds.tolist()))
    assert (sum(head.measured.astype(int) for head in heads) == 1).all()
    for head in heads:
        rows = training_rows(made, folds, head)
        trained = [one for one, row in zip(made, rows, strict=True) if row]
        measured = [one for one, here in zip(made, head.measured, strict=True) if here]
        assert not {one.group for one in trained} & {one.group for one in measured}
        assert not {family(one.generator) for one in trained if one.generator} & head.families
        assert {family(one.generator) for one in measured if one.generator} <= head.families
        elsewhere = [one for one, fold in zip(made, folds, strict=True) if fold != head.fold]
        assert len(trained) == sum(family(one.generator) not in head.families for one in elsewhere)


def test_human_made_pictures_are_shared_out_like_generated_ones() -> None:
    made = [example(n, Label.GENERATED, "g", "gpt-image-2" if n % 4 else "flux-1") for n in range(400)]
    made += [example(1000 + n, Label.HUMAN, f"h{n % 7}") for n in range(2000)]
    folds = np.zeros(len(made), np.int64)
    heads = list(crossings(made, folds, strict=True))
    assert [sorted(head.families) for head in heads] == [["flux"], ["gpt"]]
    human = np.array([one.label is Label.HUMAN for one in made])
    shares = [int((head.measured & human).sum()) / 2000 for head in heads]
    assert shares == pytest.approx([0.25, 0.75], abs=0.04)


def test_the_grid_is_judged_by_heads_that_never_met_source_or_family() -> None:
    """Features in which every group has a direction of its own, and nothing else tells the classes: heads that had met a
    picture's group would tell them apart."""
    made = examples()
    random = np.random.default_rng(5)
    marks = {group: random.normal(size=64) for group in sorted({one.group for one in made})}
    features = np.array([marks[one.group] for one in made], np.float32)
    sample = Sample(
        features=features,
        examples=tuple(made),
        covariates=np.zeros((len(made), 4), np.float32),
        buckets=("fine",) * len(made),
    )
    some = gridded(made, 100)
    assert [sum(one.label is label for one in some) for label in (Label.HUMAN, Label.GENERATED)] == [100, 100]
    where = {one.sha256: index for index, one in enumerate(made)}
    cell = sample.rows(np.array([where[one.sha256] for one in some]))
    recipe = Recipe(ranges=((0, 64),), strength=1.0)
    found = measure_grid(sample, recipe, {"plain": cell})["plain"]
    assert (found["human"], found["generated"]) == (100, 100)
    assert 0.2 < found["auc"][0] < 0.8
    seen = recipe.fit(sample).logit(cell.features)
    assert auc(seen.astype(np.float64), cell.positive) > 0.95


def test_a_taught_head_learns_what_its_teacher_says_and_nothing_of_what_is_held_out() -> None:
    """The teacher's features tell the classes; the pupil's show them through noise. Every teacher is fitted on its pupil's rows."""
    made = examples()
    random = np.random.default_rng(6)
    label = np.array([1.0 if one.label is Label.GENERATED else -1.0 for one in made])
    stronger = (label[:, None] * [1.0, 0.0] + random.normal(size=(len(made), 2)) * 0.5).astype(np.float32)
    sample = Sample(
        features=(stronger @ random.normal(size=(2, 16)) + random.normal(size=(len(made), 16))).astype(np.float32),
        examples=tuple(made),
        covariates=np.zeros((len(made), 4), np.float32),
        buckets=("fine",) * len(made),
        stronger=stronger,
    )
    recipe = Recipe(ranges=((0, 16),), strength=1.0, teacher=Recipe(ranges=((0, 2),), strength=1.0))
    head = recipe.fit(sample)
    assert head.weights.shape[0] == 16  # of the pupil's features alone
    said = np.corrcoef(head.logit(sample.features), recipe.teacher.fit(sample_of(sample)).logit(stronger))[0, 1]  # type: ignore[union-attr]
    assert said > 0.5
    folds = assign(made)
    poisoned = replace(sample, stronger=np.where((folds == 0)[:, None], np.float32(1e6), stronger))
    one = next(head for head in crossings(made, folds, strict=True) if head.fold == 0)
    np.testing.assert_array_equal(
        recipe.fit_apart(sample, folds, one).weights, recipe.fit_apart(poisoned, folds, one).weights
    )
    with pytest.raises(ValueError, match="teacher"):
        recipe.fit(replace(sample, stronger=None))


def sample_of(sample: Sample) -> Sample:
    """The same pictures as the teacher sees them."""
    assert sample.stronger is not None
    return replace(sample, features=sample.stronger, stronger=None)


def test_known_generators_have_one_head_a_fold() -> None:
    made = examples()
    folds = assign(made)
    heads = list(crossings(made, folds, strict=False))
    assert [head.fold for head in heads] == sorted(set(folds.tolist()))
    assert all(not head.families and (head.measured == (folds == head.fold)).all() for head in heads)


def test_altered_pictures_are_never_trained_on() -> None:
    made = [*examples(), example(9999, Label.ALTERED, "swaps", "inswapper")]
    folds = assign(made)
    assert not any(training_rows(made, folds, head)[-1] for head in crossings(made, folds, strict=False))


def test_families() -> None:
    assert family("stable-diffusion-1") == family("sdxl") == family("sd3")
    assert family("gpt-4o-image") == family("gpt-image-2")
    assert family("flux-1") == family("flux-2") != family("sana")


def test_near_duplicates_of_another_group_are_dropped() -> None:
    kept = without_near_duplicates(
        [
            example(1, Label.HUMAN, "a", dhash="0f0f0f0f0f0f0f0f"),
            example(2, Label.HUMAN, "b", dhash="0f0f0f0f0f0f0f0e"),
            example(3, Label.HUMAN, "a", dhash="0f0f0f0f0f0f0f0f"),
            example(4, Label.HUMAN, "c", dhash="f0f0f0f0f0f0f0f0"),
        ]
    )
    assert [one.group for one in kept] == ["a", "a", "c"]


def test_a_copy_in_another_group_is_a_near_duplicate_by_its_pixels(tmp_path: Path) -> None:
    original, copy, other = (example(number, Label.HUMAN, f"h{number}") for number in range(3))
    broken = example(3, Label.HUMAN, "h3")
    places = {one.sha256: tmp_path / one.sha256 for one in (original, copy, other, broken)}
    picture((320, 240)).save(places[original.sha256], "PNG")
    picture((320, 240)).resize((240, 180)).save(places[copy.sha256], "JPEG", quality=80)
    picture((320, 240), 1).save(places[other.sha256], "PNG")
    places[broken.sha256].write_bytes(places[original.sha256].read_bytes()[:200])
    hashed = with_hashes([original, copy, other, broken], places)
    assert [len(one.dhash) for one in hashed] == [16, 16, 16, 0]
    assert [one.group for one in without_near_duplicates(hashed)] == ["h0", "h2", "h3"]
    assert without_near_duplicates(with_hashes([original, replace(copy, group="h0")], places))[1:]


def test_a_difference_hash_tells_which_pixel_is_brighter_than_its_right_neighbour(tmp_path: Path) -> None:
    one = example(0, Label.HUMAN, "h")
    Image.linear_gradient("L").rotate(-90).save(tmp_path / "darker-to-the-right.png")
    Image.linear_gradient("L").rotate(90).save(tmp_path / "brighter.png")
    palette = Image.linear_gradient("L").rotate(-90).convert("P")
    palette.save(tmp_path / "transparent.png", transparency=bytes(range(256)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hashes = [with_hashes([one], {one.sha256: path})[0].dhash for path in sorted(tmp_path.iterdir())]
    assert hashes == ["0" * 16, "f" * 16, "f" * 16]


@pytest.mark.parametrize(
    ("generators", "apart"),
    [
        (("flux-1", "sdxl", "gemini-2"), True),
        (("flux-1", "flux-2"), False),
        (("flux-1", "sdxl", ""), False),
        (("",), False),
    ],
)
def test_generators_are_held_out_where_each_is_named_and_has_others_beside_it(
    generators: tuple[str, ...], apart: bool
) -> None:
    made = [example(n, Label.HUMAN, f"h{n % 12}") for n in range(120)]
    made += [example(1000 + n, Label.GENERATED, f"g{n % 12}", generators[n % len(generators)]) for n in range(120)]
    assert generators_apart(made, assign(made)) is apart


def test_spread_keeps_every_prefix_mixed() -> None:
    first = spread(examples(), seed=0)[:60]
    assert len({one.group for one in first}) > 30
    assert {one.label for one in first} == {Label.HUMAN, Label.GENERATED}


def test_shipped_indexes_are_readable_and_small() -> None:
    paths = sorted(DATASETS.glob("*/index.csv"))
    assert paths
    made = read_index(*paths)
    assert len(made) > 10_000
    assert all(path.stat().st_size < 200 * len(read_index(path)) for path in paths)  # rows of facts and nothing else
    labels: dict[str, set[Label]] = {}
    for one in made:
        labels.setdefault(one.sha256, set()).add(one.label)
    assert all(len(found) == 1 for found in labels.values())


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [
        replace(example(1, Label.HUMAN, "maker/shots"), domain=Domain.PHOTOGRAPH, licence="MIT repository", dhash="0f"),
        replace(example(2, Label.GENERATED, "maker", "flux-1"), source="maker/site"),
    ]
    write_index(rows, tmp_path / "index.csv")
    assert read_index(tmp_path / "index.csv") == rows


def test_gathering_takes_only_what_the_index_names(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "wanted.png").write_bytes(b"wanted")
    (place / "other.png").write_bytes(b"other")
    digest, missing = (hashlib.sha256(content).hexdigest() for content in (b"wanted", b"gone"))
    assert gather([digest, missing], [place], tmp_path / "out") == {digest}
    assert [path.name for path in (tmp_path / "out").iterdir()] == [digest]


def test_what_its_terms_set_aside_is_never_fitted_on_and_shares_no_group() -> None:
    free = [example(n, Label.HUMAN, f"free{n % 5}") for n in range(50)]
    bound = [
        replace(example(100 + n, Label.HUMAN, f"{'free' if n % 2 else 'bound'}{n % 3}"), licence=terms)
        for n, terms in enumerate(("CC BY-NC 4.0", "GPL-3.0 repository", "ImageNet research terms", "NVIDIA NC") * 5)
    ]
    altered = example(999, Label.ALTERED, "swaps")
    fitted, aside = choose([*free, *bound, altered], fitted=40, aside=8, seed=0)
    assert len(fitted) == 40
    assert set(fitted) <= set(free)
    assert len(aside) == 8
    assert {one.group for one in aside} <= {"bound0", "bound2", "bound1"}
    twins = [
        example(n, label, "portraits", generator)
        for n, (label, generator) in enumerate([(Label.GENERATED, "stylegan2"), (Label.HUMAN, "")], 200)
    ]
    twins[1] = replace(twins[1], licence="CC BY-NC-SA")
    fitted, aside = choose([*free, *twins], fitted=99, aside=99, seed=0)
    assert not set(twins) & set(fitted)
    assert set(twins) <= set(aside)
    kept = {one.sha256 for one in fitted[:9] if one.group == "free0"}
    last = {one.sha256 for one in bound[-6:] if one.group.startswith("bound")}
    again, beside = choose([*free, *bound], fitted=99, aside=3, seed=0, kept=kept | last)
    assert {one.sha256 for one in beside} == last
    assert {one.sha256 for one in again if one.group == "free0"} == kept
    assert len(again) == 40 + len(kept)
    copied = replace(bound[0], dhash=f"{0x0F0F0F0F0F0F0F0F:016x}")
    twin = replace(free[0], dhash=copied.dhash)
    assert copied not in choose([twin, copied], fitted=9, aside=9, seed=0)[1]


@pytest.mark.parametrize("name", ["fitted/index.csv", "faces/index.csv", "faces/beside.csv"])
def test_no_listed_picture_of_the_shipped_models_has_terms_that_forbid_it(name: str) -> None:
    """But for what stands beside swaps of the same source and is measured alone."""
    rows = read_index(DATASETS / name)
    swapped = {row.source for row in rows if row.label is Label.ALTERED}
    bound = [row for row in rows if not may_be_fitted(row) and row.label is not Label.ALTERED]
    assert all(row.label is Label.HUMAN and row.source in swapped for row in bound)


def test_the_pictures_set_aside_share_nothing_with_those_fitted_on() -> None:
    fitted, aside, later = (read_index(DATASETS / name / "index.csv") for name in ("fitted", "aside", "later"))
    assert not {row.group for row in aside} & {row.group for row in fitted}
    assert not {row.group for row in later} & {row.group for row in (*aside, *fitted)}
    assert all(may_be_fitted(row) for row in later)
    assert {row.group for row in aside if may_be_fitted(row)} <= {row.group for row in aside if not may_be_fitted(row)}
    assert {row.label for row in aside} == {Label.HUMAN, Label.GENERATED}


def test_bringing_clones_unpacks_and_says_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository over git's own protocol for files, a package made here in place of the archive's; one of each is gone."""
    if not shutil.which("dpkg-deb") or not shutil.which("git"):
        pytest.skip("needs git and dpkg-deb")
    hosting, packages, out = tmp_path / "hosting", tmp_path / "packages", tmp_path / "out"
    clone = hosting / "maker" / "photos"
    clone.mkdir(parents=True)
    git = ["git", "-C", str(clone), "-c", "user.name=maker", "-c", "user.email=maker@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for content in (b"first version", b"second version"):  # the first is in the history alone
        (clone / "photo.jpg").write_bytes(content)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", "a photo"], check=True)
    (tree := packages / "tree" / "usr").mkdir(parents=True)
    (tree / "painting.png").write_bytes(b"a painting")
    (packages / "tree" / "DEBIAN").mkdir()
    (packages / "tree" / "DEBIAN" / "control").write_text(
        "Package: game-art\nVersion: 1\nArchitecture: all\nMaintainer: maker <maker@example.org>\nDescription: art\n"
    )
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", "tree", "game-art.deb"], cwd=packages, check=True, capture_output=True
    )
    (stand_in := tmp_path / "bin" / "apt-get").parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nfor last; do :; done\nexec cp "{packages}/$last.deb" .\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}")
    rows = [
        replace(example(0, Label.HUMAN, source), sha256=hashlib.sha256(content).hexdigest(), source=source)
        for source, content in (
            ("maker/photos", b"first version"),
            ("maker/photos", b"never there"),
            ("debian:game-art", b"a painting"),
            ("maker/gone", b"x"),
            ("debian:gone", b"y"),
            ("a book", b"z"),
        )
    ]
    found = {one.source: one for one in bring(rows, out, hosting=hosting.as_uri())}
    assert {source: (one.wanted, one.present) for source, one in found.items()} == {
        "maker/photos": (2, 1),
        "debian:game-art": (1, 1),
        "maker/gone": (1, 0),
        "debian:gone": (1, 0),
        "a book": (1, 0),
    }
    assert all(found[gone].reason for gone in ("maker/gone", "debian:gone", "a book"))
    assert sorted(path.name for path in out.iterdir()) == sorted({rows[0].sha256, rows[2].sha256})
    shutil.rmtree(hosting)  # what is there is not fetched again
    assert [one.present for one in bring([rows[0]], out, hosting=hosting.as_uri())] == [1]


@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95])
def test_jpeg_quality_is_read_from_the_tables(quality: int) -> None:
    file = io.BytesIO()
    picture((320, 240)).save(file, "JPEG", quality=quality)
    assert jpeg_quality(Image.open(io.BytesIO(file.getvalue())).quantization) == quality


def test_pairs_share_crop_group_and_draws(tmp_path: Path) -> None:
    """Where the reconstruction changes nothing, both pictures of a pair come out of the laundering alike, bit for bit."""
    big, small = tmp_path / "big", tmp_path / "small"
    picture((700, 500)).save(big, "PNG")
    picture((SIDE - 1, 500)).save(small, "PNG")
    rows = [example(1, Label.HUMAN, "h1"), example(2, Label.HUMAN, "h2")]
    places = {rows[0].sha256: big, rows[1].sha256: small}
    folder = tmp_path / "pairs"
    ((original, twin),) = write_pairs(rows, places, folder, lambda pixels: pixels ^ np.uint8(1), AUTOENCODER)
    assert (original.group, twin.group) == ("h1", "h1")
    assert (original.label, twin.label, twin.generator) == (Label.HUMAN, Label.GENERATED, AUTOENCODER)
    assert read_index(folder / "pairs.csv") == [original, twin]
    unchanged = replace(twin, sha256="f" * 64)
    places = {original.sha256: folder / original.sha256, unchanged.sha256: folder / original.sha256}
    first, second = (look(one, places[one.sha256], View.BICUBIC, seed=3) for one in (original, unchanged))
    assert first
    assert second
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_a_picture_is_encoded_once_whatever_else_an_index_names(tmp_path: Path) -> None:
    rows = [example(number, Label.HUMAN, f"h{number}") for number in range(5)]
    places = {row.sha256: tmp_path / row.sha256 for row in rows}
    for number, row in enumerate(rows[:4]):
        picture((300, 260), number).save(places[row.sha256], "PNG")
    places[rows[4].sha256].write_bytes(b"no picture")
    encoder = model_folder("swift") / "encoder.onnx"

    def extracted(some: list[Example], cell: Cell | None = None) -> Sample:
        return extract(some, places, encoder, tmp_path / "work", view=View.HAMMING, seed=1, cell=cell)

    first = extracted(rows[:3])
    for row in rows[:3]:
        places[row.sha256].unlink()  # nothing is read twice
    again = extracted(rows[::-1])
    assert [one.sha256 for one in again.examples] == [row.sha256 for row in rows[3::-1]]
    np.testing.assert_array_equal(again.features[:0:-1], first.features)
    np.testing.assert_array_equal(again.covariates[:0:-1], first.covariates)
    assert again.buckets[:0:-1] == first.buckets
    with pytest.raises(ValueError, match="none of 1 pictures"):
        extracted(rows[:1], GRID[0])  # another cell is another draw


def test_pairs_are_held_out_with_their_group_and_the_family_of_their_decoder() -> None:
    pairs = [example(1, Label.HUMAN, "a"), example(2, Label.GENERATED, "a", AUTOENCODER), example(3, Label.HUMAN, "b")]
    held = [example(9, Label.GENERATED, "b", "flux-1")]
    assert rows_beside(pairs, held, {"flux"}).tolist() == [True, False, False]
    assert rows_beside(pairs, held, frozenset()).tolist() == [True, True, False]


def test_the_tiny_autoencoder_reads_weights_and_keeps_the_shape(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from assay.detectors.training import tiny_autoencoder

    for name, part in (("encoder", tiny_autoencoder._encoder()), ("decoder", tiny_autoencoder._decoder())):
        torch.save(part.state_dict(), tmp_path / f"taef2_{name}.pth")
    pixels = np.asarray(picture((64, 48)))
    found = tiny_autoencoder.reconstructing(tmp_path)(pixels)
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)


def test_the_translator_reads_published_names_and_keeps_the_shape(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from assay.detectors.training import cycle_translator

    torch.manual_seed(0)
    state = cycle_translator.generator().state_dict()
    torch.save({f"model.{name}": tensor for name, tensor in state.items()}, tmp_path / "weights.pth")
    pixels = np.asarray(picture((64, 48)))
    found = cycle_translator.translating(tmp_path / "weights.pth")(pixels)
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
    assert np.ptp(found) > 0
    assert not np.array_equal(found, pixels)


def test_the_upscaler_reduces_by_area_and_enlarges_again(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    from assay.detectors.training import upscaler

    layers = (
        "Input input 0 1 data",
        "Interp wider 1 1 data output 0=1 1=4.0 2=4.0",
    )  # repeats each pixel four times either way
    (tmp_path / "plain.param").write_text("7767517\n2 2\n" + "\n".join(layers) + "\n")
    (tmp_path / "plain.bin").write_bytes(b"")
    pixels = np.asarray(picture((64, 48)))
    found = upscaler.restoring(tmp_path / "plain.param")(pixels)
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
    means = pixels.reshape(12, 4, 16, 4, 3).mean((1, 3)).repeat(4, 0).repeat(4, 1)
    assert np.abs(found - means).max() <= 1
    wide = upscaler.enlarging(tmp_path / "plain.param")(pixels)
    np.testing.assert_array_equal(wide, pixels.repeat(4, 0).repeat(4, 1))
