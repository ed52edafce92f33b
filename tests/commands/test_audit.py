"""`assay audit` as a user runs it: exit codes, outputs, Ctrl-C, and kill -9 again and again."""

import json
import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from outcomes import picture

from assay import cli

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "assay.cli", "audit", "--no-pixels"]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / ".dev")}


def assay(*arguments: str | Path, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False, cwd=cwd, input=stdin)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    (folder / "b.png").write_bytes(picture("red"))
    (folder / "copy.png").write_bytes(picture())
    (folder / "text.jpg").write_text("this is no photograph")
    return folder


def test_an_audit_asks_swift_and_a_scan_deep() -> None:
    asked = {command: cli.assay.get_command(click.Context(cli.assay), command) for command in ("audit", "scan")}
    defaults = {
        name: next(p.default for p in found.params if p.name == "model") for name, found in asked.items() if found
    }
    assert defaults == {"audit": "swift", "scan": "deep"}


def test_every_output_at_once_and_the_count_on_the_terminal(folder: Path, tmp_path: Path) -> None:
    endings = ("jsonl", "csv", "parquet", "sarif", "html")
    outputs = [part for ending in endings for part in ("-o", str(tmp_path / f"out.{ending}"))]
    done = assay(folder, *outputs)
    assert done.returncode == 0, done.stderr
    assert [Path(row["name"]).name for row in rows(tmp_path / "out.jsonl")] == [
        "a.png",
        "b.png",
        "copy.png",
        "text.jpg",
    ]
    assert all((tmp_path / f"out.{ending}").stat().st_size for ending in endings)
    assert {row["model"] for row in rows(tmp_path / "out.jsonl")} == {""}
    assert "No pixel model was asked at all" in (tmp_path / "out.html").read_text()
    assert "text.jpg" in done.stdout
    assert "a.png" not in done.stdout  # healthy files are silent
    assert "4 files" in done.stdout
    assert "<script" not in (tmp_path / "out.html").read_text()


