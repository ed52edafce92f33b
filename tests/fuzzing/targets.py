"""What is fuzzed: each target takes any bytes, may raise nothing but what its contract says, and checks what it promises."""

import io
import json
import re
from collections.abc import Callable
from contextlib import suppress

from asking import a_request_is_answered

from assay.detectors.evidence import Evidence
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset, Limits
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import decode
from assay.provenance.disclosure.metadata import Metadata
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.cose import MAX_CERTIFICATES, claim_signature
from assay.provenance.jumbf.residue import broken_carriers, provenance_reference, stray_stores
from assay.provenance.jumbf.store import parse_store
from assay.provenance.media_type import MediaType, sniff
from assay.provenance.trust import TrustPolicy
from assay.scanning.report.document import to_json
from assay.scanning.report.fragments import accepted, main_of
from assay.scanning.scan import Failure, Scanner, standard_signals

SMALL = Limits(bytes=4 * 1024 * 1024, pixels=1_000_000)
NOBODY = TrustPolicy(lists=())
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def an_asset_is_decoded_or_refused(content: bytes) -> None:
    """`Asset` and `decode` raise `AssayError` and nothing else; pixels stay under the limit."""
    with suppress(AssayError):
        image = decode(Asset.from_bytes(content, limits=SMALL), limits=SMALL)
        assert image.width * image.height <= SMALL.pixels


def a_store_is_taken_apart(content: bytes) -> None:
    """Containers, boxes and chains are read whatever the bytes are, as a file of every format and as a store itself."""
    for media_type in MediaType:
        found = embedded_stores(content, media_type)
        stray_stores(content, media_type, found)
        broken_carriers(content, media_type, store_found=False)
        for embedded in found:
            _parsed(embedded.store)
    _parsed(content)
    provenance_reference(content)
    signature = claim_signature(content)
    assert len(signature.chain) <= MAX_CERTIFICATES


def _parsed(store: bytes) -> None:
    with suppress(AssayError):
        for manifest in parse_store(store).manifests:
            assert manifest.claim or manifest.defects


def metadata_is_read(content: bytes) -> None:
    """Fields and flaws of any bytes, in every format; offsets lie in the file, lists are bounded."""
    for media_type in (sniff(content), MediaType.JPEG, MediaType.PNG, MediaType.TIFF, MediaType.WEBP, MediaType.AVIF):
        if media_type is None:
            continue
        metadata = Metadata(content, media_type)
        assert len(metadata.flaws) <= 64
        for field in metadata.fields:
            assert field.offset is None or 0 <= field.offset <= len(content), field
            assert isinstance(field.value, str)


def custody_is_an_answer(content: bytes) -> None:
    """`verify` never raises on account of content and trusts nobody where nobody is trusted."""
    with suppress(AssayError):
        custody = verify(Asset.from_bytes(content, limits=SMALL), NOBODY)
        assert custody.bottom_line.value != "trusted"


def signals_speak_or_are_silent(content: bytes) -> None:
    """No signal has an internal error, whatever the file."""
    with suppress(AssayError):
        asset = Asset.from_bytes(content, limits=SMALL)
        subject = Subject(asset, verify(asset, NOBODY), SMALL)
        for signal in _SIGNALS:
            try:
                evidence = signal.examine(subject)
            except AssayError:
                continue
            assert isinstance(evidence, Evidence)


def presenters_are_harmless(content: bytes) -> None:
    """The bytes as a hostile name and as a file: no control reaches a terminal, no element a page, JSON stays one line."""
    name = content[:400].decode("utf-8", "replace")
    outcome = _SCANNER.scan(Asset(name, content, kind, "0" * 64)) if (kind := sniff(content)) else None
    for shown in filter(None, (Failure(name, AssayError(name, name)), outcome)):
        line = to_json(shown)
        assert line.isascii()
        assert "\n" not in line
        assert json.loads(line)["asset"]["name"] == name
        from assay.scanning.report.html import page
        from assay.scanning.report.terminal import TerminalPresenter

        stream = io.StringIO()
        TerminalPresenter(stream, depth=2).show(shown)
        assert not _CONTROLS.search(stream.getvalue())
        accepted(main_of(page([shown])))


_SLOW = ("watermark", "recovered-manifest", "trace-demosaicing")  # they search pixels, or a database
_SIGNALS = tuple(signal for signal in standard_signals(None) if signal.name not in _SLOW)
_SCANNER = Scanner(signals=_SIGNALS, policy=NOBODY, limits=SMALL)
TARGETS: tuple[Callable[[bytes], None], ...] = (
    an_asset_is_decoded_or_refused,
    a_store_is_taken_apart,
    metadata_is_read,
    custody_is_an_answer,
    signals_speak_or_are_silent,
    presenters_are_harmless,
    a_request_is_answered,
)
