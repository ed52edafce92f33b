"""Parameters in the lowest bits, and NovelAI's signature, on pictures that carry them and on some that pretend to."""

import base64
import gzip
import io
import json
import time

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from metadata_files import asset, picture, png, text
from PIL import Image

from assay.detectors.evidence import Basis, Origin, Silence
from assay.detectors.signals import generator_stealth
from assay.detectors.signals.generator_stealth import StealthGenerator
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError

PARAMETERS = (
    "a lighthouse\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 512x512, Model: sd15, Version: 1.9"
)


def hide(magic: str, payload: bytes, *, length: int | None = None, size=(120, 97)) -> bytes:
    """A PNG whose lowest bits carry a stealth payload, columns first."""
    generator = np.random.default_rng(7)
    alpha = "rgb" not in magic
    pixels = generator.integers(0, 256, (size[1], size[0], 4 if alpha else 3), dtype=np.uint8)
    message = magic.encode() + (len(payload) * 8 if length is None else length).to_bytes(4, "big") + payload
    bits = np.unpackbits(np.frombuffer(message, np.uint8))
    band = pixels[:, :, 3:] if alpha else pixels
    flat = band.transpose(1, 0, 2).reshape(-1).copy()
    flat[: bits.size] = (flat[: bits.size] & 0xFE) | bits
    band[:] = flat.reshape(size[0], size[1], -1).transpose(1, 0, 2)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def examine(content):
    return StealthGenerator().examine(Subject(asset(content), AssayError("not verified")))


@pytest.mark.parametrize("magic", ["stealth_pnginfo", "stealth_pngcomp", "stealth_rgbinfo", "stealth_rgbcomp"])
def test_reads_every_form(magic):
    payload = PARAMETERS.encode()
    evidence = examine(hide(magic, gzip.compress(payload) if magic.endswith("comp") else payload))
    assert (evidence.origin, evidence.basis) == (Origin.SYNTHETIC, Basis.DECLARED)
    assert "Stable Diffusion web UI" in evidence.generator
    assert (evidence.traces[0].field, evidence.traces[0].value) == (f"pixels {magic}", PARAMETERS)


def test_ordinary_pictures_carry_nothing():
    assert examine(picture("png", mode="RGBA")).silence is Silence.ABSENT
    assert examine(picture("jpg")).silence is Silence.INAPPLICABLE


def test_hidden_words_that_are_no_parameters_do_not_speak():
    evidence = examine(hide("stealth_pnginfo", b"meet me at the old bridge"))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert evidence.traces[0].value == "meet me at the old bridge"


def test_wrong_length_is_a_finding():
    evidence = examine(hide("stealth_pnginfo", PARAMETERS.encode(), length=2**32 - 8))
    assert "metadata-wrong-length" in {finding.code for finding in evidence.findings}


def test_bomb_is_a_finding_and_bounded():
    bomb = gzip.compress(b"\0" * 50_000_000)
    started = time.process_time()
    evidence = examine(hide("stealth_pngcomp", bomb, size=(800, 700)))
    assert time.process_time() - started < 5
    assert "metadata-compression-bomb" in {finding.code for finding in evidence.findings}
    assert not evidence.speaks


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "I;16", "RGB", "RGBA", "CMYK", "F", "I"])
def test_every_mode_of_picture_is_survived(mode):
    buffer = io.BytesIO()
    image = (
        Image.new("RGBA", (20, 16), (9, 8, 7, 6)).convert("L").convert(mode)
        if mode == "I;16"
        else Image.new(mode, (20, 16))
    )
    image.save(buffer, "TIFF" if mode in ("CMYK", "F", "PA", "I") else "PNG")
    assert examine(buffer.getvalue()).silence in (Silence.ABSENT, Silence.FAILED)


def test_undecodable_picture_is_silent():
    assert examine(picture("png")[:60]).silence is Silence.FAILED


@pytest.fixture
def novelai(monkeypatch):
    """A signing key of ours in NovelAI's place, and a function that makes signed pictures."""
    private = Ed25519PrivateKey.generate()
    monkeypatch.setattr(generator_stealth, "_NOVELAI_KEY", private.public_key().public_bytes_raw())

    def make(*, tampered: bool = False, hidden: bool = False) -> bytes:
        base = Image.open(io.BytesIO(picture("png", mode="RGBA" if hidden else "RGB", size=(200, 160))))
        comment = {"prompt": "a lighthouse", "steps": 28, "seed": 7, "uc": "blurry"}
        signature = private.sign(base.convert("RGB").tobytes() + json.dumps(comment).encode())
        comment["signed_hash"] = base64.b64encode(signature).decode()
        if tampered:
            base.putpixel((5, 5), (1, 2, 3, 255)[: len(base.getbands())])
        if hidden:
            packed = gzip.compress(json.dumps({"Software": "NovelAI", "Comment": json.dumps(comment)}).encode())
            message = b"stealth_pngcomp" + (len(packed) * 8).to_bytes(4, "big") + packed
            alpha = np.full((base.height, base.width), 255, np.uint8).T.reshape(-1).copy()
            bits = np.unpackbits(np.frombuffer(message, np.uint8))
            alpha[: bits.size] = 254 | bits
            base.putalpha(Image.fromarray(np.ascontiguousarray(alpha.reshape(base.width, base.height).T)))
        buffer = io.BytesIO()
        base.save(buffer, "PNG")
        chunks = () if hidden else (text("Software", "NovelAI"), text("Comment", json.dumps(comment)))
        return png(*chunks, base=buffer.getvalue())

    return make


@pytest.mark.parametrize("hidden", [False, True])
def test_intact_signature_is_proof(novelai, hidden):
    evidence = examine(novelai(hidden=hidden))
    assert (evidence.origin, evidence.basis, evidence.generator) == (Origin.SYNTHETIC, Basis.PROVED, "NovelAI")


def test_signature_over_other_pixels_is_a_finding_and_no_proof(novelai):
    evidence = examine(novelai(tampered=True))
    assert not evidence.speaks
    assert [finding.code for finding in evidence.findings] == ["novelai-signature-mismatch"]
    hidden = examine(novelai(tampered=True, hidden=True))
    assert (hidden.basis, hidden.generator) == (Basis.DECLARED, "NovelAI")


def test_a_signature_by_another_key_proves_nothing(novelai, monkeypatch):
    content = novelai()
    monkeypatch.setattr(generator_stealth, "_NOVELAI_KEY", Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert not examine(content).speaks


def test_a_thousand_signatures_cost_no_more_than_a_few(monkeypatch):
    asked = []
    monkeypatch.setattr(generator_stealth, "verified", lambda comment, image: bool(asked.append(comment)))
    comment = json.dumps({"signed_hash": "A" * 86 + "=="})
    assert not examine(png(*(text("Comment", comment) for _ in range(1_000)))).speaks
    assert len(asked) <= 4
