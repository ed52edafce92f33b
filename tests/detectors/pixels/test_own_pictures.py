"""A newsroom's own pictures: `assay evaluate` measures, `assay train` refits, both say what is missing."""

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.cli import assay

BASE = "swift"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 small pictures of two kinds that differ in structure, from twelve groups."""
    folder = tmp_path_factory.mktemp("archive")
    random = np.random.default_rng(0)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "generator", "group", "domain"])
        for number in range(72):
            generated = number % 2 == 0
            cells = (24, 32) if generated else (5, 7)
            pixels = random.integers(0, 256, (*cells, 3), np.uint8)
            image = Image.fromarray(pixels).resize((260, 200), Image.Resampling.BICUBIC)
            image.save(folder / f"{number}.png")
            label, generator = ("generated", f"maker-{number % 3}") if generated else ("human", "")
            domain = "" if generated else ("photograph", "illustration", "graphic")[number % 3]
            writer.writerow([f"{number}.png", label, generator, f"{label}-{number // 2 % 6}", domain])
    return folder / "index.csv"


def test_evaluate_prints_the_protocol_and_writes_figures(archive: Path, tmp_path: Path) -> None:
    output, plots = tmp_path / "figures.json", tmp_path / "plots"
    done = CliRunner().invoke(
        assay, ["evaluate", str(archive), "--model", BASE, "-o", str(output), "--plots", str(plots)]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["pictures"] == 72
    assert found["points"]["strict"]["false_positive"][1] + found["points"]["strict"]["true_positive"][1] <= 72
    assert {path.name for path in plots.iterdir()} == {"roc.svg", "reliability.svg"}
    assert "AUC" in done.output
    assert 0 <= found["originals_metadata_only_auc"] <= 1
    assert sum(trials for _, trials in found["points"]["strict"]["recall_by_generator"].values()) <= 36


def test_an_archive_of_one_class_tells_its_own_rate_and_no_comparison(archive: Path, tmp_path: Path) -> None:
    """A newsroom has photographs and wants to know how many of them would be flagged."""
    for label, rate, other in (
        ("human", "false_positive", "true_positive"),
        ("generated", "true_positive", "false_positive"),
    ):
        index, output, plots = archive.with_name(f"{label}.csv"), tmp_path / f"{label}.json", tmp_path / label
        head, *rows = archive.read_text().splitlines(keepends=True)
        index.write_text(head + "".join(row for row in rows if f",{label}," in row))
        arguments = ["evaluate", str(index), "--model", BASE, "-o", str(output), "--plots", str(plots)]
        done = CliRunner().invoke(assay, arguments)
        assert done.exit_code == 0, (done.output, done.exception)
        found = json.loads(output.read_text())
        assert found[label] == found["points"]["strict"][rate][1] > 0
        assert found["points"]["strict"][other][1] == 0
        assert {found[figure] for figure in ("auc", "tpr_at_1_percent", "ece", "cllr")} == {None}
        assert "of one class alone" in done.output
        assert ("recall" in done.output) == (label == "generated") == ("false positives" not in done.output)
        assert "no plots" in done.output
        assert not plots.exists()


def test_an_archive_can_be_measured_as_screenshots(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "figures.json"
    arguments = ["evaluate", str(archive), "--model", BASE, "--limit", "20"]
    done = CliRunner().invoke(assay, [*arguments, "--cell", "screenshot", "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert "on 20 pictures (every one as screenshot)" in done.output
    assert CliRunner().invoke(assay, [*arguments, "-o", str(tmp_path / "drawn.json")]).exit_code == 0
    assert json.loads(output.read_text())["cllr"] != json.loads((tmp_path / "drawn.json").read_text())["cllr"]
    wrong = CliRunner().invoke(assay, [*arguments, "--cell", "fax"])
    assert wrong.exit_code == 2
    assert "fax is none of jpeg-90," in wrong.output
    assert CliRunner().invoke(assay, [*arguments, "--cell", "noise", "--as-delivered"]).exit_code == 2


def test_train_writes_a_model_that_answers(archive: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    folder = tmp_path / "mine"
    for number in (1, 3):
        Image.open(archive.with_name(f"{number}.png")).save(archive.with_name(f"{number}-reposted.jpg"), quality=85)
    index = archive.with_name("with-reposts.csv")
    index.write_text(
        archive.read_text() + "".join(f"{n}-reposted.jpg,human,,web,photograph\n" for n in (1, 3)), encoding="utf-8"
    )
    done = CliRunner().invoke(assay, ["train", "--data", str(index), "--base", BASE, "-o", str(folder)])
    assert done.exit_code == 0, (done.output, done.exception)
    card = json.loads((folder / "card.json").read_text())
    assert card["training"]["pictures"]["human"] == 36
    assert "2 left out: near-duplicates" in done.output
    assert "generators could not be held out" in done.output  # maker-0 to maker-2 are one family
    assert not any(
        "unseen sources and generators" in failure or "when not trained" in failure for failure in card["failures"]
    )
    assert card["name"] == "mine"
    assert "with-reposts.csv" in card["failures"][0]
    assert card["conformal"].keys() == set(card["domains"])
    again = CliRunner().invoke(assay, ["evaluate", str(archive), "--model", str(folder)])
    assert again.exit_code == 0, again.output
    assert "72 of these pictures are among those that the model was fitted on" in again.output
    assert "fitted on" not in CliRunner().invoke(assay, ["evaluate", str(archive), "--model", BASE]).output


def test_a_picture_too_large_to_open_is_left_out_and_loses_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000_000)  # Pillow warns from there on and refuses twice that
    for name, size in (("warned-of", (1700, 1500)), ("refused", (2500, 2000))):
        Image.new("RGB", size).save(archive.with_name(f"{name}.png"))
    index = archive.with_name("with-large.csv")
    more = "".join(f"{name}.png,human,,human-9,photograph\n" for name in ("warned-of", "refused"))
    index.write_text(archive.read_text() + more)
    output = tmp_path / "figures.json"
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        done = CliRunner().invoke(assay, ["evaluate", str(index), "--model", BASE, "-o", str(output)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(output.read_text())["pictures"] == 73


def test_an_index_with_an_unknown_label_is_refused_by_line(archive: Path, tmp_path: Path) -> None:
    index = archive.with_name("wrong.csv")
    index.write_text("path,label\n0.png,fake\n")
    done = CliRunner().invoke(assay, ["evaluate", str(index), "--model", BASE])
    assert done.exit_code != 0
    assert "line 2" in str(done.exception)


def test_an_index_without_a_column_of_paths_is_refused_by_its_name(tmp_path: Path) -> None:
    index = tmp_path / "wrong.csv"
    index.write_text("file,label\n0.png,human\n")
    done = CliRunner().invoke(assay, ["evaluate", str(index), "--model", BASE])
    assert done.exit_code != 0
    assert "no column `path`" in str(done.exception)
