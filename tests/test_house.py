"""The house keeps its own rules: what ships, what is imported when, who may talk to the C2PA SDK."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from assay.cli import COMMANDS, assay

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("commands", "detectors", "provenance", "scanning")
HEAVY = ("numpy", "onnxruntime", "c2pa", "PIL", "sklearn", "jinja2", "cryptography", "rich")


def shipped_modules() -> list[Path]:
    return [*ROOT.glob("*.py"), *(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))]


def modules_loaded_by(code: str) -> set[str]:
    program = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT / ".dev"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_root_holds_only_the_front_door_and_the_command_line() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "cli.py"]


def test_every_package_of_the_tree_is_shipped() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"assay"} | {
        ".".join(("assay", *path.parent.relative_to(ROOT).parts))
        for floor in FLOORS
        for path in (ROOT / floor).rglob("__init__.py")
    }
    assert sorted(listed) == sorted(found)


def test_data_folders_are_no_packages() -> None:
    assert not list((ROOT / "models").rglob("__init__.py"))
    assert not list((ROOT / "datasets").rglob("__init__.py"))


def test_importing_assay_loads_nothing_heavy() -> None:
    assert not modules_loaded_by("import assay") & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import assay.cli
try:
    assay.cli.assay.main({arguments!r}, standalone_mode=False)
except SystemExit:
    pass
"""
    assert not modules_loaded_by(code) & set(HEAVY)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_commands_help_loads_nothing_heavy(name: str) -> None:
    module = COMMANDS[name][0]
    assert not modules_loaded_by(f"import assay.commands.{module}") & set(HEAVY)


def every_command() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []

    def collect(prefix: str, command: click.Command) -> None:
        found.append((prefix, command))
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                collect(f"{prefix} {name}", child)

    context = click.Context(assay)
    for name in COMMANDS:
        command = assay.get_command(context, name)
        assert command is not None
        collect(name, command)
    return found


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_has_help_with_an_example(name: str, command: click.Command) -> None:
    assert command.help, name
    if not isinstance(command, click.Group):
        assert f"assay {name}" in command.help, f"the help of `assay {name}` shows no example"


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    context = click.Context(assay)
    for name, (_, line) in COMMANDS.items():
        command = assay.get_command(context, name)
        assert command is not None
        assert command.help is not None
        assert command.help.splitlines()[0].strip().rstrip(".") == line, name


def test_only_one_room_imports_the_sdk_and_it_always_gives_a_context() -> None:
    for path in shipped_modules():
        tree = ast.parse(path.read_text())
        imports = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
        }
        if path.name != "_c2pa.py":
            assert "c2pa" not in imports, path
            continue
        made = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and (node.func.attr in ("Reader", "Builder", "try_create", "from_json", "from_archive"))
        ]
        assert made
        for call in made:
            assert "context" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)
