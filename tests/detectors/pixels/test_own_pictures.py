"""A newsroom's own pictures: `assay evaluate` measures, `assay train` refits, both say what is missing."""

import csv
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.cli import assay
from assay.detectors.card import FITTED, model_folder
from assay.detectors.training.examples import Label, read_own_index
from assay.provenance.errors import AssayError

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


def broken(archive: Path) -> str:
    """Rows of two files that are no pictures."""
    archive.with_name("cut-off.png").write_bytes(archive.with_name("1.png").read_bytes()[:2000])
    archive.with_name("text.png").write_text("a text")
    return "cut-off.png,human,,human-1,\ntext.png,human,,human-2,\n"


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
    more = "".join(f"{n}-reposted.jpg,human,,web,photograph\n" for n in (1, 3))
    index = archive.with_name("with-reposts.csv")
    index.write_text(archive.read_text() + more + broken(archive), encoding="utf-8")
    done = CliRunner().invoke(assay, ["train", "--data", str(index), "--base", BASE, "-o", str(folder)])
    assert done.exit_code == 0, (done.output, done.exception)
    card = json.loads((folder / "card.json").read_text())
    assert card["training"]["pictures"]["human"] == 36
    lost = "2 of 76 pictures cannot be decoded and are left out: cut-off.png, text.png."
    twins = "2 pictures are left out: near-duplicates of pictures in other groups."
    assert lost in done.output
    assert twins in done.output
    assert card["failures"][1:3] == [lost, twins]
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


def test_evaluate_says_which_pictures_cannot_be_decoded(archive: Path, tmp_path: Path) -> None:
    index, output = archive.with_name("with-broken.csv"), tmp_path / "figures.json"
    index.write_text("".join(archive.read_text().splitlines(keepends=True)[:6]) + broken(archive))
    done = CliRunner().invoke(assay, ["evaluate", str(index), "--model", BASE, "-o", str(output)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "2 of 7 pictures cannot be decoded and are left out: " in done.output
    found = json.loads(output.read_text())
    assert found["pictures"] == 5
    assert {Path(path).name for path in found["undecodable"]} == {"cut-off.png", "text.png"}


def test_evaluate_says_where_nobody_knows_what_the_model_was_fitted_on(archive: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder(BASE), tmp_path / BASE)
    output = tmp_path / "figures.json"
    arguments = ["evaluate", str(archive), "--limit", "5", "--model", str(tmp_path / BASE)]
    (tmp_path / BASE / FITTED).unlink()
    done = CliRunner().invoke(assay, [*arguments, "-o", str(output)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "which pictures it was fitted on is not known: fitted.txt is missing" in done.output
    assert json.loads(output.read_text())["fitted_on"] is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"path,label\n0.png,human\n0.png,generated\n", "0.png is generated, and"),
        (b"label,path\nhuman,0.png\nhuman\n", "line 3: no path"),
        (b"label,path\n,0.png\n", "line 2: no label"),
        (b"path,label\n0.png,real\n", "line 2: label 'real' is none of human, generated, altered"),
        (b"path,label,domain\n0.png,human,art\n", "domain 'art' is none of photograph, illustration, graphic"),
        (b"file,label\n0.png,human\n", "no column `path`; found: file, label"),
        (b"path\tlabel\n0.png\thuman\n", "no column `path`; found: path"),
        (b"", "no column `path`; found: none"),
        ("path,label\n0.png,human\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_an_index_that_cannot_be_right_is_refused_with_its_place(archive: Path, content: bytes, told: str) -> None:
    index = archive.with_name("refused.csv")
    index.write_bytes(content)
    done = CliRunner().invoke(assay, ["evaluate", str(index), "--model", BASE])
    assert isinstance(done.exception, AssayError)
    assert "refused.csv" in str(done.exception)
    assert told in str(done.exception)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfpath,label\r\n0.png,Generated\r\n1.png,HUMAN \r\n",
        b"path;label\r\n0.png;generated\r\n1.png;human\r\n",
        b"path, label\n0.png, generated\n1.png, human\n",
    ],
)
def test_an_index_is_read_as_spreadsheets_write_it(archive: Path, content: bytes) -> None:
    index = archive.with_name("spreadsheet.csv")
    index.write_bytes(content)
    assert [(example.label, place.name) for example, place in read_own_index(index)] == [
        (Label.GENERATED, "0.png"),
        (Label.HUMAN, "1.png"),
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (lambda n, label: label, "too few groups, 2 where it takes 6: the column `group`"),
        (
            lambda n, label: f"{label}-{n // 2 % 6}" if n < 24 else None,
            "too few pictures of the label human: 12, of which 10 are left",
        ),
        (
            lambda n, label: f"{label}-{n % 12}" if label == "human" else None,
            "too few pictures of the label generated: 0",
        ),
        (
            lambda n, label: f"{label}-{n % 12}" if label == "human" else label,
            "too few pictures of the label generated: 36, of which 0 are left",
        ),
    ],
)
def test_train_refuses_what_it_could_not_measure_before_it_encodes_a_picture(
    archive: Path, tmp_path: Path, rows: Callable[[int, str], str | None], told: str
) -> None:
    pytest.importorskip("onnx")
    index = archive.with_name("too-few.csv")
    labelled = [(n, ("generated", "human")[n % 2]) for n in range(72)]
    kept = [(n, label, group) for n, label in labelled if (group := rows(n, label))]
    index.write_text("path,label,group\n" + "".join(f"{n}.png,{label},{group}\n" for n, label, group in kept))
    done = CliRunner().invoke(assay, ["train", "--data", str(index), "--base", BASE, "-o", str(tmp_path / "mine")])
    assert isinstance(done.exception, AssayError)
    assert told in str(done.exception)
    assert not list(tmp_path.iterdir())
