"""The vocabulary of evidence: what a signal says about an image's origin, on what basis, or why it is silent.

Rules: one signal gives one `Evidence` per image; silence has a reason; absence is never evidence; nothing here computes.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Origin(StrEnum):
    """Where a picture comes from. COMPOSITE: captured or drawn, with generated parts. CREATED: made on a computer
    without a trained model (drawn, rendered, computed)."""

    SYNTHETIC = "synthetic"
    COMPOSITE = "composite"
    CREATED = "created"
    CAPTURED = "captured"
    UNDETERMINED = "undetermined"


class Basis(IntEnum):
    """What a statement rests on, weakest first. Weaker evidence never overturns stronger."""

    NONE = 0
    INFERRED = 1  # from pixels, with known error rates
    DECLARED = 2  # written in the file, unsigned, or signed by somebody no trust list knows
    MARKED = 3  # a watermark was decoded
    PROVED = 4  # a trusted signature and an intact hard binding

    @property
    def word(self) -> str:
        """The name used in documents: lower case."""
        return self.name.lower()


class Silence(StrEnum):
    """Why a signal says nothing."""

    ABSENT = "absent"  # what it looks for is not there
    INAPPLICABLE = "inapplicable"  # it cannot speak of this format or kind of picture
    INCONCLUSIVE = "inconclusive"  # it looked, and cannot tell
    FAILED = "failed"  # it could not look


class Severity(StrEnum):
    """How loudly a finding is shown."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth telling that is not about origin: tampering, removed provenance, a malformed field.

    `code` is kebab-case and the same in code, documentation, JSON and SARIF.
    """

    code: str
    severity: Severity
    statement: str


RETOUCHING = "retouched-in-places"  # code of the note that an edit only fills in places of a photograph
MONTAGE = "montage-of-captures"  # code of the note that a picture is composed of parts that were all captured
DEVELOPMENT = "development-authority"  # code of the warning that a throw-away key of this machine signed
PIXELS = "pixels"  # name of the signal that asks the classifier about the whole picture
FACES = "faces"  # name of the signal that judges faces by themselves: a part of the picture, whose answer is none to the whole
NOT_EXAMINED = "pixels-not-examined"  # code of the note that this machine cannot run the pixel model


@dataclass(frozen=True, slots=True)
class Trace:
    """Where exactly a signal read what it read: a field's full name, its value, and a byte offset where known."""

    field: str
    value: str
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A measured error rate: `hits` of `trials`, with a 95 % interval (Wilson)."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The observed share, 0 to 1 (0 where nothing was tried)."""
        return self.hits / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one signal says of one image.

    `statement` is one plain sentence; strings of the file in it are neutralised by presenters. `llr` is a log10
    likelihood ratio, bounded by what the calibration data support; only INFERRED evidence has one. `false_positive_rate`
    and `true_positive_rate` are those measured for images of this kind, size and compression.
    """

    signal: str
    statement: str
    origin: Origin = Origin.UNDETERMINED
    basis: Basis = Basis.NONE
    silence: Silence | None = None
    generator: str = ""
    traces: tuple[Trace, ...] = ()
    findings: tuple[Finding, ...] = ()
    llr: float | None = None
    false_positive_rate: Rate | None = None
    true_positive_rate: Rate | None = None

    def __post_init__(self) -> None:
        if self.speaks and self.basis is Basis.NONE:
            raise ValueError(f"{self.signal}: a statement needs a basis")
        if not self.speaks and (self.silence is None or self.basis is not Basis.NONE):
            raise ValueError(f"{self.signal}: silence needs a reason and has no basis")
        if self.basis is Basis.INFERRED and self.origin not in (Origin.SYNTHETIC, Origin.COMPOSITE):
            raise ValueError(f"{self.signal}: pixels say synthetic, or nothing")

    @property
    def speaks(self) -> bool:
        """Whether this says anything about origin."""
        return self.origin is not Origin.UNDETERMINED

    @classmethod
    def silent(
        cls,
        signal: str,
        silence: Silence,
        statement: str,
        *,
        findings: tuple[Finding, ...] = (),
        traces: tuple[Trace, ...] = (),
    ) -> "Evidence":
        """A signal that says nothing about origin, and why."""
        return cls(signal=signal, statement=statement, silence=silence, findings=findings, traces=traces)
