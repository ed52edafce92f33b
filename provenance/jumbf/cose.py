"""The COSE_Sign1 of a claim: certificate chain, time stamps, stapled revocation answers (RFC 9052, RFC 9360, C2PA 2.2 §13, §14).

Rules: lengths and counts are bounded before anything is kept; the unprotected header is the attacker's to write, so what is
taken from there (v1 chains, time stamps, revocation answers) proves nothing until somebody has checked it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2

MAX_SIGNATURE_BOX: Final = 4 * 1024 * 1024  # bytes, padding included
MAX_CERTIFICATES: Final = 16
MAX_CERTIFICATE: Final = 64 * 1024  # bytes
MAX_TOKENS: Final = 8

_X5CHAIN: Final = (33, "x5chain")


@dataclass(frozen=True, slots=True)
class TimeStampToken:
    """An RFC 3161 answer as stored: DER of a TimeStampToken, or (version 1) often of the whole TimeStampResp.

    Both stamp a Sig_structure with context CounterSignature: version 1 (`sigTst`) over the claim, version 2 (`sigTst2`)
    over the CBOR-encoded signature field (measured on files of three vendors). Only the second proves that the signature existed.
    """

    version: int
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSignature:
    """What a COSE_Sign1 carries. `chain` is DER, leaf first, as the signer wrote it: nothing here is verified."""

    algorithm: int | str | None = None  # COSE identifier: -7 ES256, -37 PS256, -8 EdDSA …
    protected: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    chain_protected: bool = False
    stamps: tuple[TimeStampToken, ...] = ()
    ocsp_responses: tuple[bytes, ...] = field(default=(), repr=False)  # rVals, DER OCSPResponse
    defects: tuple[str, ...] = ()

    def signed(self, claim: bytes) -> bytes:
        """The bytes over which the signature is: the claim as detached payload (RFC 9052 §4.4, C2PA 2.2 §13.2)."""
        return cbor2.dumps(["Signature1", self.protected, b"", claim])

    def stamped(self, token: TimeStampToken, claim: bytes) -> bytes:
        """The bytes whose digest a time stamp must carry; `claim` is the claim's CBOR (C2PA 2.2 §10.3.2.5)."""
        if token.version == 1:
            return cbor2.dumps(["CounterSignature", self.protected, b"", claim])
        return cbor2.dumps(["CounterSignature", self.protected, b"", cbor2.dumps(self.signature)])

    @property
    def stamped_later(self) -> tuple[bytes, ...]:
        """The bytes over which a stamp brought by a later manifest may be: the signature bare, as the C2PA library writes it, or
        as the payload of a counter-signature (C2PA 2.2 §18.17.3)."""
        wrapped = (self.signature, cbor2.dumps(self.signature))
        return self.signature, *(cbor2.dumps(["CounterSignature", self.protected, b"", one]) for one in wrapped)

    @property
    def signer_fingerprint(self) -> str:
        """SHA-256 of the leaf certificate, hexadecimal; empty without one."""
        return hashlib.sha256(self.chain[0]).hexdigest() if self.chain else ""


def claim_signature(data: bytes) -> ClaimSignature:
    """Read a `c2pa.signature` box's content. Total: what cannot be read is named in `defects`."""
    if len(data) > MAX_SIGNATURE_BOX:
        return ClaimSignature(defects=(f"its signature box has {len(data):,} bytes",))
    try:
        message = cbor2.loads(data, max_depth=16)
        fields = message.value if isinstance(message, cbor2.CBORTag) else message
        protected_bytes, unprotected, _, signature = fields
        protected = cbor2.loads(protected_bytes, max_depth=16) if protected_bytes else {}
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        return ClaimSignature(defects=(f"its signature is not a COSE_Sign1 ({type(error).__name__})",))
    if not (isinstance(protected, Mapping) and isinstance(unprotected, Mapping) and isinstance(signature, bytes)):
        return ClaimSignature(defects=("its signature is not a COSE_Sign1",))
    defects: list[str] = []
    chain_protected = any(key in protected for key in _X5CHAIN)
    chain = _chain(protected if chain_protected else unprotected, defects)
    algorithm = protected.get(1)
    return ClaimSignature(
        algorithm=algorithm if isinstance(algorithm, int | str) else None,
        protected=bytes(protected_bytes),
        signature=signature,
        chain=chain,
        chain_protected=chain_protected and bool(chain),
        stamps=(*_stamps(unprotected, "sigTst2", 2), *_stamps(unprotected, "sigTst", 1)),
        ocsp_responses=_ocsp(protected) or _ocsp(unprotected),
        defects=tuple(defects),
    )


def _chain(header: Mapping[Any, Any], defects: list[str]) -> tuple[bytes, ...]:
    named = [header[key] for key in _X5CHAIN if key in header]
    if len(named) > 1:  # readers differ on which of them they take
        defects.append("its signature names several certificate chains")
        return ()
    found: Any = named[0] if named else ()
    certificates = [found] if isinstance(found, bytes) else found
    if not isinstance(certificates, list | tuple):
        defects.append("its certificate chain is no list of certificates")
        return ()
    chain = tuple(certificate for certificate in certificates if isinstance(certificate, bytes))
    if (
        len(chain) != len(certificates)
        or len(chain) > MAX_CERTIFICATES
        or any(len(certificate) > MAX_CERTIFICATE for certificate in chain)
    ):
        defects.append("its certificate chain is malformed or larger than any real one")
        return ()
    return chain


def _stamps(header: Mapping[Any, Any], name: str, version: int) -> tuple[TimeStampToken, ...]:
    container = header.get(name)
    tokens = container.get("tstTokens") if isinstance(container, Mapping) else None
    if not isinstance(tokens, list | tuple):
        return ()
    values = [token.get("val") for token in tokens[:MAX_TOKENS] if isinstance(token, Mapping)]
    return tuple(TimeStampToken(version, value) for value in values if isinstance(value, bytes))


def _ocsp(header: Mapping[Any, Any]) -> tuple[bytes, ...]:
    container = header.get("rVals")
    values = container.get("ocspVals") if isinstance(container, Mapping) else None
    if not isinstance(values, list | tuple):
        return ()
    return tuple(value for value in values[:MAX_TOKENS] if isinstance(value, bytes))
