"""Whom we believe: trust lists by purpose, certificate paths, revocation and time."""

from assay.provenance.trust.answers import Revocation, RevocationState
from assay.provenance.trust.certificates import CertificateNames, names
from assay.provenance.trust.judging import TrustJudgement, judge
from assay.provenance.trust.path import Refusal
from assay.provenance.trust.policy import NO_IDENTITY_LIST, TrustPolicy, default_policy
from assay.provenance.trust.products import Product
from assay.provenance.trust.reading import TrustListRefused
from assay.provenance.trust.revocation import revocation
from assay.provenance.trust.time_stamps import CertifiedTime, best_time, certified_time
from assay.provenance.trust.trust_list import ListKind, Purpose, TrustList

__all__ = [
    "NO_IDENTITY_LIST",
    "CertificateNames",
    "CertifiedTime",
    "ListKind",
    "Product",
    "Purpose",
    "Refusal",
    "Revocation",
    "RevocationState",
    "TrustJudgement",
    "TrustList",
    "TrustListRefused",
    "TrustPolicy",
    "best_time",
    "certified_time",
    "default_policy",
    "judge",
    "names",
    "revocation",
]
