"""`assay detect`: the pixels alone, with their numbers, and never a word about a camera."""

import json
from importlib.resources import files
from pathlib import Path

from click.testing import CliRunner

from assay.commands.detect import detect
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
