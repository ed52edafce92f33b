"""OCSP answers made in the test itself, and a responder on loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from custody_assets import NOW, Credential, leaf


def responder(issuer: Credential, **options: object) -> Credential:
    """A certificate that the issuer authorised to answer for it."""
    return leaf(issuer, "Test OCSP Responder", ekus=(Eku.OCSP_SIGNING,), **options)  # type: ignore[arg-type]


def answer(
    certificate: x509.Certificate,
    issuer: Credential,
    signer: Credential,
    *,
    revoked_at: datetime | None = None,
    reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
    unknown: bool = False,
    this_update: datetime = NOW - timedelta(hours=1),
    next_update: datetime | None = NOW + timedelta(days=3),
) -> bytes:
    """An OCSP response on `certificate`, signed by `signer` (the issuer itself, or a responder)."""
    status = (
        ocsp.OCSPCertStatus.UNKNOWN
        if unknown
        else ocsp.OCSPCertStatus.REVOKED
        if revoked_at
        else ocsp.OCSPCertStatus.GOOD
    )
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate,
            issuer=issuer.certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=next_update,
            revocation_time=revoked_at,
            revocation_reason=reason if revoked_at else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    )
    if signer is not issuer:
        builder = builder.certificates([signer.certificate])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass
class Responder:
    """A responder on loopback; `answer` makes what it says, None for an error."""

    url: str
    answer: Callable[[bytes], bytes | None] = lambda query: None
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def ocsp_server() -> Iterator[Responder]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(self.path.encode())

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, query: bytes) -> None:
            server_side.asked.append(query)
            said = server_side.answer(query)
            self.send_response(200 if said is not None else 500)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(said or b"")))
            self.end_headers()
            self.wfile.write(said or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server_side = Responder(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server_side
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
