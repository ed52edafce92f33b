"""Whether a chain is believed, for what, by which list, and the words when it is not."""

from datetime import timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from custody_assets import C2PA_SIGNING, NOW, Credential, authority, leaf, name
from hypothesis import given, settings
from hypothesis import strategies as st
from time_stamping import time_stamper
from trust_lists import chain, der, policy, time_list, trust_list

from assay.provenance.trust import ListKind, Purpose, Refusal, TrustJudgement, TrustPolicy, judge, path

CLAIM = Purpose.CLAIM_SIGNING
ROOT = authority("Root")
INTERMEDIATE = authority("Intermediate", ROOT)
SIGNER = leaf(INTERMEDIATE)
MICROSOFT_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.311.76.59.1.9")
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def judged(credential: Credential, believed: TrustPolicy, **options: object) -> TrustJudgement:
    return judge(chain(credential), CLAIM, believed, **options)  # type: ignore[arg-type]


def constrained(
    parent: Credential,
    *,
    ca: bool = True,
    path_length: int | None = None,
    signs: bool = True,
    ekus: tuple[x509.ObjectIdentifier, ...] = (),
    critical: x509.ExtensionType | None = None,
    extra: x509.ExtensionType | None = None,
    common_name: str = "Constrained",
) -> Credential:
    """An authority with a peculiarity, below `parent`."""
    key = authority().key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(parent.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, signs, False, False, False), critical=True)
    )
    if ekus:
        builder = builder.add_extension(x509.ExtendedKeyUsage(ekus), critical=False)
    if critical is not None:
        builder = builder.add_extension(critical, critical=True)
    if extra is not None:
        builder = builder.add_extension(extra, critical=False)
    certificate = builder.sign(parent.key, hashes.SHA256())
    above = parent.chain if parent.certificate.issuer != parent.certificate.subject else ()
    return Credential(key, (certificate, *above))


def test_a_signer_below_an_anchor_is_trusted_and_the_list_is_named() -> None:
    judgement = judged(SIGNER, policy(trust_list(ROOT)))
    assert (judgement.trusted_by, judgement.kind) == ("signers", ListKind.OFFICIAL)
    assert judgement.codes == ("signingCredential.trusted",)
    assert [holder.common_name for holder in judgement.path] == ["Test Signer", "Intermediate", "Root"]
    assert judgement.holder.organisation == "Throw-away Tests"
    assert judgement.holder.issuer == "Intermediate"
    assert int(judgement.holder.serial, 16) == SIGNER.certificate.serial_number


def test_an_issuing_authority_may_be_the_anchor() -> None:
    assert judged(SIGNER, policy(trust_list(INTERMEDIATE))).trusted


def test_without_its_intermediate_the_signer_is_unknown_and_the_missing_issuer_is_named() -> None:
    alone = Credential(SIGNER.key, SIGNER.chain[:1])
    judgement = judged(alone, policy(trust_list(ROOT)))
    assert (judgement.trusted_by, judgement.refusal) == (None, Refusal.NO_PATH)
    assert "Intermediate" in judgement.statement
    assert judged(alone, policy(trust_list(ROOT, INTERMEDIATE))).trusted


def test_a_root_of_the_time_stamping_list_vouches_for_no_claim() -> None:
    judgement = judged(SIGNER, policy(time_list(ROOT)))
    assert (judgement.trusted_by, judgement.refusal) == (None, Refusal.WRONG_PURPOSE)
    assert "time-stamping authorities" in judgement.statement
    assert judgement.codes == ("signingCredential.untrusted",)


def test_a_time_stamper_below_a_signers_root_signs_no_claim() -> None:
    judgement = judged(time_stamper(ROOT), policy(trust_list(ROOT)))
    assert judgement.refusal is Refusal.MISSING_USAGE
    assert judgement.codes == ("signingCredential.invalid",)


def test_a_signers_root_vouches_for_no_time_stamp() -> None:
    stamper = time_stamper(ROOT)
    assert not judge(chain(stamper), Purpose.TIME_STAMPING, policy(trust_list(ROOT))).trusted
    assert judge(chain(stamper), Purpose.TIME_STAMPING, policy(time_list(ROOT))).codes == ("timeStamp.trusted",)


def test_an_official_list_is_named_before_the_interim_one_whatever_their_order() -> None:
    lists = (trust_list(ROOT, list_id="old", kind=ListKind.INTERIM), trust_list(ROOT, list_id="new"))
    assert judged(SIGNER, policy(*lists)).trusted_by == "new"
    assert judged(SIGNER, policy(*reversed(lists))).trusted_by == "new"


