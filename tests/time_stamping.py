"""RFC 3161 time stamps made in the test itself: tokens with any time and any defect, and an authority on loopback."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from custody_assets import Credential, leaf


def time_stamper(issuer: Credential, common_name: str = "Test Time Stamper", **options: object) -> Credential:
    """A certificate that may stamp and do nothing else."""
    return leaf(issuer, common_name, ekus=(Eku.TIME_STAMPING,), eku_critical=True, **options)  # type: ignore[arg-type]


def token(
    message: bytes,
    credential: Credential,
    at: datetime,
    *,
    imprint: bytes | None = None,
    named: bytes | None = None,
    nonce: int | None = None,
    signed_type: str = "tst_info",
) -> bytes:
    """A TimeStampToken over `message` at `at`. `imprint` replaces its digest, `named` the certificate ESSCertIDv2 names,
    `signed_type` the type of content in the signed attributes."""
    information = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4.1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": imprint or hashlib.sha256(message).digest(),
            },
            "serial_number": 7,
            "gen_time": core.GeneralizedTime(at.replace(microsecond=0)),
            **({"nonce": nonce} if nonce is not None else {}),
        }
    )
    certificates = [asn1_x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in credential.chain]
    content = information.dump()
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": [signed_type]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]}),
            cms.CMSAttribute(
                {
                    "type": "signing_certificate_v2",
                    "values": [
                        tsp.SigningCertificateV2(
                            {
                                "certs": [
                                    tsp.ESSCertIDv2(
                                        {
                                            "hash_algorithm": {"algorithm": "sha256"},
                                            "cert_hash": hashlib.sha256(named or certificates[0].dump()).digest(),
                                        }
                                    )
                                ]
                            }
                        )
                    ],
                }
            ),
        ]
    )
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": certificates[0].issuer, "serial_number": certificates[0].serial_number}
                    )
                }
            ),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": credential.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
        }
    )
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "certificates": certificates,
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def response(stamp: bytes) -> bytes:
    """The TimeStampResp around a token."""
    return bytes(
        tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(stamp)}).dump()
    )


@dataclass
class Authority:
    """An authority on loopback that stamps whatever it is asked for with the time `at`."""

    url: str
    credential: Credential
    at: datetime


@contextmanager
def time_authority(credential: Credential, at: datetime) -> Iterator[Authority]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
            stamp = token(
                b"",
                authority.credential,
                authority.at,
                imprint=query["message_imprint"]["hashed_message"].native,
                nonce=query["nonce"].native,
            )
            answer = response(stamp)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority = Authority(f"http://127.0.0.1:{server.server_port}/", credential, at)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
