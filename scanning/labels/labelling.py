"""From a report document to a label: what decided, why, on which evidence, and how to object.

Rules: the same document and policy give the same decision; a decision quotes the evidence that it rests on; a signature that
nothing but a development key vouches for counts as a declaration; strings of the file are carried verbatim and neutralised by
presenters.
"""

from typing import Any

from assay.detectors.evidence import DEVELOPMENT, Basis, Origin
from assay.detectors.source_types import source_type
from assay.scanning.labels.policy import Facts, LabelPolicy

SCHEMA = "assay.label/1"
_SIGNED = ("c2pa-manifest", "recovered-manifest")  # the signals whose statement a signature vouches for
Document = dict[str, Any]


def labelled(document: Document, policy: LabelPolicy) -> Document:
    """The decision on one report document (`assay.report/1`), as a document."""
    facts = facts_of(document)
    rule = policy.rule_for(facts)
    asset = document["asset"]
    grounds = [piece for piece in document.get("evidence", ()) if piece["signal"] in facts.grounds]
    return {
        "schema": SCHEMA,
        "asset": {key: asset[key] for key in ("name", "sha256") if key in asset},
        "label": rule.label.value,
        "shown": rule.shown,
        "reason": rule.reason,
        "rule": rule.name,
        "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256},
        "rests_on": {
            "assay": document["assay"],
            "origin": facts.origin.value,
            "basis": facts.basis,
            "headline": document["verdict"]["headline"] if facts.examined else document["error"]["message"],
            "source_types": sorted(facts.source_types),
            "findings": sorted(facts.findings),
            "custody": facts.custody,
            "evidence": [{"signal": piece["signal"], "statement": piece["statement"]} for piece in grounds],
        },
        "appeal": policy.appeal,
    }


def facts_of(document: Document) -> Facts:
    """What rules can ask of a report document."""
    if "error" in document:
        return Facts(examined=False)
    verdict, custody = document["verdict"], document["custody"]
    return Facts(
        examined=True,
        origin=Origin(verdict["origin"]),
        basis=_basis(document),
        source_types=_source_types(document),
        grounds=frozenset(verdict["grounds"]),
        findings=frozenset(finding["code"] for finding in document["findings"]),
        custody=custody.get("bottom_line", ""),
        contested=verdict["contested"],
    )


def _basis(document: Document) -> str:
    """The strongest basis among the grounds; anybody can make a development key and sign with it what they like."""
    verdict = document["verdict"]
    if not any(finding["code"] == DEVELOPMENT for finding in document["findings"]):
        return str(verdict["basis"])
    bases = [
        min(Basis[piece["basis"].upper()], Basis.DECLARED if piece["signal"] in _SIGNED else Basis.PROVED)
        for piece in document["evidence"]
        if piece["signal"] in verdict["grounds"]
    ]
    return max(bases, default=Basis.NONE).word


def _source_types(document: Document) -> frozenset[str]:
    """The terms that the active manifest or the metadata state, wherever they are trusted to."""
    links = document["custody"].get("links", ())
    stated = [uri for link in links[-1:] for uri in link["digital_source_types"]]
    for piece in document["evidence"]:
        stated += [trace["value"] for trace in piece["traces"] if "sourcetype" in trace["field"].lower()]
    return frozenset(kind.term for uri in stated if (kind := source_type(uri)))
