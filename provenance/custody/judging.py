"""One link by itself: is it intact, authentic, trusted, timely?

Rules: `Invalid` is not "tampered": each axis keeps its own codes and its own words; trust needs both the SDK's path and our
own over a list kept for claim signing; what cannot be told is unknown, never yes.
"""

from dataclasses import dataclass

from assay.provenance.custody.chain import Answer, Axis, Signer, Standing
from assay.provenance.custody.statuses import (
    ALTERED,
    BINDING_MATCH,
    BINDING_MISMATCH,
    FORGED,
    LATE,
    MISSING,
    UNTRUSTED,
    Found,
)
from assay.provenance.trust import ListKind, Refusal, TrustJudgement

REVOKED = "signingCredential.ocsp.revoked"
_UNUSABLE = frozenset({Refusal.MISSING_USAGE, Refusal.FORBIDDEN_USAGE, Refusal.NOT_A_SIGNER, Refusal.WEAK_KEY})
_SPLICED = "exclusion does not match the manifest location"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The axes of one link without its history, where it stands, and what rule it breaks (plain words)."""

    intact: Axis
    authentic: Axis
    trusted: Axis
    timely: Axis
    standing: Standing
    fault: str = ""


def judge_link(
    found: Found, judgement: TrustJudgement | None, *, active: bool, binds: bool = True, old_record: bool = False
) -> Judged:
    """Judge one link on its statuses and on its certificate chain (None: it could not be read).

    `binds` is false for manifests that bind no bytes of their own: update manifests. `old_record` is true for what was
    taken in by an ingredient assertion before version 3, which without failures carries no record at all.
    """
    intact = _intact(found, active=active, binds=binds, old_record=old_record)
    authentic = _authentic(found)
    timely = _timely(found)
    trusted = _trusted(found, judgement, authentic)
    fault = _fault(found, judgement, timely)
    return Judged(
        intact=intact,
        authentic=authentic,
        trusted=trusted,
        timely=timely,
        standing=_standing(intact, authentic, trusted, fault),
        fault=fault,
    )


def signer(judgement: TrustJudgement | None) -> Signer:
    """The signer as its leaf certificate names it, and who vouches for it."""
    if judgement is None:
        return Signer()
    holder, product = judgement.holder, judgement.product
    return Signer(
        common_name=holder.common_name,
        organisation=holder.organisation,
        issuer=holder.issuer,
        serial=holder.serial,
        sha256=holder.sha256,
        not_before=holder.not_before,
        not_after=holder.not_after,
        trust_list=judgement.list_title if judgement.trusted else "",
        trust_list_id=judgement.trusted_by or "",
        trust_list_kind=judgement.kind.value if judgement.trusted and judgement.kind else "",
        development=judgement.trusted and judgement.kind is ListKind.DEVELOPMENT,
        assurance_level=judgement.assurance_level,
        product=product.common_name if product and judgement.product_matches else "",
    )


def _intact(found: Found, *, active: bool, binds: bool, old_record: bool) -> Axis:
    altered = _codes(found, ALTERED)
    if _SPLICED in " ".join(status.explanation for status in found.failures(BINDING_MISMATCH)):
        return Axis(Answer.NO, "its manifest was made for another file, or was moved within this one", altered)
    if set(altered) & BINDING_MISMATCH:
        when = "after it was signed" if active else "before it was taken in, and whoever did so was told"
        return Axis(Answer.NO, f"its bytes were changed {when}", altered)
    if altered:
        return Axis(Answer.NO, "its manifest was changed after it was signed", altered)
    matched = tuple(sorted({status.code for status in found.now if status.code in BINDING_MATCH}))
    if matched:
        statement = "its bytes are those that were signed"
        return Axis(Answer.YES, statement if active else f"{statement}, by the record of whoever took it in", matched)
    if not active and (old_record or _lists_failures_only(found)):
        return Axis(Answer.YES, "no change was recorded when it was taken in (its record lists failures only)")
    if not binds:
        return Axis(Answer.YES, "it only adds statements and binds no bytes of its own")
    return Axis(Answer.UNKNOWN, "nothing binds it to the bytes of a file, or nobody recorded having checked")


def _lists_failures_only(found: Found) -> bool:
    """Records before version 3 of the ingredient assertion name what failed, not what succeeded."""
    return found.recorded is not None and all(status.failure for status in found.recorded)


def _authentic(found: Found) -> Axis:
    if forged := _codes(found, FORGED):
        return Axis(Answer.NO, "its signature does not fit its claim: one of them was changed", forged)
    if found.has("claimSignature.validated"):
        return Axis(
            Answer.YES, "its signature was made with the key of the named certificate", ("claimSignature.validated",)
        )
    return Axis(Answer.UNKNOWN, "its signature could not be checked")


def _timely(found: Found) -> Axis:
    late = _codes(found, LATE)
    if late:
        if found.has("timeStamp.untrusted"):
            why = "expired, and the time stamp that could save it is from an authority no list knows"
        elif found.has("timeStamp.mismatch", "timeStamp.malformed", "timeStamp.outsideValidity"):
            why = "expired, and its time stamp does not hold"
        else:
            why = "expired, and no time stamp says when it was used"
        return Axis(Answer.NO, f"its certificate has {why}", late)
    if found.has("timeStamp.trusted"):
        return Axis(Answer.YES, "a trusted time stamp lies within its certificate's validity", ("timeStamp.trusted",))
    if found.has("claimSignature.insideValidity"):
        return Axis(Answer.YES, "its certificate has not expired", ("claimSignature.insideValidity",))
    return Axis(Answer.UNKNOWN, "when it was signed could not be checked")


def _trusted(found: Found, judgement: TrustJudgement | None, authentic: Axis) -> Axis:
    if found.has(REVOKED):
        return Axis(Answer.NO, "its certificate was revoked by its issuer", (REVOKED,))
    if judgement is None:
        return Axis(Answer.UNKNOWN, "its certificate chain could not be read")
    if not judgement.trusted:
        return Axis(Answer.NO, judgement.statement, judgement.codes)
    if authentic.answer is not Answer.YES:
        return Axis(Answer.NO, f"the named signer is {judgement.statement}, but did not sign this", authentic.codes)
    if not found.has("signingCredential.trusted"):
        return Axis(
            Answer.UNKNOWN,
            f"{judgement.statement}, though the C2PA library does not confirm it",
            _codes(found, UNTRUSTED),
        )
    return Axis(Answer.YES, judgement.statement, judgement.codes)


def _fault(found: Found, judgement: TrustJudgement | None, timely: Axis) -> str:
    """The rule it breaks, tampering and plain lack of trust apart."""
    if found.has(REVOKED):
        return "its certificate was revoked by its issuer"
    if timely.answer is Answer.NO:
        return timely.statement
    if judgement is not None and judgement.refusal in _UNUSABLE:
        return judgement.statement
    explained = ALTERED | FORGED | MISSING | LATE | UNTRUSTED | {"timeStamp.untrusted"}
    broken = [
        status for status in found.failures() if status.code not in explained and not status.code.startswith("cawg.")
    ]
    if not broken:
        return ""
    codes = ", ".join(dict.fromkeys(status.code for status in broken))
    return f"it breaks a rule of the specification ({codes})"


def _standing(intact: Axis, authentic: Axis, trusted: Axis, fault: str) -> Standing:
    if Answer.NO in (intact.answer, authentic.answer):
        return Standing.TAMPERED
    if fault:
        return Standing.INVALID
    if Answer.UNKNOWN in (intact.answer, authentic.answer):
        return Standing.UNKNOWN
    return Standing.TRUSTED if trusted.answer is Answer.YES else Standing.VALID


def _codes(found: Found, codes: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(status.code for status in found.failures(codes)))
