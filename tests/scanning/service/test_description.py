"""The OpenAPI description of a real server is true: every example holds to its schema, every call works, every answer fits."""

import base64
import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import jsonschema
import pytest
from photograph_like import jpeg_asset, photograph
from serving import Server, served

from assay.detectors.fingerprints.iscc import image_code, sequence
from assay.provenance.custody.verifying import verify
from assay.provenance.repository import Repository
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.scanning.recovering import remember
from assay.scanning.service import examples

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")
# In the order of a life: what is made comes before what is asked of it, and what forgets it last.
WALK = (
    "GET /healthz", "GET /readyz", "POST /v1/scan", "POST /v1/verify", "POST /v1/label", "GET /v1/decisions/{identity}",
    "POST /v1/decisions/{identity}/appeals", "POST /v1/decisions/{identity}/reviews", "POST /v1/jobs", "GET /v1/jobs/{job}",
    "GET /v1/jobs/{job}/files/{number}", "GET /v1/matches/byBinding", "POST /v1/matches/byBinding",
    "POST /v1/matches/byContent", "POST /v1/recover", "GET /v1/manifests/{manifestId}",
    "GET /v1/services/supportedAlgorithms", "GET /v1/services/capabilities", "GET /v1/services/status",
    "GET /.well-known/c2pa-soft-binding-resolution", "GET /metrics", "DELETE /v1/contents/{sha256}", "DELETE /v1/jobs/{job}",
)  # fmt: skip


@dataclass
class Stocked:
    """A server that keeps a state and remembers one picture; `real`: what stands for the examples' own values."""

    server: Server
    folder: Path
    description: dict[str, Any]
    real: dict[str, str]


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    folder = tmp_path_factory.mktemp("described")
    picture = sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    (folder / "photo.jpg").write_bytes(picture.content)
    (folder / "notes.txt").write_text("no image at all")
    chain = verify(picture)
    assert chain.active is not None
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ASSAY_REPOSITORY", str(folder / "repository.sqlite"))
        with Repository(folder / "repository.sqlite") as repository:
            remember(picture, repository)
        with served("--state", str(folder / "state")) as server, server.client() as client:
            value = base64.b64encode(sequence(image_code(photograph(1)))).decode()
            real = {
                examples.HOST: server.address,
                examples.HASH: picture.sha256,
                examples.MANIFEST: chain.active.label,
                examples.VALUE: value,
                quote(examples.MANIFEST): quote(chain.active.label),
            }
            yield Stocked(server, folder, client.get("/openapi.json").json(), real)


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def holds(document: object, schema: dict[str, Any], description: dict[str, Any]) -> None:
    jsonschema.validate(document, schema | {"components": description["components"]})


def test_every_route_says_what_it_is_and_shows_it(stocked: Stocked) -> None:
    said = stocked.description
    assert {name for name, _ in operations(said)} == set(WALK)
    known = re.compile(
        "|".join(f'"#/components/schemas/{re.escape(name)}[/"]' for name in said["components"]["schemas"])
    )
    refs = re.findall(r'"\$ref": ("[^"]+")', json.dumps(said))
    assert refs
    assert [ref for ref in refs if not known.match(ref)] == []
    for name, operation in operations(said):
        assert operation["summary"], name
        assert operation["description"], name
        (sample,) = operation["x-codeSamples"]
        assert sample["source"].startswith("curl "), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["schema"].get("description"), (name, parameter["name"])
            holds(parameter["example"], parameter["schema"], said)
        for status, answer in operation["responses"].items():
            assert answer["description"] not in ("", "Successful Response", "Validation Error"), (name, status)
            for kind, content in answer.get("content", {}).items():
                assert ("example" in content) == ("json" in kind), (name, status)
                if "json" in kind:
                    holds(content["example"], content["schema"], said)
            if status.startswith(("4", "5")):
                assert answer["content"], (name, status)
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                holds(content["example"], content["schema"], said)


