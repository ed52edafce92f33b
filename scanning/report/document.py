"""The wire format: a report as plain dictionaries, versioned, a copy of the domain and never a dump of it.

Rules: `SCHEMA` changes when a field's meaning changes or a field goes; fields may be added within a version; nothing in a
document depends on when or where it was made, so that path, bytes, service and cluster give the same bytes. Strings of the
file are carried verbatim (JSON escapes them); presenters for people neutralise them. JSON Schema: docs/schema/report-1.json.
"""

import json
from typing import Any

from assay import __version__
from assay.detectors.evidence import Evidence, Finding, Rate
from assay.provenance.custody.chain import Custody
from assay.scanning.report.custody_document import custody_document
from assay.scanning.scan import Failure, Report
from assay.scanning.verdict import Verdict
from assay.scanning.words import answer, posterior, sentence

SCHEMA = "assay.report/1"
Document = dict[str, Any]


def document(outcome: Report | Failure, *, prior: float | None = None) -> Document:
    """One image's outcome as a document; a failure has `error` where a report has `verdict`.

    `prior` is the user's own probability; only with it is there a posterior.
    """
    if isinstance(outcome, Failure):
        return {
            "schema": SCHEMA,
            "assay": __version__,
            "asset": {"name": outcome.name},
            "error": {
                "kind": type(outcome.error).__name__,
                "message": outcome.error.message,
                "hint": outcome.error.hint,
            },
        }
    asset = outcome.asset
    return {
        "schema": SCHEMA,
        "assay": __version__,
        "asset": {
            "name": asset.name,
            "sha256": asset.sha256,
            "media_type": asset.media_type.value,
            "bytes": len(asset.content),
            "width": outcome.width,
            "height": outcome.height,
            "frames": outcome.frames,
            "undecoded": outcome.undecoded.message if outcome.undecoded else None,
        },
        "verdict": _verdict(outcome.verdict, prior),
        "findings": [_finding(finding) for finding in outcome.verdict.findings],
        "evidence": [_evidence(piece) for piece in outcome.evidence],
        "custody": custody_document(outcome.custody)
        if isinstance(outcome.custody, Custody)
        else {"error": outcome.custody.message},
    }


def to_json(outcome: Report | Failure, *, prior: float | None = None) -> str:
    """One line of JSON, without a line break; the same bytes for the same file everywhere."""
    return json.dumps(document(outcome, prior=prior), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _verdict(verdict: Verdict, prior: float | None) -> Document:
    said = answer(verdict, prior=prior)
    stated: Document = {}
    if prior is not None:
        stated["posterior"] = {"prior": prior, "value": posterior(verdict, prior), "statement": said.odds}
    return stated | {
        "origin": verdict.origin.value,
        "basis": verdict.basis.word,
        "headline": said.headline,
        "who_says_so": said.who,
        "how_sure": said.sure,
        "what_would_change_it": said.change,
        "contested": verdict.contested,
        "grounds": [piece.signal for piece in verdict.grounds],
        "dissent": [piece.signal for piece in verdict.dissent],
        "conflicts": [
            {
                "code": conflict.code,
                "statement": sentence(conflict),
                "between": [conflict.stronger.signal, conflict.weaker.signal],
            }
            for conflict in verdict.conflicts
        ],
    }


def _finding(finding: Finding) -> Document:
    return {"code": finding.code, "severity": finding.severity.value, "statement": finding.statement}


def _evidence(piece: Evidence) -> Document:
    return {
        "signal": piece.signal,
        "origin": piece.origin.value,
        "basis": piece.basis.word,
        "silence": piece.silence.value if piece.silence else None,
        "statement": piece.statement,
        "generator": piece.generator,
        "traces": [{"field": trace.field, "value": trace.value, "offset": trace.offset} for trace in piece.traces],
        "log10_likelihood_ratio": piece.llr,
        "false_positive_rate": _rate(piece.false_positive_rate),
        "true_positive_rate": _rate(piece.true_positive_rate),
    }


def _rate(rate: Rate | None) -> Document | None:
    if rate is None:
        return None
    return {"value": rate.value, "hits": rate.hits, "trials": rate.trials, "low": rate.low, "high": rate.high}
