"""Loopback servers that speak the providers' wire formats, and what a signed picture says when it is read back."""

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.generating.procedural import Procedural
from assay.provenance.generating.provider import Request as Asked
from assay.provenance.media_type import MediaType
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.provenance.trust.development import development_anchor

NAMESPACE = "io.readthedocs.assay."


def painting(seed: int = 0, *, media_type: MediaType = MediaType.PNG, size: tuple[int, int] = (96, 64)) -> bytes:
    """A small picture, unsigned."""
    request = Asked(prompt="plasma", seed=seed, size=size, output_format=media_type)
    return Procedural().generate(request).outputs[0].content


def signed_upstream(seed: int = 0, *, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture that brings its provider's manifest."""
    asset = Asset.from_bytes(painting(seed, size=size), name="upstream.png")
    return sign(asset, Recipe.generated(SoftwareAgent("provider model")), open_signer("dev:")).asset.content


def broken_upstream(seed: int = 0) -> bytes:
    """A picture whose provider's manifest does not fit its bytes."""
    content = bytearray(signed_upstream(seed))
    content[-40] ^= 0xFF  # in the last data or the end chunk, behind the manifest
    return bytes(content)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def pixels(content: bytes) -> bytes:
    return Image.open(io.BytesIO(content)).convert("RGB").tobytes()


def png_data(content: bytes) -> list[bytes]:
    """The chunks of a PNG that hold the picture, byte for byte: all but the manifest's."""
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] != b"caBX":
            chunks.append(content[at : at + 12 + length])
        at += 12 + length
    return chunks


@dataclass(frozen=True)
class Said:
    """What the active manifest of a signed picture says."""

    state: str
    manifest: dict[str, Any]
    report: dict[str, Any]

    @property
    def actions(self) -> list[dict[str, Any]]:
        return next(a for a in self.manifest["assertions"] if a["label"].startswith("c2pa.actions"))["data"]["actions"]

    @property
    def labels(self) -> list[str]:
        return [action["action"] for action in self.actions]

    @property
    def source_type(self) -> str:
        """The last digital source type that any action states."""
        return [a["digitalSourceType"] for a in self.actions if "digitalSourceType" in a][-1].rsplit("/", 1)[1]

    @property
    def agent(self) -> dict[str, str]:
        agent: dict[str, str] = self.actions[-1]["softwareAgent"]
        return agent

    @property
    def ours(self) -> dict[str, Any]:
        """The parameters in our namespace, of all actions together."""
        return {
            key.removeprefix(NAMESPACE): value
            for action in self.actions
            for key, value in action.get("parameters", {}).items()
            if key.startswith(NAMESPACE)
        }

    @property
    def ingredients(self) -> list[tuple[str, str]]:
        return [(part["relationship"], part["title"]) for part in self.manifest.get("ingredients", [])]


def said(content: bytes) -> Said:
    """Read a signed picture back; it must be trusted under the development anchor."""
    anchor = development_anchor()
    assert anchor
    context = _c2pa.context((_c2pa.Anchors("manifest", "urn:test", anchor),))
    reading = _c2pa.read(Asset.from_bytes(content), context)
    assert reading is not None, "the picture is not signed"
    return Said(reading.state, reading.report["manifests"][reading.report["active_manifest"]], reading.report)


def is_signed(content: bytes) -> bool:
    return _c2pa.read(Asset.from_bytes(content), _c2pa.context()) is not None


@dataclass
class Wire:
    """A loopback provider: serves `replies` one after the other and keeps the requests it got."""

    server: HTTPServer
    requests: list[Request]

    @property
    def url(self) -> str:
        return str(self.server.url_for("")).rstrip("/")

    def answer(self, *replies: Response | Callable[[Request], Response]) -> None:
        """The last reply is repeated."""
        left = list(replies)

        def handler(request: Request) -> Response:
            request.get_data()
            self.requests.append(request)
            reply = left.pop(0) if len(left) > 1 else left[0]
            return reply if isinstance(reply, Response) else reply(request)

        self.server.expect_request(re.compile(".*")).respond_with_handler(handler)


def reply(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status=status, content_type="application/json", headers=headers)


def events(*bodies: dict[str, Any]) -> Response:
    """Server-sent events, as OpenAI streams them."""
    text = "".join(f"event: {body['type']}\ndata: {json.dumps(body)}\n\n" for body in bodies)
    return Response(text, content_type="text/event-stream")