def test_every_call_works_and_every_answer_fits(stocked: Stocked) -> None:
    by_name = dict(operations(stocked.description))
    for name in WALK:
        (sample,) = by_name[name]["x-codeSamples"]
        answer = called(sample["source"], stocked)
        assert answer.is_success, (name, answer.text)
        told = by_name[name]["responses"][str(answer.status_code)].get("content", {})
        if not told:
            assert answer.content == b"", name
            continue
        ((kind, content),) = told.items()
        assert answer.headers["content-type"].partition(";")[0] == kind, name
        if kind == "application/json":
            holds(answer.json(), content["schema"], stocked.description)
        place = answer.headers.get("location", "").rpartition("/")[2]
        if name == "POST /v1/label":
            stocked.real[examples.DECISION] = place
        if name == "POST /v1/jobs":
            stocked.real[examples.JOB] = place
            until_finished(stocked.server.address + answer.headers["location"])


def called(command: str, stocked: Stocked) -> httpx.Response:
    """What curl would send, of the options that the examples use."""
    for shown, real in stocked.real.items():
        command = command.replace(shown, real)
    words = shlex.split(command)[1:]
    request: dict[str, Any] = {"method": "GET", "url": "", "headers": {}, "files": [], "params": {}}
    while words:
        match words.pop(0):
            case "-X":
                request["method"] = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                request["headers"][name] = value
            case "-F":
                field, _, name = words.pop(0).partition("=@")
                request["files"].append((field, (name, (stocked.folder / name).read_bytes())))
                request["method"] = "POST"
            case "-d":
                request |= {"content": words.pop(0), "method": "POST"}
            case "--data-binary":
                content = (stocked.folder / words.pop(0).removeprefix("@")).read_bytes()
                request |= {"content": content, "method": "POST"}
            case "--data-urlencode":
                name, _, value = words.pop(0).partition("=")
                request["params"][name] = value
            case "-G":
                pass
            case "-o":
                words.pop(0)
            case url:
                assert url.startswith(stocked.server.address), url
                request["url"] = url
    query = dict(pair.split("=") for pair in urlsplit(request["url"]).query.split("&") if pair)
    request["params"] |= query
    return httpx.request(**request, timeout=30, trust_env=False)


def until_finished(address: str) -> None:
    for _ in range(300):
        if httpx.get(address, trust_env=False).json()["state"] == "finished":
            return
        time.sleep(0.1)
    raise AssertionError("the job does not end")


def test_refusals_are_described_as_they_come(stocked: Stocked) -> None:
    """One of each failure that a caller alone can bring about: its status is described for that route, and its body fits."""
    by_name = dict(operations(stocked.description))
    refused = (
        ("POST /v1/scan", "/v1/scan?prior=2", {"content": b"x"}, 400),
        ("POST /v1/scan", "/v1/scan", {"content": b"no image"}, 415),
        ("POST /v1/verify", "/v1/verify", {"content": b"no image"}, 415),
        ("POST /v1/scan", "/v1/scan", {"content": b"x", "headers": {"origin": "https://evil.example"}}, 403),
        ("POST /v1/jobs", "/v1/jobs?webhook=https://evil.example/", {"content": b"x"}, 422),
        ("POST /v1/label", "/v1/label?policy=unheard", {"content": b"x"}, 400),
        ("POST /v1/matches/byContent", "/v1/matches/byContent", {"content": b"no image"}, 415),
        (
            "POST /v1/matches/byContent",
            "/v1/matches/byContent",
            {"content": jpeg_asset(photograph(1)).content[:2000]},
            422,
        ),
        ("POST /v1/recover", "/v1/recover", {"content": jpeg_asset(photograph(1)).content[:2000]}, 422),
        ("POST /v1/matches/byBinding", "/v1/matches/byBinding", {"json": {"alg": "unheard"}}, 400),
        ("POST /v1/decisions/{identity}/reviews", "/v1/decisions/a/reviews", {"json": {"by": ""}}, 400),
        ("GET /v1/jobs/{job}", "/v1/jobs/nobody", {}, 404),
        ("GET /v1/jobs/{job}/files/{number}", "/v1/jobs/nobody/files/100", {}, 400),
        ("GET /v1/matches/byBinding", "/v1/matches/byBinding?alg=io.iscc.v0&value=" + "A" * 20_000, {}, 414),
        ("GET /v1/manifests/{manifestId}", "/v1/manifests/urn:c2pa:nobody", {}, 404),
    )
    with stocked.server.client() as client:
        for name, url, options, status in refused:
            answer = client.request(name.split()[0], url, **options)  # type: ignore[arg-type]
            assert answer.status_code == status, (name, answer.text)
            content = by_name[name]["responses"][str(status)]["content"]
            holds(answer.json(), content[answer.headers["content-type"]]["schema"], stocked.description)
