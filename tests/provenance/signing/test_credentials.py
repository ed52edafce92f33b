"""What is wrong with a chain, in words: and where we say refused, the SDK refuses."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from signing_assets import picture
from signing_certificates import CLAIM_SIGNING, make, pem, private, rsa_key

from assay.cli import assay
from assay.provenance.errors import AssayError, CredentialRefused, OutputRefused
from assay.provenance.signing import Recipe, SoftwareAgent, key_signer, sign
from assay.provenance.signing.credentials import Severity, check_chain, request_certificate
from assay.provenance.signing.development import development_credential

MODEL = SoftwareAgent("example-model")


def refusals(chain: bytes, key: bytes | None = None) -> list[str]:
    return [f.statement for f in check_chain(chain, key) if f.severity is Severity.REFUSED]


def signs(chain: bytes, key: bytes) -> bool:
    """Whether the SDK signs with it and the result holds."""
    try:
        sign(picture(), Recipe.generated(MODEL), key_signer(chain.decode(), key))
    except AssayError:
        return False
    return True


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa_key(),
    ],
    ids=["es256", "es384", "es512", "ed25519", "ps256"],
)
def test_a_chain_in_order_signs(key: Any) -> None:
    made = make(key=key)
    assert refusals(made.chain, made.key_pem) == []
    assert signs(made.chain, made.key_pem)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aki": False}, "authority key identifier"),
        ({"usages": None}, "no extended key usage"),
        ({"usages": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "none of its extended key usages"),
        ({"usages": (CLAIM_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)}, "allows any"),
        ({"usages": (CLAIM_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING)}, "timeStamping"),
        ({"ca": True}, "CA:TRUE"),
        ({"digital_signature": False}, "digitalSignature"),
        ({"days": (-20, -10)}, "expired on"),
        ({"days": (10, 20)}, "not valid before"),
    ],
)
def test_each_defect_is_named_and_the_sdk_agrees(changes: dict[str, Any], words: str) -> None:
    made = make(**changes)
    found = refusals(made.chain, made.key_pem)
    assert any(words in statement for statement in found), found
    assert not signs(made.chain, made.key_pem)


def test_a_chain_out_of_order_is_named() -> None:
    made = make()
    found = refusals(pem(made.root, made.leaf), made.key_pem)
    assert any("did not issue" in statement for statement in found)
    assert any("belongs to certificate 2" in statement for statement in found)


def test_a_strange_issuer_is_named() -> None:
    assert any("did not issue" in statement for statement in refusals(pem(make().leaf, make().root)))


def test_a_strange_key_is_named() -> None:
    made = make()
    stranger = private(ec.generate_private_key(ec.SECP256R1()))
    assert refusals(made.chain, stranger) == ["the private key belongs to no certificate of the chain"]
    with pytest.raises(CredentialRefused, match="does not belong"):
        key_signer(made.chain.decode(), stranger)


def test_notes_do_not_refuse() -> None:
    made = make(days=(-1, 900), organisation="", usages=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    findings = check_chain(made.chain, made.key_pem)
    assert {f.severity for f in findings} == {Severity.NOTE}
    words = " ".join(f.statement for f in findings)
    assert "more than 366 days" in words
    assert "no organisation" in words
    assert "lacks c2pa-kp-claimSigning" in words
    assert signs(made.chain, made.key_pem)


def test_a_self_signed_certificate_is_noted() -> None:
    made = make(self_signed=True)
    findings = check_chain(pem(made.leaf), made.key_pem)
    assert any("self-signed" in f.statement and f.severity is Severity.NOTE for f in findings)


@pytest.mark.parametrize("junk", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_junk_is_a_finding_not_a_crash(junk: bytes) -> None:
    assert refusals(junk) == ["this is no PEM certificate chain"]
    assert "cannot be read" in refusals(make().chain, junk)[0]


def test_a_key_never_shows_up_in_words() -> None:
    made = make()
    secret = made.key_pem.decode().splitlines()[1]
    signer = key_signer(made.chain.decode(), made.key_pem)
    assert secret not in repr(signer)
    broken = made.key_pem.replace(b"PRIVATE", b"PUBLIC!")
    with pytest.raises(CredentialRefused) as refused:
        key_signer(made.chain.decode(), broken)
    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_request_asks_for_the_usages_of_the_conformance_programme() -> None:
    made = request_certificate(common_name="Example News", organisation="Example News Ltd", country="GB")
    request = x509.load_pem_x509_csr(made.request)
    assert request.is_signature_valid
    usages = {u.dotted_string for u in request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    assert usages == {"1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.36"}
    assert request.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert not request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_keys_request_keeps_the_key_private_and_never_overwrites_it(tmp_path: Path) -> None:
    command = ["keys", "request", "--name", "N", "--organisation", "O", "-o", str(tmp_path)]
    assert CliRunner().invoke(assay, command).exit_code == 0
    key = tmp_path / "signer.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    (tmp_path / "signer.csr").unlink()
    result = CliRunner().invoke(assay, command)
    assert isinstance(result.exception, OutputRefused)
    assert key.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["signer.key"]


def test_keys_check_speaks_and_fails(tmp_path: Path) -> None:
    made = make(aki=False)
    (tmp_path / "chain.pem").write_bytes(made.chain)
    result = CliRunner().invoke(assay, ["keys", "check", str(tmp_path / "chain.pem")])
    assert result.exit_code == 1
    assert "refused  it has no authority key identifier" in result.output


def test_keys_check_says_that_a_key_stands_in_the_chains_file(tmp_path: Path) -> None:
    made = make()
    (tmp_path / "both.pem").write_bytes(made.chain + made.key_pem)
    command = ["keys", "check", str(tmp_path / "both.pem"), "--key", str(tmp_path / "both.pem")]
    result = CliRunner().invoke(assay, command)
    assert result.exit_code == 0
    assert "note     a private key stands among the certificates" in result.output
    assert "private key stands" not in " ".join(f.statement for f in check_chain(made.chain, made.key_pem))


def test_the_development_authority_is_private_and_says_what_it_is(assay_home: Path) -> None:
    chain, key = development_credential()
    folder = assay_home / "development"
    for name in ("authority.key", "signer.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert refusals(chain.encode(), key) == []
    for certificate in x509.load_pem_x509_certificates(chain.encode()):
        assert "not trusted by anybody else" in certificate.subject.rfc4514_string()
    assert development_credential() == (chain, key)


def test_many_first_users_end_up_with_one_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: development_credential(), range(8)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["development"]
    key_signer(made[0][0], made[0][1])
