"""`assay detect`: the pixels alone, with their numbers, and never a word about a camera."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

from click.testing import CliRunner
from outcomes import picture

from assay.commands.detect import detect
from assay.detectors.card import ModelRefused
from assay.provenance.errors import AssayError


def test_a_photograph_is_not_called_one() -> None:
    photograph = str(files("sklearn.datasets") / "images" / "china.jpg")
    done = CliRunner().invoke(detect, ["--format", "json", photograph])
    assert done.exit_code == 0, done.output
    (evidence,) = json.loads(done.output)["evidence"]
    assert evidence["signal"] == "pixels"
    assert evidence["origin"] in ("undetermined", "synthetic")
    assert {trace["field"] for trace in evidence["traces"]} >= {"model", "logit", "quality"}


def test_numbers_are_shown_to_people_too() -> None:
    photograph = str(files("sklearn.datasets") / "images" / "flower.jpg")
    done = CliRunner().invoke(detect, [photograph])
    assert done.exit_code == 0, done.output
    assert "logit = " in done.output
    assert "no evidence of a camera" in done.output


def test_a_model_that_is_not_there_is_one_failure_that_names_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(detect, ["--model", str(tmp_path / "none"), str(tmp_path / "any.jpg")])
    assert isinstance(done.exception, AssayError)
    assert "none" in done.exception.message


def test_heat_maps_of_a_folder_replace_nothing_and_their_names_drive_no_terminal(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        shutil.copy(str(files("sklearn.datasets") / "images" / "china.jpg"), tmp_path / place / "a\x1b[31m.jpg")
    maps = tmp_path / "maps"
    done = CliRunner().invoke(detect, [str(tmp_path / "one"), str(tmp_path / "two"), "--heatmap", str(maps)])
    assert done.exit_code == 0, done.output
    assert len(list(maps.iterdir())) == 2
    assert "\x1b" not in done.output


def test_no_heat_map_is_drawn_of_what_was_not_judged(tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(picture())
    (tmp_path / "broken.png").write_bytes(picture()[:60])
    (tmp_path / "words.png").write_text("words")
    done = CliRunner().invoke(detect, [str(tmp_path), "--heatmap", str(tmp_path / "maps"), "--format", "json"])
    assert not (tmp_path / "maps").exists()
    said = [line for line in done.stderr.splitlines() if line.startswith("assay: no heat map")]
    assert len(said) == 3
    assert "small.png: Not judged: the picture is smaller than 128 pixels on a side." in said[1]


def test_a_model_that_cannot_draw_heat_maps_is_refused_before_the_work(tmp_path: Path) -> None:
    photograph = str(files("sklearn.datasets") / "images" / "china.jpg")
    done = CliRunner().invoke(detect, [photograph, "--model", "swift", "--heatmap", str(tmp_path / "maps")])
    assert isinstance(done.exception, ModelRefused)
    assert done.output == ""
    assert not (tmp_path / "maps").exists()