def test_an_allowed_leaf_needs_no_path_but_must_be_in_date_and_fit_its_use() -> None:
    listed = trust_list(allowed=(SIGNER,))
    assert judged(SIGNER, policy(listed)).trusted
    assert not judged(leaf(INTERMEDIATE), policy(listed)).trusted
    assert judged(SIGNER, policy(listed), at=NOW + timedelta(days=999)).refusal is Refusal.EXPIRED
    stamper = time_stamper(ROOT)
    assert not judged(stamper, policy(trust_list(allowed=(stamper,)))).trusted


def test_expired_is_told_apart_from_unknown() -> None:
    old = leaf(ROOT, start=NOW - timedelta(days=100), end=NOW - timedelta(days=10))
    judgement = judged(old, policy(trust_list(ROOT)))
    assert (judgement.trusted_by, judgement.reaches, judgement.refusal) == (None, "signers", Refusal.EXPIRED)
    assert judgement.codes == ("signingCredential.expired",)
    assert "expired" in judgement.statement
    unknown = judged(old, policy())
    assert (unknown.reaches, unknown.codes) == (None, ("signingCredential.untrusted", "signingCredential.expired"))


def test_a_certified_time_within_validity_saves_an_expired_certificate() -> None:
    old = leaf(ROOT, start=NOW - timedelta(days=100), end=NOW - timedelta(days=10))
    assert judged(old, policy(trust_list(ROOT)), at=NOW - timedelta(days=50)).trusted
    assert judged(old, policy(trust_list(ROOT)), at=NOW - timedelta(days=200)).refusal is Refusal.NOT_YET_VALID


@pytest.mark.parametrize("usage", [Eku.EMAIL_PROTECTION, DOCUMENT_SIGNING, MICROSOFT_SIGNING, C2PA_SIGNING])
def test_each_usage_that_c2pa_accepts_suffices(usage: x509.ObjectIdentifier) -> None:
    assert judged(leaf(ROOT, ekus=(usage,)), policy(trust_list(ROOT))).trusted


@pytest.mark.parametrize(
    ("usages", "refusal"),
    [
        ((Eku.CLIENT_AUTH,), Refusal.MISSING_USAGE),
        ((Eku.CODE_SIGNING,), Refusal.MISSING_USAGE),
        ((Eku.EMAIL_PROTECTION, Eku.TIME_STAMPING), Refusal.FORBIDDEN_USAGE),
        ((Eku.EMAIL_PROTECTION, Eku.OCSP_SIGNING), Refusal.FORBIDDEN_USAGE),
        ((Eku.EMAIL_PROTECTION, Eku.ANY_EXTENDED_KEY_USAGE), Refusal.FORBIDDEN_USAGE),
    ],
)
def test_usages_that_c2pa_refuses(usages: tuple[x509.ObjectIdentifier, ...], refusal: Refusal) -> None:
    judgement = judged(leaf(ROOT, ekus=usages), policy(trust_list(ROOT)))
    assert (judgement.refusal, judgement.codes) == (refusal, ("signingCredential.invalid",))


def test_a_usage_of_the_users_own_can_be_accepted() -> None:
    signer = leaf(ROOT, ekus=(Eku.CODE_SIGNING,))
    assert judged(signer, policy(trust_list(ROOT), ekus=(Eku.CODE_SIGNING.dotted_string,))).trusted


def test_such_a_usage_stamps_no_time() -> None:
    signer = leaf(ROOT, ekus=(Eku.CODE_SIGNING,))
    believed = policy(time_list(ROOT), ekus=(Eku.CODE_SIGNING.dotted_string,))
    assert not judge(chain(signer), Purpose.TIME_STAMPING, believed).trusted


def test_time_stamping_must_be_critical() -> None:
    lax = leaf(ROOT, ekus=(Eku.TIME_STAMPING,), eku_critical=False)
    assert judge(chain(lax), Purpose.TIME_STAMPING, policy(time_list(ROOT))).refusal is Refusal.FORBIDDEN_USAGE


def test_name_constraints_refuse_even_where_they_are_not_critical() -> None:
    issuer = constrained(ROOT, extra=x509.NameConstraints([x509.DirectoryName(name("Other"))], None))
    assert judged(leaf(issuer), policy(trust_list(ROOT))).refusal is Refusal.UNKNOWN_CRITICAL


