"""Signing with a key in a PKCS#11 token or HSM (extra `pkcs11`), named by an RFC 7512 URI.

    pkcs11:token=NAME;object=KEY?module-path=/usr/lib/….so&pin-source=/path/to/pin&chain=CHAIN.pem

Rules: the only module that imports pkcs11; the PIN comes from a file or from `$ASSAY_PKCS11_PIN` and is never shown; without
`chain` the certificates are read from the token.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from assay.provenance.errors import CredentialRefused, MissingExtra
from assay.provenance.signing.remote import KeyAddress, digest, hash_name
from assay.provenance.signing.signer import CallbackSigner, algorithm_of, leaf_certificate

USAGE = "pkcs11:token=NAME;object=KEY?module-path=MODULE.so&pin-source=FILE&chain=CHAIN.pem"
PIN_VARIABLE = "ASSAY_PKCS11_PIN"
MODULE_VARIABLE = "PKCS11_MODULE"


def open_pkcs11(rest: str) -> CallbackSigner:
    """The signer that `pkcs11:` + `rest` names. Raises `CredentialRefused` or `MissingExtra`."""
    try:
        import pkcs11
    except ImportError as error:
        raise MissingExtra("signing with a PKCS#11 token", "pkcs11") from error
    path, separator, query = rest.partition("?")
    attributes = _attributes(path)
    address = KeyAddress.parse(f"-{separator}{query}", known=("module-path", "pin-source"), usage=USAGE)
    module = address.options.get("module-path") or os.environ.get(MODULE_VARIABLE)
    if not module:
        raise CredentialRefused("the signer names no PKCS#11 module", f"{USAGE}, or set {MODULE_VARIABLE}")
    wanted: dict[str, Any] = {
        "label": attributes.get("object"),
        "id": attributes.get("id", "").encode("latin-1") or None,
    }
    try:
        token = pkcs11.lib(module).get_token(token_label=attributes.get("token"), token_serial=_serial(attributes))
        session = _session(token, pkcs11, _pin(address))
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, **wanted)
        chain = address.chain(USAGE) if "chain" in address.options else _chain(session, pkcs11, wanted)
    except pkcs11.PKCS11Error as error:
        raise CredentialRefused(f"the token refused: {_reason(error)}", USAGE) from None
    except RuntimeError as error:  # the module itself could not be loaded
        raise CredentialRefused(f"{module}: {error}", "name the token's PKCS#11 library") from None
    algorithm = algorithm_of(leaf_certificate(chain).public_key())

    def sign(message: bytes) -> bytes:
        try:
            return _sign(key, pkcs11, algorithm, message)
        except pkcs11.PKCS11Error as error:
            raise CredentialRefused(f"the token refused: {_reason(error)}") from None

    return CallbackSigner.of(chain, sign, algorithm=algorithm)


def _session(token: Any, pkcs11: Any, pin: str | None) -> Any:
    """A logged-in session; a login counts for the whole process, so a second signer of one token finds itself logged in."""
    try:
        return token.open(user_pin=pin)
    except pkcs11.UserAlreadyLoggedIn:
        return token.open()


def _sign(key: Any, pkcs11: Any, algorithm: str, message: bytes) -> bytes:
    if algorithm == "ed25519":
        return bytes(key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
    if algorithm.startswith("es"):
        return bytes(key.sign(digest(algorithm, message), mechanism=pkcs11.Mechanism.ECDSA))
    name = hash_name(algorithm).upper()
    size = int(name[3:])
    mechanism = {256: "SHA256_RSA_PKCS_PSS", 384: "SHA384_RSA_PKCS_PSS", 512: "SHA512_RSA_PKCS_PSS"}[size]
    parameters = (pkcs11.Mechanism[f"SHA{size}"], pkcs11.MGF[f"SHA{size}"], size // 8)
    return bytes(key.sign(message, mechanism=pkcs11.Mechanism[mechanism], mechanism_param=parameters))


def _chain(session: Any, pkcs11: Any, wanted: dict[str, Any]) -> str:
    """The key's certificate and its issuers, as far as the token has them."""
    kind = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE}
    named = {pkcs11.Attribute.LABEL: wanted["label"], pkcs11.Attribute.ID: wanted["id"]}
    own = list(session.get_objects(kind | {name: value for name, value in named.items() if value}))
    if not own:
        raise CredentialRefused("the token has no certificate beside that key", "name a file with chain=CHAIN.pem")
    everything = [_certificate(found, pkcs11) for found in session.get_objects(kind)]
    chain = [_certificate(own[0], pkcs11)]
    while chain[-1].issuer != chain[-1].subject:
        above = [c for c in everything if c.subject == chain[-1].issuer and c not in chain]
        if not above:
            break
        chain.append(above[0])
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)


def _certificate(found: Any, pkcs11: Any) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(found[pkcs11.Attribute.VALUE])
    except ValueError:
        raise CredentialRefused("a certificate in the token cannot be read") from None


def _attributes(path: str) -> dict[str, str]:
    attributes = {}
    for part in path.split(";"):
        name, separator, value = part.partition("=")
        if not separator or name not in ("token", "object", "id", "serial", "type"):
            raise CredentialRefused(f"{name or 'nothing'}: is no attribute of a PKCS#11 URI", USAGE)
        attributes[name] = unquote(value, encoding="latin-1" if name == "id" else "utf-8")
    if "object" not in attributes and "id" not in attributes:
        raise CredentialRefused("the signer names no key", USAGE)
    return attributes


def _serial(attributes: dict[str, str]) -> bytes | None:
    return attributes["serial"].encode() if "serial" in attributes else None


def _pin(address: KeyAddress) -> str | None:
    source = address.options.get("pin-source", "").removeprefix("file:")
    if not source:
        return os.environ.get(PIN_VARIABLE)
    try:
        return Path(source).expanduser().read_text().strip()
    except OSError as error:
        raise CredentialRefused(f"{source}: {error.strerror}", "pin-source names a file that holds the PIN") from None


def _reason(error: Exception) -> str:
    """What the token said; its exceptions are mostly empty, and their names are the specification's."""
    return str(error) or type(error).__name__
