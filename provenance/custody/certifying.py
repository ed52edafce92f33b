"""What the certificates around one link prove: who signed, when, on which list that rests, and whether it was revoked.

Rules: only a time stamp that a time-stamping list vouches for certifies a moment, and one over a claim alone only for a
claim of version 1; without one of its own, a link lives on the earliest certified moment of what was made from it, for it
must have existed then; everything else is judged as of now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from time import monotonic

from assay.provenance.custody.statuses import ALTERED, FORGED, Found
from assay.provenance.custody.supplementing import CERTIFICATE_STATUS, TIME_STAMP, Supplements
from assay.provenance.jumbf.cose import ClaimSignature
from assay.provenance.jumbf.store import ManifestStore, StoredManifest
from assay.provenance.trust import Purpose, TrustJudgement, TrustPolicy, judge
from assay.provenance.trust.answers import Revocation, RevocationState, responders
from assay.provenance.trust.certificates import terms
from assay.provenance.trust.revocation import revocation
from assay.provenance.trust.signatures import cose_signature_holds
from assay.provenance.trust.time_stamps import CertifiedTime, best_time

_CERTIFICATES_ELSEWHERE = ("cawg.identity", TIME_STAMP, CERTIFICATE_STATUS)
_CLAIM_V1 = "c2pa.claim"
_BEFOREHAND = CertifiedTime(
    statement="its time stamp is of the old kind, over the claim alone, and may have been got before the signature was made"
)
_REVOKED_SINCE = "that time is its claim's, and whether the signature was made before the revocation is not certain"
_MAX_PRESENTED = 64  # certificates; with more, sorting them out costs more than it saves


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """`at` is the moment at which the chain was judged where one is certified; `inherited` from a later link. `another`: the
    signature holds for the SDK, but not with the certificate that we read."""

    judgement: TrustJudgement | None = None
    stamp: CertifiedTime | None = None
    revocation: Revocation | None = None
    at: datetime | None = None
    inherited: bool = False
    another: bool = False

    @property
    def certified_time(self) -> datetime | None:
        """The link's own certified time of signing."""
        return self.stamp.time if self.stamp and self.stamp.certified else None


def stamp_of(
    stored: StoredManifest | None, policy: TrustPolicy, *, brought: tuple[bytes, ...] = ()
) -> CertifiedTime | None:
    """The best of a link's own time stamps, judged; else the best of those that later manifests brought for it (C2PA 2.2
    §15.8.1.2), marked as such; None where there is none.

    What a version 1 stamp covers, claim and protected header, is there before anybody signs: whoever comes by a key later could
    have had the stamp for years. Claims of version 2 have stamps over the signature, so that nothing else counts for them.
    """
    if stored is None or stored.signature is None or not (stored.signature.stamps or brought):
        return None
    signature = stored.signature
    own = _own_stamp(signature, stored, policy)
    if not brought or (own is not None and own.certified):
        return own
    later = best_time(((token, message) for token in brought for message in signature.stamped_later), policy)
    if later is None or (own is not None and not later.certified):
        return own
    return replace(later, later=True, statement=f"{later.statement} (a time stamp that a later manifest brought)")


def _own_stamp(signature: ClaimSignature, stored: StoredManifest, policy: TrustPolicy) -> CertifiedTime | None:
    over = {
        version: [(s.der, signature.stamped(s, stored.claim)) for s in signature.stamps if s.version == version]
        for version in (1, 2)
    }
    found = best_time(over[2], policy)
    if not over[1] or (found is not None and found.certified):
        return found
    if stored.claim_label != _CLAIM_V1:
        return found or _BEFOREHAND
    old = best_time(over[1], policy)
    if old is None or not old.certified:
        return found or old
    return replace(old, of_claim=True, statement=f"its claim was {old.statement}")


