"""Chains of unusual shape: two parents, updates, splices, sidecars, remote manifests, unusual certificates."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import custody_assets as made
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku
from loopback import says, server

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Requirement, Standing
from assay.provenance.custody.examining import REMOTE_LIMITS, examine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import LimitExceeded
from assay.provenance.fetching import FetchLimits
from assay.provenance.jumbf import store as room
from assay.provenance.trust import TrustPolicy

Judged = Callable[..., Custody]


def codes(custody: Custody) -> set[str]:
    return {gap.code for gap in (*custody.breaks, *(gap for link in custody.links for gap in link.breaks))}


def apart(jpeg: bytes, signer: made.Credential, **options: object) -> made.Signed:
    """Signed with the manifest kept apart."""
    return made.sign(jpeg, made.created(), signer, embed=False, **options)


def test_two_parents_break_the_chain(jpeg: bytes, signed: made.Signed, signer: made.Credential, judged: Judged) -> None:
    parents = (made.parent(signed.content, label="p1"), made.parent(signed.content, label="p2", title="other.jpg"))
    custody = judged(made.sign(jpeg, made.opened(), signer, ingredients=parents, check=False).content)
    assert custody.bottom_line is BottomLine.BROKEN_HISTORY
    assert "it names 2 parents" in custody.headline
    assert not any(custody.meets(requirement) for requirement in Requirement)


def test_an_update_manifest_leaves_the_picture_and_is_named(
    signed: made.Signed, signer: made.Credential, anchors: tuple[_c2pa.Anchors, ...], judged: Judged
) -> None:
    updated = made.sign(signed.content, {"assertions": []}, signer, intent="UPDATE", anchors=anchors)
    custody = judged(updated.content)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert [link.kind for link in custody.links] == ["standard", "update"]
    assert "update-manifest" in codes(custody)
    tampered = judged(updated.content[:-50] + b"!" + updated.content[-49:])
    assert tampered.bottom_line is BottomLine.TAMPERED
    assert "its bytes are not those that were signed" in tampered.headline
    assert [link.now for link in tampered.links] == [Standing.TAMPERED] * 2
    assert not tampered.meets(Requirement.INTACT)


def test_a_manifest_spliced_into_another_picture_is_tampering(signed: made.Signed, judged: Judged) -> None:
    other = made.encoded(made.picture(colour="#203040"))
    spliced = (
        other[:20] + signed.content[20 : 20 + len(signed.content) - len(made.encoded(made.picture()))] + other[20:]
    )
    custody = judged(spliced)
    assert custody.bottom_line is BottomLine.TAMPERED
    assert custody.links[-1].axes.authentic.answer is Answer.YES


def test_a_stripped_file_says_nothing(signed: made.Signed, judged: Judged) -> None:
    import io

    from PIL import Image

    assert judged(made.encoded(Image.open(io.BytesIO(signed.content)))).bottom_line is BottomLine.NO_MANIFEST


def test_a_sidecar_speaks_for_its_own_file_only(jpeg: bytes, signer: made.Credential, judged: Judged) -> None:
    store = apart(jpeg, signer).store
    custody = judged(jpeg, sidecar=store)
    assert custody.bottom_line is BottomLine.TRUSTED
    other = made.encoded(made.picture(colour="#102030"))
    assert judged(other, sidecar=store).bottom_line is BottomLine.TAMPERED


@pytest.mark.parametrize("embedded", [False, True])
def test_a_file_beside_a_stray_sidecar_is_not_said_to_have_been_changed(
    embedded: bool, jpeg: bytes, signed: made.Signed, signer: made.Credential, policy: TrustPolicy, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(made.encoded(made.picture(colour="#102030")))
    (tmp_path / "photo.c2pa").write_bytes(signed.store if embedded else apart(jpeg, signer).store)
    custody = examine(tmp_path / "photo.jpg", policy).custody
    assert custody.bottom_line is BottomLine.TAMPERED
    assert custody.headline == (
        "No manifest holds for it: the manifest kept apart from it (the sidecar photo.c2pa) was made for other bytes: this file was "
        "changed since, or is another one (it names Throw-away Tests as signer)."
    )
    assert custody.apart


def test_a_manifest_of_another_file_says_nothing_of_a_change(jpeg: bytes, signed: made.Signed, judged: Judged) -> None:
    at, other = signed.content.index(b"\xff\xeb"), made.encoded(made.picture(colour="#203040"))
    segments = signed.content[at : at + len(signed.content) - len(jpeg)]
    same = judged(other[:at] + segments + other[at:])
    assert (
        same.headline
        == "Do not rely on it: its bytes are not those that were signed (it names Throw-away Tests as signer)."
    )
    moved = judged(other[:2] + b"\xff\xfe\0\4ab" + other[2:at] + segments + other[at:])
    assert "made for another file, or was moved or left over when this one was saved anew" in moved.headline
    assert not moved.apart


@pytest.mark.parametrize("name", ["photo.c2pa", "photo.jpg.c2pa"])
def test_a_sidecar_beside_the_file_is_found(
    name: str, jpeg: bytes, signer: made.Credential, policy: TrustPolicy, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg)
    (tmp_path / name).write_bytes(apart(jpeg, signer).store)
    examined = examine(photo, policy)
    assert examined.custody.bottom_line is BottomLine.TRUSTED
    assert examined.custody.place == f"the sidecar {name}"
    photo.write_bytes(jpeg + b"!")
    assert examine(photo, policy).custody.bottom_line is BottomLine.TAMPERED


def test_a_sidecar_of_a_namesake_accuses_nobody(
    jpeg: bytes, signer: made.Credential, policy: TrustPolicy, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    (tmp_path / "photo.png").write_bytes(made.encoded(made.picture(), "PNG"))
    (tmp_path / "photo.c2pa").write_bytes(apart(jpeg, signer).store)
    assert examine(tmp_path / "photo.jpg", policy).custody.bottom_line is BottomLine.TRUSTED
    custody = examine(tmp_path / "photo.png", policy).custody
    assert custody.bottom_line is BottomLine.NO_MANIFEST
    assert codes(custody) == {"foreign-sidecar"}


def test_the_front_door_takes_paths_and_assets(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, policy: TrustPolicy, tmp_path: Path
) -> None:
    import assay

    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "store").write_bytes(apart(jpeg, signer).store)
    assert assay.verify(tmp_path / "a.jpg").bottom_line is BottomLine.NO_MANIFEST
    assert assay.verify(Asset.from_bytes(signed.content), policy).bottom_line is BottomLine.TRUSTED
    for image in (str(tmp_path / "a.jpg"), Asset.from_bytes(jpeg)):
        assert assay.verify(image, policy, sidecar=tmp_path / "store").bottom_line is BottomLine.TRUSTED


def test_an_embedded_manifest_outranks_a_sidecar_that_lies_beside(
    signed: made.Signed, jpeg: bytes, stranger: made.Credential, policy: TrustPolicy, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(signed.content)
    (tmp_path / "a.c2pa").write_bytes(apart(jpeg, stranger).store)
    assert examine(tmp_path / "a.jpg", policy).custody.bottom_line is BottomLine.TRUSTED


def test_a_sidecar_that_is_named_and_useless_is_unreadable(jpeg: bytes, policy: TrustPolicy, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "b.c2pa").write_bytes(b"nonsense")
    custody = examine(tmp_path / "a.jpg", policy, sidecar=tmp_path / "b.c2pa").custody
    assert custody.bottom_line is BottomLine.UNREADABLE


@pytest.fixture
def local() -> FetchLimits:
    return replace(REMOTE_LIMITS, hosts=frozenset({"127.0.0.1"}), private_hosts=frozenset({"127.0.0.1"}))


def test_a_remote_manifest_is_fetched_from_a_named_host_only(
    jpeg: bytes, signer: made.Credential, policy: TrustPolicy, local: FetchLimits, tmp_path: Path
) -> None:
    stores: list[bytes] = []
    asked: list[str] = []

    def answer(request) -> None:
        asked.append(request.path)
        says(stores[0])(request)

    photo = tmp_path / "photo.jpg"
    with server(answer) as url:
        signed = apart(jpeg, signer, remote_url=url)
        stores.append(signed.store)
        photo.write_bytes(signed.content)
        silent = examine(photo, policy).custody
        assert silent.bottom_line is BottomLine.NO_MANIFEST
        assert silent.remote_url == url
        assert codes(silent) == {"remote-manifest-not-fetched"}
        elsewhere = examine(photo, policy, remote=replace(local, hosts=frozenset({"example.com"}))).custody
        assert "not among those allowed" in elsewhere.headline
        private = examine(photo, policy, remote=replace(local, private_hosts=frozenset())).custody
        assert "is not a public one" in private.headline
        assert asked == []
        fetched = examine(photo, policy, remote=local).custody
        assert fetched.bottom_line is BottomLine.TRUSTED
        assert fetched.place == f"fetched from {url}"
        assert len(asked) == 1


def test_a_remote_host_that_answers_badly_is_no_accusation(
    jpeg: bytes, signer: made.Credential, policy: TrustPolicy, local: FetchLimits, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    for body, status, limit in ((b"x" * 5000, 200, 1000), (b"", 404, 10_000)):
        with server(says(body, status=status)) as url:
            photo.write_bytes(apart(jpeg, signer, remote_url=url).content)
            custody = examine(photo, policy, remote=replace(local, bytes=limit)).custody
            assert custody.bottom_line is BottomLine.NO_MANIFEST
            assert codes(custody) == {"remote-manifest-not-fetched"}


def test_a_remote_address_that_is_none_is_told_like_another(
    policy: TrustPolicy, local: FetchLimits, tmp_path: Path
) -> None:
    xmp = b"<x xmlns:dcterms='http://purl.org/dc/terms/' dcterms:provenance='https://[example/m'/>"
    (tmp_path / "photo.jpg").write_bytes(made.encoded(made.picture(), xmp=xmp))
    for remote in (None, local):
        custody = examine(tmp_path / "photo.jpg", policy, remote=remote).custody
        assert custody.bottom_line is BottomLine.NO_MANIFEST
        assert codes(custody) == {"remote-manifest-not-fetched"}


def test_a_certificate_made_for_something_else_is_invalid_and_not_tampered(
    root: made.Credential, jpeg: bytes, judged: Judged
) -> None:
    odd = made.leaf(root, ekus=(Eku.CLIENT_AUTH,))
    with pytest.raises(Exception, match="certificate"):
        made.sign(jpeg, made.created(), odd)
    stamper = made.leaf(root, ekus=(Eku.TIME_STAMPING,), eku_critical=True)
    custody = judged(made.sign(jpeg, made.created(), stamper).content)
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].axes.intact.answer is Answer.YES
    assert "not issued for this use" in custody.headline


def test_a_missing_intermediate_leaves_the_signer_unknown(
    root: made.Credential, jpeg: bytes, policy: TrustPolicy, judged: Judged
) -> None:
    between = made.authority("Intermediate", root)
    whole = made.leaf(between)
    alone = made.Credential(whole.key, whole.chain[:1])
    assert judged(made.sign(jpeg, made.created(), whole).content).bottom_line is BottomLine.TRUSTED
    custody = judged(made.sign(jpeg, made.created(), alone).content)
    assert custody.bottom_line is BottomLine.VALID
    assert "neither in the file nor on a list" in custody.links[-1].axes.trusted.statement
    with_both = TrustPolicy(lists=(made.trust_list(root, between),))
    assert judged(made.sign(jpeg, made.created(), alone).content, with_both).bottom_line is BottomLine.TRUSTED


def test_a_leaf_on_the_allowed_list_needs_no_path(
    stranger: made.Credential, jpeg: bytes, root: made.Credential, judged: Judged
) -> None:
    digest = stranger.certificate.fingerprint(made.hashes.SHA256())
    content = made.sign(jpeg, made.created(), stranger).content
    allowing = TrustPolicy(lists=(made.trust_list(root, allowed=frozenset({digest})),))
    assert judged(content).bottom_line is BottomLine.VALID
    assert judged(content, allowing).bottom_line is BottomLine.TRUSTED


def test_an_opened_picture_without_its_store_entry_is_a_missing_manifest(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, judged: Judged
) -> None:
    """Take the parent's manifest out of the store and leave the rest as it was."""
    edit = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(signed.content),))
    store = edit.store
    outer = next(room.boxes(store, 0, len(store)))
    found = room.superbox(store, outer)
    assert found is not None
    first = found.children[0]
    size = len(store) - (first.end - first.offset)
    cut = size.to_bytes(4, "big") + store[4 : first.offset] + store[first.end :]
    custody = judged(edit.content, sidecar=cut)
    assert custody.bottom_line in (BottomLine.TAMPERED, BottomLine.BROKEN_HISTORY)
    assert "missing-manifest" in codes(custody)


