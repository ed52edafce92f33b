"""The chain of custody as a document: plain dictionaries, versioned, a copy of the domain and never a dump of it.

Rules: `SCHEMA` changes when a field's meaning changes or a field goes; fields may be added within a version; strings of the
file are carried verbatim (JSON escapes them). JSON Schema: docs/schema/custody-1.json.
"""

import json
from datetime import datetime
from typing import Any

from assay.provenance.custody.chain import Action, Axis, Custody, Gap, Identity, Ingredient, Link, Signer, Status

SCHEMA = "assay.custody/1"
Document = dict[str, Any]


def custody_document(custody: Custody) -> Document:
    """One chain; `links` are oldest first, the last one speaks for the file."""
    return {
        "schema": SCHEMA,
        "asset": {"name": custody.asset_name, "sha256": custody.asset_sha256},
        "bottom_line": custody.bottom_line.value,
        "headline": custody.headline,
        "links": [_link(link) for link in custody.links],
        "gaps": [_gap(gap) for gap in custody.breaks],
        "residue": list(custody.residue),
        "warnings": list(custody.warnings),
        "place": custody.place,
        "remote_url": custody.remote_url,
        "sdk_state": custody.sdk_state,
    }


def to_json(custody: Custody) -> str:
    """One line of ASCII JSON, the same bytes for the same file and lists."""
    return json.dumps(custody_document(custody), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _link(link: Link) -> Document:
    return {
        "label": link.label,
        "kind": link.kind,
        "title": link.title,
        "media_type": link.media_type,
        "claim_generator": link.claim_generator,
        "signer": _signer(link.signer),
        "now": link.now.value,
        "recorded": link.recorded.value if link.recorded else None,
        "axes": {
            "intact": _axis(link.axes.intact),
            "authentic": _axis(link.axes.authentic),
            "trusted": _axis(link.axes.trusted),
            "timely": _axis(link.axes.timely),
            "unbroken": _axis(link.axes.unbroken),
        },
        "time": {
            "claimed": link.claimed_time,
            "certified": _time(link.certified_time),
            "authority": link.time_authority,
        },
        "revocation": {"state": link.revocation_state, "statement": link.revocation},
        "actions": [_action(action) for action in link.actions],
        "digital_source_types": list(link.digital_source_types),
        "ingredients": [_ingredient(ingredient) for ingredient in link.ingredients],
        "identities": [_identity(identity) for identity in link.identities],
        "gaps": [_gap(gap) for gap in link.breaks],
        "rubric": list(link.rubric),
        "assertions": list(link.assertions),
        "soft_bindings": list(link.soft_bindings),
        "permissions": list(link.permissions),
        "statuses": [_status(status) for status in link.statuses],
    }


def _signer(signer: Signer) -> Document:
    return {
        "common_name": signer.common_name,
        "organisation": signer.organisation,
        "issuer": signer.issuer,
        "serial": signer.serial,
        "certificate_sha256": signer.sha256,
        "not_before": _time(signer.not_before),
        "not_after": _time(signer.not_after),
        "trust_list": {"id": signer.trust_list_id, "title": signer.trust_list, "kind": signer.trust_list_kind}
        if signer.trust_list_id
        else None,
        "assurance_level": signer.assurance_level,
        "product": signer.product,
    }


def _axis(axis: Axis) -> Document:
    return {"answer": axis.answer.value, "statement": axis.statement, "codes": list(axis.codes)}


def _action(action: Action) -> Document:
    return {
        "action": action.label,
        "digital_source_type": action.digital_source_type,
        "software_agent": action.software_agent,
        "description": action.description,
        "when": action.when,
        "reason": action.reason,
    }


def _ingredient(ingredient: Ingredient) -> Document:
    return {
        "title": ingredient.title,
        "relationship": ingredient.relationship,
        "media_type": ingredient.media_type,
        "manifest": ingredient.manifest or None,
        "recorded": None if ingredient.recorded is None else [_status(status) for status in ingredient.recorded],
    }


def _identity(identity: Identity) -> Document:
    return {
        "names": list(identity.names),
        "kind": identity.kind,
        "issuer": identity.issuer,
        "answer": identity.answer.value,
        "statement": identity.statement,
        "codes": list(identity.codes),
    }


def _gap(gap: Gap) -> Document:
    return {"code": gap.code, "statement": gap.statement, "grave": gap.grave}


def _status(status: Status) -> Document:
    return {"code": status.code, "url": status.url, "failure": status.failure, "explanation": status.explanation}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
