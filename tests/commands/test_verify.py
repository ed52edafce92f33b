"""`assay verify` as a user runs it: exit codes, sidecars, lists, formats; bad files cost one line each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import custody_assets as made
import pytest

ROOT = Path(__file__).resolve().parents[2]


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assay.cli", "verify", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / ".dev")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """trusted.jpg, laundered.jpg and stranger.jpg signed below root.pem or not, unsigned.jpg, and a sidecar."""
    folder = tmp_path_factory.mktemp("verify")
    root = made.authority()
    signer, stranger = made.leaf(root), made.leaf(made.authority("Elsewhere"))
    jpeg = made.encoded(made.picture())
    (folder / "root.pem").write_text(root.pem)
    trusted = made.sign(jpeg, made.created(), signer).content
    (folder / "trusted.jpg").write_bytes(trusted)
    tampered = trusted[:-50] + b"!" + trusted[-49:]
    laundered = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(tampered, title="bought.jpg"),))
    (folder / "laundered.jpg").write_bytes(laundered.content)
    (folder / "stranger.jpg").write_bytes(made.sign(jpeg, made.created(), stranger).content)
    (folder / "unsigned.jpg").write_bytes(jpeg)
    (folder / "apart.jpg").write_bytes(jpeg)
    (folder / "store.c2pa").write_bytes(made.sign(jpeg, made.created(), signer, embed=False).store)
    return folder


@pytest.mark.parametrize(
    ("name", "require", "code"),
    [
        ("trusted.jpg", "trusted", 0),
        ("laundered.jpg", "trusted", 10),
        ("laundered.jpg", "valid", 10),
        ("laundered.jpg", "intact", 10),
        ("stranger.jpg", "trusted", 10),
        ("stranger.jpg", "valid", 0),
        ("unsigned.jpg", "intact", 10),
    ],
)
def test_a_gate_lets_through_what_it_should(name: str, require: str, code: int, folder: Path) -> None:
    done = verify(folder / name, "--trust", folder / "root.pem", "--require", require)
    assert done.returncode == code, done.stdout + done.stderr


def test_the_first_line_says_that_the_parent_was_tampered_with(folder: Path) -> None:
    done = verify(folder / "laundered.jpg", "--trust", folder / "root.pem")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("  BROKEN HISTORY  Its history is broken: “bought.jpg”")


def test_without_the_list_nobody_is_trusted(folder: Path) -> None:
    assert verify(folder / "trusted.jpg", "--require", "trusted").returncode == 10


def test_a_named_list_that_is_missing_is_a_failure_with_a_hint(folder: Path) -> None:
    done = verify(folder / "trusted.jpg", "--trust", "nolist")
    assert done.returncode == 1
    assert "no such trust list" in done.stderr
    assert "c2pa" in done.stderr


def test_a_folder_goes_on_after_bad_files(folder: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("trusted.jpg", "unsigned.jpg"):
        (mixed / name).write_bytes((folder / name).read_bytes())
    (mixed / "text.jpg").write_text("no picture")
    done = verify(mixed, mixed / "missing.jpg", "--format", "json", "--trust", folder / "root.pem")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [Path(document["asset"]["name"]).name for document in documents] == [
        "text.jpg",
        "trusted.jpg",
        "unsigned.jpg",
        "missing.jpg",
    ]
    assert [document.get("bottom_line") for document in documents] == [None, "trusted", "no-manifest", None]
    assert "no such file" in documents[-1]["error"]["message"]


def test_an_empty_folder_is_nothing_to_verify(tmp_path: Path) -> None:
    assert verify(tmp_path).returncode == 3


def test_a_named_sidecar_is_used_for_one_file(folder: Path) -> None:
    options = ("--sidecar", folder / "store.c2pa", "--trust", folder / "root.pem", "--require", "trusted")
    assert verify(folder / "apart.jpg", *options).returncode == 0
    assert verify(folder / "apart.jpg", folder / "unsigned.jpg", *options).returncode == 2


def test_a_page_is_written_beside_and_replaced_whole(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = verify(folder, "--format", "html", "-o", page, "--trust", folder / "root.pem")
    assert done.returncode == 0
    assert done.stdout == ""
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "broken history" in page.read_text()


def test_a_report_never_replaces_a_picture(folder: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes((folder / "trusted.jpg").read_bytes())
    done = verify(photo, "--format", "html", "-o", photo)
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert photo.read_bytes() == (folder / "trusted.jpg").read_bytes()


def test_a_private_address_is_not_fetched_from_even_when_named(tmp_path: Path) -> None:
    signer = made.leaf(made.authority())
    url = "http://127.0.0.1:9/latest/meta-data"
    content = made.sign(made.encoded(made.picture()), made.created(), signer, embed=False, remote_url=url).content
    (tmp_path / "photo.jpg").write_bytes(content)
    assert "was not fetched" in verify(tmp_path / "photo.jpg").stdout
    done = verify(tmp_path / "photo.jpg", "--fetch-remote", "127.0.0.1")
    assert "is not a public one" in " ".join(done.stdout.split())
