"""The Soft Binding Resolution API of a real server over a repository with one signed picture."""

import base64
import json
from urllib.parse import quote

import pytest
from photograph_like import jpeg_asset, photograph
from serving import served

from assay.detectors.fingerprints.iscc import ISCC, image_code, sequence
from assay.provenance.custody.verifying import verify
from assay.provenance.jumbf.store import active_alone
from assay.provenance.repository import Repository, open_repository
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.scanning.recovering import recover, remember
from assay.scanning.report.recovery_presenting import document
from assay.scanning.service.api import document as response
from assay.scanning.service.examining import Answer

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")


def test_a_stripped_copy_is_resolved_over_http(tmp_path, monkeypatch):
    signed = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    label = verify(signed).active.label
    copy = jpeg_asset(photograph(1).resize((400, 300)), quality=60)
    value = base64.b64encode(sequence(image_code(photograph(1).resize((400, 300))))).decode()
    path = tmp_path / "repository.sqlite"
    monkeypatch.setenv("ASSAY_REPOSITORY", str(path))
    with served() as server, server.client() as client:
        assert client.get("/v1/services/supportedAlgorithms").json() == {"fingerprints": [{"alg": ISCC}]}
        assert client.get(f"/v1/manifests/{quote(label)}").status_code == 404
        assert client.get("/v1/services/status").json()["status"] == "down"
        with Repository(path) as repository:
            remember(signed, repository)
        matches = [
            client.get("/v1/matches/byBinding", params={"alg": ISCC, "value": value}),
            client.post("/v1/matches/byBinding", json={"alg": ISCC, "value": value}),
            client.post("/v1/matches/byContent", content=copy.content, headers={"content-type": "image/jpeg"}),
        ]
        for answer in matches:
            assert answer.status_code == 200, answer.text
            assert answer.json()["matches"][0]["manifestId"] == label
        store = client.get(f"/v1/manifests/{quote(label)}")
        assert store.headers["content-type"] == "application/c2pa"
        assert verify(signed, sidecar=store.content).active.label == label
        alone = client.get(f"/v1/manifests/{quote(label)}", params={"returnActiveManifest": "true"})
        assert alone.content == active_alone(store.content)
        assert client.get("/v1/services/status").json()["status"] == "ok"
        recovered = client.post("/v1/recover", content=copy.content, headers={"content-type": "image/jpeg"}).json()
        assert recovered["found"][0]["original"]["sha256"] == signed.sha256
        refused = client.get("/v1/matches/byBinding", params={"alg": ISCC, "value": "???"})
        assert refused.status_code == 400
        assert client.get("/v1/manifests/urn:c2pa:nobody").status_code == 404


def test_what_the_server_lacks_is_not_blamed_on_the_picture():
    assert response(Answer(error="MissingExtra", body=b"{}")).status_code == 501


def test_servers_that_share_a_database_resolve_bindings(monkeypatch, database):
    signed = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    label = verify(signed).active.label
    value = base64.b64encode(sequence(image_code(photograph(1)))).decode()
    monkeypatch.setenv("ASSAY_REPOSITORY", database)
    with served() as server, server.client() as client:
        asked = {"alg": ISCC, "value": value}
        assert client.get("/v1/matches/byBinding", params=asked).status_code == 503  # nothing was made there yet
        with open_repository(database) as repository:
            remember(signed, repository)
        assert client.get("/v1/matches/byBinding", params=asked).json()["matches"][0]["manifestId"] == label
        assert client.get(f"/v1/manifests/{quote(label)}").status_code == 200


def test_two_servers_recover_what_was_remembered_in_their_database(monkeypatch, database, tmp_path):
    """Saved anew, smaller and cropped; the answer is what a command says that reaches the database itself."""
    signed = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    label = verify(signed).active.label
    copy = jpeg_asset(photograph(1).crop((40, 20, 620, 470)).resize((400, 300)), quality=60)
    jpeg = {"content-type": "image/jpeg"}
    monkeypatch.setenv("ASSAY_REPOSITORY", database)
    with open_repository(database) as repository:
        remember(signed, repository)
        for seed in range(2, 6):
            remember(sign(jpeg_asset(photograph(seed)), Recipe.published(), open_signer("dev:")).asset, repository)
        wanted = document(recover(copy, repository))
    assert wanted["found"]
    with served() as one, served() as other:
        for server in (one, other):
            with server.client() as client:
                said = client.post("/v1/recover", content=copy.content, headers=jpeg)
                assert said.status_code == 200, said.text
                assert said.json() == json.loads(json.dumps(wanted | {"asset": said.json()["asset"]}))
                same = client.post("/v1/recover", content=signed.content, headers=jpeg).json()
                assert (same["found"][0]["same_bytes"], same["searched"]) == (True, 5)
                for alg in ("", ISCC):
                    answer = client.post(
                        "/v1/matches/byContent", params={"alg": alg}, content=copy.content, headers=jpeg
                    )
                    assert answer.status_code == 200, answer.text
                    if not alg:
                        assert answer.json()["matches"][0]["manifestId"] == label
                refused = client.post(
                    "/v1/matches/byContent", params={"alg": "x.y"}, content=copy.content, headers=jpeg
                )
                assert refused.status_code == 400, refused.text
                broken = client.post("/v1/recover", content=b"\xff\xd8\xff\xe0 nothing", headers=jpeg)
                assert broken.status_code in (415, 422), broken.text


def test_the_page_of_a_server_finds_what_a_database_remembers(monkeypatch, database):
    signed = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    smaller = jpeg_asset(photograph(1).resize((400, 300)), quality=60).content
    cropped = jpeg_asset(photograph(1).crop((40, 20, 620, 470)), quality=70).content
    monkeypatch.setenv("ASSAY_REPOSITORY", database)
    with open_repository(database) as repository:
        remember(signed, repository)
    found = "The remembered picture, whose manifest was found again"
    with served() as server, server.client(headers={"content-type": "image/jpeg"}) as client:
        assert found in client.post("/look", content=smaller).text
        assert found in client.post("/look", params={"thorough": "true"}, content=cropped).text
        stranger = client.post("/look", content=jpeg_asset(photograph(2)).content)
        assert (stranger.status_code, found in stranger.text) == (200, False)
        assert "was not asked" not in stranger.text
        assert "file has a manifest of its own" in client.post("/look", content=signed.content).text
        assert client.post("/look", content=b"no picture").status_code == 200


def test_the_page_answers_though_the_database_is_away(monkeypatch):
    monkeypatch.setenv("ASSAY_REPOSITORY", "postgresql://assay@127.0.0.1:1/away")
    copy = jpeg_asset(photograph(1)).content
    with served() as server, server.client(headers={"content-type": "image/jpeg"}) as client:
        looked = client.post("/look", content=copy)
        assert looked.status_code == 200
        assert "in a database, which was not asked" in looked.text
        assert client.post("/v1/recover", content=copy).status_code == 503
