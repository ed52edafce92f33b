"""Throw-away authorities and signed pictures, made at test time and named by their defect."""

import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from cryptography.x509.oid import NameOID
from PIL import Image, ImageDraw

from assay.provenance import _c2pa
from assay.provenance.trust import ListKind, Purpose, TrustList

NOW = datetime.now(UTC)
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
C2PA_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")


def name(common_name: str, organisation: str = "Throw-away Tests") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True)
class Credential:
    """A key and its certificate chain, leaf first (root left out for leaves)."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def chain_pem(self) -> bytes:
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def signer(self, tsa_url: str | None = None) -> Any:
        return _c2pa.signer_from_key("es256", self.chain_pem, self.key_pem, tsa_url=tsa_url)


def authority(
    common_name: str = "Throw-away Root", parent: Credential | None = None, *, ocsp_url: str | None = None
) -> Credential:
    """A root, or an intermediate below `parent`."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = parent.certificate.subject if parent else name(common_name)
    issuer_key = parent.key if parent else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=4000))
        .not_valid_after(NOW + timedelta(days=4000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if ocsp_url:
        builder = builder.add_extension(_answered_at(ocsp_url), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Credential(
        key,
        (certificate, *(parent.chain if parent and parent.certificate.issuer != parent.certificate.subject else ())),
    )


def leaf(
    issuer: Credential,
    common_name: str = "Test Signer",
    *,
    organisation: str = "Throw-away Tests",
    ekus: tuple[x509.ObjectIdentifier, ...] = (Eku.EMAIL_PROTECTION, C2PA_SIGNING),
    start: datetime = NOW - timedelta(days=2),
    end: datetime = NOW + timedelta(days=300),
    ocsp_url: str | None = None,
    extensions: tuple[x509.ExtensionType, ...] = (),
    eku_critical: bool = False,
    serial: int | None = None,
) -> Credential:
    """A signing certificate below `issuer`; its chain holds the intermediates but no root."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name, organisation))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(ekus), critical=eku_critical)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if ocsp_url:
        builder = builder.add_extension(_answered_at(ocsp_url), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(issuer.key, hashes.SHA256())
    above = issuer.chain if issuer.certificate.issuer != issuer.certificate.subject else ()
    return Credential(key, (certificate, *above))


def _answered_at(url: str) -> x509.AuthorityInformationAccess:
    access = x509.AccessDescription(x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
    return x509.AuthorityInformationAccess([access])


def picture(size: tuple[int, int] = (96, 64), colour: str = "#7a9e7e", shape: str = "#e8c547") -> Image.Image:
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4), fill=shape)
    return image


def encoded(image: Image.Image, fmt: str = "JPEG", **options: Any) -> bytes:
    if fmt == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif fmt == "JXL":
        import pillow_jxl  # noqa: F401
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    content = buffer.getvalue()
    return _jxl_container(content) if content[:2] == b"\xff\x0a" else content


def _jxl_container(codestream: bytes) -> bytes:
    boxed = (len(codestream) + 8).to_bytes(4, "big") + b"jxlc" + codestream
    return b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl " + boxed


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="red"/></svg>'


def created(source_type: str = TRAINED, agent: str = "Test Generator") -> dict[str, Any]:
    """A manifest whose first action is c2pa.created."""
    return manifest(
        {"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": {"name": agent, "version": "1"}}
    )


def opened(*more: dict[str, Any], ingredient: str = "p1") -> dict[str, Any]:
    """A manifest whose first action is c2pa.opened, of the ingredient with that label."""
    return manifest({"action": "c2pa.opened", "parameters": {"ingredientIds": [ingredient]}}, *more)


def manifest(*actions: dict[str, Any], title: str = "picture", **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "claim_generator_info": [{"name": "assay-tests", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,  # the signer's own; else the SDK merely passes it on
                "data": {"actions": list(actions), "allActionsIncluded": True},
            }
        ],
    } | more


def parent(
    content: bytes,
    *,
    title: str = "parent.jpg",
    label: str = "p1",
    relationship: str = "parentOf",
    media_type: str = "image/jpeg",
) -> _c2pa.IngredientSource:
    return _c2pa.IngredientSource({"title": title, "relationship": relationship, "label": label}, media_type, content)


@dataclass(frozen=True)
class Signed:
    content: bytes = field(repr=False)
    store: bytes = field(repr=False)


def sign(
    content: bytes,
    description: dict[str, Any],
    credential: Credential,
    *,
    media_type: str = "image/jpeg",
    ingredients: tuple[_c2pa.IngredientSource, ...] = (),
    anchors: tuple[_c2pa.Anchors, ...] = (),
    tsa_url: str | None = None,
    check: bool = True,
    **options: Any,
) -> Signed:
    """Sign with the SDK through the project's own context; `tsa_url` and `anchors` as the SDK takes them.

    `check=False` lets the SDK write what it would refuse after looking at it once more.
    """
    target = io.BytesIO()
    hosts = (tsa_url.split("/")[2],) if tsa_url else ()
    store = _c2pa.build(
        description,
        credential.signer(tsa_url),
        media_type=media_type,
        source=io.BytesIO(content),
        target=target,
        sdk_context=_c2pa.context(anchors, allowed_hosts=hosts, verify_after_sign=check),
        ingredients=ingredients,
        **options,
    )
    return Signed(target.getvalue(), store)


def trust_list(*anchors: Credential, purpose: Purpose = Purpose.CLAIM_SIGNING, **fields: object) -> TrustList:
    ders = tuple(a.certificate.public_bytes(serialization.Encoding.DER) for a in anchors)
    return TrustList(
        **{  # type: ignore[arg-type]
            "id": purpose.value,
            "title": f"list of {purpose.value}",
            "kind": ListKind.USER,
            "purposes": (purpose,),
            "anchors": ders,
            "sha256": hashlib.sha256(b"".join(ders)).hexdigest(),
        }
        | fields
    )