def test_a_store_beyond_the_limits_is_refused_before_the_sdk_sees_it(
    monkeypatch: pytest.MonkeyPatch, signed: made.Signed, judged: Judged
) -> None:
    monkeypatch.setattr(room, "MAX_STORE", 1000)
    monkeypatch.setattr(_c2pa, "read", lambda *_, **__: pytest.fail("the SDK was asked"))
    custody = judged(signed.content)
    assert custody.bottom_line is BottomLine.UNREADABLE
    assert "exceed the limit" in custody.headline


def test_a_long_chain_is_walked_to_its_end(
    jpeg: bytes, signer: made.Credential, anchors: tuple[_c2pa.Anchors, ...], judged: Judged
) -> None:
    content = made.sign(jpeg, made.created(), signer).content
    for _ in range(12):
        content = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(content),), anchors=anchors).content
    custody = judged(content)
    assert len(custody.links) == 13
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[0].actions[0].label == "c2pa.created"


def test_verifying_makes_no_connection(
    monkeypatch: pytest.MonkeyPatch,
    signed: made.Signed,
    jpeg: bytes,
    root: made.Credential,
    policy: TrustPolicy,
    tmp_path: Path,
) -> None:
    """Python's sockets are denied; the SDK's own are watched by a server that must not be asked."""
    import socket

    asked: list[str] = []
    with server(lambda request: asked.append(request.path)) as url:
        named = made.leaf(root, ocsp_url=url)
        remote = made.sign(jpeg, made.created(), named, embed=False, remote_url=url).content
        both = made.sign(jpeg, made.created(), named, remote_url=url).content

        def deny(*_: object, **__: object) -> None:
            raise AssertionError("a connection was tried")

        monkeypatch.setattr(socket.socket, "connect", deny)
        monkeypatch.setattr(socket, "getaddrinfo", deny)
        for number, content in enumerate((signed.content, jpeg, remote, both)):
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(content)
            examine(path, policy)
            verify(Asset.from_bytes(content), policy)
        monkeypatch.undo()
    assert asked == []


