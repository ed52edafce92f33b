"""From one outcome of the scanner to the columns that the bytes of a file decide.

Rules: texts that come from the file are cut to a length, so that a hostile one cannot swell the ledger.
"""

from typing import Any

from assay.detectors.evidence import Basis, Evidence
from assay.provenance.custody.chain import Custody, Link
from assay.scanning.audit.row import Content, anonymous, failed
from assay.scanning.gate import conditions
from assay.scanning.scan import Failure, Report
from assay.scanning.words import headline


def content(outcome: Report | Failure) -> Content:
    """The columns that one outcome decides."""
    held = tuple(sorted(conditions(outcome)))
    if isinstance(outcome, Failure):
        return failed(type(outcome.error).__name__, outcome.error.message, held)
    verdict = outcome.verdict
    voice = next((piece for piece in outcome.evidence if piece.llr is not None), None)
    return Content(
        media_type=outcome.asset.media_type.value,
        width=outcome.width,
        height=outcome.height,
        undecoded=anonymous(outcome.undecoded.message) if outcome.undecoded else "",
        origin=verdict.origin.value,
        basis=verdict.basis.word,
        headline=headline(verdict),
        contested=verdict.contested,
        generator=_generator(verdict.grounds + verdict.dissent),
        log10_likelihood_ratio=voice.llr if voice else None,
        false_positive_rate=voice.false_positive_rate.value if voice and voice.false_positive_rate else None,
        **_custody(outcome),
        grounds=tuple(piece.signal for piece in verdict.grounds),
        dissent=tuple(piece.signal for piece in verdict.dissent),
        conflicts=tuple(dict.fromkeys(conflict.code for conflict in verdict.conflicts)),
        declared=any(piece.basis in (Basis.DECLARED, Basis.PROVED) for piece in verdict.grounds),
        findings=tuple(f"{finding.severity.value}:{finding.code}" for finding in verdict.findings),
        conditions=held,
    )


def _generator(voices: tuple[Evidence, ...]) -> str:
    return next((piece.generator for piece in voices if piece.generator), "")[:200]


def _custody(report: Report) -> dict[str, Any]:
    custody = report.custody
    if not isinstance(custody, Custody):
        return {"custody_headline": anonymous(custody.message)}
    link = custody.active
    return {
        "custody": custody.bottom_line.value,
        "custody_headline": custody.headline[:1000],
        **(_link(link) if link else {}),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "signer": (link.signer.common_name or link.signer.organisation)[:200],
        "organisation": link.signer.organisation[:200],
        "trust_list": link.signer.trust_list,
        "signed": link.certified_time.isoformat() if link.certified_time else link.claimed_time[:40],
        "source_types": tuple(uri.rsplit("/", 1)[-1][:100] for uri in link.digital_source_types)[:20],
    }
