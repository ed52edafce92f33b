"""Whether a certificate chain is believed for one purpose, on which list that rests, and why not.

Rules: a list vouches only for its own purposes; official lists are tried first, then interim, identity, user, development;
what the certificate says of assurance and product counts only where an official list reaches it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from assay.provenance.trust.certificates import (
    CertificateNames,
    assurance_level,
    conformance_record,
    names,
    parse,
    terms,
)
from assay.provenance.trust.path import MAX_STEPS, Path, Refusal, accepted_usages, find_path, leaf_refusal
from assay.provenance.trust.policy import TrustPolicy
from assay.provenance.trust.products import Product
from assay.provenance.trust.trust_list import ListKind, Purpose, TrustList

_CODES = {  # (claims and identities, time stamps): the specification's validation status codes, C2PA 2.2 §15.2
    "trusted": ("signingCredential.trusted", "timeStamp.trusted"),
    "untrusted": ("signingCredential.untrusted", "timeStamp.untrusted"),
    "expired": ("signingCredential.expired", "timeStamp.outsideValidity"),
    "invalid": ("signingCredential.invalid", "timeStamp.untrusted"),
}
_INVALID = frozenset(
    {Refusal.UNREADABLE, Refusal.MISSING_USAGE, Refusal.FORBIDDEN_USAGE, Refusal.NOT_A_SIGNER, Refusal.WEAK_KEY}
)
_WORDS = {
    Refusal.UNREADABLE: "its certificate cannot be read",
    Refusal.NO_PATH: "no trust list leads to its certificate",
    Refusal.MISSING_USAGE: "its certificate is not issued for this use (extended key usage)",
    Refusal.FORBIDDEN_USAGE: "its certificate combines uses that exclude each other (extended key usage)",
    Refusal.NOT_A_SIGNER: "its certificate is not one that may sign content",
    Refusal.NOT_A_CA: "an issuer on the path is no certificate authority",
    Refusal.PATH_LENGTH: "an issuer on the path may not have authorities below it",
    Refusal.ISSUER_USAGE: "an issuer on the path may not certify for this use",
    Refusal.WEAK_KEY: "a key on the path is too short",
    Refusal.UNKNOWN_CRITICAL: "a certificate on the path has a critical extension that cannot be judged",
}
_USES = {
    Purpose.CLAIM_SIGNING: "signers of content",
    Purpose.TIME_STAMPING: "time-stamping authorities",
    Purpose.IDENTITY: "identities",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustJudgement:
    """What the lists say of one chain.

    `trusted_by` is the id of the list that vouches for it in every respect, else None. `reaches` is the list its path leads
    to even where only the dates are wrong, so that "expired" is not told as "unknown". `path` runs from leaf to anchor.
    """

    purpose: Purpose
    trusted_by: str | None
    kind: ListKind | None
    list_title: str
    reaches: str | None
    in_validity: bool | None  # None: the certificate cannot be read
    judged_at: datetime
    holder: CertificateNames
    path: tuple[CertificateNames, ...] = ()
    path_der: tuple[bytes, ...] = field(default=(), repr=False)
    assurance_level: int | None = None
    record: str = ""  # of the conforming-products list, as the certificate names it
    product: Product | None = None
    refusal: Refusal | None = None
    codes: tuple[str, ...] = ()
    statement: str = ""

    @property
    def trusted(self) -> bool:
        """Whether a list kept for this purpose vouches for the certificate, dates included."""
        return self.trusted_by is not None

    @property
    def development(self) -> bool:
        """Whether it rests on assay's own throw-away authority only."""
        return self.kind is ListKind.DEVELOPMENT

    @property
    def product_matches(self) -> bool | None:
        """Whether the certificate's subject is that of the product it names; None where it names none that is listed."""
        return None if self.product is None else self.product.names_match(self.holder)


def judge(
    chain_der: tuple[bytes, ...], purpose: Purpose, policy: TrustPolicy, at: datetime | None = None
) -> TrustJudgement:
    """Judge a chain (DER, leaf first) at the certified time `at`, or now where no time is certified. Total: never raises."""
    moment = at or policy.now or datetime.now(UTC)
    leaf = terms(chain_der[0]) if chain_der else None
    if leaf is None:
        return _refused(CertificateNames(), purpose, Refusal.UNREADABLE, moment, in_validity=None)
    holder = names(chain_der[0])
    in_validity = leaf.not_before <= moment <= leaf.not_after
    refusal, late = Refusal.NO_PATH, None
    for trust_list in policy.lists_for(purpose):
        accepted = accepted_usages(purpose, trust_list.ekus + policy.ekus)
        if wrong := leaf_refusal(leaf, purpose, accepted):
            refusal = wrong
            continue
        found = find_path(chain_der, trust_list, accepted, moment)
        match found:
            case Path(dates=None):
                return _reached(found, purpose, policy, moment, in_validity=in_validity)
            case Path():
                late = late or found
            case Refusal():
                refusal = found if found is not Refusal.NO_PATH else refusal
    if late is not None:
        return _reached(late, purpose, policy, moment, in_validity=in_validity)
    if refusal is Refusal.NO_PATH and not policy.lists_for(purpose):
        wrong = leaf_refusal(leaf, purpose, accepted_usages(purpose, policy.ekus))
        refusal = wrong or refusal
    elsewhere = _other_purpose(chain_der, purpose, policy, moment)
    if elsewhere and refusal in (Refusal.NO_PATH, Refusal.ISSUER_USAGE, Refusal.MISSING_USAGE):
        return _refused(holder, purpose, Refusal.WRONG_PURPOSE, moment, in_validity=in_validity, elsewhere=elsewhere)
    return _refused(holder, purpose, refusal, moment, in_validity=in_validity, missing=_missing_issuer(chain_der))


