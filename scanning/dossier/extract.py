"""The machine-readable extract that a dossier's pages are rendered from: what was found, with what, under which lists.

Rules: versioned (`SCHEMA`); plain dictionaries; whatever the pages say is in here first; what was not checked is stated as
plainly as what was; strings of the file are carried verbatim and neutralised on the pages. JSON Schema:
docs/schema/dossier-1.json.
"""

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from assay import __version__
from assay.detectors.card import read_card
from assay.detectors.evidence import Evidence, Silence
from assay.provenance.custody.chain import Custody
from assay.provenance.sidecar import SUFFIX
from assay.provenance.trust import TrustPolicy
from assay.scanning.dossier.mapping import STEPS
from assay.scanning.report.document import document
from assay.scanning.report.picture import QUALITY
from assay.scanning.scan import Report

SCHEMA = "assay.dossier/1"
PICTURE_EDGE = 1400  # pixels of the longer side on the pages
_LIBRARIES = ("c2pa-python", "pillow", "numpy", "onnxruntime", "cryptography", "weasyprint")
Document = dict[str, Any]


def extract(
    report: Report,
    *,
    policy: TrustPolicy,
    original: str,
    model: Document | None,
    sidecar: bytes | None = None,
    mapped: bool = False,
    examiner: str = "",
    note: str = "",
) -> Document:
    """Gather one report into an extract. `original` is the name of the copy beside it; `sidecar` the manifest store
    that is copied with it; `model` describes the pixel model,
    None where none was asked; `mapped`: a map of the pixel evidence is on the pages; `examiner` and `note` are the user's own words."""
    asset = report.asset
    return {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "examiner": examiner,
        "note": note,
        "original": {
            "name": asset.name,
            "file": original,
            "bytes": len(asset.content),
            "sha256": asset.sha256,
            "sha512": hashlib.sha512(asset.content).hexdigest(),
            "modified": _modified(report),
            "sidecar": None if sidecar is None else _sidecar(original, sidecar),
        },
        "report": document(report),
        "trust_lists": [_list(item, policy) for item in policy.lists],
        "model": model,
        "tools": {
            "assay": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        },
        "filters": _filters(report, mapped),
        "not_checked": _not_checked(report, policy, model),
    }


def model_facts(model: str) -> Document:
    """What a dossier says of a pixel model. Raises `ModelRefused`."""
    card = read_card(model)
    return {
        "name": card.name,
        "version": card.version,
        "card_sha256": hashlib.sha256((card.folder / "card.json").read_bytes()).hexdigest(),
        "files": dict(card.files),
        "known_failures": list(card.failures),
    }


def to_bytes(found: Document) -> bytes:
    """The extract as it is written and hashed: ASCII JSON, indented, one line break at the end."""
    return (json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def _modified(report: Report) -> str:
    try:
        path = report.asset.path
        return "" if path is None else datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        return ""


def _sidecar(original: str, store: bytes) -> Document:
    return {"file": f"{original}{SUFFIX}", "bytes": len(store), "sha256": hashlib.sha256(store).hexdigest()}


def _list(item: Any, policy: TrustPolicy) -> Document:
    return {
        "id": item.id,
        "title": item.title,
        "kind": item.kind.value,
        "purposes": [purpose.value for purpose in item.purposes],
        "sha256": item.sha256,
        "source": item.source,
        "issued": item.issued.isoformat() if item.issued else None,
        "retrieved": item.retrieved.isoformat() if item.retrieved else None,
        "certificates": len(item.anchors),
        "stale": item.stale(policy.now),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _filters(report: Report, mapped: bool) -> list[Document]:
    """Everything that was done to pixels for the pages; the examination itself is described by the model's card."""
    if report.width is None:
        return []
    made = [
        {
            "for": "the picture on the pages",
            "steps": [
                {"filter": "decode", "parameters": {"frame": 1, "library": "Pillow"}},
                {"filter": "turn upright", "parameters": {"by": "EXIF Orientation"}},
                {"filter": "scale down", "parameters": {"longer_side": PICTURE_EDGE, "kernel": "Lanczos"}},
                {"filter": "lay on grey where transparent", "parameters": {"grey": 128}},
                {"filter": "encode", "parameters": {"format": "JPEG", "quality": QUALITY}},
            ],
        }
    ]
    return [*made, {"for": "the map of the pixel evidence", "steps": list(STEPS)}] if mapped else made


def _not_checked(report: Report, policy: TrustPolicy, model: Document | None) -> list[Document]:
    gaps = [
        ("truth", "Whether what the picture shows is true. No file can tell."),
        (
            "proprietary-watermarks",
            "Watermarks whose decoders are not public (SynthID, for one): their owners' own services would have to be asked.",
        ),
    ]
    if model is None:
        gaps.append(("pixels", "No pixel model was asked."))
    if not policy.online_revocation:
        gaps.append(
            (
                "revocation",
                "Whether a certificate was revoked, beyond what the file itself carries: no network was used.",
            )
        )
    custody = report.custody
    if isinstance(custody, Custody):
        if custody.remote_url:
            gaps.append(("remote-manifest", f"A manifest that the file says is kept elsewhere: {custody.remote_url}"))
    else:
        gaps.append(("custody", f"The chain of custody: {custody.message}"))
    if report.undecoded is not None:
        gaps.append(("picture", f"Anything that needs pixels: {report.undecoded.message}"))
    if (report.frames or 1) > 1:
        gaps.append(("frames", "All frames or pages of the file but the first."))
    gaps += [(piece.signal, piece.statement) for piece in report.evidence if _unable(piece)]
    return [{"what": what, "why": why} for what, why in gaps]


def _unable(piece: Evidence) -> bool:
    return piece.silence in (Silence.FAILED, Silence.INAPPLICABLE)
