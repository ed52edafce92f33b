"""Outputs are whole or not there; one that fails takes no other with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scanning_rows import simple

from assay.provenance.errors import OutputRefused
from assay.scanning.audit import running
from assay.scanning.report.row_writing import Outputs

ROOT = Path(__file__).resolve().parents[3]


def test_until_an_audit_ends_its_file_does_not_bear_its_name(tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    target.write_text("the earlier audit\n")
    outputs = Outputs([str(target)])
    outputs.write(simple("a.png"))
    assert target.read_text() == "the earlier audit\n"
    assert '"a.png"' in (tmp_path / "rows.jsonl.part").read_text()  # rows stream: they can be watched
    outputs.finish(complete=True)
    assert '"a.png"' in target.read_text()
    assert not (tmp_path / "rows.jsonl.part").exists()


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "folder.csv"])
def test_what_cannot_be_written_is_refused_before_anything_is_examined(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputRefused):
        Outputs([str(tmp_path / "good.jsonl"), str(tmp_path / name)])
    assert not list(tmp_path.glob("*.part"))


def test_ctrl_c_before_the_first_file_leaves_no_part_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object, **named: object) -> None:
        assert list(tmp_path.glob("*.part"))
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "AuditTerminal", interrupted)
    options = running.Options(targets=(str(tmp_path),), outputs=(str(tmp_path / "rows.jsonl"),), ledger=tmp_path / "l")
    with pytest.raises(KeyboardInterrupt):
        running.run(options)
    assert not list(tmp_path.glob("rows*"))


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "html"])
def test_two_audits_at_once_never_share_a_part(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"rows.{ending}"
    first = Outputs([str(target)])
    first.write(simple("first.png"))
    with pytest.raises(OutputRefused, match="another audit is writing it"):
        Outputs([str(tmp_path / "other.csv"), str(target)])
    assert [path.name for path in tmp_path.glob("*.part")] == [f"rows.{ending}.part"]
    first.finish(complete=True)
    whole = target.read_bytes()
    second = Outputs([str(target)])  # it has ended: its name is free, and what it wrote stays until this one ends
    first.abandon()
    assert (tmp_path / f"rows.{ending}.part").exists()
    assert target.read_bytes() == whole
    second.abandon()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_what_a_killed_audit_left_is_written_anew_and_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    part = tmp_path / "rows.jsonl.part"
    part.write_text("left over\n" * 100)
    outputs = Outputs([str(tmp_path / "rows.jsonl")])
    outputs.write(simple("a.png"))
    outputs.finish(complete=True)
    assert "left over" not in (tmp_path / "rows.jsonl").read_text()
    (tmp_path / "letter.txt").write_text("dear")
    part.symlink_to("letter.txt")
    with pytest.raises(OutputRefused):
        Outputs([str(tmp_path / "rows.jsonl")])
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_endings_in_capitals_name_the_same_formats(tmp_path: Path) -> None:
    names = ["ROWS.JSONL", "ROWS.Csv", "ROWS.PARQUET", "ROWS.Sarif.JSON", "ROWS.HTML"]
    for folder, given in (("upper", names), ("lower", [name.lower() for name in names])):
        outputs = Outputs([str(tmp_path / folder / name) for name in given])
        outputs.write(simple("a.png"))
        outputs.finish(complete=True)
        assert not outputs.failures
    begins = [(tmp_path / "upper" / name).read_bytes()[:60] for name in names]
    assert begins == [(tmp_path / "lower" / name.lower()).read_bytes()[:60] for name in names]


def test_a_full_disk_ends_one_output_and_leaves_the_others(tmp_path: Path) -> None:
    program = f"""
import resource, signal
from scanning_rows import simple
from assay.scanning.report.row_writing import Outputs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
outputs = Outputs([{str(tmp_path / "rows.jsonl")!r}, {str(tmp_path / "notes.sarif")!r}])
for number in range(200):
    outputs.write(simple(f"{{number}}.png"))
outputs.finish(complete=True)
print([str(failure) for failure in outputs.failures])
"""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / '.dev'}:{ROOT / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert "rows.jsonl: cannot be written: File too large" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["notes.sarif"]
