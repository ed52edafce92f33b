"""Canary: each key of the SDK's settings that assay sets still does something, for the SDK drops unknown keys in silence.

Each test takes the settings as assay makes them, removes or turns one key, and sees the SDK behave differently.
"""

import contextlib
import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from custody_assets import NOW, authority, created, encoded, leaf, picture, sign
from pytest_httpserver import HTTPServer
from revocation_answers import Responder, answer, ocsp_server
from trust_lists import policy, trust_list

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.errors import SigningFailed

ROOT = authority("Root")
SIGNER = leaf(ROOT)
DOCUMENT_SIGNER = leaf(ROOT, ekus=(x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),))
BELIEVED = policy(trust_list(ROOT, list_id="urn:test:signers"))
PICTURE = encoded(picture())


def settings_of(*arguments: Any, **options: Any) -> dict[str, Any]:
    """The settings that assay gives to the SDK."""
    with pytest.MonkeyPatch.context() as patch:
        seen: list[dict[str, Any]] = []
        real = _c2pa.c2pa.Settings.from_dict
        patch.setattr(_c2pa.c2pa.Settings, "from_dict", lambda given: seen.append(copy.deepcopy(given)) or real(given))
        _c2pa.context.__wrapped__(*arguments, **options)
    return seen[0]


def without(settings: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(settings)
    place: Any = changed
    for key in path[:-1]:
        place = place[0] if isinstance(place, list) else place
        place = place[key]
    del (place[0] if isinstance(place, list) else place)[path[-1]]
    return changed


def context(settings: dict[str, Any]) -> Any:
    return _c2pa.c2pa.Context(_c2pa.c2pa.Settings.from_dict(settings))


def state(content: bytes, settings: dict[str, Any]) -> str:
    read = _c2pa.read(Asset.from_bytes(content), context(settings))
    assert read is not None
    return read.state


def report(content: bytes, settings: dict[str, Any]) -> str:
    read = _c2pa.read(Asset.from_bytes(content), context(settings))
    assert read is not None
    return json.dumps(read.report)


SIGNED = sign(PICTURE, created(), SIGNER).content
USUAL = settings_of(BELIEVED.anchors())


def test_the_anchors() -> None:
    assert state(SIGNED, USUAL) == "Trusted"
    assert state(SIGNED, without(USUAL, "trust", "anchors")) == "Valid"


def test_the_name_of_the_list() -> None:
    assert "urn:test:signers" in report(SIGNED, USUAL)
    assert "urn:test:signers" not in report(SIGNED, without(USUAL, "trust", "anchors", "trust_uri"))


@pytest.mark.parametrize("key", ["trust_anchors", "trust_kind"])
def test_what_an_anchor_must_have(key: str) -> None:
    """The SDK refuses a list without them: a key that was renamed would be noticed."""
    with pytest.raises(_c2pa.c2pa.C2paError):
        state(SIGNED, without(USUAL, "trust", "anchors", key))


@pytest.mark.parametrize("kind", ["manifest", "tsa", "cawg"])
def test_the_kinds_of_lists_have_not_been_renamed(kind: str) -> None:
    changed = copy.deepcopy(USUAL)
    changed["trust"]["anchors"][0]["trust_kind"] = kind
    state(SIGNED, changed)
    changed["trust"]["anchors"][0]["trust_kind"] = f"{kind}s"
    with pytest.raises(_c2pa.c2pa.C2paError):
        state(SIGNED, changed)


def test_the_sdk_still_mixes_the_kinds_so_that_our_own_check_is_needed() -> None:
    changed = copy.deepcopy(USUAL)
    changed["trust"]["anchors"][0]["trust_kind"] = "tsa"
    assert state(SIGNED, changed) == "Trusted"


def test_the_accepted_usages() -> None:
    content = sign(PICTURE, created(), DOCUMENT_SIGNER).content
    assert state(content, USUAL) == "Trusted"
    assert state(content, without(USUAL, "trust", "trust_config")) == "Invalid"


def test_the_allowed_leaves_as_digests() -> None:
    stranger = authority("Stranger")
    listed = settings_of(policy(trust_list(stranger, allowed=(SIGNER,))).anchors())
    assert state(SIGNED, listed) == "Trusted"
    assert state(SIGNED, without(listed, "trust", "anchors", "allowed_list")) == "Valid"


def test_whether_trust_is_checked() -> None:
    untrusted = settings_of(policy(trust_list(authority("Stranger"))).anchors())
    assert "signingCredential.untrusted" in report(SIGNED, untrusted)
    untrusted["verify"]["verify_trust"] = False
    assert "signingCredential.untrusted" not in report(SIGNED, untrusted)


def remote(httpserver: HTTPServer) -> bytes:
    return sign(PICTURE, created(), SIGNER, embed=False, remote_url=httpserver.url_for("/manifest.c2pa")).content


def requests_made(content: bytes, settings: dict[str, Any], httpserver: HTTPServer) -> int:
    before = len(httpserver.log)
    with contextlib.suppress(_c2pa.c2pa.C2paError):
        _c2pa.c2pa.Reader("image/jpeg", io.BytesIO(content), context=context(settings))
    return len(httpserver.log) - before


def test_no_network(httpserver: HTTPServer) -> None:
    content = remote(httpserver)
    assert requests_made(content, USUAL, httpserver) == 0
    neither = without(without(USUAL, "core", "allowed_network_hosts"), "verify", "remote_manifest_fetch")
    assert requests_made(content, neither, httpserver) == 1
    assert requests_made(content, without(USUAL, "core", "allowed_network_hosts"), httpserver) == 0
    assert requests_made(content, without(USUAL, "verify", "remote_manifest_fetch"), httpserver) == 0


@pytest.fixture
def responder() -> Iterator[Responder]:
    with ocsp_server() as running:
        yield running


def test_asking_for_revocation(responder: Responder) -> None:
    signer = leaf(ROOT, ocsp_url=responder.url)
    responder.answer = lambda query: answer(signer.certificate, ROOT, ROOT, revoked_at=NOW)
    content = sign(PICTURE, created(), signer).content
    host = responder.url.split("/")[2]
    asking = settings_of(BELIEVED.anchors(), allowed_hosts=(host,), ocsp=True)
    assert state(content, USUAL) == "Trusted"
    assert responder.asked == []
    # It asks, and drops the issuer's own answer: why assay has a client of its own.
    assert state(content, asking) == "Trusted"
    assert len(responder.asked) == 1
    state(content, without(asking, "verify", "ocsp_fetch"))
    assert len(responder.asked) == 1


def signed_with(settings: dict[str, Any], signer: Any) -> bytes:
    target = io.BytesIO()
    _c2pa.build(
        created(),
        signer,
        media_type="image/jpeg",
        source=io.BytesIO(PICTURE),
        target=target,
        sdk_context=context(settings),
    )
    return target.getvalue()


def test_thumbnails_are_off() -> None:
    assert '"thumbnail"' not in report(signed_with(USUAL, SIGNER.signer()), USUAL)
    by_default = without(USUAL, "builder", "thumbnail")
    assert '"thumbnail"' in report(signed_with(by_default, SIGNER.signer()), USUAL)


def test_a_bad_signature_is_noticed_after_signing() -> None:
    """A signer that returns nonsense: the SDK reads back what it wrote, unless told not to."""

    def nonsense(settings: dict[str, Any]) -> bytes:
        chain = SIGNER.chain_pem.decode()
        return signed_with(settings, _c2pa.signer_from_callback("es256", chain, lambda content: b"\x01" * 64))

    with pytest.raises(SigningFailed):
        nonsense(USUAL)
    assert nonsense(settings_of(BELIEVED.anchors(), verify_after_sign=False))
