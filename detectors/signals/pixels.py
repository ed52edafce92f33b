"""What the pixels look like to a trained classifier: like those of generated pictures, or nothing that may be said.

Rules: says "synthetic" where the picture passes the chosen operating point, and is silent otherwise: that a picture passes
none is no evidence of a camera; the likelihood ratio and the error rates measured for pictures of this kind, size and
compression come with every statement.
"""

from pathlib import Path

from assay.detectors.calibration import Point
from assay.detectors.classifier import Opinion, RuntimeUnavailable, load
from assay.detectors.evidence import NOT_EXAMINED, Basis, Evidence, Finding, Origin, Rate, Severity, Silence, Trace
from assay.detectors.quality import Quality, measure
from assay.detectors.subject import Subject, picture_or_silence

_PLACES = {
    "photograph": "photographs",
    "illustration": "illustrations and renders",
    "graphic": "graphics and documents",
}


class PixelsUnavailable:
    """Stands where the pixel model would, on a machine that cannot run one, and says why."""

    name = "pixels"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def examine(self, subject: Subject) -> Evidence:
        """Silence, with its reason as a finding: a verdict without pixels must not pass for one with them."""
        found = Finding(NOT_EXAMINED, Severity.NOTE, f"The pixels were not examined: {self.reason}")
        return Evidence.silent(self.name, Silence.FAILED, self.reason, findings=(found,))


class PixelsSignal:
    """Asks one pixel model. `model` is a shipped model's name or a folder, `point` the operating point at which to speak."""

    name = "pixels"

    def __init__(self, model: str | Path = "deep", *, point: Point = Point.BALANCED, threads: int = 0) -> None:
        self.model = model
        self.point = point
        self.threads = threads

    def examine(self, subject: Subject) -> Evidence:
        """Classify the decoded picture."""
        image = picture_or_silence(subject, self.name)
        if isinstance(image, Evidence):
            return image
        quality = measure(image)
        try:
            classifier = load(self.model, threads=self.threads)
        except RuntimeUnavailable as error:
            return PixelsUnavailable(error.message).examine(subject)
        (opinion,) = classifier.opinions([image], [quality])
        _, seen = classifier.card.thresholds[opinion.domain][self.point].rates(quality.bucket)
        return self.weighed(opinion, quality, seen)

    def weighed(self, opinion: Opinion, quality: Quality, seen: Rate | None = None) -> Evidence:
        """What an opinion lets this signal say. `seen`: the share of generated pictures of this kind that are flagged at the chosen
        point, which a silence is told with; the opinion's own rates are of the point that it passed."""
        if opinion.llr is None:
            return Evidence.silent(
                self.name, Silence.INAPPLICABLE, f"Not judged: {opinion.abstained}.", traces=_traces(opinion, quality)
            )
        if not opinion.passes(self.point):
            kind = _PLACES.get(opinion.domain, "pictures")
            found = (
                f"abstains: {opinion.abstained}."
                if opinion.abstained
                else f"does not set these pixels apart from those of human-made {kind}."
            )
            return Evidence.silent(
                self.name,
                Silence.INCONCLUSIVE,
                f"The classifier ({opinion.model} {opinion.version}) {found} {self._missed(seen)}"
                "This is no evidence of a camera.",
                traces=_traces(opinion, quality),
            )
        return Evidence(
            signal=self.name,
            statement=(
                f"The classifier ({opinion.model} {opinion.version}) finds these pixels more like those of generated pictures "
                f"than of human-made {_PLACES.get(opinion.domain, 'pictures')}, at the {opinion.point} operating point."
            ),
            origin=Origin.SYNTHETIC,
            basis=Basis.INFERRED,
            llr=opinion.llr,
            false_positive_rate=opinion.false_positive_rate,
            true_positive_rate=opinion.true_positive_rate,
            traces=_traces(opinion, quality),
        )

    def _missed(self, seen: Rate | None) -> str:
        if seen is None or not seen.trials:
            return ""
        return (
            f"At the {self.point} operating point it left {1 - seen.value:.0%} of generated pictures of this kind unflagged as "
            "well in its trials. "
        )


def _traces(opinion: Opinion, quality: Quality) -> tuple[Trace, ...]:
    """The raw numbers behind the answer."""
    compression = "none" if quality.jpeg_quality is None else str(quality.jpeg_quality)
    return (
        Trace("model", f"{opinion.model} {opinion.version}"),
        Trace("logit", f"{opinion.logit:.3f}"),
        Trace("domain", f"{opinion.domain} ({opinion.domain_share:.2f})"),
        *((Trace("conformal set", opinion.prediction),) if opinion.prediction else ()),
        Trace("novelty", f"{opinion.novelty:.2f}"),
        Trace(
            "quality", f"{quality.bucket}: {quality.megapixels:.2f} MP, JPEG {compression}, detail {quality.detail:.2f}"
        ),
    )