def test_on_a_terminal_the_live_line_is_not_torn_by_the_rows(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, str(folder), "--workers", "1"]
    colours = environment() | {"TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(command, env=colours, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        said = b""
        while piece := _read(ours):
            said += piece
    os.close(ours)
    assert run.returncode == 0
    lines = re.split(r"\n|\x1b\[2K", said.decode())
    assert any("━" in line for line in lines)
    (row,) = [line for line in lines if "text.jpg" in line]
    assert "━" not in row
    assert "4 files in" in said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side has closed it
        return b""


def test_rows_on_standard_output_and_nothing_else_there(folder: Path) -> None:
    done = assay(folder, "-o", "-", "--quiet")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 4
    assert done.stderr == ""


def test_a_reader_of_the_rows_that_goes_away_leaves_the_files_whole(folder: Path, tmp_path: Path) -> None:
    command = [*COMMAND, str(folder), "-o", "-", "-o", str(tmp_path / "out.sarif"), "-q"]
    run = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    run.stdout.close()
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "Traceback" not in errors
    assert json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["invocations"] == [
        {"executionSuccessful": False}
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--fail-on", "tampered,unreadable"], 10, ""),
        (["--fail-on", "tampered"], 0, ""),
        (["--fail-on", "tamperd"], 2, "is none of"),
        (["-o", "out.xlsx"], 1, "its ending names no format"),
        (["missing.png"], 1, "could not be read at all"),
        (["a.7z"], 1, "could not be read at all"),
        (["ftp://example.org/a.png"], 1, "could not be read at all"),
        (["--policy", "missing.toml"], 1, "cannot be read"),
        ([""], 2, "an empty target"),
        (["--fail-on", ""], 2, "names none of"),
        (["--exclude", "!"], 1, "no gitignore pattern"),
        (["--baseline", "missing.jsonl"], 1, "cannot be read"),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int, word: str) -> None:
    (folder / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    done = assay(folder, *arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("broken", ["cut.zip", "cut.tar", "cut.tgz", "damaged.zip", "headless.tar", "empty.zip"])
def test_an_archive_that_was_not_read_whole_fails(folder: Path, tmp_path: Path, broken: str) -> None:
    path = tmp_path / broken
    if broken.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / "a.png", "a.png")
            archive.write(folder / "b.png", "b.png")
    else:
        with tarfile.open(path, "w:gz" if broken.endswith(".tgz") else "w:") as tar:
            tar.add(folder / "a.png", "a.png")
            tar.add(folder / "b.png", "b.png")
    assert assay(path).returncode == 0
    whole = path.read_bytes()
    match broken.partition(".")[0]:
        case "cut":
            path.write_bytes(whole[: whole.rindex(b"IDAT") if broken == "cut.tar" else len(whole) // 2])
        case "damaged":
            at = whole.index(b"IDAT")
            path.write_bytes(whole[:at] + b"\0" + whole[at + 1 :])
        case "headless":
            at = whole.index(b"b.png")
            path.write_bytes(whole[:at] + b"c" + whole[at + 1 :])
        case "empty":
            path.write_bytes(b"")
    named = assay(folder, path, "-o", tmp_path / "out.jsonl")
    assert named.returncode == 1
    assert "1 file could not be read at all, or not to the end" in named.stderr
    said = {row["name"]: row["error"] for row in rows(tmp_path / "out.jsonl") if broken in row["name"]}
    assert said[f"{path}!a.png" if broken == "damaged.zip" else str(path)] == "UnreadableFile"
    found = assay(tmp_path, "--archives", "-q")
    assert found.returncode == 1
    assert broken in found.stdout
    assert assay(path, "--fail-on", "unreadable").returncode == 10


def test_names_that_the_terminal_cannot_show_end_no_audit(tmp_path: Path) -> None:
    for name in ("\u00fc \u2014.jpg", "z.jpg"):
        (tmp_path / name).write_text("no photograph")
    narrow = environment() | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, str(tmp_path)], capture_output=True, text=True, env=narrow, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfc \\u2014.jpg" in done.stdout
    assert "z.jpg" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_terminal_that_takes_nothing_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    command = [*COMMAND, str(folder), "-o", str(tmp_path / "out.jsonl")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    assert done.returncode == 1
    assert done.stderr == "assay: cannot write: No space left on device\n"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("closed", "arguments", "code", "said"),
    [
        (0, ["-"], 3, "nothing to audit"),
        (1, ["a.png"], 0, ""),
        (1, ["a.png", "missing.png", "-o", "-"], 1, "could not be read"),
        (2, ["a.png"], 0, ""),
        (2, ["a.png", "missing.png"], 1, ""),
    ],
)
def test_streams_that_somebody_closed(folder: Path, closed: int, arguments: list[str], code: int, said: str) -> None:
    command = [*COMMAND, *arguments, "-o", "out.jsonl"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=folder,
        check=False,
        preexec_fn=lambda: os.close(closed),
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(rows(folder / "out.jsonl")) == len([name for name in arguments if name.endswith(".png")])


def test_an_empty_folder_is_nothing_to_audit(tmp_path: Path) -> None:
    assert assay(tmp_path).returncode == 3


def test_names_on_standard_input(folder: Path, tmp_path: Path) -> None:
    done = assay("-", "-o", tmp_path / "out.jsonl", stdin=f"{folder / 'a.png'}\n{folder / 'b.png'}\n")
    assert done.returncode == 0
    assert len(rows(tmp_path / "out.jsonl")) == 2


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_a_list_that_an_editor_marked_loses_no_name(folder: Path, tmp_path: Path, separator: str) -> None:
    given = separator.join(["\ufeff" + str(folder / "a.png"), str(folder / "b.png")])
    done = assay("-", "-o", tmp_path / "out.jsonl", stdin=given)
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in rows(tmp_path / "out.jsonl")] == [str(folder / "a.png"), str(folder / "b.png")]


def test_names_on_standard_input_may_hold_line_breaks_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    given = [b"new\nline.png", b"latin\xe9.png", b"usual.png"]
    for name in given:
        (tmp_path / os.fsdecode(name)).write_bytes(picture())
    listed = subprocess.run(["find", tmp_path, "-name", "*.png", "-print0"], capture_output=True, check=True)
    command = [*COMMAND, "-", "-o", tmp_path / "out.jsonl"]
    done = subprocess.run(command, input=listed.stdout, capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    found = [bytes.fromhex(row["name_bytes"]) or row["name"].encode() for row in rows(tmp_path / "out.jsonl")]
    assert {name.rpartition(b"/")[2] for name in found} == set(given)


def test_what_is_excluded_is_left_out_wherever_it_was_named(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "b.png", "drafts/b.png")
        archive.write(folder / "b.png", "b.jpg")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(folder / "b.png", "drafts/b.png")
        tar.add(folder / "b.png", "b.jpg")
    options = ("--exclude", "*.png", "-o", "out.jsonl")
    done = assay("a.zip", "a.tar", "pictures", "pictures/a.png", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in rows(tmp_path / "out.jsonl")] == ["a.zip!b.jpg", "a.tar!b.jpg", "pictures/text.jpg"]
    assert assay("pictures/a.png", *options, cwd=tmp_path).returncode == 0  # found, and none of this audit's business


def test_a_limit_that_was_raised_has_files_examined_again(folder: Path, tmp_path: Path) -> None:
    command = [*COMMAND, str(folder / "a.png"), "-o", str(tmp_path / "out.jsonl")]
    seen = []
    for limits in ("pixels=3", ""):
        subprocess.run(command, env=environment() | {"ASSAY_LIMITS": limits}, check=True, capture_output=True)
        seen.append(rows(tmp_path / "out.jsonl")[0]["conditions"])
    assert seen == [["unreadable"], []]


def test_an_output_named_twice_or_one_that_is_the_baseline_is_refused(folder: Path, tmp_path: Path) -> None:
    twice = assay(folder, "-o", "out.jsonl", "-o", "./out.jsonl", cwd=tmp_path)
    assert twice.returncode == 1
    assert "named twice" in twice.stderr
    assay(folder, "-o", "before.jsonl", cwd=tmp_path)
    before = (tmp_path / "before.jsonl").read_bytes()
    done = assay(folder, "--baseline", "before.jsonl", "-o", "before.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "would be replaced" in done.stderr
    assert (tmp_path / "before.jsonl").read_bytes() == before


def test_a_file_that_was_not_read_is_not_called_known(folder: Path, tmp_path: Path) -> None:
    ledger = ("--ledger", tmp_path / "ledger")
    assert "known already" not in assay(folder / "missing.png", folder / "b.png", *ledger).stdout
    assert "1 of them known already" in assay(folder / "missing.png", folder / "b.png", *ledger).stdout


def test_rows_never_replace_a_picture(folder: Path) -> None:
    odd = folder / "photo.jsonl"
    odd.write_bytes(picture())
    done = assay(folder, "-o", odd)
    assert done.returncode == 1
    assert "is a picture" in done.stderr
    assert odd.read_bytes() == picture()


def test_a_picture_without_pixels_is_counted_as_unreadable_everywhere(folder: Path, tmp_path: Path) -> None:
    (folder / "cut.png").write_bytes(picture()[:-30])
    done = assay(folder)
    assert re.findall(r"(\d+)  (?:could|unreadable)", done.stdout) == ["2", "2"]


def test_a_policy_in_the_folder_is_found_and_its_breach_fails(folder: Path, tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "signed"\nfiles = ["/pictures/a.png"]\nsigned = "trusted"\n'
    (tmp_path / "assay.toml").write_text(f'exclude = ["/pictures/text.*"]\n{rule}')
    done = assay("pictures", "-o", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 10, done.stderr
    assert [row["breaches"] for row in rows(tmp_path / "out.jsonl")] == [["signed"], [], []]
    assert "1  breaks the rule: signed" in done.stdout
    # A hook names the files of a commit, and all of them may be excluded.
    assert assay("pictures/text.jpg", "--fail-on", "unreadable", cwd=tmp_path).returncode == 0


def test_against_a_baseline_only_changes_are_reported_and_fail(folder: Path, tmp_path: Path) -> None:
    assay(folder, "-o", tmp_path / "before.jsonl")
    (folder / "b.png").unlink()
    (folder / "new.jpg").write_text("no photograph either")
    done = assay(
        folder, "--baseline", tmp_path / "before.jsonl", "-o", tmp_path / "after.jsonl", "--fail-on", "unreadable"
    )
    assert done.returncode == 10
    changes = {Path(row["name"]).name: row["change"] for row in rows(tmp_path / "after.jsonl")}
    assert changes == {"new.jpg": "new", "b.png": "gone"}


def test_a_file_that_was_unreadable_and_is_gone_leaves_the_audit_whole(folder: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    assert assay("-", "-o", before, stdin=f"{folder / 'a.png'}\n{folder / 'missing.png'}\n").returncode == 1
    done = assay("-", "--baseline", before, "-o", after, stdin=f"{folder / 'a.png'}\n")
    assert done.returncode == 0, done.stderr
    assert [(Path(row["name"]).name, row["change"]) for row in rows(after)] == [("missing.png", "gone")]


def test_a_folder_whose_every_answer_is_known_loads_no_model_and_starts_no_child(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        os.utime(path, (1_000_000, 1_000_000))
    arguments = ["audit", str(folder), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", "-q"]
    program = f"""
import json, sys
from assay.cli import assay
try:
    assay.main({arguments!r}, standalone_mode=False)
finally:
    print(json.dumps(sorted(sys.modules)))
"""
    loaded: list[set[str]] = []
    for _ in range(2):
        environ = environment() | {"ASSAY_HOME": str(tmp_path / "home")}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True)
        loaded.append(set(json.loads(done.stdout.splitlines()[-1])))
    assert {row["model"].split()[0] for row in rows(tmp_path / "out.jsonl")} == {"swift"}
    assert "multiprocessing.popen_spawn_posix" in loaded[0]
    assert not loaded[1] & {"multiprocessing.popen_spawn_posix", "numpy", "onnxruntime", "c2pa", "PIL"}
    assert len(rows(tmp_path / "out.jsonl")) == 4


def many(folder: Path, number: int) -> list[Path]:
    """Pictures that each take a moment, none like another."""
    folder.mkdir()
    noise = random.Random(7)
    made = []
    for index in range(number):
        path = folder / f"{index:04}.png"
        path.write_bytes(picture(f"#{noise.randrange(1 << 24):06x}", (160 + index, 120)))
        os.utime(path, (1_000_000, 1_000_000))
        made.append(path)
    return made


def test_ctrl_c_leaves_whole_partial_outputs_and_a_second_run_goes_on(tmp_path: Path) -> None:
    many(tmp_path / "many", 400)
    outputs = ["-o", str(tmp_path / "out.jsonl"), "-o", str(tmp_path / "out.html")]
    command = [*COMMAND, str(tmp_path / "many"), *outputs, "--ledger", str(tmp_path / "ledger")]
    run = subprocess.Popen(
        command,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite run in the background has it ignored
    )
    part = tmp_path / "out.jsonl.part"
    while not (part.exists() and part.stat().st_size > 5_000):
        assert run.poll() is None, run.stderr
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors
    partial = rows(tmp_path / "out.jsonl")
    assert 0 < len(partial) < 400
    assert "interrupted" in (tmp_path / "out.html").read_text()
    assert not list(tmp_path.glob("*.part"))

    assert assay(tmp_path / "many", "-o", tmp_path / "all.jsonl", "--ledger", tmp_path / "ledger").returncode == 0
    assert rows(tmp_path / "all.jsonl")[: len(partial)] == partial


def remembered(ledger: Path) -> int:
    """How many results another process sees in a ledger; none where there is no table yet."""
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as there:
            return int(there.execute("SELECT count(*) FROM result").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_killed_again_and_again_it_ends_with_exactly_the_right_rows(tmp_path: Path) -> None:
    """The full size of this is `python benchmarks/audit.py kills`."""
    files = many(tmp_path / "many", 300)
    command = [
        *COMMAND,
        str(tmp_path / "many"),
        "-o",
        str(tmp_path / "out.jsonl"),
        "--ledger",
        str(tmp_path / "ledger"),
        "-q",
    ]
    delays = random.Random(11)
    kills = 0
    for _ in range(4):
        before = remembered(tmp_path / "ledger")
        run = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while run.poll() is None and remembered(tmp_path / "ledger") <= before:
            time.sleep(0.02)
        time.sleep(delays.uniform(0.0, 0.3))
        kills += run.poll() is None
        run.kill()
        run.wait()
    assert remembered(tmp_path / "ledger") > 0, "what was found before a kill is not remembered"
    done = assay(tmp_path / "many", "-o", tmp_path / "out.jsonl", "--ledger", tmp_path / "ledger")
    assert done.returncode == 0
    assert kills
    assert [row["name"] for row in rows(tmp_path / "out.jsonl")] == [str(path) for path in files]
    once = assay(tmp_path / "many", "-o", tmp_path / "once.jsonl", "--fresh")
    assert once.returncode == 0
    assert (tmp_path / "once.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()
