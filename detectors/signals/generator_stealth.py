"""Generation parameters hidden in the lowest bits of the pixels ("stealth pnginfo"), and NovelAI's signature over them.

Rules: only lossless formats can carry it; a magic word is required; the payload is bounded when inflated; only a signature
that verifies with NovelAI's published key is proof. Source: ashen-sensored/sd_webui_stealth_pnginfo (layout: columns
first, highest bit first); NovelAI/novelai-image-metadata, nai_sig.py (key, signed bytes).
"""

import base64
import json
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.detectors.evidence import Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.detectors.signals.declaring import finding
from assay.detectors.signals.rule import FieldTable, JsonCache, apply, parse_json
from assay.detectors.signals.rule_loading import rules_for
from assay.detectors.subject import Subject
from assay.provenance.disclosure.block import Budget, Carrier, Field
from assay.provenance.disclosure.inflating import inflate
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType

if TYPE_CHECKING:
    from PIL.Image import Image

_LOSSLESS = frozenset({MediaType.PNG, MediaType.WEBP, MediaType.TIFF, MediaType.BMP})
_MAGICS = {  # word: channels that carry it, whether the text is packed
    b"stealth_pnginfo": ("A", False),
    b"stealth_pngcomp": ("A", True),
    b"stealth_rgbinfo": ("RGB", False),
    b"stealth_rgbcomp": ("RGB", True),
}
_MAX_PAYLOAD = 8 * 1024 * 1024
_MAX_SIGNATURES = 4  # each check hashes all pixels
_NOVELAI_KEY = base64.b64decode("Y2JcQAOhLwzwSDUJPNgL04nS0Tbqm7cSRc4xk0vRMic=")


@dataclass(frozen=True, slots=True)
class Hidden:
    """What was found: the magic word, the text, and what was wrong with it."""

    magic: str
    text: str
    budget: Budget


class StealthGenerator:
    """Reads the hidden text in alpha or in red, green and blue, and checks NovelAI's signature wherever its hash stands."""

    name = "generator-stealth"

    def examine(self, subject: Subject) -> Evidence:
        """Say which generator hid its parameters in the picture."""
        signed = _signed_comments(subject)
        if subject.asset.media_type not in _LOSSLESS:
            return Evidence.silent(
                self.name, Silence.INAPPLICABLE, "Lossy formats cannot carry parameters in their lowest bits."
            )
        try:
            image = subject.image
        except AssayError as error:
            return Evidence.silent(self.name, Silence.FAILED, error.message)
        hidden = find_hidden(image)
        if hidden is not None:
            signed += [(f"pixels {hidden.magic}", comment) for comment in _comments(parse_json(hidden.text))]
        checks = [(place, verified(comment, image)) for place, comment in signed[:_MAX_SIGNATURES]]
        if any(good for _, good in checks):
            place = next(place for place, good in checks if good)
            return Evidence(
                signal=self.name,
                statement=f"NovelAI's signature over these very pixels and parameters is intact ({place}).",
                origin=Origin.SYNTHETIC,
                basis=Basis.PROVED,
                generator="NovelAI",
                traces=(Trace(place, "signed_hash verifies with NovelAI's published key"), *_traces(hidden)),
            )
        findings = tuple(
            Finding("novelai-signature-mismatch", Severity.WARNING,
                    f"{place}: NovelAI's signature does not fit these pixels: they were changed, or it was copied here.")
            for place, _ in checks
        )  # fmt: skip
        if hidden is None:
            return Evidence.silent(
                self.name, Silence.ABSENT, "No parameters are hidden in the lowest bits.", findings=findings
            )
        return self._unsigned(hidden, findings)

    def _unsigned(self, hidden: Hidden, findings: tuple[Finding, ...]) -> Evidence:
        broken = tuple(  # an offset into what is hidden is no place in the file
            finding(replace(flaw, offset=None)) for flaw in hidden.budget.flaws
        )
        tool = recognised(hidden.text)
        if not tool:
            return Evidence.silent(
                self.name,
                Silence.INCONCLUSIVE,
                f"The lowest bits carry the word {hidden.magic}, but no parameters that can be read.",
                traces=_traces(hidden),
                findings=(*findings, *broken),
            )
        return Evidence(
            signal=self.name,
            statement=f"The lowest bits of the picture carry parameters of {tool} ({hidden.magic}).",
            origin=Origin.SYNTHETIC,
            basis=Basis.DECLARED,
            generator=tool,
            traces=_traces(hidden),
            findings=(*findings, *broken),
        )


