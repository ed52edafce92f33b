"""Signed, stripped, laundered, recovered: what is proved and what is only likely stay apart."""

import base64
import io
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import custody_assets
import pytest
from photograph_like import jpeg_asset, photograph
from PIL import Image

from assay.detectors.evidence import Basis, Origin, Severity, Silence
from assay.detectors.fingerprints.iscc import ISCC, image_code, sequence
from assay.detectors.signals.recovered_manifest import RecoveredManifest
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Standing
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import decode
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.repository import Repository, RepositoryRefused
from assay.provenance.repository.keeping import NothingToKeep, keepsake, recall
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.provenance.trust import TrustPolicy, default_policy
from assay.scanning import resolving
from assay.scanning.recovering import recover, remember, softly_bound
from assay.scanning.report.recovery_presenting import document, page
from assay.scanning.scan import Scanner, standard_signals
from assay.scanning.words import answer

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")


ROOT = custody_assets.authority()
CREDENTIAL = custody_assets.leaf(ROOT)


@pytest.fixture(scope="module")
def signed() -> Asset:
    original = jpeg_asset(photograph(1), "lake.jpg")
    recipe = softly_bound(Recipe.generated(SoftwareAgent("example-model")), original)
    return sign(original, recipe, open_signer("dev:")).asset


@pytest.fixture
def repository(tmp_path, signed):
    with Repository(tmp_path / "repository.sqlite") as made:
        remember(signed, made)
        for seed in (2, 3, 4):
            other = jpeg_asset(photograph(seed), f"{seed}.jpg")
            remember(sign(other, Recipe.published(), open_signer("dev:")).asset, made)
        yield made


def laundered(asset: Asset) -> Asset:
    """Saved anew, smaller, with 10 % of the width and 7 % of the height cut off."""
    image = decode(asset).convert("RGB")
    width, height = image.size
    part = image.crop((round(0.07 * width), round(0.02 * height), round(0.97 * width), round(0.95 * height)))
    return jpeg_asset(part.resize((420, 330)), "downloaded.jpg", quality=65)


def test_a_laundered_copy_leads_back_to_its_manifest(repository, signed):
    copy = laundered(signed)
    recovery = recover(copy, repository)
    (found,) = recovery.found
    assert found.record.sha256 == signed.sha256
    assert found.match is not None
    assert found.custody.bottom_line is BottomLine.TRUSTED
    assert found.custody.active.axes.intact.answer is Answer.YES
    assert "was remembered on" in found.custody.headline
    assert "not for this copy" in found.proved
    assert "likely, not proved" in found.likely
    assert f"{found.match.distance} of 256 bits" in found.likely
    assert recovery.own.bottom_line is BottomLine.NO_MANIFEST


def test_a_screenshot_of_a_picture_with_flat_margins_leads_back(tmp_path):
    """A product on white, shown on a page of another white with a line of writing: only the page's edge shows where it ends."""
    product = Image.new("RGB", (600, 500), "white")
    product.paste(photograph(11, (220, 300)), (310, 90))
    signed = sign(jpeg_asset(product, "product.jpg"), Recipe.published(), open_signer("dev:")).asset
    page = Image.new("RGB", (900, 760), (236, 236, 236))
    page.paste(decode(signed).convert("RGB").resize((660, 550)), (120, 130))
    page.paste((60, 60, 60), (120, 95, 700, 105))
    with Repository(tmp_path / "r.sqlite") as repository:
        remember(signed, repository)
        recovery = recover(jpeg_asset(page, "shot.jpg", quality=85), repository)
        assert [found.record.sha256 for found in recovery.found] == [signed.sha256]
        assert recovery.found[0].match.how == "within a frame"


def test_a_stranger_leads_nowhere(repository):
    recovery = recover(jpeg_asset(photograph(9), "stranger.jpg"), repository)
    assert recovery.found == ()
    assert "no evidence" in recovery.headline


def test_the_very_bytes_are_proved(tmp_path):
    original = jpeg_asset(photograph(5), "detached.jpg")
    signed = sign(original, Recipe.published(), open_signer("dev:"), sidecar=True)
    with Repository(tmp_path / "r.sqlite") as repository:
        remember(signed.asset, repository, sidecar=signed.sidecar)
        (found,) = recover(original, repository).found
    assert found.match is None
    assert found.custody.active.axes.intact.answer is Answer.YES
    assert "this very file" in found.proved


