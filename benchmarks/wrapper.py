"""What the generation wrapper costs per call, beside the same call signed by hand: `python -m benchmarks.wrapper`.

A loopback server in a process of its own answers at once with one picture of a megapixel, so that nothing hides the cost: a
real provider takes seconds. Four ways take turns: the bare call; the call, then c2pa-python directly, with the least that
signs and reads back; the call, then `assay.sign` with a recipe written by hand, which is the same work that the wrapper does;
the wrapped client. The wrapper's own cost is its difference from the third.
"""

import base64
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Process, Queue
from typing import Any

ROUNDS = int(os.environ.get("ROUNDS", "60"))


def serve(content: bytes, port: "Queue[int]") -> None:
    """Answer every request with one picture, as OpenAI's Images API would."""
    body = json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(content).decode()}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    port.put(server.server_port)
    server.serve_forever()


def with_the_sdk(content: bytes, media_type: str, signer: Any) -> bytes:
    """The least that signs and checks a picture with the SDK alone."""
    import c2pa

    manifest = {
        "claim_generator_info": [{"name": "by hand", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
                            "softwareAgent": {"name": "model"},
                        }
                    ]
                },
            }
        ],
    }
    from assay.provenance import _c2pa

    context = _c2pa.context(verify_after_sign=False)  # without network, and checked once, below
    target = io.BytesIO()
    with c2pa.Builder(manifest, context=context) as builder:
        builder.sign(
            c2pa.Signer.from_info(c2pa.C2paSignerInfo("es256", signer.chain.encode(), signer.key_pem, None)),
            media_type, io.BytesIO(content), target,
        )  # fmt: skip
    with c2pa.Reader(media_type, io.BytesIO(target.getvalue()), context=context) as reader:
        assert reader.get_validation_state() == "Valid"
        json.loads(reader.json())
    return target.getvalue()


def measure(name: str, content: bytes, media_type: str) -> None:
    """Print one row per way."""
    import openai

    import assay
    from assay.provenance.asset import Asset
    from assay.provenance.signing import Prompt, Recipe, SoftwareAgent, open_signer, sign

    port: Queue[int] = Queue()
    server = Process(target=serve, args=(content, port), daemon=True)
    server.start()
    bare = openai.OpenAI(api_key="k", base_url=f"http://127.0.0.1:{port.get()}/v1")
    signer = open_signer("dev:")
    wrapped = assay.signed(bare, signer=signer)

    def received() -> bytes:
        return base64.b64decode(bare.images.generate(prompt="x", model="m").data[0].b64_json or "")  # type: ignore[index]

    def sdk() -> str:
        return base64.b64encode(with_the_sdk(received(), media_type, signer)).decode()

    def by_hand() -> str:
        asset = Asset.from_bytes(received())
        recipe = Recipe.generated(SoftwareAgent("m"), parameters={"receivedSha256": asset.sha256}, prompt=Prompt("x"))
        return base64.b64encode(sign(asset, recipe, signer).asset.content).decode()

    ways: dict[str, Callable[[], object]] = {
        "bare call": lambda: bare.images.generate(prompt="x", model="m"),
        "c2pa-python": sdk,
        "signed by hand": by_hand,
        "assay.signed": lambda: wrapped.images.generate(prompt="x", model="m"),
    }
    wall: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    for round_ in range(ROUNDS + 5):
        for way, call in ways.items():
            started, spent = time.perf_counter(), time.process_time()
            call()
            if round_ >= 5:  # the first rounds warm up
                wall[way].append((time.perf_counter() - started) * 1000)
                processor[way].append((time.process_time() - spent) * 1000)
    server.terminate()
    print(f"\n{name}, {len(content):,} bytes, {ROUNDS} rounds in turn: median (95th percentile) in ms")
    for way in ways:
        clock = f"{statistics.median(wall[way]):6.2f} ({statistics.quantiles(wall[way], n=20)[-1]:6.2f})"
        print(f"  {way:16} elapsed {clock}   processor {statistics.median(processor[way]):6.2f}")
    for what, taken in (("elapsed", wall), ("processor", processor)):
        pairs = zip(taken["assay.signed"], taken["signed by hand"], strict=True)
        extra = statistics.median(ours - hand for ours, hand in pairs)
        share = extra / statistics.median(taken["signed by hand"])
        print(f"  the wrapper over signing by hand, {what}: {extra:+.2f} ms, {share:+.1%} of that call")


def main() -> None:
    """Measure a PNG and a JPEG of one megapixel."""
    from assay.provenance.generating.procedural import Procedural
    from assay.provenance.generating.provider import Request
    from assay.provenance.media_type import MediaType

    for media_type in (MediaType.PNG, MediaType.JPEG):
        request = Request(prompt="stained glass", size=(1024, 1024), output_format=media_type)
        measure(media_type.name, Procedural().generate(request).outputs[0].content, media_type.value)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["ASSAY_HOME"] = home
        sys.exit(main())