def presented(store: ManifestStore, stamps: Mapping[str, CertifiedTime | None]) -> frozenset[bytes] | None:
    """Every certificate (DER) that a validator meets in a store; None where some may lie elsewhere than in claim signatures,
    their one time stamp and stapled revocation answers, or could not be read."""
    found = set[bytes]()
    if len(stamps) < len(store.manifests):  # two manifests of one name
        return None
    for manifest in store.manifests:
        signature, stamp = manifest.signature, stamps.get(manifest.label)
        if manifest.defects or signature is None or len(signature.stamps) > 1:
            return None
        if any(assertion.label.startswith(_CERTIFICATES_ELSEWHERE) for assertion in manifest.assertions):
            return None
        if signature.stamps and not (stamp and stamp.certificates):
            return None
        answering = [responders(answer) for answer in signature.ocsp_responses]
        if None in answering:
            return None
        found.update(signature.chain, stamp.certificates if stamp else (), *(one for one in answering if one))
    return frozenset(found) if len(found) <= _MAX_PRESENTED else None


def inherited_times(
    order: tuple[str, ...], sources: Mapping[str, tuple[str, ...]], stamps: Mapping[str, CertifiedTime | None]
) -> dict[str, datetime]:
    """Per label, the earliest certified moment of a later link that was made from it. `order` is oldest first."""
    known: dict[str, datetime] = {}
    for label in reversed(order):
        stamp = stamps.get(label)
        own = stamp.time if stamp and stamp.certified else None
        moments = [moment for moment in (own, known.get(label)) if moment is not None]
        if moments:
            for source in sources.get(label, ()):
                known[source] = min([*moments, *([known[source]] if source in known else [])])
    return known


def vouching(
    stamps: Mapping[str, CertifiedTime | None], statuses: Mapping[str, Found]
) -> dict[str, CertifiedTime | None]:
    """The stamps of links whose own signature and bytes hold: only these may save an earlier link."""
    return {
        label: stamp
        for label, stamp in stamps.items()
        if (found := statuses.get(label, Found())).has("claimSignature.validated")
        and not found.failures(ALTERED | FORGED)
    }


def certify(
    stored: StoredManifest | None,
    serial: str,
    policy: TrustPolicy,
    *,
    validated: bool,
    stamp: CertifiedTime | None,
    inherited: datetime | None,
    brought: Supplements,
) -> Certified:
    """Judge a link's certificate chain for claim signing (C2PA 2.2 §14.4, §14.5).

    `serial` (decimal) is that of the certificate on which the SDK checked the signature, `validated` that it held. Readers may
    differ on which of several chains they take, so only the certificate whose key made this signature over this claim is judged.
    `brought` are revocation answers in any manifest of the store, which count like stapled ones (§15.9).
    """
    if stored is None or stored.signature is None or not stored.signature.chain:
        return Certified(stamp=stamp)
    own = stamp.time if stamp and stamp.certified else None
    signature, leaf = stored.signature, terms(stored.signature.chain[0])
    if validated and not (
        leaf
        and cose_signature_holds(leaf.key, signature.algorithm, signature.signature, signature.signed(stored.claim))
    ):
        return Certified(stamp=stamp, another=True)
    chain = signature.chain
    at = own or inherited
    judgement = _judged(chain, policy, at, int(monotonic()) // 60)
    holder = judgement.holder
    if not (serial.isdecimal() and holder.serial and int(serial) == int(holder.serial, 16)):
        return Certified(stamp=stamp)
    path = (int(serial), *(int(one.serial, 16) for one in judgement.path[1:-1]))
    later = (answer for number in path for answer in brought.answers.get(number, ()))
    told = revocation(judgement, chain, policy, stapled=(*signature.ocsp_responses, *later), at=at)
    if told.state is RevocationState.GOOD and told.revoked_at and own and stamp and stamp.of_claim:
        told = replace(told, statement=f"{told.statement}; {_REVOKED_SINCE}")
    return Certified(
        judgement=judgement,
        stamp=stamp,
        revocation=told,
        at=at,
        inherited=own is None and inherited is not None,
    )


@lru_cache(maxsize=512)
def _judged(chain: tuple[bytes, ...], policy: TrustPolicy, at: datetime | None, minute: int) -> TrustJudgement:
    """One judgement a minute for each chain: a folder's pictures share few signers."""
    return judge(chain, Purpose.CLAIM_SIGNING, policy, at=at)
