"""What each face in a picture looks like to a classifier of its own: like those of generated pictures, or nothing.

Rules: an answer to a face is never mixed with the answer to the whole picture; every face is told by its place, its ratio and its
answer; says "composite" (at least a part) where a face passes the chosen operating point, and is silent otherwise; nobody is recognised.
"""

from pathlib import Path

from assay.detectors.calibration import Point
from assay.detectors.card import FACES
from assay.detectors.classifier import Opinion, RuntimeUnavailable
from assay.detectors.evidence import Basis, Evidence, Origin, Silence, Trace
from assay.detectors.faces import LEAST, Face, load
from assay.detectors.quality import measure
from assay.detectors.subject import Subject, picture_or_silence


class FacesSignal:
    """Looks for faces and asks the model for faces. `point` is the operating point at which to speak."""

    name = "faces"

    def __init__(self, model: str | Path = FACES, *, point: Point = Point.BALANCED, threads: int = 0) -> None:
        self.model = model
        self.point = point
        self.threads = threads

    def examine(self, subject: Subject) -> Evidence:
        """Find and judge the faces of the decoded picture."""
        image = picture_or_silence(subject, self.name)
        if isinstance(image, Evidence):
            return image
        try:
            classifier = load(self.model, threads=self.threads)
        except RuntimeUnavailable as error:
            return Evidence.silent(self.name, Silence.FAILED, error.message)
        judged, found = classifier.opinions(image, measure(image))
        return self.weighed(judged, found)

    def weighed(self, judged: tuple[tuple[Face, Opinion], ...], found: int) -> Evidence:
        """What opinions on the largest of `found` faces let this signal say."""
        if not judged:
            return Evidence.silent(
                self.name, Silence.ABSENT, f"No face of {LEAST} pixels or more was found in this picture."
            )
        traces = tuple(
            Trace(f"face {number}", f"{_place(face)}: {self._answer(opinion)}")
            for number, (face, opinion) in enumerate(judged, 1)
        )
        if found > len(judged):
            traces = (*traces, Trace("faces not judged", str(found - len(judged))))
        first = judged[0][1]
        passed = [(number, opinion) for number, (_, opinion) in enumerate(judged, 1) if opinion.passes(self.point)]
        count = "The face" if found == 1 else f"None of the {len(judged)} largest faces"
        if not passed:
            known = [opinion for _, opinion in judged if opinion.llr is not None]
            if not known:
                return Evidence.silent(
                    self.name, Silence.INAPPLICABLE, f"Not judged: {first.abstained}.", traces=traces
                )
            verb = "is not set apart" if found == 1 else "is set apart"
            return Evidence.silent(
                self.name,
                Silence.INCONCLUSIVE,
                f"{count} in this picture {verb} from faces of human-made pictures by the classifier ({first.model} "
                f"{first.version}). This is no evidence of a camera, nor that no face was swapped.",
                traces=traces,
            )
        number, strongest = max(passed, key=lambda one: one[1].llr or 0.0)
        which = "The face" if found == 1 else f"Face {number} of {len(judged)} judged"
        more = f" So do {len(passed) - 1} more." if len(passed) > 1 else ""
        return Evidence(
            signal=self.name,
            statement=(
                f"{which} in this picture looks to the classifier ({strongest.model} {strongest.version}) more like faces of "
                f"generated pictures than like those of human-made ones, at the {strongest.point} operating point.{more}"
            ),
            origin=Origin.COMPOSITE,
            basis=Basis.INFERRED,
            llr=strongest.llr,
            false_positive_rate=strongest.false_positive_rate,
            true_positive_rate=strongest.true_positive_rate,
            traces=traces,
        )

    def _answer(self, opinion: Opinion) -> str:
        if opinion.llr is None:
            return f"not judged: {opinion.abstained}"
        ratio = f"log10 likelihood ratio {opinion.llr:+.2f}"
        if opinion.passes(self.point):
            return f"{ratio}, like faces of generated pictures ({opinion.point})"
        return f"{ratio}, nothing said{f': {opinion.abstained}' if opinion.abstained else ''}"


def _place(face: Face) -> str:
    width, height = round(face.right - face.left), round(face.bottom - face.top)
    return f"{width} x {height} pixels at {round(face.left)}, {round(face.top)}"