def test_only_what_holds_is_remembered(tmp_path, signed):
    """Else a trusted signer's manifest could be hung on another picture, and be found there."""
    (store,) = [found.store for found in embedded_stores(signed.content, signed.media_type)]
    with Repository(tmp_path / "r.sqlite") as repository:
        for asset, sidecar in (
            (jpeg_asset(photograph(6)), None),
            (jpeg_asset(photograph(6)), store),
            (tampered(signed), None),
        ):
            with pytest.raises(NothingToKeep):
                remember(asset, repository, sidecar=sidecar)
        assert len(repository) == 0


def tampered(asset: Asset) -> Asset:
    return Asset.from_bytes(asset.content[:-200] + bytes(1) + asset.content[-199:], name="tampered.jpg")


def test_trust_is_asked_anew_and_never_better_than_it_was(repository, signed):
    (record,) = repository.by_sha256(signed.sha256)
    nobody = replace(default_policy(), lists=())
    assert recall(repository, record, nobody).bottom_line is BottomLine.VALID
    assert recall(repository, record, default_policy()).bottom_line is BottomLine.TRUSTED
    untrusted = keepsake(signed, verify(signed, nobody))
    other, _ = repository.keep(replace(untrusted, manifest=untrusted.manifest, sha256="0" * 64))
    assert recall(repository, other, default_policy()).bottom_line is BottomLine.VALID


