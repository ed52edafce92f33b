"""What is built is the package `assay` and nothing else: no top-level name that belongs to another distribution."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2]))"


def build(kind: str, tree: Path, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    command = [sys.executable, "-c", BUILD, kind, str(into)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the tracked files; weights are stood in for by empty files, to be quick."""
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools 77 or newer")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("the list of tracked files needs a git checkout")
    tree = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source, target = ROOT / name, tree / name
        if not source.is_file() or source.is_symlink():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".onnx":
            target.touch()
        else:
            shutil.copyfile(source, target)
    return build("sdist", tree, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sdist."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (inside,) = unpacked.iterdir()
    return build("wheel", inside, tmp_path_factory.mktemp("wheel"))


def test_an_sdist_holds_what_is_built_and_no_part_of_what_is_not(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not [name for name in names if name.startswith(("tests", "benchmarks", ".dev", "datasets"))]
    assert {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "pyproject.toml",
        "cli.py",
    } <= names


def test_only_the_package_is_installed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"assay"}
    assert not [name for name in names if "/tests/" in name or "/benchmarks/" in name]


def test_every_module_and_every_model_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    floors = ("provenance/", "detectors/", "scanning/", "commands/", "models/")
    wanted = {
        f"assay/{name}" for name in listed if name.startswith(floors) and name.count("/") and (ROOT / name).exists()
    }
    wanted -= {
        name for name in wanted if name.startswith("assay/models/") and name.count("/") == 2
    }  # the models' changelog
    assert sorted(wanted - names) == []
    assert "assay/py.typed" in names


def test_every_page_that_the_program_names_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        code = "".join(archive.read(name).decode() for name in names if name.endswith(".py"))
    named = set(re.findall(r"(?<![\w/])docs/(?:adr/\d{4}|[a-z-]+\.md)", code))
    assert {"docs/audit.md", "docs/labels.md", "docs/signals.md", "docs/evaluation.md", "docs/adr/0010"} <= named
    assert not [page for page in named if not any(name.startswith(f"assay/{page}") for name in names)]


def test_the_help_tells_where_those_pages_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT / ".dev")},
        capture_output=True,
        text=True,
        check=True,
    )
    told = Path(done.stdout.rpartition(" are in ")[2].rstrip("\n"))
    assert (told / "audit.md").samefile(ROOT / "docs" / "audit.md")
