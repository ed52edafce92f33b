"""What the declaration and generator signals share: one voice out of several fields, and flaws as findings.

Rules: fields that contradict one another make the signal silent and are all told; a stray or secondary picture's field is
told and does not speak for the file.
"""

from dataclasses import dataclass

from assay.detectors.evidence import Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.provenance.disclosure.block import Field, Flaw


@dataclass(frozen=True, slots=True)
class Claim:
    """One field that says something of origin. `meaning` completes "… says that the image was …", unless `says` replaces that."""

    field: Field
    origin: Origin
    meaning: str
    generator: str = ""
    says: str = ""

    @property
    def statement(self) -> str:
        """What the field says, in one sentence without its end."""
        return f"{self.field.path} {self.says or f'says that the image was {self.meaning}'}"


def trace(field: Field) -> Trace:
    """Where and what exactly: the field's full name, its value, its byte offset."""
    return Trace(field.path, field.value[:2_000], field.offset)


def spoken(signal: str, claims: list[Claim], *, nothing: str) -> Evidence:
    """One `Evidence` from all claims of a signal. `nothing` is the sentence for a file that has none."""
    if not claims:
        return Evidence.silent(signal, Silence.ABSENT, nothing)
    traces = tuple(trace(claim.field) for claim in claims)
    speaking = [claim for claim in claims if claim.origin is not Origin.UNDETERMINED and claim.field.primary]
    origins = {claim.origin for claim in speaking}
    if origins == {Origin.SYNTHETIC, Origin.COMPOSITE}:  # both say "generated"; the narrower claim is certain
        origins = {Origin.COMPOSITE}
    if len(origins) > 1:
        said = "; ".join(f"{claim.field.path}: {claim.says or claim.meaning}" for claim in speaking)
        contradiction = Finding("contradictory-declarations", Severity.WARNING, f"The file contradicts itself: {said}.")
        return Evidence.silent(
            signal, Silence.INCONCLUSIVE, "The file contradicts itself.", traces=traces, findings=(contradiction,)
        )
    if not origins:
        first = claims[0]
        where = "" if first.field.primary else ", in a place that does not describe the picture itself"
        return Evidence.silent(
            signal,
            Silence.INCONCLUSIVE,
            f"{first.statement}{where}; that leaves its origin open.",
            traces=traces,
        )
    (origin,) = origins
    first = next(claim for claim in speaking if claim.origin is origin)
    return Evidence(
        signal=signal,
        statement=f"{first.statement}.",
        origin=origin,
        basis=Basis.DECLARED,
        generator=next((claim.generator for claim in speaking if claim.generator), ""),
        traces=traces,
    )


def finding(flaw: Flaw) -> Finding:
    """A flaw of the container as a finding."""
    where = "" if flaw.offset is None else f" (byte {flaw.offset:,})"
    return Finding(
        f"metadata-{flaw.code}", Severity.WARNING, f"Malformed, by accident or on purpose: {flaw.statement}{where}."
    )
