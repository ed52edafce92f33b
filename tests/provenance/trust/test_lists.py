"""Lists as dated files: what ships, what the user adds, how they are updated, and what is refused."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from custody_assets import Credential, authority, created, encoded, leaf, picture, sign
from loopback import says, server
from pytest_httpserver import HTTPServer
from trust_lists import chain, der, policy, trust_list

from assay.commands.trust import trust
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.fetching import FetchRefused
from assay.provenance.trust import ListKind, Purpose, TrustListRefused, default_policy, judge
from assay.provenance.trust.editing import (
    add_list,
    find_edition,
    previous_edition,
    remove_list,
    restore_list,
    update_list,
)
from assay.provenance.trust.store import SNAPSHOTS, editions, folder, load, load_lists, load_products, shipped_editions

ONE, TWO, THREE = authority("One"), authority("Two"), authority("Three")
LOOPBACK = frozenset({"127.0.0.1", "localhost"})
CLAIMS = (Purpose.CLAIM_SIGNING,)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


def entities(*authorities: Credential, issued: str = "2026-09-01T00:00:00Z", status: str = "trusted") -> bytes:
    """A C2PA trust list in JSON."""
    services: list[dict[str, Any]] = [
        {
            "ServiceInformation": {
                "ServiceStatus": f"http://c2pa.org/conformance/trust-list/{status}",
                "ServiceDigitalIdentity": {
                    "X509Certificates": [{"val": base64.b64encode(der(one.certificate)).decode()}]
                },
            }
        }
        for one in authorities
    ]
    scheme = {"ListIssueDateTime": issued, "NextUpdate": "2027-09-01T00:00:00Z"}
    return json.dumps(
        {"LoTE": {"ListAndSchemeInformation": scheme, "TrustedEntitiesList": [{"TrustedEntityServices": services}]}}
    ).encode()


def added(tmp_path: Path, httpserver: HTTPServer, *authorities: Credential, **options: Any) -> str:
    file = tmp_path / "list.json"
    file.write_bytes(entities(*authorities))
    add_list("mine", file, CLAIMS, url=httpserver.url_for("/list"), **options)
    return "mine"


def offers(httpserver: HTTPServer, content: bytes, path: str = "/list") -> None:
    httpserver.clear()
    httpserver.expect_request(path).respond_with_data(content)


# what ships


def test_the_snapshots_are_the_files_that_their_metadata_describes() -> None:
    for edition in shipped_editions():
        content = edition.read()
        assert hashlib.sha256(content).hexdigest() == edition.sha256
        assert edition.source.startswith("https://")
        assert edition.licence
        assert edition.content in (SNAPSHOTS / "NOTICE").read_text()


def test_the_official_lists_hold_what_they_held_when_they_were_issued() -> None:
    lists = {one.id: one for one in load_lists()}
    assert {name: (len(one.anchors), len(one.allowed)) for name, one in lists.items()} == {
        "c2pa": (30, 0),
        "c2pa-tsa": (22, 0),
        "interim": (26, 117),
    }
    assert lists["c2pa"].purposes == CLAIMS
    assert lists["c2pa-tsa"].purposes == (Purpose.TIME_STAMPING,)
    assert lists["c2pa"].issued == datetime(2026, 8, 5, 0, 11, 39, tzinfo=UTC)
    assert (lists["interim"].kind, lists["interim"].frozen) == (ListKind.INTERIM, True)
    assert "frozen" in lists["interim"].title
    assert len(load_products()) == 174


def test_the_snapshots_agree_with_the_published_files(shared: Path) -> None:
    for ours, theirs in (("c2pa", "C2PA-TRUST-LIST.json"), ("c2pa-tsa", "C2PA-TSA-TRUST-LIST.json")):
        assert find_edition(ours).read() == (shared / "trust" / theirs).read_bytes()
    from assay.provenance.trust.products import read_products

    published = read_products("published", (shared / "trust" / "conforming-products-list.json").read_bytes())
    assert published == load_products()


def test_the_documentation_counts_what_ships() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "trust.md").read_text()
    lists = {one.id: one for one in load_lists()}
    for name in ("c2pa", "c2pa-tsa"):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"{len(lists[name].anchors)} authorities" in row
        assert f"issued {lists[name].issued:%Y-%m-%d}" in row
        assert f"due {lists[name].next_update:%Y-%m-%d}" in row
    row = next(line for line in page.splitlines() if line.startswith("| `interim` |"))
    assert f"{len(lists['interim'].anchors)} authorities, {len(lists['interim'].allowed)} single certificates" in row
    assert f"{len(load_products())} products" in page


# staleness


def test_a_list_past_its_next_update_is_a_warning_and_the_frozen_one_is_none() -> None:
    later = datetime(2027, 8, 6, tzinfo=UTC)
    assert default_policy().warnings() == () or datetime.now(UTC) > datetime(2027, 8, 5, tzinfo=UTC)
    warnings = default_policy(now=later).warnings()
    assert len(warnings) == 2
    assert "due on 2027-08-05" in warnings[0]
    assert "assay trust update c2pa" in warnings[0]


def test_a_policy_without_signers_says_that_nobody_can_be_trusted() -> None:
    assert any("nobody can be trusted" in warning for warning in policy().warnings())


def test_an_official_list_without_dates_goes_stale_after_a_year() -> None:
    undated = trust_list(ONE)
    assert undated.stale()
    fresh = replace(undated, issued=datetime.now(UTC) - timedelta(days=300))
    assert not fresh.stale()
    assert fresh.stale(datetime.now(UTC) + timedelta(days=100))


# adding and removing


def test_a_list_of_the_users_own_is_believed_for_its_purpose_only(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem + TWO.pem)
    add_list("newsroom", file, (Purpose.TIME_STAMPING,))
    own = default_policy().find("newsroom")
    assert own is not None
    assert (own.kind, own.purposes, len(own.anchors)) == (ListKind.USER, (Purpose.TIME_STAMPING,), 2)
    remove_list("newsroom")
    assert default_policy().find("newsroom") is None
    assert not folder("newsroom").exists()


def test_a_single_signer_on_a_list_is_believed_and_nobody_below_it(tmp_path: Path) -> None:
    """The case of an organisation that publishes its signing certificate and no authority."""
    signer = leaf(ONE, "Newsroom Signer")
    file = tmp_path / "signer.pem"
    file.write_text(signer.pem)
    own = load(add_list("newsroom", file, CLAIMS))
    assert (own.anchors, own.allowed) == ((), {hashlib.sha256(der(signer.certificate)).digest()})
    assert judge(chain(signer), Purpose.CLAIM_SIGNING, policy(own)).trusted_by == "newsroom"
    assert not judge(chain(leaf(ONE)), Purpose.CLAIM_SIGNING, policy(own)).trusted
    content = sign(encoded(picture()), created(), signer).content
    custody = verify(Asset.from_bytes(content), policy(own))
    assert custody.bottom_line is BottomLine.TRUSTED
    assert "Newsroom Signer" in ran("show", "newsroom")


@pytest.mark.parametrize("list_id", ["c2pa", "interim", "Capital", "../escape", "", "a b", "x" * 41])
def test_a_list_cannot_take_a_shipped_name_or_one_that_is_no_name(tmp_path: Path, list_id: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    with pytest.raises(TrustListRefused):
        add_list(list_id, file, CLAIMS)


def test_a_shipped_list_can_be_switched_off_and_on() -> None:
    remove_list("interim")
    assert default_policy().find("interim") is None
    restore_list("interim")
    assert default_policy().find("interim") is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        ONE.pem.encode()[:-40],
        ONE.pem.encode() + TWO.pem.encode()[: len(TWO.pem) // 2],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        entities(),
        entities(ONE, status="withdrawn"),
        entities(ONE, TWO)[:-30],
        entities(ONE).replace(b'"val"', b'"value"'),
        b"[" * 100_000,
    ],
)
def test_what_is_no_whole_list_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)
    with pytest.raises(TrustListRefused):
        add_list("mine", file, CLAIMS)
    assert not folder("mine").exists()


def test_entries_that_are_not_trusted_any_more_are_left_out(tmp_path: Path) -> None:
    both = json.loads(entities(ONE, TWO))
    services = both["LoTE"]["TrustedEntitiesList"][0]["TrustedEntityServices"]
    services[0]["ServiceInformation"]["ServiceStatus"] = "http://c2pa.org/conformance/trust-list/withdrawn"
    file = tmp_path / "list.json"
    file.write_text(json.dumps(both))
    assert load(add_list("mine", file, CLAIMS)).anchors == (der(TWO.certificate),)


def test_a_stored_list_that_was_changed_is_refused_with_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    edition = add_list("mine", file, CLAIMS)
    (folder("mine") / edition.content).write_text(ONE.pem + TWO.pem)
    with pytest.raises(TrustListRefused, match="not the file that was stored"):
        default_policy()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"id": "c2pa"}', None])
def test_metadata_that_cannot_be_read_is_refused_with_a_hint(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    add_list("mine", file, CLAIMS)
    stored = folder("mine") / "list.json"
    stored.write_text(stored.read_text().replace('"mine"', '"c2pa"') if content is None else content)
    with pytest.raises(TrustListRefused, match=r"list\.json"):
        default_policy()


# updating


def test_an_update_replaces_the_list_keeps_the_last_and_can_go_back(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE)
    offers(httpserver, entities(ONE, TWO, issued="2026-10-01T00:00:00Z"))
    done = update_list("mine", private_hosts=LOOPBACK)
    assert (done.changed, done.added, done.gone) == (True, 1, 0)
    current = default_policy().find("mine")
    assert current is not None
    assert (len(current.anchors), current.issued) == (2, datetime(2026, 10, 1, tzinfo=UTC))
    back = previous_edition("mine")
    assert (back.added, back.gone) == (0, 1)
    assert len(load(find_edition("mine")).anchors) == 1
    assert previous_edition("mine").added == 1
    assert len(list(folder("mine").iterdir())) == 3  # metadata, this edition, the one before


def test_an_unchanged_list_stays_and_is_dated_anew(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE)
    offers(httpserver, entities(ONE))
    assert not update_list("mine", private_hosts=LOOPBACK).changed


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (entities(ONE, TWO)[:-20], "not a complete"),
        (b"<html>maintenance</html>", "no certificate"),
        (entities(ONE, THREE, issued="2026-08-01T00:00:00Z"), "issued 2026-08-01"),
        (entities(ONE), "only 1 of 3"),
    ],
)
def test_a_bad_update_is_refused_and_nothing_changes(
    tmp_path: Path, httpserver: HTTPServer, content: bytes, why: str
) -> None:
    added(tmp_path, httpserver, ONE, TWO, THREE)
    before = find_edition("mine")
    offers(httpserver, content)
    with pytest.raises(TrustListRefused, match=why):
        update_list("mine", private_hosts=LOOPBACK)
    assert find_edition("mine") == before
    assert len(load(before).anchors) == 3


def test_force_takes_an_older_or_smaller_list(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE, TWO, THREE)
    offers(httpserver, entities(ONE, issued="2026-08-01T00:00:00Z"))
    assert update_list("mine", force=True, private_hosts=LOOPBACK).gone == 2


def test_half_a_download_is_refused(tmp_path: Path) -> None:
    """A PEM bundle cut between two certificates is whole in shape: the stated length tells."""
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    whole = (ONE.pem + TWO.pem).encode()
    with server(says(ONE.pem.encode(), stated=len(whole))) as url:
        add_list("mine", file, CLAIMS, url=url)
        with pytest.raises(FetchRefused, match=r"only [\d,]+ of [\d,]+ bytes arrived"):
            update_list("mine", private_hosts=LOOPBACK)
    assert load(find_edition("mine")).anchors == (der(ONE.certificate),)


def test_a_mirror_on_a_private_address_is_asked_only_when_named(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE, key=pinned()[1])
    offers(httpserver, entities(ONE, TWO))
    with pytest.raises(FetchRefused, match="not a public one"):
        update_list("mine")
    assert httpserver.log == []


def test_an_unsigned_list_is_not_fetched_over_plain_http(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    add_list("mine", file, CLAIMS, url="http://lists.example/list.pem")
    with pytest.raises(TrustListRefused, match="not https"):
        update_list("mine")


@pytest.mark.parametrize("list_id", ["interim", "nowhere", "silent"])
def test_what_cannot_be_updated_says_why(tmp_path: Path, list_id: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    add_list("silent", file, CLAIMS)
    with pytest.raises(TrustListRefused):
        update_list(list_id)


def test_a_newer_edition_of_an_official_list_takes_its_place(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = json.loads(find_edition("c2pa").read())
    official["LoTE"]["ListAndSchemeInformation"]["ListIssueDateTime"] = "2026-11-01T00:00:00Z"
    offers(httpserver, json.dumps(official).encode())
    shipped = tuple(replace(e, url=httpserver.url_for("/list")) if e.id == "c2pa" else e for e in shipped_editions())
    monkeypatch.setattr("assay.provenance.trust.store.shipped_editions", lambda: shipped)
    update_list("c2pa", private_hosts=LOOPBACK)
    current = default_policy().find("c2pa")
    assert current is not None
    assert (current.issued, current.shipped, current.kind) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        False,
        ListKind.OFFICIAL,
    )
    assert sum(edition.id == "c2pa" for edition in editions()) == 1


# signatures


def pinned() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_with_a_pinned_key_only_a_signed_list_is_taken(tmp_path: Path, httpserver: HTTPServer) -> None:
    key, public = pinned()
    added(tmp_path, httpserver, ONE, key=public)
    newer = entities(ONE, TWO, issued="2026-10-01T00:00:00Z")
    offers(httpserver, newer)
    with pytest.raises(FetchRefused):  # no signature beside it
        update_list("mine", private_hosts=LOOPBACK)
    httpserver.expect_request("/list.sig").respond_with_data(pinned()[0].sign(newer, ec.ECDSA(hashes.SHA256())))
    with pytest.raises(TrustListRefused, match="does not hold"):
        update_list("mine", private_hosts=LOOPBACK)
    offers(httpserver, newer)
    signature = key.sign(newer, ec.ECDSA(hashes.SHA256()))
    httpserver.expect_request("/list.sig").respond_with_data(base64.b64encode(signature))
    assert update_list("mine", private_hosts=LOOPBACK).added == 1


def wrapped(key: ec.EllipticCurvePrivateKey, payload: bytes, algorithm: str = "ES256") -> bytes:
    def text(content: bytes) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    signed = text(json.dumps({"alg": algorithm}).encode()) + b"." + text(payload)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return signed + b"." + text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_a_list_in_a_json_web_signature_is_taken_under_the_pinned_key_only(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    key, public = pinned()
    added(tmp_path, httpserver, ONE, key=public)
    newer = entities(ONE, TWO, issued="2026-10-01T00:00:00Z")
    for refused in (wrapped(pinned()[0], newer), wrapped(key, newer, "none"), wrapped(key, newer, "HS256")):
        offers(httpserver, refused)
        with pytest.raises(TrustListRefused, match="does not hold"):
            update_list("mine", private_hosts=LOOPBACK)
    offers(httpserver, wrapped(key, newer))
    assert update_list("mine", private_hosts=LOOPBACK).added == 1


def test_a_wrapped_list_without_a_pinned_key_is_refused(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE)
    offers(httpserver, wrapped(pinned()[0], entities(ONE, TWO)))
    with pytest.raises(TrustListRefused, match="no key is pinned"):
        update_list("mine", private_hosts=LOOPBACK)


# the command


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(trust, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_lists_shows_adds_updates_and_removes(tmp_path: Path, httpserver: HTTPServer) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ONE.pem)
    ran("add", "mine", str(file), "--purpose", "claim-signing", "--url", httpserver.url_for("/list"))
    rows = {row["id"]: row for row in json.loads(ran("list", "--format", "json"))}
    assert (rows["mine"]["kind"], rows["mine"]["entries"], rows["c2pa"]["entries"]) == ("user", 1, 30)
    assert "frozen" in ran("list")
    assert "One (Throw-away Tests)" in ran("show", "mine")
    offers(httpserver, (ONE.pem + TWO.pem).encode())
    assert "1 new, 0 gone" in ran("update", "mine", "--private-host", "localhost", "--private-host", "127.0.0.1")
    assert "0 new, 1 gone" in ran("update", "mine", "--back")
    ran("remove", "mine")
    assert "mine" not in ran("list")


def test_a_failed_update_names_the_list_and_fails_the_command(tmp_path: Path, httpserver: HTTPServer) -> None:
    added(tmp_path, httpserver, ONE)
    done = CliRunner().invoke(trust, ["update", "mine"])
    assert isinstance(done.exception, AssayError)
    assert "mine: kept as it was" in done.stderr


def test_hostile_names_in_a_list_are_shown_harmless(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(authority("evil\x1b[31m\u202ered").pem)
    ran("add", "mine", str(file), "--purpose", "identity")
    shown = ran("show", "mine")
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_the_list_of_lists_says_that_nobody_vouches_for_identities(tmp_path: Path) -> None:
    said = CliRunner().invoke(trust, ["list"]).stdout
    assert "no trust list for identities (CAWG) is in use" in said
    assert "26 + 117 single" in said
    (tmp_path / "ca.pem").write_text(ONE.pem)
    add_list("publishers", tmp_path / "ca.pem", (Purpose.IDENTITY,))
    assert "Note:" not in CliRunner().invoke(trust, ["list"]).stdout
