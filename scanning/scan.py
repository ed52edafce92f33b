"""Scanning one image: custody and signals gathered, weighed into one verdict, given back as a report.

Rules: this is the one place where a failure becomes a value; a signal that fails is silent with its reason, and the rest
speak; a scanner may be used for any number of images, and by several threads at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.detectors.evidence import FACES, PIXELS, Evidence, Silence
from assay.detectors.signals import REGISTRY
from assay.detectors.subject import Signal, Subject
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Custody
from assay.provenance.custody.examining import examine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.frames import count_frames
from assay.provenance.trust import TrustPolicy, default_policy
from assay.scanning.verdict import Verdict, weigh

MOST_FRAMES = 10_000  # that are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is known of one image. `width` and `height` are pixels as stored, None where it was not decoded; then
    `undecoded` says why."""

    asset: Asset
    width: int | None
    height: int | None
    undecoded: AssayError | None = None
    custody: Custody | AssayError
    evidence: tuple[Evidence, ...]
    verdict: Verdict

    @property
    def frames(self) -> int | None:
        """Frames or pages of the file, of which only the first was looked at; one above `MOST_FRAMES` stands for more. None
        where it was not decoded."""
        return count_frames(self.asset.content, self.asset.media_type, limit=MOST_FRAMES) if self.width else None


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be examined at all, and why."""

    name: str
    error: AssayError


DEFAULT_MODEL = "deep"


def standard_signals(model: str | None = DEFAULT_MODEL, *, faces: bool = False) -> tuple[Signal, ...]:
    """All signals of the registry; `model` is the pixel model's name or folder, None leaves the pixels out; `faces` judges
    faces by themselves as well, which costs about as much again for each."""
    chosen = [entry.make() for entry in REGISTRY if entry.name not in (PIXELS, FACES)]
    if model is not None:
        from assay.detectors.signals.pixels import PixelsSignal

        chosen.append(PixelsSignal(model))
    if faces:
        from assay.detectors.signals.faces import FacesSignal

        chosen.append(FacesSignal())
    return tuple(chosen)


class Scanner:
    """Examines images with a fixed set of signals under one trust policy."""

    def __init__(
        self,
        *,
        signals: Sequence[Signal] | None = None,
        policy: TrustPolicy | None = None,
        limits: Limits = DEFAULT_LIMITS,
        thorough: bool = False,
    ) -> None:
        """`thorough`: signals may search for seconds (watermarks in crops and large pictures, colour filter interpolation)."""
        self.thorough = thorough
        self.signals = standard_signals() if signals is None else tuple(signals)
        self.policy = default_policy() if policy is None else policy
        self.limits = limits

    def scan(self, asset: Asset, *, custody: Custody | None = None) -> Report:
        """Examine one asset. Never raises on account of its content. `custody` where it is known already."""
        return self._report(asset, self._custody(asset) if custody is None else custody)

    def scan_file(self, path: Path | str) -> Report:
        """Examine a file, with a sidecar manifest beside it taken into account. Raises `AssayError` where it cannot be opened."""
        examined = examine(Path(path), self.policy, limits=self.limits)
        return self.scan(examined.asset, custody=examined.custody)

    def scan_path(self, path: Path | str) -> Report | Failure:
        """Examine a file like `scan_file`; what cannot be opened is a `Failure`."""
        try:
            return self.scan_file(path)
        except AssayError as error:
            return Failure(str(path), error)

    def _report(self, asset: Asset, custody: Custody | AssayError) -> Report:
        subject = Subject(asset, custody, self.limits, self.thorough)
        evidence = tuple(self._ask(signal, subject) for signal in self.signals)
        verdict = weigh(evidence)
        try:
            width, height = subject.measured()
        except AssayError as error:
            return Report(
                asset=asset,
                width=None,
                height=None,
                undecoded=error,
                custody=custody,
                evidence=evidence,
                verdict=verdict,
            )
        return Report(asset=asset, width=width, height=height, custody=custody, evidence=evidence, verdict=verdict)

    def _custody(self, asset: Asset) -> Custody | AssayError:
        try:
            return verify(asset, self.policy)
        except AssayError as error:
            return error

    def _ask(self, signal: Signal, subject: Subject) -> Evidence:
        try:
            return signal.examine(subject)
        except AssayError as error:
            return Evidence.silent(signal.name, Silence.FAILED, error.message)
        except Exception as error:  # a defect of ours in one signal must not cost the others' answers
            return Evidence.silent(
                signal.name, Silence.FAILED, f"internal error: {type(error).__name__}: {error}"[:300]
            )


def scan(image: Asset | Path | str, *, scanner: Scanner | None = None) -> Report:
    """Examine one file or asset with the standard signals. Raises `AssayError` where a file cannot be opened."""
    scanner = scanner or Scanner()
    return scanner.scan(image) if isinstance(image, Asset) else scanner.scan_file(image)
