"""Labelled examples: the rows of `datasets/<name>/index.csv`, what must never straddle a split, and the order to read them in.

Rules: an index states facts about public files (where, which bytes, what made them, on what terms), never the files; a group
is everything that may share pictures, people, scenes or makers, and is always on one side of a split.
"""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np


class Label(StrEnum):
    """How a picture came about."""

    HUMAN = "human"  # photographed, drawn, rendered, written by people with tools that hold no trained model
    GENERATED = "generated"  # the whole picture is the output of a trained model
    ALTERED = "altered"  # a human-made picture with generated parts or restoration; measured apart, never trained on


class Domain(StrEnum):
    """What kind of picture it is; operating points are conditional on it."""

    PHOTOGRAPH = "photograph"
    ILLUSTRATION = "illustration"  # painting, drawing, comic, game art, 3-D render
    GRAPHIC = "graphic"  # screenshot, document, chart, poster, logo


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row. `domain` is empty where nobody looked; `dhash` is a 64-bit difference hash in hexadecimal; `pair` the sha256 of
    the picture whose draws it shares, where it is the twin of one."""

    sha256: str
    label: Label
    generator: str
    source: str
    group: str
    domain: Domain | None
    licence: str
    dhash: str = ""
    pair: str = ""

    def draws(self, seed: int) -> np.random.Generator:
        """The random state of this picture's draws: of its content and the seed alone."""
        return np.random.default_rng([seed, int((self.pair or self.sha256)[:15], 16)])


COLUMNS = ("sha256", "label", "generator", "source", "group", "domain", "licence", "dhash")


def read_index(*paths: Path) -> list[Example]:
    """Read indexes. Rows of a hash that was read before are left out. Raises `ValueError` naming file and line, also where such
    a row has another label."""
    examples: dict[str, Example] = {}
    for path in paths:
        for number, row in _rows(path, "sha256", "label"):
            try:
                example = Example(
                    sha256=row["sha256"],
                    label=_label(row["label"]),
                    generator=row.get("generator") or "",
                    source=row.get("source") or path.parent.name,
                    group=row.get("group") or row.get("source") or path.parent.name,
                    domain=_domain(row.get("domain") or ""),
                    licence=row.get("licence") or "",
                    dhash=row.get("dhash") or "",
                    pair=row.get("pair") or "",
                )
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            known = examples.setdefault(example.sha256, example)
            if known.label is not example.label:
                raise ValueError(f"{path}, line {number}: {example.label} here, {known.label} in an earlier row")
    return list(examples.values())


def write_index(examples: Iterable[Example], path: Path) -> None:
    """Write an index, ordered by source and hash."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for example in sorted(examples, key=lambda example: (example.source, example.sha256)):
            table.writerow({column: getattr(example, column) or "" for column in COLUMNS})


def read_own_index(path: Path) -> list[tuple[Example, Path]]:
    """Read a user's index: columns `path` (relative to the index) and `label`, and where known `generator`, `group`, `domain`.

    Raises `ValueError` naming file and line.
    """
    rows = []
    for number, row in _rows(path, "path", "label"):
        try:
            place = path.parent / row["path"]
            example = Example(
                sha256=hashlib.sha256(place.read_bytes()).hexdigest(),
                label=_label(row["label"]),
                generator=row.get("generator") or "",
                source=row.get("source") or path.stem,
                group=row.get("group") or row.get("source") or str(Path(row["path"]).parent),
                domain=_domain(row.get("domain") or ""),
                licence=row.get("licence") or "",
            )
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        rows.append((example, place))
    return rows


def _rows(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The number of each row's last line, and the row. Spreadsheets write a byte order mark, and semicolons where the comma is
    the decimal sign."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8; save it as “CSV UTF-8”") from error
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","
    table = csv.DictReader(io.StringIO(text, newline=""), restval="", delimiter=delimiter, skipinitialspace=True)
    found = table.fieldnames or ()
    for column in columns:
        if column not in found:
            raise ValueError(f"{path}: no column `{column}`; found: {', '.join(found) or 'none'}")
    for row in table:
        for column in columns:
            if not row[column]:
                raise ValueError(f"{path}, line {table.line_num}: no {column}")
        yield table.line_num, row


def _label(cell: str) -> Label:
    label = cell.strip().lower()
    if label not in tuple(Label):
        raise ValueError(f"label {cell!r} is none of {', '.join(Label)}")
    return Label(label)


def _domain(cell: str) -> Domain | None:
    domain = cell.strip().lower()
    if domain not in ("", *Domain):
        raise ValueError(f"domain {cell!r} is none of {', '.join(Domain)}")
    return Domain(domain) if domain else None


def without_near_duplicates(examples: Sequence[Example], *, distance: int = 4) -> list[Example]:
    """Drop pictures whose difference hash is within `distance` bits of one seen before in another group.

    Flat pictures (fewer than 8 bits set or unset) have no telling hash and are kept.
    """
    hashes = np.array([int(example.dhash or "0", 16) for example in examples], np.uint64)
    weight = np.bitwise_count(hashes)
    telling = (weight >= 8) & (weight <= 56)
    groups = np.array([example.group for example in examples])
    keep = np.ones(len(examples), bool)
    for i in np.flatnonzero(telling):
        if keep[i]:
            near = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]) <= distance
            keep[i + 1 :] &= ~(near & telling[i + 1 :] & (groups[i + 1 :] != groups[i]))
    return [example for example, kept in zip(examples, keep, strict=True) if kept]


def spread(examples: Iterable[Example], *, seed: int) -> list[Example]:
    """Order examples so that every prefix holds each group in proportion to the square root of its size."""
    by_group: dict[tuple[str, Label, str], list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.sha256):
        by_group[example.group, example.label, example.generator].append(example)
    random = np.random.default_rng(seed)
    ranked: list[tuple[float, str, Example]] = []
    for members in by_group.values():
        for rank, index in enumerate(random.permutation(len(members))):
            ranked.append(((rank + random.random()) / len(members) ** 0.5, members[index].sha256, members[index]))
    return [example for *_, example in sorted(ranked, key=lambda entry: entry[:2])]
