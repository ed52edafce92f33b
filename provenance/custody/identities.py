"""CAWG identity assertions: who claims to stand behind a picture beside the claim's signer (CAWG identity 1.3).

Rules: shown always; validated where the SDK does and where a list kept for identities vouches for the certificate; an X.509
signature is checked here once more, because what whoever took a picture in recorded of it may be the only word on it; what
was not checked is named as not checked, and none of it moves the bottom line of the chain.
"""

from dataclasses import dataclass
from typing import Any

import cbor2

from assay.provenance.custody.chain import Answer, Identity, Status
from assay.provenance.custody.reading import Node, mapping, sequence, text
from assay.provenance.jumbf.cose import claim_signature
from assay.provenance.jumbf.store import StoredManifest
from assay.provenance.trust import Purpose, TrustJudgement, TrustPolicy, judge
from assay.provenance.trust.certificates import terms
from assay.provenance.trust.signatures import cose_signature_holds

X509 = "cawg.x509.cose"
IDENTITY = "cawg.identity"
_UNCHECKED = {
    "cawg.ica.did_unavailable": "its issuer could not be asked (no network), so it was not checked",
    "cawg.ica.untrusted_issuer": "its issuer is on no list for identities",
    "cawg.identity.sig_type.unknown": "its kind of signature is not known here, so it was not checked",
    "cawg.x509.credential.untrusted": "its certificate is on no list for identities",
}


@dataclass(frozen=True, slots=True)
class _Credential:
    """An identity's certificate chain, judged on lists for identities, and whether the key of its leaf made the signature; None
    where the bytes that were signed cannot be told."""

    judgement: TrustJudgement
    holds: bool | None


def identities(
    manifest: Node, statuses: tuple[Status, ...], stored: StoredManifest | None, policy: TrustPolicy
) -> tuple[Identity, ...]:
    """Every identity assertion of a manifest, in order."""
    found, place = [], 0
    for assertion in map(mapping, sequence(manifest.get("assertions"))):
        label, _, instance = text(assertion.get("label")).partition("__")
        if label == IDENTITY:
            number = int(instance) if instance.isdecimal() else place
            stored_label = f"{IDENTITY}__{number}" if number else IDENTITY
            own = tuple(s for s in statuses if s.url.endswith(f"/{stored_label}") and s.code.startswith("cawg."))
            credential = _credential(stored, stored_label, policy)
            listed = bool(policy.lists_for(Purpose.IDENTITY))
            found.append(_identity(mapping(assertion.get("data")), own, credential, listed=listed))
            place += 1
    return tuple(found)


def _identity(content: Node, statuses: tuple[Status, ...], credential: _Credential | None, *, listed: bool) -> Identity:
    signed = mapping(content.get("signer_payload")) or mapping(content.get("c2paAsset"))
    verified = [mapping(entry) for entry in sequence(content.get("verifiedIdentities"))]
    names = [_verified(entry) for entry in verified]
    info = mapping(content.get("signature_info"))
    issuer = text(content.get("issuer")) or text(info.get("issuer"))
    if credential is not None:
        holder = credential.judgement.holder
        names.append(holder.common_name or holder.organisation)
        issuer = holder.issuer
    elif text(info.get("common_name")):
        names.append(text(info.get("common_name")))
    answer, statement = _answer(statuses, credential, text(signed.get("sig_type")), listed=listed)
    return Identity(
        names=tuple(name for name in names if name),
        kind=text(signed.get("sig_type")),
        issuer=issuer,
        answer=answer,
        statement=statement,
        codes=tuple(dict.fromkeys(status.code for status in statuses)),
    )


def _answer(
    statuses: tuple[Status, ...], credential: _Credential | None, kind: str, *, listed: bool
) -> tuple[Answer, str]:
    failures = [status.code for status in statuses if status.failure]
    wrong = [code for code in failures if code not in _UNCHECKED]
    if wrong:
        return Answer.NO, f"its signature or its form does not hold ({', '.join(dict.fromkeys(wrong))})"
    if kind == X509 and credential is not None and credential.holds is False:
        return Answer.NO, "its signature was not made with the key of the certificate that it names"
    if not statuses:
        return Answer.UNKNOWN, "nothing checked it"
    if kind == X509:
        if credential is None or not credential.holds:
            return Answer.UNKNOWN, "its signature could not be checked"
        judgement = credential.judgement
        if judgement.trusted:
            return Answer.YES, f"its signature holds; {judgement.statement}"
        said = judgement.statement if listed else "nobody vouches for its name: no trust list for identities is in use"
        return Answer.UNKNOWN, f"its signature holds, but {said}"
    if failures:
        return Answer.UNKNOWN, _UNCHECKED[failures[0]]
    return Answer.YES, "its credential holds, by the C2PA library's check"


def _verified(entry: Node) -> str:
    name = text(entry.get("name")) or text(entry.get("username"))
    provider = text(mapping(entry.get("provider")).get("name"))
    return f"{name} ({provider})" if name and provider else name or provider


def _credential(stored: StoredManifest | None, label: str, policy: TrustPolicy) -> _Credential | None:
    """The identity's own certificate chain and signature, as stored; None where they cannot be read."""
    assertion = stored.find(label) if stored else None
    if assertion is None:
        return None
    try:
        content: Any = cbor2.loads(assertion.content, max_depth=32)
        data, payload = content["signature"], cbor2.dumps(content["signer_payload"])
    except (cbor2.CBORError, ValueError, TypeError, KeyError, OverflowError):
        return None
    signature = claim_signature(data) if isinstance(data, bytes) else None
    leaf = terms(signature.chain[0]) if signature and signature.chain else None
    if signature is None or leaf is None:
        return None
    holds = cose_signature_holds(leaf.key, signature.algorithm, signature.signature, signature.signed(payload))
    written = payload in assertion.content  # else encoded in another way, and what was signed is not these bytes
    return _Credential(judge(signature.chain, Purpose.IDENTITY, policy), holds if holds or written else None)
