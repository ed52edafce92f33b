"""The seal of a dossier: a list of its files with their hashes, signed with the user's key, stamped by an authority.

Rules: everything in the folder is listed, so that a file added, changed or taken away shows; signature and stamp are plain
files in the forms that openssl reads; whether signer and authority are believed is judged by the lists of the day of reading.

    seal.json    the list           signer.pem   the signer's certificates, leaf first
    seal.sig     signature over it  seal.tsr     RFC 3161 token over the signature (where an authority was named)
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from assay import __version__
from assay.provenance.custody.chain import Answer
from assay.provenance.errors import AssayError, UnreadableFile
from assay.provenance.signing.detached import holds, sign_detached
from assay.provenance.signing.signer import Signer, certificates_alone
from assay.provenance.trust import Purpose, TrustPolicy, judge
from assay.provenance.trust.stamping import request_stamp
from assay.provenance.trust.time_stamps import CertifiedTime, certified_time

SCHEMA = "assay.seal/1"
LIST, SIGNATURE, SIGNER, STAMP = "seal.json", "seal.sig", "signer.pem", "seal.tsr"
_OWN = frozenset({LIST, SIGNATURE, SIGNER, STAMP})
_MOST_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a dossier, its answer, and a sentence."""

    question: str
    answer: Answer
    statement: str


def seal(folder: Path, signer: Signer, *, authority: str = "") -> None:
    """Seal every file in `folder`. Raises `SigningFailed`, or what `request_stamp` raises."""
    listed = {
        "schema": SCHEMA,
        "assay": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "signer": signer.name,
        "development": signer.development,
        "algorithm": signer.algorithm,
        "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
    }
    content = (json.dumps(listed, indent=1) + "\n").encode()
    signature = sign_detached(content, signer)
    (folder / LIST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(signature)
    (folder / SIGNER).write_text(certificates_alone(signer.chain))
    if authority:
        (folder / STAMP).write_bytes(request_stamp(signature, authority))


def check_seal(folder: Path, policy: TrustPolicy, *, expected: bytes | None = None) -> tuple[Check, ...]:
    """Ask a sealed folder everything that can be asked without a network. `expected` is the sealer's certificate (PEM) from
    another source than the folder. Raises `UnreadableFile` where it is no dossier."""
    content, signature, chain = (_bytes(folder / name) for name in (LIST, SIGNATURE, SIGNER))
    try:
        listed = json.loads(content)
        files: dict[str, str] = dict(listed["files"])
        known = listed["schema"] == SCHEMA and all(isinstance(item, str) for item in (*files, *files.values()))
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise UnreadableFile(f"{folder / LIST}: is no seal that this version of assay reads")
    stamp = _stamp(folder, signature, policy)
    return (
        _whole(folder, files),
        _signed(content, signature, chain.decode("ascii", "replace")),
        _stamped(stamp),
        _believed(chain, stamp, policy, expected),
    )


def _whole(folder: Path, files: dict[str, str]) -> Check:
    question = "Are the files those that were sealed?"
    there = {path.name for path in folder.iterdir()} - _OWN
    faults = [f"{name} is missing" for name in sorted(files.keys() - there)]
    faults += [f"{name} was added" for name in sorted(there - files.keys())]
    for name in sorted(there & files.keys()):
        path = folder / name
        if path.is_symlink() or not path.is_file() or _sha256(path) != files[name]:
            faults.append(f"{name} was changed")
    if faults:
        return Check(question, Answer.NO, "; ".join(faults))
    return Check(question, Answer.YES, f"{len(files)} files have the hashes that were sealed")


def _signed(content: bytes, signature: bytes, chain: str) -> Check:
    question = "Is the seal that of the named signer?"
    try:
        fits = holds(content, signature, chain)
    except AssayError as error:
        return Check(question, Answer.NO, error.message)
    said = "the signature is by the certificate beside it" if fits else "the signature does not fit seal.json"
    return Check(question, Answer.YES if fits else Answer.NO, said)


def _stamp(folder: Path, signature: bytes, policy: TrustPolicy) -> CertifiedTime | None:
    path = folder / STAMP
    return certified_time(_bytes(path), signature, policy) if path.exists() else None


def _stamped(stamp: CertifiedTime | None) -> Check:
    question = "Is it certified when it was sealed?"
    if stamp is None:
        return Check(
            question, Answer.UNKNOWN, "no time-stamping authority was asked; the dates are the sealer's own word"
        )
    if not stamp.intact:
        return Check(question, Answer.NO, stamp.statement)
    return Check(question, Answer.YES if stamp.certified else Answer.UNKNOWN, stamp.statement)


def _believed(chain: bytes, stamp: CertifiedTime | None, policy: TrustPolicy, expected: bytes | None) -> Check:
    question = "Is the signer known?"
    try:
        certificates = x509.load_pem_x509_certificates(chain)
        wanted = x509.load_pem_x509_certificates(expected)[0] if expected is not None else None
    except ValueError:
        return Check(question, Answer.NO, "the certificates cannot be read")
    at = stamp.time if stamp is not None and stamp.certified else None
    judgement = judge(
        tuple(item.public_bytes(Encoding.DER) for item in certificates), Purpose.CLAIM_SIGNING, policy, at
    )
    name = judgement.holder.common_name or judgement.holder.organisation or "an unnamed signer"
    who = f"{name}, certificate sha256 {certificates[0].fingerprint(SHA256()).hex()}"
    if wanted is not None:
        same = wanted == certificates[0]
        said = "the certificate that was expected" if same else "not the certificate that was expected"
        return Check(question, Answer.YES if same else Answer.NO, f"{who}: {said}")
    if judgement.development:
        return Check(question, Answer.UNKNOWN, f"{who}: a throw-away development key, which vouches for nothing")
    return Check(question, Answer.YES if judgement.trusted else Answer.UNKNOWN, f"{who}: {judgement.statement}")


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > 4 * 1024 * 1024:
            raise UnreadableFile(f"{path}: is too large for a part of a seal")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