def _reached(
    found: Path, purpose: Purpose, policy: TrustPolicy, moment: datetime, *, in_validity: bool
) -> TrustJudgement:
    trust_list, leaf, holder = found.trust_list, parse(found.certificates[0]), names(found.certificates[0])
    official = trust_list.kind is ListKind.OFFICIAL and leaf is not None
    record = conformance_record(leaf) if official and leaf is not None else ""
    match found.dates:
        case None:
            key, statement = "trusted", f"vouched for by the {trust_list.title}"
        case Refusal.NOT_YET_VALID:
            key, statement = "expired", f"a certificate on its path was not valid yet on {moment:%Y-%m-%d %H:%M} UTC"
        case _ if in_validity:
            key, statement = "expired", f"the certificate of an issuer had expired by {moment:%Y-%m-%d %H:%M} UTC"
        case _:
            key, statement = "expired", f"its certificate had expired on {holder.not_after:%Y-%m-%d}"
    if found.dates is not None:
        statement += f"; otherwise the {trust_list.title} would vouch for it"
    return TrustJudgement(
        purpose=purpose,
        trusted_by=trust_list.id if found.dates is None else None,
        kind=trust_list.kind,
        list_title=trust_list.title,
        reaches=trust_list.id,
        in_validity=in_validity,
        judged_at=moment,
        holder=holder,
        path=tuple(names(der) for der in found.certificates),
        path_der=found.certificates,
        assurance_level=assurance_level(leaf) if official and leaf is not None else None,
        record=record,
        product=policy.product(record),
        refusal=found.dates,
        codes=(_code(key, purpose),),
        statement=statement,
    )


def _refused(
    holder: CertificateNames,
    purpose: Purpose,
    refusal: Refusal,
    moment: datetime,
    *,
    in_validity: bool | None,
    elsewhere: TrustList | None = None,
    missing: str = "",
) -> TrustJudgement:
    if elsewhere is not None:
        kept_for = " and ".join(_USES[p] for p in elsewhere.purposes)
        statement = f"only the {elsewhere.title} knows its certificate, and that is kept for {kept_for}"
    else:
        statement = _WORDS[refusal]
        if refusal is Refusal.NO_PATH and missing:
            statement += f": its issuer “{missing}” is neither in the file nor on a list"
    codes = [_code("invalid" if refusal in _INVALID else "untrusted", purpose)]
    if in_validity is False:
        codes.append(_code("expired", purpose))
        statement += f"; besides, it was not valid on {moment:%Y-%m-%d %H:%M} UTC"
    return TrustJudgement(
        purpose=purpose,
        trusted_by=None,
        kind=None,
        list_title="",
        reaches=None,
        in_validity=in_validity,
        judged_at=moment,
        holder=holder,
        refusal=refusal,
        codes=tuple(codes),
        statement=statement,
    )


def _code(key: str, purpose: Purpose) -> str:
    return _CODES[key][purpose is Purpose.TIME_STAMPING]


def _other_purpose(chain: tuple[bytes, ...], purpose: Purpose, policy: TrustPolicy, at: datetime) -> TrustList | None:
    """A list of another purpose to which the chain leads: worth telling, never worth believing."""
    for trust_list in policy.lists:
        if purpose not in trust_list.purposes:
            usages = frozenset().union(*(accepted_usages(p) for p in Purpose))
            if isinstance(find_path(chain, trust_list, usages, at), Path):
                return trust_list
    return None


def _missing_issuer(chain: tuple[bytes, ...]) -> str:
    """The name of the first issuer that the chain itself does not contain; empty for a self-signed end."""
    certificate = parse(chain[0])
    for _ in range(MAX_STEPS):
        if certificate is None or certificate.issuer == certificate.subject:
            return ""
        issuer = next((c for c in map(parse, chain[:MAX_STEPS]) if c and c.subject == certificate.issuer), None)
        if issuer is None:
            return str(certificate.issuer.rfc4514_string())[:200]
        certificate = issuer
    return ""
