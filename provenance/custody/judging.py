"""One link by itself: is it intact, authentic, trusted, timely?

Rules: `Invalid` is not "tampered": each axis keeps its own codes and its own words; trust needs both the SDK's path and our
own over a list kept for claim signing; what cannot be told is unknown, never yes.
"""

from dataclasses import dataclass

from assay.provenance.custody.certifying import Certified
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
from assay.provenance.trust.answers import RevocationState

_LATE_NOW = ("signingCredential.expired",)
REVOKED = "signingCredential.ocsp.revoked"
_UNUSABLE = frozenset({Refusal.MISSING_USAGE, Refusal.FORBIDDEN_USAGE, Refusal.NOT_A_SIGNER, Refusal.WEAK_KEY})
_EXPLAINED = ALTERED | FORGED | MISSING | LATE | UNTRUSTED | {"timeStamp.untrusted"}  # by an axis of their own
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
    found: Found,
    certified: Certified,
    *,
    bound: bool,
    apart: str = "",
    unbound: str = "",
    updated: Axis | None = None,
    old_record: bool = False,
    defects: tuple[str, ...] = (),
) -> Judged:
    """Judge one link on its statuses and on its certificates.

    `bound`: it is about the bytes of this very file, being the active manifest or what that updates. `apart`: where it was found, if
    that is not in the file. `unbound`: why its hash, though it matches, does not tell that the picture is the one that was signed.
    `updated` is given for manifests that bind no bytes of their own, update manifests: whether those hold of what it updates
    (C2PA 2.2 §11.2.3).
    `old_record` is true for what was taken in by an ingredient assertion before version 3, which without failures carries no record at all. `defects` are
    what our own reader could not make sense of.
    """
    intact = _intact(found, bound=bound, apart=apart, unbound=unbound, updated=updated, old_record=old_record)
    authentic = _authentic(found, certified)
    timely = _timely(found, certified)
    trusted = _trusted(found, certified, authentic, timely)
    fault = _fault(found, certified, timely) or (f"its manifest is malformed: {defects[0]}" if defects else "")
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
    holder, product, trusted = judgement.holder, judgement.product, judgement.trusted
    return Signer(
        common_name=holder.common_name,
        organisation=holder.organisation,
        issuer=holder.issuer,
        serial=holder.serial,
        sha256=holder.sha256,
        not_before=holder.not_before,
        not_after=holder.not_after,
        trust_list=judgement.list_title if trusted else "",
        trust_list_id=judgement.trusted_by or "",
        trust_list_kind=judgement.kind.value if trusted and judgement.kind else "",
        development=trusted and judgement.kind is ListKind.DEVELOPMENT,
        assurance_level=judgement.assurance_level,
        product=product.common_name if product and judgement.product_matches else "",
    )


def _intact(found: Found, *, bound: bool, apart: str, unbound: str, updated: Axis | None, old_record: bool) -> Axis:
    """That the bytes do not fit tells not that they were changed: the manifest may have come from somewhere else."""
    altered = _codes(found, ALTERED)
    if bound and apart and set(altered) & BINDING_MISMATCH:
        return Axis(
            Answer.NO,
            f"the manifest kept apart from it ({apart}) was made for other bytes: this file was changed since, or is another one",
            altered,
        )
    if _SPLICED in " ".join(status.explanation for status in found.failures(BINDING_MISMATCH)):
        return Axis(
            Answer.NO,
            "its manifest was made for another file, or was moved or left over when this one was saved anew",
            altered,
        )
    if set(altered) & BINDING_MISMATCH:
        statement = "its bytes are not those that were signed"
        if not bound:
            statement = "its bytes were not those that were signed when it was taken in, and whoever did so was told"
        return Axis(Answer.NO, statement, altered)
    if altered:
        return Axis(Answer.NO, "its manifest was changed after it was signed", altered)
    matched = tuple(sorted({status.code for status in found.now if status.code in BINDING_MATCH}))
    if matched and unbound:
        return Axis(Answer.UNKNOWN, unbound, matched)
    if matched:
        # between and behind boxes anything may be
        hashed = "boxes" if "assertion.boxesHash.match" in matched else "bytes"
        statement = f"its {hashed} are those that were signed"
        return Axis(Answer.YES, statement if bound else f"{statement}, by the record of whoever took it in", matched)
    if updated is not None and updated.answer is not Answer.YES:
        return updated
    if updated is not None:
        return Axis(
            Answer.YES, "it only adds statements and binds no bytes of its own; what it updates does, and holds"
        )
    if not bound and (old_record or _lists_failures_only(found)):
        return Axis(Answer.YES, "no change was recorded when it was taken in (its record lists failures only)")
    return Axis(Answer.UNKNOWN, "nothing binds it to the bytes of a file, or nobody recorded having checked")


