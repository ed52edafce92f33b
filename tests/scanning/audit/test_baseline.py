"""Against an earlier audit, only what is held of the same file counts as a change."""

import dataclasses
import json
from pathlib import Path

import pytest
from scanning_rows import simple

from assay.scanning.audit.baseline import Baseline, NoRows, read_rows


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    path = tmp_path / "earlier.jsonl"
    rows = (simple("same.png"), simple("changed.png"), simple("gone.png", conditions=("synthetic",)))
    path.write_text("".join(row.to_json() + "\n" for row in rows))
    return path


def test_changes_are_told_apart(earlier: Path) -> None:
    baseline = Baseline(earlier)
    assert baseline.compared(simple("same.png", modified="2026-01-01T00:00:00Z", assay="2.0")).change == "same"
    assert baseline.compared(simple("changed.png", sha256="ef" * 32)).change == "changed"
    assert baseline.compared(simple("new.png")).change == "new"
    (gone,) = baseline.gone()
    assert (gone.name, gone.change, gone.conditions) == ("gone.png", "gone", ())


def test_files_whose_names_are_no_text_are_themselves(tmp_path: Path) -> None:
    path = tmp_path / "earlier.jsonl"
    kept, gone = simple("a\udcff.png"), simple(r"a\udcff.png", sha256="ef" * 32)
    path.write_text("".join(row.to_json() + "\n" for row in (kept, gone)))
    baseline = Baseline(path)
    assert baseline.compared(kept).change == "same"
    assert [row.name for row in baseline.gone()] == [gone.name]


def test_a_baseline_that_is_older_than_the_column_of_bytes_still_knows_such_names(tmp_path: Path) -> None:
    path = tmp_path / "earlier.jsonl"
    path.write_text(json.dumps(dataclasses.asdict(simple("a\udcff.png")) | {"name_bytes": ""}) + "\n")
    assert Baseline(path).compared(simple("a\udcff.png")).change == "same"


@pytest.mark.parametrize("column", [{"custody": "tampered"}, {"origin": "captured"}, {"breaches": ("rule",)}])
def test_the_same_bytes_judged_otherwise_are_a_change(earlier: Path, column: dict[str, object]) -> None:
    assert Baseline(earlier).compared(simple("same.png", **column)).change == "changed"


@pytest.mark.parametrize("change", ["new", "changed", "gone"])
def test_what_was_written_against_a_baseline_is_none(tmp_path: Path, change: str) -> None:
    path = tmp_path / "changes.jsonl"
    path.write_text(simple("a.png", change=change).to_json() + "\n")
    with pytest.raises(NoRows, match="only what had changed"):
        Baseline(path)


def test_a_last_line_that_a_kill_cut_off_is_left_out_and_other_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(simple("a.png").to_json() + "\n" + simple("b.png").to_json()[:50])
    assert [row.name for row in read_rows(path)] == ["a.png"]
    path.write_text("no row\n" + simple("b.png").to_json() + "\n")
    with pytest.raises(NoRows, match="line 1"):
        list(read_rows(path))
    with pytest.raises(NoRows, match="cannot be read"):
        list(read_rows(tmp_path / "missing.jsonl"))