def test_a_signing_certificate_issues_nothing() -> None:
    """The classic attack: anybody with a trusted leaf mints another below it."""
    minted = leaf(Credential(SIGNER.key, SIGNER.chain), "Mallory")
    assert judged(minted, policy(trust_list(ROOT))).refusal is Refusal.NOT_A_CA


@pytest.mark.parametrize(
    ("peculiar", "refusal"),
    [
        ({"ca": False}, Refusal.NOT_A_CA),
        ({"signs": False}, Refusal.NOT_A_CA),
        ({"ekus": (Eku.TIME_STAMPING,)}, Refusal.ISSUER_USAGE),
        ({"ekus": (Eku.SERVER_AUTH, Eku.CLIENT_AUTH)}, Refusal.ISSUER_USAGE),
        (
            {"critical": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")},
            Refusal.UNKNOWN_CRITICAL,
        ),
        (
            {"critical": x509.NameConstraints([x509.DirectoryName(name("Other"))], None)},
            Refusal.UNKNOWN_CRITICAL,
        ),
    ],
)
def test_an_issuer_that_may_not_issue_this_breaks_the_path(peculiar: dict[str, object], refusal: Refusal) -> None:
    issuer = constrained(ROOT, **peculiar)  # type: ignore[arg-type]
    judgement = judged(leaf(issuer), policy(trust_list(ROOT)))
    assert (judgement.trusted_by, judgement.refusal) == (None, refusal)


def test_path_lengths_are_respected() -> None:
    below_zero = constrained(constrained(ROOT, path_length=0), common_name="Too deep")
    assert judged(leaf(below_zero), policy(trust_list(ROOT))).refusal is Refusal.PATH_LENGTH
    assert judged(leaf(constrained(ROOT, path_length=0)), policy(trust_list(ROOT))).trusted


def test_a_path_of_eight_holds_and_a_longer_one_is_not_followed() -> None:
    issuer = ROOT
    for depth in range(6):
        issuer = authority(f"Level {depth}", issuer)
    assert judged(leaf(issuer), policy(trust_list(ROOT))).trusted
    for depth in range(6, 12):
        issuer = authority(f"Level {depth}", issuer)
    assert not judged(leaf(issuer), policy(trust_list(ROOT))).trusted


def test_a_short_key_is_not_believed() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    weak = (
        x509.CertificateBuilder()
        .subject_name(name("Weak"))
        .issuer_name(ROOT.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([Eku.EMAIL_PROTECTION]), critical=False)
        .sign(ROOT.key, hashes.SHA256())
    )
    assert judge((der(weak),), CLAIM, policy(trust_list(ROOT))).refusal is Refusal.WEAK_KEY


def resigned(credential: Credential, issuer: Credential, algorithm: hashes.HashAlgorithm) -> Credential:
    """The same certificate, signed over another digest; the library would not do so with SHA-1."""
    certificate = asn1_x509.Certificate.load(der(credential.certificate))
    kind = {"algorithm": f"{algorithm.name}_ecdsa"}
    certificate["tbs_certificate"]["signature"] = kind
    certificate["signature_algorithm"] = kind
    content = certificate["tbs_certificate"].dump(force=True)
    certificate["signature_value"] = issuer.key.sign(content, ec.ECDSA(algorithm))
    return Credential(
        credential.key, (x509.load_der_x509_certificate(certificate.dump(force=True)), *credential.chain[1:])
    )


@pytest.mark.parametrize(("algorithm", "believed"), [(hashes.SHA1(), False), (hashes.SHA512(), True)])
def test_a_signature_over_sha1_is_none(algorithm: hashes.HashAlgorithm, believed: bool) -> None:
    signer = resigned(leaf(ROOT), ROOT, algorithm)
    assert judged(signer, policy(trust_list(ROOT))).trusted is believed


def test_a_name_alone_makes_no_issuer() -> None:
    """Same names, other key: the signature decides."""
    impostor = authority("Root")
    assert not judged(leaf(impostor), policy(trust_list(ROOT))).trusted


def test_order_of_the_chain_and_strangers_in_it_do_not_matter() -> None:
    stranger = authority("Stranger")
    shuffled = (chain(SIGNER)[0], der(stranger.certificate), b"no certificate", chain(SIGNER)[1])
    assert judge(shuffled, CLAIM, policy(trust_list(ROOT))).trusted


def test_cross_certificates_in_a_circle_end() -> None:
    one, two = authority("One"), authority("Two")
    circle = [
        x509.CertificateBuilder()
        .subject_name(subject.certificate.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(subject.key.public_key())
        .serial_number(n)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer.key, hashes.SHA256())
        for n, (subject, issuer) in enumerate([(one, two), (two, one)] * 4, 1)
    ]
    supplied = (chain(leaf(one))[0], *map(der, circle))
    assert judge(supplied, CLAIM, policy(trust_list(ROOT))).refusal is Refusal.NO_PATH
    assert judge(supplied, CLAIM, policy(trust_list(two))).trusted


def test_a_chain_made_to_exhaust_the_search_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven certificates of one name and one key: each issues every other, 13,700 paths, none to an anchor."""
    same = authority("Same")
    tangle = [
        x509.CertificateBuilder()
        .subject_name(name("Same"))
        .issuer_name(name("Same"))
        .public_key(same.key.public_key())
        .serial_number(number)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(same.key, hashes.SHA256())
        for number in range(1, 8)
    ]
    supplied = (chain(leaf(same))[0], *map(der, tangle))
    looked_at: list[bytes] = []
    real = path._issued_by
    monkeypatch.setattr(path, "_issued_by", lambda one, issuer: looked_at.append(one) or real(one, issuer))
    assert judge(supplied, CLAIM, policy(trust_list(ROOT))).refusal is Refusal.NO_PATH
    assert len(looked_at) < 64 * 8


def assurance(level: int) -> x509.UnrecognizedExtension:
    arc = b"\x06\x0a\x2b\x06\x01\x04\x01\x83\xe8\x5e\x03" + bytes([level * 10])
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.62558.3"), b"\x30\x0c" + arc)


def record(identifier: str) -> x509.UnrecognizedExtension:
    text = identifier.encode()
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.62558.4"), bytes([0x0C, len(text)]) + text)


def test_level_and_product_count_only_where_an_official_list_vouches() -> None:
    from assay.provenance.trust.store import load_products

    products = load_products()
    product = next(p for p in products if p.kind == "generatorProduct")
    signer = leaf(
        ROOT, product.common_name, organisation=product.organisation, extensions=(assurance(2), record(product.record))
    )
    told = judged(signer, policy(trust_list(ROOT), products=products))
    assert (told.assurance_level, told.product, told.product_matches) == (2, product, True)
    for kind in (ListKind.INTERIM, ListKind.USER, ListKind.DEVELOPMENT):
        claimed = judged(signer, policy(trust_list(ROOT, kind=kind), products=products))
        assert (claimed.trusted, claimed.assurance_level, claimed.record, claimed.product) == (True, None, "", None)


def test_a_product_of_another_name_is_noticed() -> None:
    from assay.provenance.trust.store import load_products

    products = load_products()
    signer = leaf(ROOT, "Mallory", extensions=(assurance(1), record(products[0].record)))
    told = judged(signer, policy(trust_list(ROOT), products=products))
    assert (told.assurance_level, told.product_matches) == (1, False)


@pytest.mark.parametrize("supplied", [(), (b"",), (b"\x30\x82\xff\xff",), (b"\x30" * 40_000,), tuple([b"x"] * 5_000)])
def test_what_is_no_certificate_is_refused_in_words(supplied: tuple[bytes, ...]) -> None:
    judgement = judge(supplied, CLAIM, policy(trust_list(ROOT)))
    assert (judgement.trusted, judgement.refusal) == (False, Refusal.UNREADABLE)
    assert judgement.statement


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_altered_byte_of_a_leaf_is_ever_trusted(data: st.DataObject) -> None:
    content = bytearray(chain(SIGNER)[0])
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    assert not judge((bytes(content), *chain(SIGNER)[1:]), CLAIM, policy(trust_list(ROOT))).trusted


def test_a_signature_of_seven_bits_in_its_last_octet_is_none() -> None:
    """DER allows a count of unused bits where these are zero, and the parser passes over it: an altered byte, all the same."""
    for _ in range(64):  # until a signature happens to end in a zero bit
        signer = leaf(INTERMEDIATE)
        content, *others = chain(signer)
        if content[-1] % 2 == 0:
            break
    place = -len(x509.load_der_x509_certificate(content).signature) - 1
    assert content[place] == 0
    altered = content[:place] + b"\x01" + content[place + 1 :]
    assert judge((content, *others), CLAIM, policy(trust_list(ROOT))).trusted
    assert not judge((altered, *others), CLAIM, policy(trust_list(ROOT))).trusted
