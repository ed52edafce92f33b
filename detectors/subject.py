"""What a signal looks at: one asset, its custody, and its pixels decoded once for all signals.

Rules: nothing is decoded before somebody asks; a decoding failure is kept and raised again for each who asks.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from assay.detectors.evidence import Evidence
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Custody
from assay.provenance.errors import AssayError

if TYPE_CHECKING:
    from PIL.Image import Image

    from assay.provenance.disclosure.metadata import Metadata


@dataclass(slots=True)
class Subject:
    """One image under examination. `custody` is the verifier's answer, or the failure that kept it from giving one.

    `deep` lets signals search for seconds where they would otherwise look for milliseconds.
    """

    asset: Asset
    custody: Custody | AssayError
    limits: Limits = DEFAULT_LIMITS
    deep: bool = False
    _decoded: "Image | AssayError | None" = field(default=None, repr=False)
    _metadata: "Metadata | None" = field(default=None, repr=False)

    @property
    def metadata(self) -> "Metadata":
        """Everything that the container holds beside the picture, parsed once. Never raises on bad input."""
        if self._metadata is None:
            from assay.provenance.disclosure.metadata import Metadata

            self._metadata = Metadata.of(self.asset)
        return self._metadata

    @property
    def image(self) -> "Image":
        """The first frame, as stored. Raises what `decode` raises."""
        if self._decoded is None:
            from assay.provenance.decoding import decode

            try:
                self._decoded = decode(self.asset, limits=self.limits)
            except AssayError as error:
                self._decoded = error
        if isinstance(self._decoded, AssayError):
            raise self._decoded
        return self._decoded


class Signal(Protocol):
    """One small unit that examines a subject. `name` is the same string in code, documentation, JSON and SARIF."""

    name: str

    def examine(self, subject: Subject) -> Evidence:
        """Say what this signal sees; silence with a reason otherwise. Never raises on bad input."""
        ...