def edited(parent: Asset) -> Asset:
    image = decode(parent).convert("RGB").point(lambda value: value * 7 // 8)
    return sign(
        jpeg_asset(image, "edited.jpg"), Recipe.edited(parent, agent=SoftwareAgent("editor")), open_signer("dev:")
    ).asset


@pytest.mark.parametrize("defect", ["tampered parent", "stranger's parent"])
def test_what_the_original_rests_on_is_not_lost_with_its_file(tmp_path, signed, defect):
    """The chain of the original has a doubt besides its signer: it is told of the original, wherever it is recovered."""
    stranger = custody_assets.sign(jpeg_asset(photograph(1)).content, custody_assets.created(), CREDENTIAL)
    parent = tampered(signed) if defect == "tampered parent" else Asset.from_bytes(stranger.content, name="strange.jpg")
    original = edited(parent)
    copy = jpeg_asset(decode(original).resize((400, 300)), "copy.jpg", quality=70)
    with Repository(tmp_path / "r.sqlite") as repository:
        remember(original, repository)
        recovery = recover(copy, repository)
    (found,) = recovery.found
    report = Scanner(signals=[RecoveredManifest(tmp_path / "r.sqlite")]).scan(copy)
    codes = [finding.code for finding in report.verdict.findings]
    if defect == "tampered parent":
        assert found.custody.bottom_line is BottomLine.BROKEN_HISTORY
        assert found.proved.startswith("The recovered manifest does not hold for the original: its history is broken:")
        assert "“tampered.jpg”" in found.proved
        assert "does not hold" in recovery.headline
        assert "Not proved" in page([recovery])
        assert codes == ["development-authority", "original-broken-history", "recovered-manifest"]
        assert "Of the original “edited.jpg”: its history is broken" in report.verdict.findings[1].statement
    else:
        assert found.custody.bottom_line is BottomLine.VALID
        assert "but “strange.jpg”, from which it was made, was signed by Throw-away Tests" in found.proved
        assert codes == ["development-authority", "recovered-manifest"]


def test_what_has_expired_since_is_no_longer_valid(repository, signed):
    (record,) = repository.by_sha256(signed.sha256)
    later = recall(repository, record, replace(default_policy(), now=datetime.now(UTC) + timedelta(days=800)))
    assert later.bottom_line is BottomLine.INVALID
    assert later.active.now is Standing.INVALID
    assert later.headline.startswith(
        "It is not in order. Signed by assay development, its certificate is not valid today"
    )


def test_an_update_manifest_is_remembered_with_what_it_updates(tmp_path, signed):
    updated = Asset.from_bytes(
        custody_assets.sign(signed.content, {"assertions": []}, CREDENTIAL, intent="UPDATE").content
    )
    policy = replace(default_policy(), lists=(custody_assets.trust_list(ROOT), *default_policy().lists))
    with Repository(tmp_path / "r.sqlite") as repository:
        record, _ = repository.keep(keepsake(updated, verify(updated, policy)))
        custody = recall(repository, record, policy)
    assert [link.kind for link in custody.links] == ["standard", "update"]
    assert [link.now for link in custody.links] == [Standing.TRUSTED] * 2
    assert custody.bottom_line is BottomLine.TRUSTED
    assert [link.axes.unbroken.answer for link in custody.links] == [Answer.YES] * 2


def test_a_store_that_was_changed_in_the_repository_is_not_believed(repository, signed):
    (record,) = repository.by_sha256(signed.sha256)
    store = bytearray(repository.store(record))
    at = store.index(b"example-model")
    store[at : at + 7] = b"forgery"
    repository._base.execute("UPDATE record SET store = ? WHERE id = ?", (bytes(store), record.id))
    custody = recall(repository, record, default_policy())
    assert custody.bottom_line in (BottomLine.TAMPERED, BottomLine.INVALID)


def test_as_evidence_it_is_a_mark_and_no_proof(repository, signed):
    copy = laundered(signed)
    signal = RecoveredManifest(repository.path)
    said = signal.examine(Subject(copy, verify(copy), thorough=True))
    assert (said.origin, said.basis) == (Origin.SYNTHETIC, Basis.MARKED)
    assert said.generator == "example-model"
    assert [finding.code for finding in said.findings] == ["development-authority", "recovered-manifest"]
    nobody: TrustPolicy = replace(default_policy(), lists=())
    weaker = RecoveredManifest(repository.path, policy=nobody).examine(Subject(copy, verify(copy), thorough=True))
    assert (weaker.origin, weaker.basis) == (Origin.SYNTHETIC, Basis.DECLARED)


IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
KNOWN = TrustPolicy(lists=(custody_assets.trust_list(ROOT),))


def versions(repository: Repository, *source_types: str, credential=CREDENTIAL) -> Asset:
    """Versions of one picture with a patch that differs, each signed as of its source type and remembered; a copy of the last."""
    for at, term in enumerate(source_types):
        image = photograph(7)
        image.paste((30 * at, 90, 200), (300, 200, 330, 230))
        signed = custody_assets.sign(jpeg_asset(image).content, custody_assets.created(IPTC + term), credential)
        asset = Asset.from_bytes(signed.content, name=f"{term}-{at}.jpg")
        remember(asset, repository, policy=KNOWN)
    return jpeg_asset(image.resize((400, 300)), "copy.jpg", quality=60)


def scanned(repository: Repository, copy: Asset):
    return Scanner(signals=[RecoveredManifest(repository.path, policy=KNOWN)]).scan(copy)


def test_matches_that_state_different_origins_are_all_named_and_decide_nothing(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        copy = versions(repository, "digitalCapture", "digitalCapture", "compositeWithTrainedAlgorithmicMedia")
        verdict = scanned(repository, copy).verdict
    assert verdict.origin is Origin.UNDETERMINED
    (finding,) = verdict.findings
    assert (finding.code, finding.severity) == ("originals-disagree", Severity.WARNING)
    for name in ("digitalCapture-", "compositeWithTrainedAlgorithmicMedia-2.jpg", "1 more remembered picture matches"):
        assert name in finding.statement
    assert "copy of several whose recovered manifests state different origins" in answer(verdict).headline
    assert answer(verdict).who == "Nobody."


def test_several_matches_of_one_origin_speak_and_are_counted(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        verdict = scanned(repository, versions(repository, "digitalCapture", "print", "digitalCapture")).verdict
    assert (verdict.origin, verdict.basis) == (Origin.CAPTURED, Basis.MARKED)
    assert "2 more remembered pictures match" in answer(verdict).who


def test_a_montage_is_one_for_its_copies_too(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        verdict = scanned(repository, versions(repository, "compositeCapture")).verdict
    assert "states that it was composed of parts that were all captured" in answer(verdict).headline
    assert "states that the picture was composed of parts that were all captured" in answer(verdict).who


def test_a_match_that_is_generated_and_one_that_is_in_part_make_a_composite(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        terms = ("compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia")
        verdict = scanned(repository, versions(repository, *terms)).verdict
    assert (verdict.origin, verdict.basis) == (Origin.COMPOSITE, Basis.MARKED)
    assert [finding.code for finding in verdict.findings] == ["recovered-manifest"]


def test_a_strangers_manifest_does_not_silence_a_trusted_one_but_is_named(tmp_path):
    stranger = custody_assets.leaf(custody_assets.authority("Elsewhere"), organisation="Stranger")
    with Repository(tmp_path / "r.sqlite") as repository:
        versions(repository, "trainedAlgorithmicMedia")
        verdict = scanned(repository, versions(repository, "digitalCapture", credential=stranger)).verdict
    assert (verdict.origin, verdict.basis) == (Origin.SYNTHETIC, Basis.MARKED)
    (warning,) = [finding for finding in verdict.findings if finding.code == "originals-disagree"]
    assert (
        "“digitalCapture-0.jpg”: A manifest signed by Stranger claims that the picture was captured"
        in warning.statement
    )


def test_the_verdict_says_what_it_rests_on(repository, signed):
    copy = laundered(signed)
    report = Scanner(signals=[RecoveredManifest(repository.path)], thorough=True).scan(copy)
    said = answer(report.verdict)
    assert (
        "looks like a copy of one whose recovered manifest states that it was generated by an AI model" in said.headline
    )
    assert "watermark" not in said.headline + said.sure + said.change
    assert said.sure.startswith("Who signed the manifest is not sure, for anybody can make a development key")
    untrusted = RecoveredManifest(repository.path, policy=replace(default_policy(), lists=()))
    strange = Scanner(signals=[untrusted], thorough=True).scan(copy)
    assert "development key" not in answer(strange.verdict).sure


def test_one_scanner_serves_several_threads_at_once(repository, signed, monkeypatch):
    monkeypatch.setenv("ASSAY_REPOSITORY", str(repository.path))
    copies = [laundered_lightly(signed), jpeg_asset(photograph(8)), signed] * 4
    expected = [Scanner(signals=standard_signals(None)).scan(copy).evidence for copy in copies]
    shared = Scanner(signals=standard_signals(None))
    together = Barrier(4)

    def scanned(copy):
        together.wait(timeout=30)
        return shared.scan(copy).evidence

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(scanned, copies)) == expected
    recovered = [next(one for one in evidence if one.signal == RecoveredManifest.name) for evidence in expected[:3]]
    assert [one.silence for one in recovered] == [None, Silence.ABSENT, Silence.INAPPLICABLE]
    remember(sign(jpeg_asset(photograph(5)), Recipe.published(), open_signer("dev:")).asset, repository)
    with ThreadPoolExecutor(4) as threads:  # others than those that opened the repository, which has changed
        assert list(threads.map(scanned, copies)) == expected


def test_no_signal_changes_the_picture_that_others_look_at(repository, monkeypatch):
    """A search by looks works on a small picture: a copy, or all that comes after it judges, measures and tells of the small one."""
    monkeypatch.setenv("ASSAY_REPOSITORY", str(repository.path))
    copy = jpeg_asset(photograph(9, (900, 700)), "copy.jpg")
    subject = Subject(copy, verify(copy), thorough=True)
    before = subject.image.tobytes()
    for signal in (*standard_signals("swift"), *standard_signals("swift", faces=True)):
        signal.examine(subject)
        assert subject.image.size == (900, 700), signal.name
        assert subject.image.tobytes() == before, signal.name
    with_repository = Scanner(signals=standard_signals("swift")).scan(copy)
    monkeypatch.setenv("ASSAY_REPOSITORY", str(repository.path.with_name("none.sqlite")))
    without = Scanner(signals=standard_signals("swift")).scan(copy)
    assert (with_repository.width, with_repository.height) == (without.width, without.height) == (900, 700)

    def looked(report):
        return [piece for piece in report.evidence if piece.signal != RecoveredManifest.name]

    assert looked(with_repository) == looked(without)


def test_a_repository_that_is_being_written_is_not_lent_to_a_signal(repository):
    with pytest.raises(ValueError, match="belongs to its own thread"):
        RecoveredManifest(repository=repository)


def test_silence(repository, signed, tmp_path):
    copy = jpeg_asset(photograph(9))
    none = RecoveredManifest(tmp_path / "absent.sqlite").examine(Subject(copy, verify(copy)))
    own = RecoveredManifest(repository.path).examine(Subject(signed, verify(signed)))
    absent = RecoveredManifest(repository.path).examine(Subject(copy, verify(copy)))
    assert [one.silence for one in (none, own, absent)] == [Silence.INAPPLICABLE, Silence.INAPPLICABLE, Silence.ABSENT]
    assert not (tmp_path / "absent.sqlite").exists()


def test_what_was_forgotten_is_not_recovered(repository, signed):
    copy = laundered(signed)
    signal = RecoveredManifest(repository.path)
    subject = Subject(copy, verify(copy), thorough=True)
    assert signal.examine(subject).speaks
    repository.forget(signed.sha256)
    assert recover(copy, repository).found == ()
    assert signal.examine(subject).silence is Silence.ABSENT


@pytest.mark.parametrize("damaged", ["no JPEG", "cut off"])
def test_a_damaged_record_is_named_by_the_searches_that_come_to_it_and_stops_no_other(repository, signed, damaged):
    copy = laundered(signed)
    (record,) = repository.by_sha256(signed.sha256)
    small = repository.thumbnail(record)
    bad = bytes(20) + small[20:] if damaged == "no JPEG" else small[: len(small) // 2]
    base = sqlite3.connect(repository.path)
    with base:
        base.execute("UPDATE record SET thumbnail = ? WHERE id = ?", (bad, record.id))
    base.close()
    with pytest.raises(RepositoryRefused, match=f"the record of {signed.sha256} is damaged"):
        recover(copy, repository)
    told = RecoveredManifest(repository.path).examine(Subject(copy, verify(copy), thorough=True))
    assert told.silence is Silence.FAILED
    assert f"the record of {signed.sha256} is damaged" in told.statement
    assert recover(jpeg_asset(photograph(2), quality=70), repository).found
    repository.forget(signed.sha256)
    remember(signed, repository)
    assert recover(copy, repository).found


def test_the_soft_binding_is_in_the_manifest_and_finds_it(repository, signed):
    assert verify(signed).active.soft_bindings == (ISCC,)
    value = base64.b64encode(sequence(image_code(decode(laundered_lightly(signed))))).decode()
    found = resolving.by_binding(repository, ISCC, value)["matches"]
    assert found[0]["manifestId"] == verify(signed).active.label
    assert 80 <= found[0]["similarityScore"] <= 99
    store = resolving.manifest(repository, found[0]["manifestId"])
    assert verify(signed, sidecar=store).bottom_line is BottomLine.TRUSTED


def laundered_lightly(asset: Asset) -> Asset:
    return jpeg_asset(decode(asset).convert("RGB").resize((300, 225)), quality=70)


def test_resolution_by_content(repository, signed):
    label = verify(signed).active.label
    for asset, alg in ((signed, ""), (laundered(signed), ""), (laundered_lightly(signed), ISCC)):
        assert resolving.by_content(repository, asset, alg=alg)["matches"][0]["manifestId"] == label
    assert resolving.by_content(repository, signed)["matches"] == [{"manifestId": label, "similarityScore": 100}]
    assert resolving.by_content(repository, jpeg_asset(photograph(9))) == {"matches": []}
    assert resolving.supported_algorithms() == {"fingerprints": [{"alg": "io.iscc.v0"}]}


def test_a_hint_finds_what_the_picture_does_not(repository, signed):
    label = verify(signed).active.label
    value = base64.b64encode(sequence(image_code(decode(signed)))).decode()
    stranger = jpeg_asset(photograph(9))
    for alg in ("", ISCC):
        found = resolving.by_content(repository, stranger, alg=alg, hint=(ISCC, value))["matches"]
        assert [match["manifestId"] for match in found] == [label]
        assert resolving.by_content(repository, stranger, alg=alg, hint=("com.example.other", "?")) == {"matches": []}
        with pytest.raises(resolving.QueryRefused):
            resolving.by_content(repository, stranger, alg=alg, hint=(ISCC, "?"))


@pytest.mark.parametrize(
    ("alg", "value"),
    [("com.example.other", "AAAA"), (ISCC, "no base64!"), (ISCC, ""), (ISCC, "A" * 20_000), (ISCC, "IQEAAAAAAAAAAA==")],
)
def test_queries_that_cannot_be_answered_are_refused(repository, alg, value):
    with pytest.raises(resolving.QueryRefused):
        resolving.by_binding(repository, alg, value)
    with pytest.raises(resolving.QueryRefused):
        resolving.by_content(repository, jpeg_asset(photograph(9)), most=0)
    with pytest.raises(resolving.UnknownManifest):
        resolving.manifest(repository, "urn:c2pa:nobody")


def test_the_page_shows_both_pictures_and_escapes_names(repository, signed):
    copy = replace(laundered(signed), name="<script>alert(1)</script>\u202egpj.jpg")
    recovery = recover(copy, repository)
    shown = page([recovery])
    assert shown.count("data:image/jpeg;base64,") == 2
    assert "<script" not in shown
    assert "\u202e" not in shown
    assert "Proved" in shown
    assert "Only likely" in shown
    said = json.loads(json.dumps(document(recovery)))
    assert said["found"][0]["original"]["sha256"] == signed.sha256
    assert said["found"][0]["same_bytes"] is False
    assert Image.open(io.BytesIO(repository.thumbnail(recovery.found[0].record))).size <= (256, 256)