def _lists_failures_only(found: Found) -> bool:
    """Records before version 3 of the ingredient assertion name what failed, not what succeeded."""
    return found.recorded is not None and all(status.failure for status in found.recorded)


def _authentic(found: Found, certified: Certified) -> Axis:
    if forged := _codes(found, FORGED):
        return Axis(Answer.NO, "its signature does not fit its claim: one of them was changed", forged)
    if certified.another:
        return Axis(Answer.UNKNOWN, "it does not say plainly which certificate signed it")
    if found.has("claimSignature.validated"):
        statement = "its signature was made with the key of the named certificate"
        return Axis(Answer.YES, statement, ("claimSignature.validated",))
    return Axis(Answer.UNKNOWN, "its signature could not be checked")


def _timely(found: Found, certified: Certified) -> Axis:
    late, stamp, judgement = _codes(found, LATE), certified.stamp, certified.judgement
    valid = judgement.in_validity if judgement else None
    if certified.at is not None and valid:
        if certified.inherited:
            return Axis(Answer.YES, "its certificate was valid when something made from it was time-stamped")
        assert stamp is not None
        return Axis(Answer.YES, f"{stamp.statement}, while its certificate was valid", stamp.codes)
    if certified.at is not None and valid is False:
        return Axis(Answer.NO, "its certificate was not valid at the certified time", late or _LATE_NOW)
    if late or valid is False:
        codes = tuple(dict.fromkeys([*(late or _LATE_NOW), *(stamp.codes if stamp else ())]))
        why = f"no time stamp that could be believed says when it was used ({stamp.statement})" if stamp else ""
        why = why or "no time stamp says when it was used"
        return Axis(Answer.NO, f"its certificate is not valid today, and {why}", codes)
    if valid or found.has("claimSignature.insideValidity"):
        statement = "its certificate is valid today"
        return Axis(
            Answer.YES, f"{statement}; {stamp.statement}" if stamp else statement, ("claimSignature.insideValidity",)
        )
    return Axis(Answer.UNKNOWN, "when it was signed could not be checked")


def _trusted(found: Found, certified: Certified, authentic: Axis, timely: Axis) -> Axis:
    judgement, revoked = certified.judgement, certified.revocation
    if _is_revoked(found, certified):
        if revoked and revoked.state is RevocationState.REVOKED:
            return Axis(Answer.NO, revoked.statement, revoked.codes)
        return Axis(Answer.NO, "its certificate was revoked by its issuer", (REVOKED,))
    if judgement is None:
        return Axis(Answer.UNKNOWN, "its certificate chain could not be read")
    if not judgement.trusted:
        return Axis(Answer.NO, judgement.statement, judgement.codes)
    if authentic.answer is not Answer.YES:
        return Axis(Answer.NO, f"the named signer is {judgement.statement}, but did not sign this", authentic.codes)
    if revoked and revoked.state is RevocationState.UNKNOWN:
        return Axis(Answer.UNKNOWN, f"{judgement.statement}, but {revoked.statement}", revoked.codes)
    # An expired source that a later link's time stamp saves is untrusted for the SDK, which knows nothing of that.
    confirmed = found.has("signingCredential.trusted") or (certified.inherited and timely.answer is Answer.YES)
    if not confirmed:
        statement = f"{judgement.statement}, though the C2PA library does not confirm it"
        return Axis(Answer.UNKNOWN, statement, _codes(found, UNTRUSTED))
    if revoked and revoked.state in (RevocationState.UNREACHABLE, RevocationState.UNUSABLE):
        return Axis(Answer.YES, f"{judgement.statement}; {revoked.statement}", (*judgement.codes, *revoked.codes))
    return Axis(Answer.YES, judgement.statement, judgement.codes)


def _is_revoked(found: Found, certified: Certified) -> bool:
    return found.has(REVOKED) or bool(certified.revocation and certified.revocation.state is RevocationState.REVOKED)


def _fault(found: Found, certified: Certified, timely: Axis) -> str:
    """The rule it breaks, tampering and plain lack of trust apart."""
    if _is_revoked(found, certified):
        revoked = certified.revocation
        known = revoked is not None and revoked.state is RevocationState.REVOKED
        return revoked.statement if known and revoked else "its certificate was revoked by its issuer"
    if timely.answer is Answer.NO:
        return timely.statement
    judgement = certified.judgement
    if judgement is not None and judgement.refusal in _UNUSABLE:
        return judgement.statement
    broken = [s for s in found.failures() if s.code not in _EXPLAINED and not s.code.startswith("cawg.")]
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
