"""CAWG identity assertions: who claims to stand behind a picture beside the claim's signer (CAWG identity 1.3).

Rules: shown always; validated where the SDK does and where a list kept for identities vouches for the certificate; what was
not checked is named as not checked, and none of it moves the bottom line of the chain.
"""

from typing import Any

import cbor2

from assay.provenance.custody.chain import Answer, Identity, Status
from assay.provenance.custody.reading import Node, mapping, sequence, text
from assay.provenance.jumbf.cose import claim_signature
from assay.provenance.jumbf.store import StoredManifest
from assay.provenance.trust import Purpose, TrustJudgement, TrustPolicy, judge

X509 = "cawg.x509.cose"
IDENTITY = "cawg.identity"
_UNCHECKED = {
    "cawg.ica.did_unavailable": "its issuer could not be asked (no network), so it was not checked",
    "cawg.ica.untrusted_issuer": "its issuer is on no list for identities",
    "cawg.identity.sig_type.unknown": "its kind of signature is not known here, so it was not checked",
    "cawg.x509.credential.untrusted": "its certificate is on no list for identities",
}


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
            judgement = _judgement(stored, stored_label, policy)
            listed = bool(policy.lists_for(Purpose.IDENTITY))
            found.append(_identity(mapping(assertion.get("data")), own, judgement, listed=listed))
            place += 1
    return tuple(found)


def _identity(
    content: Node, statuses: tuple[Status, ...], judgement: TrustJudgement | None, *, listed: bool
) -> Identity:
    signed = mapping(content.get("signer_payload")) or mapping(content.get("c2paAsset"))
    verified = [mapping(entry) for entry in sequence(content.get("verifiedIdentities"))]
    names = [_verified(entry) for entry in verified]
    info = mapping(content.get("signature_info"))
    issuer = text(content.get("issuer")) or text(info.get("issuer"))
    if judgement is not None:
        names.append(judgement.holder.common_name or judgement.holder.organisation)
        issuer = judgement.holder.issuer
    elif text(info.get("common_name")):
        names.append(text(info.get("common_name")))
    answer, statement = _answer(statuses, judgement, text(signed.get("sig_type")), listed=listed)
    return Identity(
        names=tuple(name for name in names if name),
        kind=text(signed.get("sig_type")),
        issuer=issuer,
        answer=answer,
        statement=statement,
        codes=tuple(dict.fromkeys(status.code for status in statuses)),
    )


def _answer(
    statuses: tuple[Status, ...], judgement: TrustJudgement | None, kind: str, *, listed: bool
) -> tuple[Answer, str]:
    failures = [status.code for status in statuses if status.failure]
    wrong = [code for code in failures if code not in _UNCHECKED]
    if wrong:
        return Answer.NO, f"its signature or its form does not hold ({', '.join(dict.fromkeys(wrong))})"
    if not statuses:
        return Answer.UNKNOWN, "nothing checked it"
    if kind == X509 and judgement is not None and not any("signature" in code for code in failures):
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


def _judgement(stored: StoredManifest | None, label: str, policy: TrustPolicy) -> TrustJudgement | None:
    """The identity's own certificate chain, judged on lists for identities."""
    assertion = stored.find(label) if stored else None
    if assertion is None:
        return None
    try:
        content: Any = cbor2.loads(assertion.content, max_depth=32)
        signature = content["signature"]
    except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError, OverflowError):
        return None
    chain = claim_signature(signature).chain if isinstance(signature, bytes) else ()
    return judge(chain, Purpose.IDENTITY, policy) if chain else None