def _traces(hidden: Hidden | None) -> tuple[Trace, ...]:
    return (Trace(f"pixels {hidden.magic}", hidden.text[:2_000]),) if hidden else ()


def find_hidden(image: "Image") -> Hidden | None:
    """The hidden text of an image, or None. Only as many columns are looked at as the text needs."""
    for channels, bands in (("A", "A"), ("RGB", "RGB")):
        if any(band not in image.getbands() for band in bands):
            continue
        head = _lowest_bits(image, channels, 152)
        if len(head) < 19 or (known := _MAGICS.get(head[:15])) is None or known[0] != channels:
            continue
        magic, budget = head[:15].decode(), Budget()
        length = int.from_bytes(head[15:19], "big") // 8
        room = image.width * image.height * len(channels) // 8 - 19
        if not 0 < length <= min(room, _MAX_PAYLOAD):
            budget.flaw("wrong-length", f"{magic}: {length:,} bytes are announced, the picture holds {max(room, 0):,}")
            length = max(0, min(length, room, _MAX_PAYLOAD))
        payload = _lowest_bits(image, channels, 8 * (19 + length))[19:]
        if known[1]:
            payload = inflate(payload, budget, place=magic, offset=0, bits=zlib.MAX_WBITS | 16)
        return Hidden(magic, payload.decode("utf-8", "replace"), budget)
    return None


def _lowest_bits(image: "Image", channels: str, bits: int) -> bytes:
    """The first `bits` lowest bits, columns first, whole bytes."""
    columns = min(image.width, -(-bits // (image.height * len(channels))))
    part = image.crop((0, 0, columns, image.height))
    planes = np.stack(
        [np.asarray(part.getchannel(channel)) for channel in channels], axis=-1
    )  # rows, columns, channels
    flat = (planes.transpose(1, 0, 2).reshape(-1)[:bits] & 1).astype(np.uint8)
    return np.packbits(flat[: flat.size // 8 * 8]).tobytes()


def recognised(text: str) -> str:
    """The tool whose parameters a hidden text is: NovelAI's record, or anything that the generator rules know."""
    document = parse_json(text)
    if isinstance(document, dict) and str(document.get("Software", "")).casefold() == "novelai":
        return "NovelAI"
    named = {"parameters": text, "prompt": text, "workflow": text, "invokeai_metadata": text}
    if isinstance(document, dict):
        named |= {str(key): value for key, value in document.items() if isinstance(value, str)}
    fields, parsed = FieldTable(Field(Carrier.TEXT, key, value) for key, value in named.items()), JsonCache()
    for rule in rules_for("generator-metadata"):
        if rule.origin is Origin.SYNTHETIC and apply(rule, fields, parsed):
            return rule.tool
    return ""


def _signed_comments(subject: Subject) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for path in ("PNG Comment", "EXIF UserComment"):
        for field in subject.metadata.fields:
            if field.path == path and "signed_hash" in field.value:
                found += [(path, comment) for comment in _comments({"Comment": field.value})]
    return found


def _comments(record: Any) -> list[dict[str, Any]]:
    """The innermost comment of a NovelAI record, if it has a signature."""
    comment = record.get("Comment") if isinstance(record, dict) else None
    for _ in range(2):
        if isinstance(comment, str):
            comment = parse_json(comment)
        if isinstance(comment, dict) and isinstance(comment.get("Comment"), str):
            comment = comment["Comment"]
    return [comment] if isinstance(comment, dict) and isinstance(comment.get("signed_hash"), str) else []


def verified(comment: dict[str, Any], image: "Image", *, key: bytes = b"") -> bool:
    """Whether the Ed25519 signature in `signed_hash` covers these RGB bytes and the rest of the comment."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if image.mode not in ("RGB", "RGBA"):
        return False
    rest = {name: value for name, value in comment.items() if name != "signed_hash"}
    message = image.convert("RGB").tobytes() + json.dumps(rest).encode()
    try:
        signature = base64.b64decode(comment["signed_hash"], validate=True)
        Ed25519PublicKey.from_public_bytes(key or _NOVELAI_KEY).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
