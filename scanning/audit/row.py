"""One row for one file of an audit: the versioned schema that JSONL, CSV and Parquet share.

Rules: `SCHEMA` changes when a column's meaning changes or a column goes; a row is flat (scalars and lists of words); the
columns of `Content` depend on the bytes alone, so that equal bytes give equal ones wherever they lie; strings of the file
are carried verbatim and neutralised by presenters; a document holds text alone, and what is none is escaped there. JSON
Schema: docs/schema/row-1.json.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Self, get_args, get_origin, get_type_hints

from assay.detectors.evidence import NOT_EXAMINED, Basis, Origin, Severity
from assay.provenance.custody.chain import BottomLine

SCHEMA = "assay.row/1"
Bytes = bytes  # `bytes` is a column of a row
SUBJECT = "image"  # what a file is called where it is examined: its true name must not reach anything kept by content
_LACKS_PIXELS = f"{Severity.NOTE}:{NOT_EXAMINED}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the bytes of a file alone decide. `error` is a failure's kind, empty where the file was examined."""

    media_type: str | None = None
    width: int | None = None  # pixels as stored; None where it was not decoded
    height: int | None = None
    undecoded: str = ""  # why there are no pixels
    perceptual_hash: str = ""  # PDQ, 64 hexadecimal digits; only where it was asked for and the picture has one
    origin: str | None = None  # None where the file could not be examined at all
    basis: str | None = None
    headline: str = ""  # the answer, or why there is none
    contested: bool = False
    generator: str = ""
    log10_likelihood_ratio: float | None = None
    false_positive_rate: float | None = None
    custody: str | None = None  # bottom line of the chain; None where the verifier gave none
    custody_headline: str = ""
    signer: str = ""  # of the active manifest: common name, else organisation
    organisation: str = ""
    trust_list: str = ""  # empty: no list vouches for the signer
    signed: str = ""  # certified time, ISO 8601; else the time claimed, as written
    source_types: tuple[str, ...] = ()  # digital source types of the active manifest, last part of the URI
    grounds: tuple[str, ...] = ()
    dissent: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()  # what kind of statements contradict one another
    declared: bool = False  # the file itself says what it is held to be (declared or proved)
    findings: tuple[str, ...] = ()  # `severity:code`
    conditions: tuple[str, ...] = ()
    error: str = ""

    @property
    def lacks_pixels(self) -> bool:
        """Whether the machine that examined it could not run the model that was asked for."""
        return _LACKS_PIXELS in self.findings

    def columns(self) -> dict[str, Any]:
        """The columns by name, as they are (`asdict` would copy them deeply, which costs more than all else here)."""
        return {name: getattr(self, name) for name in _CONTENT_TYPES}

    def to_json(self) -> str:
        """One line; keys in the order of the columns."""
        return json.dumps(self.columns(), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | Bytes) -> Self:
        """Read what `to_json` wrote. Raises `ValueError` on anything else: the writer is a process that opened hostile files."""
        return cls(**_checked(json.loads(text), _CONTENT_TYPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Content):
    """One file. `name` is a path, a URL, or an archive's name with the member after `!`. File names need not be text: one that
    is none is here as `os.fsdecode` gives it, escaped in a document, and told apart there by `name_bytes`."""

    schema: str = SCHEMA
    assay: str = ""
    model: str | None = (
        None  # the pixel model that was asked, name and version; empty: none; None: the row is older than that
    )
    name: str
    sha256: str | None = None
    bytes: int | None = None
    modified: str = ""  # ISO 8601, UTC: the file's, the member's or the object's own date
    duplicate_of: str = ""  # the first file of this audit with the same bytes
    near: str = ""  # the first file of this audit that looks nearly the same
    breaches: tuple[str, ...] = ()  # rules of the policy file that it breaks
    change: str = ""  # against a baseline: new, changed, same, gone
    name_bytes: str = field(init=False, default="")  # hexadecimal; empty where the name is text

    def __post_init__(self) -> None:
        if _text(self.name) != self.name:
            object.__setattr__(self, "name_bytes", self.name.encode("utf-8", "surrogateescape").hex())

    def document(self) -> dict[str, Any]:
        """The row as a dictionary in the order of `COLUMNS`, its strings made text."""
        return {name: _text(getattr(self, name)) for name in COLUMNS}

    def to_json(self) -> str:
        """One line of JSONL, without the line break."""
        return json.dumps(self.document(), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | Bytes) -> Self:
        """Read one line of JSONL. Raises `ValueError` where it is no row of this schema."""
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise ValueError(f"no row of {SCHEMA}")
        columns = _checked({name: found[name] for name in found if name in _ROW_TYPES}, _ROW_TYPES)
        if raw := bytes.fromhex(columns.pop("name_bytes", "")):
            columns["name"] = raw.decode("utf-8", "surrogateescape")
        return cls(**columns)


def failed(kind: str, message: str, held: tuple[str, ...] = ("unreadable",)) -> Content:
    """The columns of a file that could not be examined."""
    return Content(headline=anonymous(message), conditions=held, error=kind)


def severity_of(finding: str) -> Severity:
    """The severity of one entry of `findings`."""
    return Severity(finding.partition(":")[0])


def code_of(finding: str) -> str:
    """The code of one entry of `findings`."""
    return finding.partition(":")[2]


def anonymous(message: str) -> str:
    """A message of the scanner without the name that the file had there."""
    return message.removeprefix(f"{SUBJECT}: ")[:1000]


def _text(value: object) -> object:
    """A value without halves of surrogate pairs, which stand for bytes that are no text and which few readers of JSON take."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    return tuple(map(_text, value)) if isinstance(value, tuple) else value


def _checked(found: object, kinds: dict[str, tuple[type, ...] | None]) -> dict[str, Any]:
    """The columns of a document, each of its type. `kinds`: the types of a scalar column, None for a list of words."""
    if not isinstance(found, dict) or not found.keys() <= kinds.keys():
        raise ValueError("unknown columns")
    return {name: _value(name, value, kinds[name]) for name, value in found.items()}


def _value(name: str, value: Any, kinds: tuple[type, ...] | None) -> object:
    if kinds is None:
        if type(value) is not list or not all(type(word) is str for word in value):
            raise ValueError(f"{name}: not a list of words")
        if name == "findings" and not all(word.partition(":")[0] in _SEVERITIES for word in value):
            raise ValueError("findings: an unknown severity")
        return tuple(value)
    if type(value) is int and float in kinds:
        return float(value)
    if type(value) not in kinds:
        raise ValueError(f"{name}: of another type than {kinds}")
    if name in _WORDS and value not in _WORDS[name]:
        raise ValueError(f"{name}: an unknown word")
    return value


def _kinds(of: type) -> dict[str, tuple[type, ...] | None]:
    hints = get_type_hints(of)
    return {name: None if get_origin(hint) is tuple else (get_args(hint) or (hint,)) for name, hint in hints.items()}


_SEVERITIES = frozenset(severity.value for severity in Severity)
_WORDS: dict[str, frozenset[object]] = {
    "schema": frozenset({SCHEMA}),
    "origin": frozenset({*(origin.value for origin in Origin), None}),
    "basis": frozenset({*(basis.word for basis in Basis), None}),
    "custody": frozenset({*(line.value for line in BottomLine), None}),
    "change": frozenset({"", "new", "changed", "same", "gone"}),
}
_CONTENT_TYPES = _kinds(Content)
_ROW_TYPES = _kinds(Row)
_FIRST = ("schema", "assay", "model", "name", "sha256", "bytes", "modified")
COLUMNS: tuple[str, ...] = (*_FIRST, *(column.name for column in fields(Row) if column.name not in _FIRST))