def test_a_worker_forked_after_the_first_use_verifies_too(
    signed: made.Signed, policy: TrustPolicy, judged: Judged
) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    assert judged(signed.content).bottom_line is BottomLine.TRUSTED
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        custody = pool.submit(verify, Asset.from_bytes(signed.content), policy).result()
    assert custody.bottom_line is BottomLine.TRUSTED
    assert judged(signed.content).bottom_line is BottomLine.TRUSTED


def test_a_sidecar_larger_than_any_store_is_refused(jpeg: bytes, policy: TrustPolicy, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg)
    with (tmp_path / "a.c2pa").open("wb") as file:
        file.truncate(room.MAX_STORE + 1)
    with pytest.raises(LimitExceeded):
        examine(tmp_path / "a.jpg", policy)


def test_standing_of_links_is_told_apart(signed: made.Signed, judged: Judged) -> None:
    assert judged(signed.content).links[-1].now is Standing.TRUSTED
    assert judged(signed.content, TrustPolicy()).links[-1].now is Standing.VALID


def test_altered_files_never_raise_and_what_stays_trusted_says_the_same(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, anchors: tuple[_c2pa.Anchors, ...], judged: Judged
) -> None:
    """Padding, unprotected headers and outer lengths are not signed: changes there may pass, but must change no fact."""
    import random

    from assay.scanning.report.custody_document import custody_document

    def facts(custody: Custody) -> object:
        return custody_document(custody) | {"asset": None}

    edit = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(signed.content),), anchors=anchors).content
    whole, chance, kept = facts(judged(edit)), random.Random(4), 0
    for _ in range(400):
        altered = bytearray(edit)
        at = chance.randrange(20, len(edit))
        match chance.randrange(4):
            case 0:
                altered[at] ^= 1 << chance.randrange(8)
            case 1:
                altered[at : at + 4] = chance.randbytes(4)
            case 2:
                del altered[at : at + chance.randrange(1, 40)]
            case _:
                altered[at:at] = altered[max(0, at - 60) : at]
        custody = judged(bytes(altered))
        if custody.bottom_line is BottomLine.TRUSTED:
            assert facts(custody) == whole
            kept += 1
    assert kept < 60


