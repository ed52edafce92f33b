"""`assay report` says again what rows say, without the pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from scanning_rows import simple

from assay.commands.report import GROUP_NAMES, report
from assay.scanning.audit import reporting
from assay.scanning.audit.grouping import GROUPS
from assay.scanning.audit.row import Row

ROWS = [
    simple("a/x.png", modified="2026-01-05T00:00:00Z"),
    simple("a/y.png", modified="2026-02-05T00:00:00Z", signer="Example News", trust_list="c2pa", custody="trusted"),
    simple("b.zip!z.png", origin="synthetic", basis="declared", generator="Midjourney", conditions=("synthetic",)),
    simple("s3://bucket/deep/u.png", origin=None, error="ParserCrashed", conditions=("unreadable",)),
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row.to_json() + "\n" for row in ROWS))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(report, list(map(str, arguments)))


def test_the_names_of_groups_are_those_that_exist() -> None:
    assert tuple(GROUPS) == GROUP_NAMES


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        ("verdict", ["2  undetermined", "1  synthetic", "1  unreadable"]),
        (
            "signer",
            [
                "1  Example News (c2pa)  1 undetermined",
                "3  without a signer  1 synthetic, 1 undetermined, 1 unreadable",
            ],
        ),
        ("generator", ["1  Midjourney  1 synthetic", "3  without a generator  2 undetermined, 1 unreadable"]),
        ("folder", ["2  a  2 undetermined", "1  b.zip", "1  s3://bucket/deep"]),
        ("month", ["1  2026-01", "1  2026-02"]),
    ],
)
def test_groups(rows: Path, by: str, lines: list[str]) -> None:
    done = run(rows, "--by", by)
    assert done.exit_code == 0
    assert all(line in done.stdout for line in lines)


def test_other_formats_another_policy_and_a_gate(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "strict.toml").write_text('[[rule]]\nname = "signed"\nsigned = "trusted"\n')
    out = [part for ending in ("jsonl", "html", "csv") for part in ("-o", tmp_path / f"out.{ending}")]
    done = run(rows, "--policy", tmp_path / "strict.toml", *out)
    assert done.exit_code == 10
    assert (tmp_path / "out.jsonl").read_text().count('"breaches":["signed"]') == 3
    assert "Midjourney" in (tmp_path / "out.html").read_text()
    assert run(rows, "--html").exit_code == 0
    assert "Midjourney" in rows.with_suffix(".html").read_text()
    assert run(rows, "--fail-on", "unreadable").exit_code == 10
    assert run(rows, "--fail-on", "tampered").exit_code == 0


def test_rows_against_earlier_rows(rows: Path, tmp_path: Path) -> None:
    done = run(rows, "--baseline", rows, "-o", tmp_path / "out.jsonl", "--fail-on", "synthetic")
    assert done.exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_the_rows_that_are_read_are_never_replaced(rows: Path) -> None:
    before = rows.read_bytes()
    done = run(rows, "--baseline", rows, "-o", rows)
    assert done.exit_code == 1
    assert "would be replaced" in str(done.exception)
    assert rows.read_bytes() == before


def test_ctrl_c_leaves_no_part_behind(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object, **named: object) -> Iterator[Row]:
        yield ROWS[0]
        assert (tmp_path / "out.html.part").exists()
        raise KeyboardInterrupt

    (tmp_path / "out.html").write_text("what was there")
    monkeypatch.setattr(reporting, "compared", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reporting.summarise([rows], outputs=[str(tmp_path / "out.html"), str(tmp_path / "out.csv")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "rows.jsonl"]
    assert (tmp_path / "out.html").read_text() == "what was there"
