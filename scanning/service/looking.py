"""One image on the page: the answer in plain words, its chain as a picture, each voice as a card, what could not be checked.

Rules: made in the worker, so that the server never decodes an upload; everything is escaped by Jinja, and strings of the
file go through `plain` first; pictures are re-encoded; silence is never shown as an all-clear.
"""

import base64
from contextlib import nullcontext
from functools import lru_cache

import jinja2

from assay.detectors.evidence import PIXELS, Evidence, Severity, Silence
from assay.detectors.signals import REGISTRY
from assay.provenance.asset import Asset, Limits
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.custody.examining import Examined
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.repository import Repository, open_repository
from assay.scanning.dossier.mapping import legend
from assay.scanning.report import custody_words
from assay.scanning.report.custody_html import chain_picture
from assay.scanning.report.document import to_json
from assay.scanning.report.html import environment
from assay.scanning.report.picture import encode, thumbnail
from assay.scanning.report.terminal import facts, undecoded
from assay.scanning.scan import Failure, Report
from assay.scanning.words import answer

RECOVERED = "recovered-manifest"
_SMALL = Limits(bytes=4 * 1024 * 1024, pixels=4_000_000)
EDGE = 900  # pixels of the picture shown
BASES = {  # what stands over a card, by the basis of what it says
    "proved": "Proved by a signature",
    "marked": "Marked with a watermark",
    "declared": "Declared in the file",
    "inferred": "Inferred from the pixels",
}
_TITLES = {entry.name: entry.title for entry in REGISTRY}
_TRACES = {entry.name for entry in REGISTRY if entry.basis == "none"}
_UNCHECKED = {
    Silence.FAILED: "could not look",
    Silence.INAPPLICABLE: "does not apply",
    Silence.INCONCLUSIVE: "cannot tell",
}
_STATES = {
    BottomLine.TRUSTED: "trusted",
    BottomLine.VALID: "unknown",
    BottomLine.INCOMPLETE_HISTORY: "unknown",
    BottomLine.NO_MANIFEST: "unknown",
}


@lru_cache(maxsize=1)
def templates() -> jinja2.Environment:
    """The report's templates and the page's own."""
    loaders = [jinja2.PackageLoader(f"assay.scanning.{room}") for room in ("service", "report")]
    return environment().overlay(loader=jinja2.ChoiceLoader(loaders))


def fragment(
    outcome: Report | Failure, *, prior: float | None = None, heatmap: str = "", kept: Repository | None = None
) -> str:
    """One outcome as a piece of HTML. `heatmap`: what `heatmap_of` gives; `kept`: the repository that was searched, where it is not
    this machine's."""
    if isinstance(outcome, Failure):
        return templates().get_template("refused.html.j2").render(name=outcome.name, error=outcome.error)
    verdict, custody = outcome.verdict, outcome.custody
    chained = custody if isinstance(custody, Custody) else None
    voices = (*verdict.grounds, *verdict.dissent)
    told = {piece.statement for piece in voices}
    recovered = [piece for piece in voices if piece.signal == RECOVERED]
    strongest = {piece.signal for piece in verdict.grounds if piece.basis is verdict.basis}
    return (
        templates()
        .get_template("look.html.j2")
        .render(
            name=outcome.asset.name.rsplit("/", 1)[-1],
            facts=facts(outcome),
            sha256=outcome.asset.sha256,
            picture=thumbnail(outcome.asset, edge=EDGE),
            heatmap=heatmap,
            legend=legend() if heatmap else "",
            undecoded=undecoded(outcome),
            origin=verdict.origin.value,
            basis="likely" if strongest == {RECOVERED} else verdict.basis.word,
            original=_original(recovered[0], kept) if recovered else "",
            said=answer(verdict, prior=prior),
            alarms=[finding for finding in verdict.findings if finding.severity is Severity.ALARM],
            notes=[
                finding
                for finding in verdict.findings
                if finding.severity is not Severity.ALARM and finding.statement not in told
            ],
            grounds=[_card(piece) for piece in verdict.grounds],
            dissent=[_card(piece) for piece in verdict.dissent],
            observed=[_row(piece) for piece in verdict.silent if _observes(piece)],
            unchecked=[_row(piece) for piece in verdict.silent if piece.silence in _UNCHECKED and not _observes(piece)],
            pixels=any(piece.signal == PIXELS for piece in outcome.evidence),
            absent=[_row(piece) for piece in verdict.silent if piece.silence is Silence.ABSENT],
            custody=chained,
            custody_failure="" if isinstance(custody, Custody) else custody.message,
            line=custody_words.BOTTOM_LINES[chained.bottom_line] if chained else "",
            state=_STATES.get(chained.bottom_line, "broken") if chained else "broken",
            chain=chain_picture(Examined(outcome.asset, chained)) if chained else None,
            document=base64.b64encode(to_json(outcome, prior=prior).encode()).decode(),
        )
    )


def heatmap_of(outcome: Report | Failure, model: str | None) -> str:
    """Where in the picture the classifier saw what made it speak, as a JPEG data URI in the picture's own proportions.

    Empty where it was silent: a warm spot under an inconclusive answer would be read for more than it is.
    """
    if isinstance(outcome, Failure) or model is None:
        return ""
    verdict = outcome.verdict
    if not any(piece.signal == PIXELS for piece in (*verdict.grounds, *verdict.dissent)):
        return ""
    from assay.detectors.classifier import load
    from assay.detectors.heatmap import coloured, heatmap

    try:
        image = decode(outcome.asset)
        field = heatmap(load(model, threads=1), image)
    except AssayError:
        return ""
    return encode(coloured(image, field), edge=EDGE)


def _observes(piece: Evidence) -> bool:
    """Whether a silent signal found something that is no matter of origin."""
    return piece.silence is Silence.INCONCLUSIVE and piece.signal in _TRACES


def _card(piece: Evidence) -> dict[str, object]:
    return {
        "signal": piece.signal,
        "title": _TITLES.get(piece.signal, piece.signal),
        "basis": piece.basis.word,
        "stands": "Likely, found again" if piece.signal == RECOVERED else BASES.get(piece.basis.word, ""),
        "origin": piece.origin.value,
        "statement": piece.statement,
        "traces": piece.traces,
    }


def _original(piece: Evidence, repository: Repository | None) -> str:
    """The remembered picture, to be compared with the copy; empty where none was kept."""
    sha256 = next((trace.value for trace in piece.traces if trace.field == "repository sha256"), "")
    try:
        with nullcontext(repository) if repository else open_repository(reading=True) as kept:
            small = next((kept.thumbnail(record) for record in kept.by_sha256(sha256)), b"")
        return thumbnail(Asset.from_bytes(small, name="original", limits=_SMALL)) if small else ""
    except AssayError:
        return ""


def _row(piece: Evidence) -> dict[str, object]:
    return {
        "signal": piece.signal,
        "title": _TITLES.get(piece.signal, piece.signal),
        "why": _UNCHECKED.get(piece.silence, "") if piece.silence else "",
        "statement": piece.statement,
        "traces": piece.traces,
    }