def test_a_redaction_is_named_and_breaks_nothing(
    jpeg: bytes, signer: made.Credential, anchors: tuple[_c2pa.Anchors, ...], judged: Judged
) -> None:
    description = made.created()
    description["assertions"].append({"label": "org.example.secret", "data": {"name": "Alice"}})
    first = made.sign(jpeg, description, signer, anchors=anchors).content
    label = judged(first).links[-1].label
    url = f"self#jumbf=/c2pa/{label}/c2pa.assertions/org.example.secret"
    removed = {"action": "c2pa.redacted", "reason": "c2pa.PII.present", "parameters": {"redacted": url}}
    second = made.sign(
        jpeg,
        made.opened(removed) | {"redactions": [url]},
        signer,
        ingredients=(made.parent(first),),
        anchors=anchors,
    ).content
    assert b"Alice" not in second
    custody = judged(second)
    assert custody.bottom_line is BottomLine.TRUSTED, custody.headline
    assert "redaction" in codes(custody)


@pytest.mark.parametrize("report", ["[" * 100_000, "{", '{"manifests": []}', "7"])
def test_a_report_that_makes_no_sense_is_unreadable(
    report: str, signed: made.Signed, monkeypatch: pytest.MonkeyPatch, judged: Judged
) -> None:
    monkeypatch.setattr(_c2pa.c2pa.Reader, "json", lambda self: report)
    assert judged(signed.content).bottom_line is BottomLine.UNREADABLE
