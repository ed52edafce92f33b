"""What a signal looks at: one asset, its custody, and its pixels decoded once for all signals.

Rules: nothing is decoded before somebody asks; a decoding failure is kept and raised again for each who asks.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from assay.detectors.evidence import Evidence, Silence
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Custody
from assay.provenance.errors import AssayError, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from assay.provenance.disclosure.metadata import Metadata

LARGEST: Final = 2048 * 2048  # pixels decoded without being asked to look thoroughly


@dataclass(slots=True)
class Subject:
    """One image under examination. `custody` is the verifier's answer, or the failure that kept it from giving one.

    `thorough` lets signals search for seconds where they would otherwise look for milliseconds.
    """

    asset: Asset
    custody: Custody | AssayError
    limits: Limits = DEFAULT_LIMITS
    thorough: bool = False
    _opened: "Image | AssayError | None" = field(default=None, repr=False)
    _decoded: "Image | AssayError | None" = field(default=None, repr=False)
    _sketched: "Image | AssayError | None" = field(default=None, repr=False)
    _metadata: "Metadata | None" = field(default=None, repr=False)

    @property
    def metadata(self) -> "Metadata":
        """Everything that the container holds beside the picture, parsed once. Never raises on bad input."""
        if self._metadata is None:
            from assay.provenance.disclosure.metadata import Metadata

            self._metadata = Metadata.of(self.asset)
        return self._metadata

    @property
    def header(self) -> "Image":
        """The first frame as opened: size, mode, `info`. Raises what `open_image` raises."""
        if self._opened is None:
            from assay.provenance.decoding import open_image

            self._opened = _kept(lambda: open_image(self.asset, limits=self.limits))
        return _answered(self._opened)

    @property
    def image(self) -> "Image":
        """The first frame, as stored. Raises what `decode` raises."""
        if self._decoded is None:
            from assay.provenance.decoding import load

            self._decoded = _kept(lambda: load(self.header, self.asset))
        return _answered(self._decoded)

    @property
    def sketch(self) -> "Image":
        """The first frame in grey and small, cheaply, without a full decode. Raises what `decode` raises."""
        if self._sketched is None:
            from assay.provenance.decoding import sketch

            self._sketched = _kept(lambda: sketch(self.asset, limits=self.limits))
        return _answered(self._sketched)

    @property
    def large(self) -> bool:
        """Whether the picture is so large that its pixels are decoded in a thorough examination only. Raises as `header`."""
        return not self.thorough and self.header.width * self.header.height > LARGEST

    def measured(self) -> tuple[int, int]:
        """Width and height in pixels of a picture that can be decoded to its end. Raises what `decode` raises."""
        cheaper = self._decoded is None and self.header.format in ("JPEG", "MPO")
        _ = self.sketch if cheaper else self.image
        return self.header.size


def picture_or_silence(subject: Subject, signal: str) -> "Image | Evidence":
    """The decoded picture, or what a signal of this name says where there is none."""
    try:
        return subject.image
    except UnsupportedFormat:
        return Evidence.silent(
            signal, Silence.INAPPLICABLE, f"{subject.asset.media_type} has no pixels that assay decodes."
        )
    except AssayError as error:
        return Evidence.silent(signal, Silence.FAILED, error.message)


def _kept(attempt: "Callable[[], Image]") -> "Image | AssayError":
    try:
        return attempt()
    except AssayError as error:
        return error


def _answered(kept: "Image | AssayError") -> "Image":
    if isinstance(kept, AssayError):
        raise kept
    return kept


class Signal(Protocol):
    """One small unit that examines a subject. `name` is the same string in code, documentation, JSON and SARIF."""

    name: str

    def examine(self, subject: Subject) -> Evidence:
        """Say what this signal sees; silence with a reason otherwise. Never raises on bad input."""
        ...
