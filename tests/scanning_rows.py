"""Rows for tests of what is made of rows."""

from typing import Any

from assay.scanning.audit.row import Row


def simple(name: str, **columns: Any) -> Row:
    """A row of a picture that says nothing, or what `columns` say instead."""
    plain = {
        "assay": "1.0",
        "sha256": "cd" * 32,
        "bytes": 10,
        "origin": "undetermined",
        "basis": "none",
        "custody": "no-manifest",
    }
    return Row(name=name, **{**plain, "headline": "Inconclusive.", "width": 4, "height": 3, **columns})
