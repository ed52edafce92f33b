"""Soft bindings in manifests: named whatever their value looks like, and never taken for checked."""

from collections.abc import Callable
from hashlib import sha256

import cbor2
import custody_assets as made
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.custody.locating import locate
from assay.provenance.jumbf.store import parse_store

Judged = Callable[..., Custody]


def bound(jpeg: bytes, signer: made.Credential, value: object, **options: bool) -> bytes:
    description = made.created()
    content = {"alg": "io.iscc.v0", "blocks": [{"scope": {}, "value": value}], "pad": []}
    description["assertions"].append({"label": "c2pa.soft-binding", "data": content})
    return made.sign(jpeg, description, signer, **options).content


def as_byte_string(content: bytes, array: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The file with its soft binding's value as the specification has it, which the C2PA library cannot be made to write."""
    assert content.count(array) == 1
    changed = content.replace(array, b"\x58" + array[1:])  # CBOR: an array of n small numbers, a byte string of n bytes
    start = content.rindex(b"jumb", 0, content.index(b"c2pa.soft-binding\0")) - 4
    box = slice(start + 8, start + int.from_bytes(content[start : start + 4]))
    stored = parse_store(locate(Asset.from_bytes(content)).stores[-1].store).manifests[-1]
    assert stored.signature is not None
    claim = stored.claim.replace(sha256(content[box]).digest(), sha256(changed[box]).digest())
    assert claim != stored.claim
    signed = key.sign(cbor2.dumps(["Signature1", stored.signature.protected, b"", claim]), ec.ECDSA(SHA256()))
    signature = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signed))
    return changed.replace(stored.claim, claim).replace(stored.signature.signature, signature)


@pytest.mark.parametrize("form", ["array", "byte string", "text"])
def test_a_soft_binding_is_named_however_its_value_is_written(
    jpeg: bytes, signer: made.Credential, judged: Judged, form: str
) -> None:
    value = [*range(24), *range(10)]  # small enough for one byte each in CBOR
    content = bound(jpeg, signer, "IQECAwQ=" if form == "text" else value)
    if form == "byte string":
        content = as_byte_string(content, bytes((0x98, 34, *value)), signer.key)
    custody = judged(content)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[-1].soft_bindings == ("io.iscc.v0",)


@pytest.mark.parametrize("value", [7, None, {"a": 1}, ["x"], [300, -1]])
def test_a_soft_binding_whose_value_is_none_at_all_breaks_a_rule(
    jpeg: bytes, signer: made.Credential, judged: Judged, value: object
) -> None:
    custody = judged(bound(jpeg, signer, value, check=False))
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].soft_bindings == ("io.iscc.v0",)
    assert "claim.malformed" in custody.headline
