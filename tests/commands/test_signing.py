"""`assay sign` and `assay derive`: what a user types, and what is there afterwards."""

import io
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from signing_assets import actions, picture, read

from assay.cli import assay
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError, OutputRefused

RECIPE = 'source_type = "digitalCapture"\nagent = { name = "Example Camera" }\n'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(assay, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    (source / "a.png").write_bytes(picture("PNG").content)
    (source / "deep" / "b.jpg").write_bytes(picture("JPEG").content)
    (source / "c.bmp").write_bytes(picture("BMP").content)
    (source / "notes.txt").write_text("no picture")
    (source / ".hidden.png").write_bytes(picture("PNG").content)
    return source


def test_one_picture_is_signed_and_the_source_untouched(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    before = (folder / "a.png").read_bytes()
    result = run("sign", folder / "a.png", "-o", tmp_path / "out", "--recipe", recipe)
    assert result.exit_code == 0, result.output
    assert "not trusted by anybody else" in result.output
    reading = read(Asset.open(tmp_path / "out" / "a.png"))
    assert reading.state == "Trusted"
    assert actions(reading)[0]["softwareAgent"]["name"] == "Example Camera"
    assert (folder / "a.png").read_bytes() == before


def test_a_folder_is_signed_with_its_structure(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("sign", folder, "-o", out)
    assert result.exit_code == 0, result.output
    assert "3 signed, 1 skipped, 0 failed, of 4 files" in result.output
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert names == ["a.png", "c.bmp", "c.c2pa", "deep/b.jpg"]
    assert read(Asset.open(out / "c.bmp"), (out / "c.c2pa").read_bytes()).state == "Trusted"


def test_a_folder_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("sign", folder / "a.png", "-o", out)
    before = (out / "a.png").read_bytes()
    again = run("sign", folder, "-o", out)
    assert again.exit_code == 1
    assert "a.png: exists already" in again.output
    resumed = run("sign", folder, "-o", out, "--skip-existing")
    assert resumed.exit_code == 0
    assert (out / "a.png").read_bytes() == before


def test_one_broken_picture_does_not_stop_the_rest(folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").write_bytes(picture("PNG").content[:60])
    result = run("sign", folder, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "2 signed, 1 skipped, 1 failed" in result.output
    assert not (tmp_path / "out" / "a.png").exists()


def test_the_output_may_not_lie_inside_the_source(folder: Path) -> None:
    assert isinstance(run("sign", folder, "-o", folder / "out").exception, OutputRefused)


def test_an_empty_folder_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert run("sign", tmp_path / "in", "-o", tmp_path / "out").exit_code == 3


def test_an_edit_names_its_parent(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('agent = { name = "Example Editor" }\n')
    run("sign", folder / "a.png", "-o", tmp_path / "parent.png")
    arguments = ("sign", folder / "deep" / "b.jpg", "-o", tmp_path / "edit.jpg", "--parent", tmp_path / "parent.png")
    assert run(*arguments, "--recipe", recipe).exit_code == 0
    reading = read(Asset.open(tmp_path / "edit.jpg"))
    assert [action["action"] for action in actions(reading)] == ["c2pa.opened", "c2pa.edited"]
    assert len(reading.report["manifests"]) == 2
    assert run(*arguments).exit_code == 2


def test_a_derivative_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    command = ("derive", folder / "a.png", "--crop", "0,0,32,32", "--resize", "16", "--format", "webp", "--drop-gps")
    result = run(*command, "-o", tmp_path / "web/")
    assert result.exit_code == 0, result.output
    derived = Asset.open(tmp_path / "web" / "a.webp")
    assert Image.open(io.BytesIO(derived.content)).size == (16, 16)
    labels = [action["action"] for action in actions(read(derived))]
    assert labels == ["c2pa.opened", "c2pa.cropped", "c2pa.resized", "c2pa.converted"]


def test_the_ending_of_the_output_decides_the_format(folder: Path, tmp_path: Path) -> None:
    assert run("derive", folder / "a.png", "-o", tmp_path / "a.avif").exit_code == 0
    assert Asset.open(tmp_path / "a.avif").media_type == "image/avif"
    assert run("derive", folder / "a.png", "--format", "gif", "-o", tmp_path / "b.avif").exit_code == 2


@pytest.mark.parametrize("option", [("--crop", "1,2,3"), ("--resize", "0"), ("--resize", "axb"), ("--crop", "0,0,0,5")])
def test_a_mistyped_option_is_a_usage_error(folder: Path, tmp_path: Path, option: tuple[str, str]) -> None:
    assert run("derive", folder / "a.png", *option, "-o", tmp_path / "out.png").exit_code == 2


def test_a_signer_that_cannot_be_opened_writes_nothing(folder: Path, tmp_path: Path) -> None:
    result = run("sign", folder / "a.png", "-o", tmp_path / "out", "--signer", "pem:none.pem,none.key")
    assert isinstance(result.exception, AssayError)
    assert not (tmp_path / "out").exists()


def test_an_authority_that_is_down_is_a_choice(folder: Path, tmp_path: Path) -> None:
    command = ("sign", folder / "a.png", "-o", tmp_path / "out.png", "--timestamp", "http://127.0.0.1:9/")
    assert isinstance(run(*command).exception, AssayError)
    assert not (tmp_path / "out.png").exists()
    warned = run(*command, "--without-stamp", "warn")
    assert warned.exit_code == 0
    assert "without time stamp" in warned.output


def test_a_file_name_that_drives_a_terminal_is_shown_harmless(tmp_path: Path) -> None:
    source = tmp_path / "x\x1b[31mred.png"
    source.write_bytes(picture().content)
    result = run("sign", source, "-o", tmp_path / "out/")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "red.png" in result.output


@pytest.mark.parametrize("command", ["sign", "derive"])
def test_a_slash_at_the_end_means_a_folder_whatever_dots_are_in_its_name(
    folder: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "2026.01.png"
    done = run(command, folder / "deep" / "b.jpg", "-o", f"{out}/")
    assert done.exit_code == 0, done.output
    assert [path.name for path in out.iterdir()] == ["b.jpg"]


@pytest.mark.parametrize(
    ("command", "option"),
    [("scan", "-o"), ("detect", "-o"), ("verify", "-o"), ("recover", "-o"), ("recover", "--save"), ("evaluate", "-o")],
)
def test_what_writes_one_file_takes_no_name_of_a_folder(tmp_path: Path, command: str, option: str) -> None:
    with pytest.raises(click.UsageError, match="ends as a folder's name does"):
        assay.main([command, str(tmp_path), option, f"{tmp_path}/report.d/"], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []
