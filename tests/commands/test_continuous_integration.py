"""The pre-commit hook and the GitHub Action as their runners call them: a tampered picture stops, a clean one passes. And what
continuous integration runs here."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from signing_assets import picture

from assay.provenance.signing import Recipe, SoftwareAgent, SourceType, open_signer, sign
from assay.scanning.walking import IMAGE_ENDINGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with a signed picture and a copy of it that was changed; `assay` is on the path of `run`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Camera"))
    content = sign(picture("JPEG"), recipe, open_signer("dev:")).asset.content
    (folder / "clean.jpg").write_bytes(content)
    (folder / "tampered.jpg").write_bytes(content[:-6] + bytes([content[-6] ^ 1]) + content[-5:])
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "assay").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m assay.cli "$@"\n')
    (programs / "assay").chmod(0o755)
    return folder


def run(command: list[str], repository: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    path = f"{repository.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / ".dev")} | settings
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def test_the_hook_stops_a_tampered_picture_and_lets_a_clean_one_pass(repository: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entry = shlex.split(hook["entry"])
    clean = run([*entry, "clean.jpg"], repository)
    assert (clean.returncode, clean.stdout.strip(), clean.stderr) == (0, "", "")
    both = run([*entry, "clean.jpg", "tampered.jpg"], repository)
    assert both.returncode == 10
    (line,) = both.stdout.splitlines()
    assert line.split()[:2] == ["tampered", "tampered.jpg"]
    assert "its bytes are not those that were signed" in line


def test_the_hook_is_started_by_every_ending_that_an_audit_looks_for() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert not hook.keys() & {"types", "types_or", "exclude", "exclude_types"}  # they would narrow it
    for ending in IMAGE_ENDINGS:
        for name in (f"a picture{ending}", f"deep/PICTURE{ending.upper()}"):
            assert re.search(hook["files"], name), name
    for name in ("jpg", "a.jpg.txt", "a.py", "a.c2pa", "png/a"):
        assert not re.search(hook["files"], name), name


def action(repository: Path, **given: str) -> subprocess.CompletedProcess[str]:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    step = action["runs"]["steps"][-1]
    inputs = {name: str(given["default"]) for name, given in action["inputs"].items()} | given
    named = {name: expression.split("inputs.")[1].split(" ")[0] for name, expression in step["env"].items()}
    settings = {name: inputs[given] for name, given in named.items()}
    return run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], repository, **settings)


@pytest.mark.parametrize(("targets", "code"), [("clean.jpg", 0), (".", 10), ("clean.jpg\ntampered.jpg", 10)])
def test_the_action_writes_its_three_files_and_fails_the_job(repository: Path, targets: str, code: int) -> None:
    done = action(repository, targets=targets)
    assert done.returncode == code, done.stderr
    assert json.loads((repository / "assay.sarif").read_text())["version"] == "2.1.0"
    assert "audited" in (repository / "assay.html").read_text()
    assert len((repository / "assay.jsonl").read_text().splitlines()) == (1 if targets == "clean.jpg" else 2)


@pytest.mark.parametrize(("name", "code"), [("targets", 3), ("fail-on", 2)])
def test_a_variable_that_was_not_set_opens_no_gate_of_the_action(repository: Path, name: str, code: int) -> None:
    done = action(repository, **{name: ""})
    assert done.returncode == code, done.stderr


def test_the_documented_workflow_may_upload_what_it_writes() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "audit.md").read_text("utf-8"), re.DOTALL)
    (jobs,) = (found["jobs"] for found in map(yaml.safe_load, blocks) if "jobs" in found)
    (job,) = jobs.values()
    assert any("upload-sarif" in step["uses"] for step in job["steps"])
    assert job["permissions"] == {"contents": "read", "actions": "read", "security-events": "write"}


@pytest.mark.parametrize(
    ("user", "sudo"),
    [
        (0, None),
        (1000, 'case "$*" in *chromium) exit 100;; esac; shift; exec "$@"'),
        (1000, "exit 1"),
        (1000, None),
    ],
    ids=["root", "sudo, and a package that is not there", "sudo asks for a password", "no sudo"],
)
def test_continuous_integration_says_which_programs_it_could_not_install(
    tmp_path: Path, user: int, sudo: str | None
) -> None:
    """On a machine where nothing of it is there: only the stand-ins are on the path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "grep", "env"):
        (programs / name).symlink_to(shutil.which(name) or "")
    stubs = {"id": f"echo {user}", "ldconfig": "", "apt-get": 'echo "$*" >> got', "make": 'echo "make $*"'}
    for name, script in stubs.items() | ({"sudo": sudo}.items() if sudo else set()):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    command = [shutil.which("bash") or "bash", str(tmp_path / ".ci" / "run")]
    done = subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=True)
    got = (tmp_path / "got").read_text() if (tmp_path / "got").exists() else ""
    for package in ("softhsm2", "chromium", "openssl"):
        installed = f"install --yes {package}\n" in got
        assert installed == (user == 0 or (sudo is not None and "exec" in sudo and package != "chromium"))
        assert (f"could not install {package}: its tests skip" in done.stdout) != installed
    assert done.stdout.endswith("make lint\nmake test\n")
