"""A stranger who puts a trusted signer's certificates beside their own, and records of their own trust into their own manifest."""

import io
from collections.abc import Callable

import cbor2
import custody_assets as made
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Standing
from assay.provenance.custody.locating import locate
from assay.provenance.jumbf.store import parse_store
from assay.provenance.trust.signatures import cose_signature_holds

LABEL = "urn:c2pa:11111111-1111-4111-8111-111111111111"
STATED = {
    "activeManifest": {
        "success": [
            {"code": code, "url": f"self#jumbf=/c2pa/{LABEL}/anything"}
            for code in ("signingCredential.trusted", "claimSignature.validated")
        ],
        "informational": [],
        "failure": [],
    }
}


@pytest.fixture
def namesake(signer: made.Credential, monkeypatch: pytest.MonkeyPatch) -> made.Credential:
    """A stranger whose certificate has the trusted signer's serial number."""
    monkeypatch.setattr(x509, "random_serial_number", lambda: signer.certificate.serial_number)
    return made.leaf(made.authority("Unknown Root"), "Namesake", organisation="Namesake & Co")


def raw(key: ec.EllipticCurvePrivateKey, message: bytes, digest: SHA256 | SHA384 | SHA512, size: int) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def with_header(content: bytes, protected: dict[object, object], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The file with its claim signed anew by `key` under another protected header, in the same number of bytes."""
    stored = parse_store(locate(Asset.from_bytes(content)).stores[-1].store).manifests[-1]
    assert stored.signature is not None
    start = content.rindex(b"\xd2\x84", 0, content.index(stored.signature.protected))
    stream = io.BytesIO(content[start:])
    cbor2.CBORDecoder(stream).decode()
    size, header = stream.tell(), cbor2.dumps(protected)
    signature = raw(key, cbor2.dumps(["Signature1", header, b"", stored.claim]), SHA256(), 32)

    def message(padding: int, more: int) -> bytes:
        pads = {"pad": bytes(padding), "pad2": bytes(more)}
        return cbor2.dumps(cbor2.CBORTag(18, [header, pads, None, signature]))

    pads = (
        (n, more) for more in range(2) for n in range(size, 0, -1)
    )  # `pad` alone skips a size where its length grows
    new = next(made for pad in pads if len(made := message(*pad)) == size)
    return content[:start] + new + content[start + size :]


@pytest.mark.parametrize("stranger_first", [True, False])
def test_a_trusted_certificate_beside_the_one_that_signed_lends_no_trust(
    jpeg: bytes,
    signer: made.Credential,
    namesake: made.Credential,
    judged: Callable[..., Custody],
    stranger_first: bool,
) -> None:
    told = {"title": "x", "relationship": "inputTo", "label": "i1", "validation_results": STATED}
    signed = made.sign(jpeg, made.created() | {"label": LABEL, "ingredients": [told]}, namesake, check=False)
    chains: list[tuple[object, object]] = [
        ("x5chain", [namesake.certificate.public_bytes(Encoding.DER)]),
        (33, [signer.certificate.public_bytes(Encoding.DER)]),
    ]
    header = {1: -7} | dict(chains if stranger_first else reversed(chains))
    custody = judged(with_header(signed.content, header, namesake.key))
    (link,) = custody.links
    assert link.now is not Standing.TRUSTED
    assert link.axes.trusted.answer is not Answer.YES
    assert custody.bottom_line is not BottomLine.TRUSTED
    assert not link.signer.who.startswith("Throw-away")
    assert "vouched for" not in custody.headline


def test_the_same_rewriting_with_the_signers_own_chain_alone_holds(
    signed: made.Signed, signer: made.Credential, judged: Callable[..., Custody]
) -> None:
    header = {1: -7, 33: [signer.certificate.public_bytes(Encoding.DER)]}
    custody = judged(with_header(signed.content, header, signer.key))
    assert custody.bottom_line is BottomLine.TRUSTED


@pytest.mark.parametrize(
    ("algorithm", "curve", "digest", "size"),
    [
        (-7, ec.SECP256R1(), SHA256(), 32),
        (-35, ec.SECP384R1(), SHA384(), 48),
        (-36, ec.SECP521R1(), SHA512(), 66),
        (-7, ec.SECP384R1(), SHA256(), 48),
    ],
)
def test_ecdsa_of_cose(algorithm: int, curve: ec.EllipticCurve, digest: SHA256 | SHA384 | SHA512, size: int) -> None:
    key = ec.generate_private_key(curve)
    signature = raw(key, b"message", digest, size)
    assert cose_signature_holds(key.public_key(), algorithm, signature, b"message")
    assert not cose_signature_holds(key.public_key(), algorithm, signature, b"massage")
    assert not cose_signature_holds(key.public_key(), -37, signature, b"message")
    assert not cose_signature_holds(key.public_key(), algorithm, signature[:-1], b"message")


def test_rsa_and_eddsa_of_cose() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pss = key.sign(b"message", padding.PSS(padding.MGF1(SHA384()), 48), SHA384())
    assert cose_signature_holds(key.public_key(), -38, pss, b"message")
    assert not cose_signature_holds(key.public_key(), -37, pss, b"message")
    edwards = ed25519.Ed25519PrivateKey.generate()
    assert cose_signature_holds(edwards.public_key(), -8, edwards.sign(b"message"), b"message")
    assert not cose_signature_holds(edwards.public_key(), -7, edwards.sign(b"message"), b"message")
