"""One schema: what JSONL says, CSV and Parquet say, and the published JSON Schema allows."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pyarrow.json
import pyarrow.parquet
import pytest
from outcomes import CAPTURED, DECLARED, FAILURE, HOSTILE, PIXELS, SILENT, report

from assay.detectors.evidence import Basis, Origin
from assay.provenance.custody.chain import BottomLine
from assay.scanning.audit.baseline import read_rows
from assay.scanning.audit.columns import content
from assay.scanning.audit.row import COLUMNS, Content, Row
from assay.scanning.report.row_writing import Outputs
from assay.scanning.report.table import cell

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs/schema/row-1.json").read_text())
OUTCOMES = [
    report(SILENT),
    report(DECLARED, CAPTURED),
    report(PIXELS, bottom_line=BottomLine.TAMPERED),
    FAILURE,
]


def row(number: int, name: str = "") -> Row:
    kept = content(OUTCOMES[number])
    columns = {column: getattr(kept, column) for column in Content.__slots__}
    return Row(assay="1.0", name=name or f"{HOSTILE}/{number}.png", sha256="ab" * 32, bytes=number, **columns)


ROWS = [row(number) for number in range(len(OUTCOMES))]


@pytest.mark.parametrize("given", ROWS)
def test_a_row_is_as_the_published_schema_says(given: Row) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(given.to_json()))


def test_the_published_schema_has_the_columns_of_a_row_in_their_order() -> None:
    assert tuple(SCHEMA["properties"]) == COLUMNS
    assert tuple(SCHEMA["required"]) == COLUMNS


def test_the_published_schema_knows_every_word() -> None:
    for column, words in (("custody", BottomLine), ("origin", Origin)):
        assert set(SCHEMA["properties"][column]["enum"]) == {*(word.value for word in words), None}
    assert set(SCHEMA["properties"]["basis"]["enum"]) == {*(basis.word for basis in Basis), None}


@pytest.mark.parametrize("given", ROWS)
def test_reading_a_row_back_gives_the_same(given: Row) -> None:
    assert Row.from_json(given.to_json()) == given
    assert Content.from_json(content(OUTCOMES[0]).to_json()) == content(OUTCOMES[0])


@pytest.mark.parametrize(
    "answer",
    [
        '{"height":"tall"}',
        '{"origin":"heaven"}',
        '{"findings":["loud:x"]}',
        '{"surprise":1}',
        "[]",
        '{"grounds":[1]}',
        '{"contested":1}',
        '{"custody":{"a":1}}',
        "no",
    ],
)
def test_a_worker_that_was_taken_over_cannot_give_back_what_is_no_content(answer: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Content.from_json(answer)


def test_jsonl_csv_and_parquet_are_the_same_rows(tmp_path: Path) -> None:
    outputs = Outputs([str(tmp_path / f"rows{ending}") for ending in (".jsonl", ".csv", ".parquet")])
    for given in ROWS:
        outputs.write(given)
    outputs.finish(complete=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.jsonl", "rows.parquet"]

    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist() == lines
    table = list(csv.DictReader((tmp_path / "rows.csv").open(newline="", encoding="utf-8")))
    assert [list(record) for record in table] == [list(COLUMNS)] * len(ROWS)
    for record, line in zip(table, lines, strict=True):
        assert record == {
            name: cell(tuple(value) if isinstance(value, list) else value) for name, value in line.items()
        }


def test_no_cell_of_a_table_is_a_formula_or_drives_a_terminal() -> None:
    for attack in ("=HYPERLINK(1)", "+1", "-1+cmd", "@SUM", "\t=1", "\r=1", "  =1", "＝1"):
        written = io.StringIO()
        csv.writer(written).writerow([cell(attack)])
        assert not cell(attack).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert "\x1b" not in cell(HOSTILE)
    assert "\u202e" not in cell(HOSTILE)
    assert cell(-1.5) == "-1.5"


def test_file_names_that_are_no_text_reach_every_output(tmp_path: Path) -> None:
    names = [str(tmp_path / f"rows{ending}") for ending in (".jsonl", ".csv", ".parquet", ".sarif", ".html")]
    outputs = Outputs(names)
    outputs.write(replace(row(3), name="caf\udce9.jpg"))
    outputs.finish(complete=True)
    assert outputs.failures == []
    assert all(Path(name).stat().st_size for name in names)


def test_names_that_are_no_text_are_escaped_in_a_document_and_whole_in_a_row_that_is_read(tmp_path: Path) -> None:
    odd = replace(row(0, "in\udcff.jpg"), duplicate_of="\udce9.jpg", headline="\ud800")
    namesake = row(1, r"in\udcff.jpg")
    outputs = Outputs([str(tmp_path / "rows.jsonl"), str(tmp_path / "rows.parquet"), str(tmp_path / "rows.csv")])
    for given in (odd, namesake):
        outputs.write(given)
    outputs.finish(complete=True)
    found = pyarrow.json.read_json(tmp_path / "rows.jsonl").to_pylist()
    for table in (found, pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist()):
        assert [(line["name"], line["name_bytes"]) for line in table] == [
            (r"in\udcff.jpg", "696eff2e6a7067"),
            (r"in\udcff.jpg", ""),
        ]
        assert (table[0]["duplicate_of"], table[0]["headline"]) == (r"\udce9.jpg", r"\ud800")
    for line in found:
        jsonschema.Draft202012Validator(SCHEMA).validate(line)
    with (tmp_path / "rows.csv").open(encoding="utf-8") as lines:
        assert [line["name_bytes"] for line in csv.DictReader(lines)] == ["696eff2e6a7067", ""]
    assert [read.name for read in read_rows(tmp_path / "rows.jsonl")] == [odd.name, namesake.name]
    assert Row.from_json(odd.to_json()).to_json() == odd.to_json()
    assert replace(odd, name="a.jpg").name_bytes == ""


@pytest.mark.parametrize("columns", [{"name": "\ud800.jpg"}, {"name_bytes": "no"}, {"name_bytes": 1}])
def test_a_row_with_a_name_that_no_file_has_is_none(columns: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Row.from_json(json.dumps(json.loads(ROWS[0].to_json()) | columns))


def test_equal_bytes_give_equal_columns_whatever_they_are_called() -> None:
    renamed = replace(OUTCOMES[0], asset=replace(OUTCOMES[0].asset, name="other.png"))  # type: ignore[type-var]
    assert content(renamed) == content(OUTCOMES[0])  # type: ignore[arg-type]
