"""Weighing evidence into one verdict: proof and statistics are never averaged.

Rules (held as property tests): nothing says nothing; order does not matter; a silent signal changes nothing; weaker
evidence never overturns stronger; every voice is in the grounds or in the dissent; what contradicts is named.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assay.detectors.evidence import FACES, Basis, Evidence, Finding, Origin

GENERATED = frozenset({Origin.SYNTHETIC, Origin.COMPOSITE})


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two things that cannot both be right about the whole picture. `code` is kebab-case; its sentence is in words.py.

    `stronger` rests on the stronger basis, or on the same one as `weaker`; `weaker` may be a silent signal's camera traces.
    """

    code: str
    stronger: Evidence
    weaker: Evidence


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole's answer. `grounds` agree with it, `dissent` contradicts it, `silent` said nothing about origin."""

    origin: Origin
    basis: Basis
    grounds: tuple[Evidence, ...] = ()
    dissent: tuple[Evidence, ...] = ()
    silent: tuple[Evidence, ...] = ()

    @property
    def contested(self) -> bool:
        """Whether any voice contradicts the verdict, or the strongest voices contradict one another."""
        return bool(self.dissent)

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Every kind of contradiction once, the gravest first; camera traces beside generated content last."""
        voices = self.grounds or self.dissent
        pairs = [(one, other) for one in voices for other in self.dissent if one.origin is not other.origin]
        found = {conflict.code: conflict for conflict in reversed([_conflict(one, other) for one, other in pairs])}
        order = sorted(found.values(), key=lambda each: (-each.stronger.basis, -each.weaker.basis, each.code))
        return (*order, *_beside_camera(self))

    @property
    def asked(self) -> frozenset[str]:
        """The names of all signals that it was weighed from, the silent ones too."""
        return frozenset(evidence.signal for evidence in (*self.grounds, *self.dissent, *self.silent))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What every signal found beside origin, alarms first."""
        order = {"alarm": 0, "warning": 1, "note": 2}
        found = [finding for evidence in (*self.grounds, *self.dissent, *self.silent) for finding in evidence.findings]
        return tuple(sorted(dict.fromkeys(found), key=lambda finding: (order[finding.severity], finding.code)))


def weigh(evidence: Iterable[Evidence]) -> Verdict:
    """The strongest basis speaks; what contradicts it is dissent; a tie among the strongest is UNDETERMINED.

    SYNTHETIC beside COMPOSITE on one basis is no tie: both say that generated content is there, and COMPOSITE, "at least
    in part", is what both support; a part that looks generated leaves what is said of the whole as it is (docs/adr/0004).
    """
    pieces = sorted(evidence, key=lambda piece: (-piece.basis, piece.signal, piece.statement, piece.origin))
    silent = tuple(piece for piece in pieces if not piece.speaks)
    voices = tuple(piece for piece in pieces if piece.speaks)
    if not voices:
        return Verdict(Origin.UNDETERMINED, Basis.NONE, silent=silent)
    basis = voices[0].basis
    strongest = {voice.origin for voice in voices if voice.basis is basis}
    if strongest == GENERATED:
        strongest = {Origin.SYNTHETIC if basis is Basis.INFERRED else Origin.COMPOSITE}
    if len(strongest) > 1:
        return Verdict(Origin.UNDETERMINED, Basis.NONE, dissent=voices, silent=silent)
    (origin,) = strongest
    return Verdict(
        origin,
        basis,
        grounds=tuple(voice for voice in voices if _supports(voice, origin)),
        dissent=tuple(voice for voice in voices if not _supports(voice, origin)),
        silent=silent,
    )


def _supports(voice: Evidence, verdict: Origin) -> bool:
    """Whether a voice carries a verdict: the same, "all of it" where the verdict is "at least in part", or a part that looks
    generated, which says nothing of the rest."""
    generated = {voice.origin, verdict} == GENERATED
    return voice.origin is verdict or (generated and (verdict is Origin.COMPOSITE or voice.basis is Basis.INFERRED))


def _conflict(one: Evidence, other: Evidence) -> Conflict:
    stronger, weaker = (one, other) if one.basis >= other.basis else (other, one)
    return Conflict(_code(stronger, weaker), stronger, weaker)


def _code(stronger: Evidence, weaker: Evidence) -> str:
    """Name what contradicts what, from the stronger voice's side."""
    origins = {stronger.origin, weaker.origin}
    if origins == GENERATED:
        return "extent-of-generation"
    if stronger.basis is weaker.basis:
        return f"{_SOURCES[stronger.basis]}-disagree"
    source = "face" if weaker.signal == FACES else _SOURCES[weaker.basis]
    return f"{_CLAIMS[stronger.origin]}-{_STRENGTH[stronger.basis]}-against-{source}"


_SOURCES = {
    Basis.PROVED: "proofs",
    Basis.MARKED: "watermarks",
    Basis.DECLARED: "declarations",
    Basis.INFERRED: "pixels",
}
_STRENGTH = {Basis.PROVED: "proof", Basis.MARKED: "mark", Basis.DECLARED: "claim", Basis.INFERRED: "pixels"}
_CLAIMS = {
    Origin.SYNTHETIC: "generation",
    Origin.COMPOSITE: "generation",
    Origin.CREATED: "creation",
    Origin.CAPTURED: "capture",
}


_CAMERA_FIELDS = frozenset({"EXIF Make", "EXIF Model", "EXIF DateTimeOriginal"})


def _beside_camera(verdict: Verdict) -> tuple[Conflict, ...]:
    """Camera traces that nothing doubts, beside content that is claimed or inferred to be generated.

    They never speak of origin, since anybody can copy them; a reader must know of them all the same. Fields in which the
    generator itself was recognised do not count.
    """
    if verdict.origin not in GENERATED or verdict.basis not in (Basis.DECLARED, Basis.INFERRED):
        return ()
    kind = "generation" if verdict.origin is Origin.SYNTHETIC else "edit"
    used = {trace.field for voice in verdict.grounds for trace in voice.traces}
    found = []
    for piece in verdict.silent:
        fields = {trace.field for trace in piece.traces}
        intact = fields >= _CAMERA_FIELDS and not piece.findings and not used & _CAMERA_FIELDS
        if piece.signal == "trace-camera" and intact:
            found.append(Conflict(f"{kind}-beside-camera-fields", verdict.grounds[0], piece))
        if piece.signal == "trace-demosaicing" and any(
            finding.code == "interpolated-colour" for finding in piece.findings
        ):
            found.append(Conflict(f"{kind}-beside-camera-pixels", verdict.grounds[0], piece))
    return tuple(found)
