"""Rows as Parquet, for a million of them and whoever queries them with DuckDB, pandas or Spark.

Rules: the same columns as JSONL, typed; strings as there; the only importer of pyarrow, on use.
"""

from pathlib import Path
from typing import Any, get_args, get_type_hints

from assay.provenance.errors import MissingExtra
from assay.scanning.audit.row import COLUMNS, SCHEMA, Row

_GROUP = 10_000  # rows held until they are written together


class ParquetRows:
    """Writes rows in groups; the file is readable only when finished."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtra("writing Parquet", "audit") from error
        self._arrow = pyarrow
        types = get_type_hints(Row)
        self._schema = pyarrow.schema(
            [(name, _type(pyarrow, types[name])) for name in COLUMNS], metadata={"schema": SCHEMA}
        )
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Row) -> None:
        """Add one row."""
        self._rows.append(row.document())
        if len(self._rows) >= _GROUP:
            self._flush()

    def finish(self, *, complete: bool) -> None:
        """Write what is left and the file's directory."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def _type(arrow: Any, hint: Any) -> Any:
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    kind = next((kinds[part] for part in (hint, *get_args(hint)) if part in kinds), arrow.string())
    return arrow.list_(kind) if hint == tuple[str, ...] else kind
