"""Weighing evidence into one verdict: proof and statistics are never averaged.

Rules (held as property tests): nothing says nothing; order does not matter; a silent signal changes nothing; weaker
evidence never overturns stronger; every voice is in the grounds or in the dissent.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assay.detectors.evidence import Basis, Evidence, Finding, Origin


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
    def findings(self) -> tuple[Finding, ...]:
        """What every signal found beside origin, alarms first."""
        order = {"alarm": 0, "warning": 1, "note": 2}
        found = [finding for evidence in (*self.grounds, *self.dissent, *self.silent) for finding in evidence.findings]
        return tuple(sorted(dict.fromkeys(found), key=lambda finding: (order[finding.severity], finding.code)))


def weigh(evidence: Iterable[Evidence]) -> Verdict:
    """The strongest basis speaks; what contradicts it is dissent; a tie among the strongest is UNDETERMINED."""
    pieces = sorted(evidence, key=lambda piece: (-piece.basis, piece.signal, piece.statement, piece.origin))
    silent = tuple(piece for piece in pieces if not piece.speaks)
    voices = tuple(piece for piece in pieces if piece.speaks)
    if not voices:
        return Verdict(Origin.UNDETERMINED, Basis.NONE, silent=silent)
    basis = voices[0].basis
    strongest = {voice.origin for voice in voices if voice.basis is basis}
    if len(strongest) > 1:
        return Verdict(Origin.UNDETERMINED, Basis.NONE, dissent=voices, silent=silent)
    (origin,) = strongest
    return Verdict(
        origin,
        basis,
        grounds=tuple(voice for voice in voices if voice.origin is origin),
        dissent=tuple(voice for voice in voices if voice.origin is not origin),
        silent=silent,
    )
