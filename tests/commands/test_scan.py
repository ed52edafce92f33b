"""`assay scan` as a user runs it: bad input costs one line, the rest goes on, the exit code says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from outcomes import picture

ROOT = Path(__file__).resolve().parents[2]


def assay(*arguments: str | Path, user: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assay.cli", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / ".dev")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.png").write_bytes(picture())
    (tmp_path / "text.jpg").write_text("this is no photograph")
    (tmp_path / "truncated.png").write_bytes(picture(size=(300, 200))[:400])
    return tmp_path


def test_the_rest_goes_on_and_the_exit_code_says_so(folder: Path) -> None:
    done = assay("scan", "--no-pixels", "--format", "json", folder, folder / "missing.jpg")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [Path(document["asset"]["name"]).name for document in documents] == [
        "good.png",
        "text.jpg",
        "truncated.png",
        "missing.jpg",
    ]
    good, text, truncated, missing = documents
    assert good["verdict"]["origin"] == "undetermined"
    assert text["error"]["kind"] == "UnsupportedFormat"
    assert "cannot be decoded" in truncated["asset"]["undecoded"]
    assert "no such file" in missing["error"]["message"]
    assert done.stderr == ""


def test_one_good_image_is_success(folder: Path) -> None:
    done = assay("scan", "--no-pixels", folder / "good.png")
    assert done.returncode == 0
    assert "Inconclusive: nothing found here says where this image comes from." in done.stdout


def test_an_empty_folder_is_nothing_to_scan(tmp_path: Path) -> None:
    done = assay("scan", "--no-pixels", tmp_path)
    assert done.returncode == 3
    assert done.stderr == "assay: nothing to scan: no images in there\n"


def test_a_condition_that_holds_exits_with_ten(folder: Path) -> None:
    assert assay("scan", "--no-pixels", "--fail-on", "unreadable", folder).returncode == 10
    assert assay("scan", "--no-pixels", "--fail-on", "synthetic", folder / "good.png").returncode == 0


def test_an_unknown_option_is_a_usage_error(folder: Path) -> None:
    assert assay("scan", "--fail-on", "nonsense", folder).returncode == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_without_permission_is_said(folder: Path) -> None:
    (folder / "good.png").chmod(0)
    done = assay("scan", "--no-pixels", folder / "good.png")
    assert done.returncode == 1
    assert "permission denied" in done.stdout


@pytest.mark.parametrize("more", [(), ("good.png",)])
def test_a_url_is_told_from_a_missing_file(folder: Path, more: tuple[str, ...]) -> None:
    url = "ftp://example.org/a.png"
    done = assay("scan", "--no-pixels", "--format", "json", url, *(folder / name for name in more))
    assert done.returncode == 1
    assert "a URL, and files are not fetched from ftp://" in done.stdout


def test_a_name_too_long_for_any_file_is_one_row() -> None:
    done = assay("scan", "--no-pixels", "--format", "json", "x" * 300)
    assert (done.returncode, done.stderr) == (1, "")
    assert "File name too long" in done.stdout


@pytest.mark.parametrize("command", [("scan", "--no-pixels"), ("verify",), ("dossier", "make")])
def test_a_place_that_cannot_even_be_looked_at_is_one_clear_line(folder: Path, command: tuple[str, ...]) -> None:
    done = assay(*command, folder / "good.png", "-o", folder / ("x" * 300))
    assert done.returncode == 1
    assert done.stderr.startswith(f"assay: {folder}")
    assert done.stderr.endswith("File name too long\n")
    assert done.stderr.count("\n") == 1


def test_an_output_that_cannot_be_written_is_one_clear_line(folder: Path) -> None:
    (folder / "file").write_text("in the way")
    done = assay("scan", "--no-pixels", folder / "good.png", "-o", folder / "file" / "out.txt")
    assert done.returncode == 1
    assert done.stderr.startswith("assay: ")
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "how",
    [
        ("scan", "--isolate", "--no-pixels"),
        ("scan", "--no-isolate", "--no-pixels"),
        ("verify", "--isolate"),
        ("detect",),
    ],
)
def test_a_report_never_replaces_a_picture(folder: Path, how: tuple[str, ...]) -> None:
    before = (folder / "good.png").read_bytes()
    done = assay(*how, folder / "good.png", "-o", folder / "good.png")
    assert done.returncode == 1
    assert "is a picture" in done.stderr
    assert (folder / "good.png").read_bytes() == before


def test_a_name_in_an_error_drives_no_terminal(folder: Path) -> None:
    done = assay("scan", "--labels", f"{folder}/\x1b[31mnone\x07", folder / "good.png")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "\\u{1b}[31mnone\\u{7}" in done.stderr


def test_a_page_is_written_whole(folder: Path) -> None:
    page = folder / "out" / "page.html"
    assert assay("scan", "--no-pixels", "--format", "html", "-o", page, folder).returncode == 1
    html = page.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert html.rstrip().endswith("</html>")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
