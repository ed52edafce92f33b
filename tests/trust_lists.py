"""Trust lists and policies over throw-away authorities."""

import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from custody_assets import Credential

from assay.provenance.trust import ListKind, Purpose, TrustList, TrustPolicy


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def chain(credential: Credential) -> tuple[bytes, ...]:
    return tuple(der(certificate) for certificate in credential.chain)


def trust_list(
    *authorities: Credential,
    list_id: str = "signers",
    purposes: tuple[Purpose, ...] = (Purpose.CLAIM_SIGNING,),
    kind: ListKind = ListKind.OFFICIAL,
    allowed: tuple[Credential, ...] = (),
    **more: Any,
) -> TrustList:
    anchors = tuple(der(a.certificate) for a in authorities)
    digests = frozenset(hashlib.sha256(der(c.certificate)).digest() for c in allowed)
    sha256 = hashlib.sha256(b"".join((*anchors, *sorted(digests)))).hexdigest()
    return TrustList(
        id=list_id,
        title=f"list {list_id}",
        kind=kind,
        purposes=purposes,
        anchors=anchors,
        allowed=digests,
        sha256=sha256,
        **more,
    )


def time_list(*authorities: Credential, list_id: str = "time") -> TrustList:
    return trust_list(*authorities, list_id=list_id, purposes=(Purpose.TIME_STAMPING,))


def policy(*lists: TrustList, **more: Any) -> TrustPolicy:
    return TrustPolicy(lists=lists, **more)
