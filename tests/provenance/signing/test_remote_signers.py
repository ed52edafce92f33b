"""Keys that stay elsewhere: a real PKCS#11 token (SoftHSM), and the clouds' real SDKs against local stand-ins of their sign call."""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding
from signing_assets import picture, read
from signing_certificates import Made, make, name, pem, private, rsa_key

from assay.provenance.errors import CredentialRefused, SigningFailed
from assay.provenance.signing import CallbackSigner, Recipe, Signer, SoftwareAgent, open_signer, sign
from assay.provenance.signing.log import SigningLog

RECIPE = Recipe.generated(SoftwareAgent("example-model"))
SOFTHSM = next(
    (path for path in (Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/libsofthsm2.so")) if path.exists()),
    None,
)


def holds(signer: Signer) -> bool:
    """Sign a picture; the SDK's own check of the signature must pass (the root is on no list: Valid)."""
    return read(sign(picture(), RECIPE, signer).asset).state == "Valid"


def sign_digest(key: Any, digest: bytes, digest_type: Any = None) -> bytes:
    """What a cloud does with the hash it is sent."""
    prehashed = utils.Prehashed(digest_type or hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(prehashed))
    return bytes(key.sign(digest, padding.PSS(padding.MGF1(hashes.SHA256()), 32), prehashed))


Answer = Callable[[str, dict[str, str], dict[str, Any]], tuple[int, dict[str, Any]]]


class StandIn:
    """A cloud's HTTP endpoint on loopback, answering JSON with JSON."""

    def __init__(self, answer: Answer, certificate: Path | None = None) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                stand_in.requests.append((self.path, body))
                status, content = answer(self.path, dict(self.headers), body)
                reply = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status == 401:
                    tenant = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000"
                    challenge = f'Bearer authorization="{tenant}", resource="https://vault.azure.net"'
                    self.send_header("WWW-Authenticate", challenge)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    servers: list[StandIn] = []

    def start(answer: Answer, **options: Any) -> StandIn:
        servers.append(StandIn(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=["ecdsa", "rsa"])
def made(request: pytest.FixtureRequest) -> Made:
    return make() if request.param == "ecdsa" else make(key=rsa_key())


# --- AWS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    pytest.importorskip("boto3", reason="the extra `aws` is not installed")

    def configure(port: int) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    return configure


def test_aws_kms_signs_with_the_hash_alone(
    made: Made, aws: Callable[[int], None], stand_in: Callable[..., StandIn], tmp_path: Path
) -> None:
    def answer(path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert headers["X-Amz-Target"] == "TrentService.Sign"
        signature = sign_digest(made.key, base64.b64decode(body["Message"]))
        return 200, {"KeyId": body["KeyId"], "Signature": base64.b64encode(signature).decode()}

    server = stand_in(answer)
    aws(server.port)
    (tmp_path / "chain.pem").write_bytes(made.chain)
    assert holds(open_signer(f"aws-kms:alias/news?chain={tmp_path / 'chain.pem'}"))
    ((_, body),) = server.requests
    assert body["KeyId"] == "alias/news"
    assert body["MessageType"] == "DIGEST"
    assert len(base64.b64decode(body["Message"])) == 32
    expected = "ECDSA_SHA_256" if isinstance(made.key, ec.EllipticCurvePrivateKey) else "RSASSA_PSS_SHA_256"
    assert body["SigningAlgorithm"] == expected


def test_the_reason_of_a_refusing_aws_reaches_the_user(
    aws: Callable[[int], None], stand_in: Callable[..., StandIn], tmp_path: Path
) -> None:
    server = stand_in(lambda *_: (400, {"__type": "AccessDeniedException", "message": "not for you"}))
    aws(server.port)
    (tmp_path / "chain.pem").write_bytes(make().chain)
    output = tmp_path / "out.png"
    with pytest.raises(SigningFailed, match=r"AccessDeniedException.*not for you"):
        sign(picture(), RECIPE, open_signer(f"aws-kms:k?chain={tmp_path / 'chain.pem'}"), into=output)
    assert not output.exists()


def test_a_cloud_key_that_is_not_the_certificates_is_found_after_signing(
    aws: Callable[[int], None], stand_in: Callable[..., StandIn], tmp_path: Path
) -> None:
    stranger = make().key
    server = stand_in(
        lambda path, headers, body: (
            200,
            {"Signature": base64.b64encode(sign_digest(stranger, base64.b64decode(body["Message"]))).decode()},
        )
    )
    aws(server.port)
    (tmp_path / "chain.pem").write_bytes(make().chain)
    with pytest.raises(SigningFailed, match=r"claimSignature\.mismatch"):
        sign(picture(), RECIPE, open_signer(f"aws-kms:k?chain={tmp_path / 'chain.pem'}"))


# --- Google ------------------------------------------------------------------------------------------------------------


def google_client(port: int) -> Any:
    kms = pytest.importorskip("google.cloud.kms", reason="the extra `gcp` is not installed")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport

    transport = KeyManagementServiceRestTransport(
        host=f"127.0.0.1:{port}", credentials=AnonymousCredentials(), url_scheme="http"
    )
    return kms.KeyManagementServiceClient(transport=transport)


KEY_VERSION = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"


@pytest.mark.parametrize("damaged", [False, True])
def test_google_kms_signs_and_notices_damage(damaged: bool, made: Made, stand_in: Callable[..., StandIn]) -> None:
    pytest.importorskip("google.cloud.kms", reason="the extra `gcp` is not installed")
    from google_crc32c import value as crc32c

    from assay.provenance.signing.gcp_kms import gcp_kms_signer

    def answer(path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert path.startswith(f"/v1/{KEY_VERSION}:asymmetricSign")
        digest = base64.b64decode(body["digest"]["sha256"])
        signature = sign_digest(made.key, digest)
        return 200, {
            "signature": base64.b64encode(signature).decode(),
            "signatureCrc32c": str(crc32c(signature) + damaged),
            "verifiedDigestCrc32c": int(body["digestCrc32c"]) == crc32c(digest),
        }

    signer = gcp_kms_signer(google_client(stand_in(answer).port), KEY_VERSION, made.chain.decode())
    if damaged:
        with pytest.raises(SigningFailed, match="damaged on the way"):
            sign(picture(), RECIPE, signer)
    else:
        assert holds(signer)


def test_google_kms_without_an_identity_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.cloud.kms", reason="the extra `gcp` is not installed")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    (tmp_path / "chain.pem").write_bytes(make().chain)
    with pytest.raises(CredentialRefused, match=r"missing\.json"):
        open_signer(f"gcp-kms:{KEY_VERSION}?chain={tmp_path / 'chain.pem'}")


# --- Azure -------------------------------------------------------------------------------------------------------------


class Token:
    """An identity that needs no login."""

    def get_token(self, *_: str, **__: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken("example", int(time.time()) + 3600)


def server_certificate(folder: Path) -> Path:
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    made = make(key=key, organisation="")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name("localhost"))
        .issuer_name(name("localhost"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made.leaf.not_valid_before_utc)
        .not_valid_after(made.leaf.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(pem(certificate) + private(key))
    return path


def test_azure_key_vault_signs(made: Made, stand_in: Callable[..., StandIn], tmp_path: Path) -> None:
    crypto = pytest.importorskip("azure.keyvault.keys.crypto", reason="the extra `azure` is not installed")
    from azure.core.pipeline.transport import RequestsTransport

    from assay.provenance.signing.azure_kms import azure_kms_signer

    def unpadded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    def answer(path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "Authorization" not in headers:
            return 401, {}
        if "/sign" not in path:
            return 403, {"error": {"code": "Forbidden", "message": "may sign, may not look"}}
        digest = base64.urlsafe_b64decode(body["value"] + "==")
        signature = sign_digest(made.key, digest)
        if isinstance(made.key, ec.EllipticCurvePrivateKey):
            r, s = utils.decode_dss_signature(signature)
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return 200, {"kid": "k", "value": unpadded(signature)}

    certificate = server_certificate(tmp_path)
    server = stand_in(answer, certificate=certificate)
    client = crypto.CryptographyClient(
        f"https://127.0.0.1:{server.port}/keys/news/1",
        Token(),
        verify_challenge_resource=False,
        transport=RequestsTransport(connection_verify=str(certificate)),
    )
    assert holds(azure_kms_signer(client, made.chain.decode()))
    signed = [body for path, body in server.requests if "/sign" in path and body]
    assert signed[-1]["alg"] == ("ES256" if isinstance(made.key, ec.EllipticCurvePrivateKey) else "PS256")


# --- PKCS#11 -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SoftHSM tokens `assay` and `locked` in a folder of their own, with the PIN in `pin`."""
    pytest.importorskip("pkcs11", reason="the extra `pkcs11` is not installed")
    if SOFTHSM is None:
        pytest.skip("no SoftHSM on this machine (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    (folder / "pin").write_text("1234\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read once, when the module is loaded
    for label in ("assay", "locked"):
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678"],
            check=True,
            capture_output=True,
        )
    yield folder
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def import_key(folder: Path, made: Made, label: str, *, token: str = "assay") -> None:
    (folder / f"{label}.pem").write_bytes(private(made.key))
    number = hashlib.sha256(label.encode()).hexdigest()[:8]
    command = ["softhsm2-util", "--import", str(folder / f"{label}.pem"), "--token", token, "--label", label]
    subprocess.run([*command, "--id", number, "--pin", "1234"], check=True, capture_output=True)
    (folder / f"{label}.pem").unlink()
    (folder / f"{label}-chain.pem").write_bytes(made.chain)


def token_uri(folder: Path, label: str, *, token: str = "assay", **changes: str) -> str:
    options = {
        "module-path": str(SOFTHSM),
        "pin-source": str(folder / "pin"),
        "chain": str(folder / f"{label}-chain.pem"),
    }
    query = "&".join(f"{key}={value}" for key, value in (options | changes).items() if value)
    return f"pkcs11:token={token};object={label}?{query}"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), None], ids=["es256", "es384", "ps256"])
def test_a_token_signs(token: Path, curve: ec.EllipticCurve | None) -> None:
    label = f"key-{curve.name if curve else 'rsa'}"
    made = make(key=ec.generate_private_key(curve) if curve else rsa_key())
    import_key(token, made, label)
    assert holds(open_signer(token_uri(token, label)))


def test_a_token_gives_its_own_certificates(token: Path) -> None:
    import pkcs11
    from pkcs11.util.x509 import decode_x509_certificate

    made = make()
    import_key(token, made, "own")
    open_signer(token_uri(token, "own"))  # logs in, for the whole process
    session = pkcs11.lib(str(SOFTHSM)).get_token(token_label="assay").open(rw=True)
    for certificate, label in ((made.leaf, "own"), (made.root, "root")):
        der = certificate.public_bytes(Encoding.DER)
        session.create_object(
            decode_x509_certificate(der) | {pkcs11.Attribute.LABEL: label, pkcs11.Attribute.TOKEN: True}
        )
    session.close()
    signer = open_signer(token_uri(token, "own", chain=""))
    assert signer.chain.encode() == made.chain
    assert holds(signer)


def test_a_wrong_pin_is_said_and_not_shown(token: Path, tmp_path: Path) -> None:
    import_key(token, make(), "locked", token="locked")
    (tmp_path / "pin").write_text("9999")
    with pytest.raises(CredentialRefused, match="PinIncorrect") as refused:
        open_signer(token_uri(token, "locked", token="locked", **{"pin-source": str(tmp_path / "pin")}))
    assert "9999" not in str(refused.value)


def test_a_key_that_is_not_there_is_said(token: Path) -> None:
    (token / "absent-chain.pem").write_bytes(make().chain)
    with pytest.raises(CredentialRefused, match=r"the token refused: .*No"):
        open_signer(token_uri(token, "absent"))


# --- addresses and callbacks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nothing", "is no signer"),
        ("ftp:x", "is no kind of signer"),
        ("pem:only.pem", "needs two files"),
        ("pem:missing.pem,key.pem", "missing.pem"),
        ("aws-kms:key", "names no certificate chain"),
        ("aws-kms:key?chain=missing.pem", "missing.pem"),
        ("aws-kms:key?chian=x", "unknown options: chian"),
        ("gcp-kms:?chain=x", "names no key"),
        ("pkcs11:token=a", "names no key"),
        ("pkcs11:colour=a", "is no attribute"),
        ("pkcs11:object=a?module-path=/missing.so&chain=x", "missing.so"),
    ],
)
def test_a_mistaken_address_is_refused_in_words(uri: str, words: str) -> None:
    if uri.startswith("pkcs11"):
        pytest.importorskip("pkcs11", reason="the extra `pkcs11` is not installed")
    with pytest.raises(CredentialRefused, match=words):
        open_signer(uri)


def test_a_callbacks_own_words_reach_the_user_and_nothing_is_left(tmp_path: Path) -> None:
    def broken(message: bytes) -> bytes:
        raise RuntimeError("the safe is closed on Sundays")

    signer = CallbackSigner.of(make().chain.decode(), broken)
    log = SigningLog(tmp_path / "log.jsonl")
    with pytest.raises(SigningFailed, match="closed on Sundays") as failed:
        sign(picture(), RECIPE, signer, into=tmp_path / "out.png", log=log)
    assert isinstance(failed.value.__cause__, RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_a_callback_that_returns_rubbish_leaves_nothing(tmp_path: Path) -> None:
    signer = CallbackSigner.of(make().chain.decode(), lambda message: bytes(64))
    with pytest.raises(SigningFailed, match="does not hold"):
        sign(picture(), RECIPE, signer, into=tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_pin_in_the_wrong_place_is_not_shown() -> None:
    pytest.importorskip("pkcs11", reason="the extra `pkcs11` is not installed")
    for uri in ("pkcs11:object=a;pin-value=1234", "pkcs11:object=a?module-path=/missing.so&pin-value=1234"):
        with pytest.raises(CredentialRefused, match="pin-value") as refused:
            open_signer(uri)
        assert "1234" not in str(refused.value)
