"""A model is a folder: weights, and `card.json` with everything that must be known to use and to doubt them.

Rules: every file's sha256 is checked before it is loaded, and a wrong one is refused by name; thresholds, calibration, limits
and measured figures are data of the card; what fails comes first.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assay.detectors.calibration import (
    Calibration,
    Conformal,
    Point,
    Threshold,
    read_calibration,
    read_conformal,
    read_threshold,
)
from assay.provenance.errors import AssayError

SCHEMA = 1
FITTED = "fitted.txt"  # beside the card: the first digits of the sha256 of every picture that the head was fitted on
FITTED_DIGITS = 12
FACES = "faces"  # the model for faces in pictures


class View(StrEnum):
    """How pictures are made ready for a model: squeezed by which filter (`views.whole`), and measured how (`quality.measure`)."""

    BICUBIC = "squeezed-224-bicubic"
    HAMMING = "squeezed-224-hamming-evenly"  # both sides averaged by one factor first: less time


class ModelRefused(AssayError):
    """A model folder is missing, incomplete, altered, or of another schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What `card.json` says. `encoder` is the encoder's file, another model's where they share it;
    `columns` are ranges of features that the head reads; `conformal` is empty in cards older than it; `figures` and `training`
    are for people and documents."""

    folder: Path
    name: str
    version: str
    encoder: str
    failures: tuple[str, ...]
    files: Mapping[str, str]
    view: View
    domains: tuple[str, ...]
    calibrations: Mapping[str, Calibration]
    thresholds: Mapping[str, Mapping[Point, Threshold]]
    conformal: Mapping[str, Conformal]
    least_side: int
    columns: tuple[tuple[int, int], ...]
    novelty_limit: float
    training: Mapping[str, Any]
    figures: Mapping[str, Any]

    @property
    def tells_fitted(self) -> bool:
        """Whether it is known at all which pictures the model was fitted on."""
        return (self.folder / FITTED).is_file()

    def fitted_on(self, sha256: str) -> bool:
        """Whether the model was fitted on the picture of this hash: what it says of that one is no measurement."""
        return sha256[:FITTED_DIGITS] in self._fitted()

    def _fitted(self) -> frozenset[str]:
        path = self.folder / FITTED
        return _lines(path, path.stat().st_mtime_ns) if self.tells_fitted else frozenset()

    def verified(self, file: str) -> Path:
        """The path of one of the model's files, after its hash was compared. Raises `ModelRefused`."""
        if file not in self.files:
            raise ModelRefused(
                f"model {self.name}: its card does not list {file}",
                "install the package again, or rebuild the card with `assay train`",
            )
        path = self.folder / file
        if not path.is_file():
            raise ModelRefused(f"model {self.name}: {file} is missing", "install the package again")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != self.files[file]:
            raise ModelRefused(
                f"model {self.name}: {file} is not the file that the card describes (sha256 {found[:12]}…, "
                f"expected {self.files[file][:12]}…)",
                "install the package again, or rebuild the card with `assay train`",
            )
        return path


@lru_cache(maxsize=4)
def _lines(path: Path, _changed: int) -> frozenset[str]:
    return frozenset(path.read_text(encoding="ascii").split())


def model_folder(model: str | Path) -> Path:
    """A shipped model by its name, or any folder that holds a `card.json`."""
    if isinstance(model, str) and not any(mark in model for mark in "/\\."):
        shipped = Path(str(files("assay"))) / "models" / model
        if shipped.is_dir():
            return shipped
    return Path(model)


def shipped_models() -> tuple[str, ...]:
    """Names of this package's models for whole pictures."""
    names = sorted(path.parent.name for path in (Path(str(files("assay"))) / "models").glob("*/card.json"))
    return tuple(name for name in names if name != FACES)


def read_card(model: str | Path) -> ModelCard:
    """Read and check a card. Raises `ModelRefused`."""
    folder = model_folder(model)
    path = folder / "card.json"
    if not path.is_file():
        known = ", ".join(shipped_models()) or "none"
        raise ModelRefused(
            f"{model}: no model here (no card.json)", f"shipped models: {known}; or name a model's folder"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ModelRefused(f"{path}: card of schema {document['schema']}, this version reads {SCHEMA}")
        if document["views"] not in tuple(View):
            raise ModelRefused(
                f"{path}: fitted on pictures made as {document['views']!r}, this version makes them as "
                f"{' or '.join(repr(view.value) for view in View)}",
                "refit it with `assay train`",
            )
        return _card(folder, document)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"{path}: not a valid model card: {error!r}", "rebuild it with `assay train`") from error


def _card(folder: Path, document: Mapping[str, Any]) -> ModelCard:
    domains = tuple(document["domains"])
    return ModelCard(
        folder=folder,
        name=document["name"],
        version=document["version"],
        encoder=document.get("encoder", "encoder.onnx"),
        failures=tuple(document["failures"]),
        files=dict(document["files"]),
        view=View(document["views"]),
        domains=domains,
        calibrations={domain: read_calibration(document["calibration"][domain]) for domain in domains},
        thresholds={
            domain: {point: read_threshold(document["points"][domain][point.value]) for point in Point}
            for domain in domains
        },
        conformal={domain: read_conformal(found) for domain, found in document.get("conformal", {}).items()},
        least_side=int(document["limits"]["least_side"]),
        columns=tuple((int(start), int(stop)) for start, stop in document["columns"]),
        novelty_limit=float(document["limits"]["novelty"]),
        training=document["training"],
        figures=document["figures"],
    )
