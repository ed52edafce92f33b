"""What a worker does with one file's bytes: scan them and answer with the columns that they decide.

Rules: built once in each child from a picklable description; the file's name never gets here; nothing is raised on account
of the content.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from assay import __version__
from assay.detectors.signals import REGISTRY
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy
from assay.scanning.audit.ledger import Version
from assay.scanning.audit.row import SCHEMA, SUBJECT, content, failed
from assay.scanning.scan import Failure, Scanner, standard_signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """How to build a scanner in another process. Call it there; it gives the function that examines one file."""

    model: str | None  # None: no pixel classifier
    policy: TrustPolicy

    def __call__(self) -> Callable[[bytes], bytes]:
        scanner = self.scanner()

        def examine(given: bytes) -> bytes:
            try:
                outcome = scanner.scan(Asset.from_bytes(given, name=SUBJECT, limits=scanner.limits))
            except AssayError as error:
                return content(Failure(SUBJECT, error)).to_json().encode()
            except MemoryError:
                return failed("ParserCrashed", "needs more memory than a worker may use").to_json().encode()
            return content(outcome).to_json().encode()

        return examine

    def scanner(self) -> Scanner:
        """The scanner itself, computing with one thread."""
        return Scanner(signals=standard_signals(self.model), policy=self.policy)

    def version(self) -> Version:
        """What the ledger must know of it."""
        lists = "\n".join(f"{item.id} {item.sha256} {len(item.anchors)}" for item in self.policy.lists)
        rest = f"{lists}\n{self.policy.ekus}{self.policy.now}{self.policy.online_revocation}"
        return Version(
            engine=f"assay {__version__}, {SCHEMA}: " + " ".join(entry.name for entry in REGISTRY),
            model=self.model or "",
            trust=hashlib.sha256(rest.encode()).hexdigest()[:16],
        )
