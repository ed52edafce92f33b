"""What a worker does with one file's bytes and its sidecar's: scan them and answer with the columns that they decide.

Rules: built once in each child from a picklable description, with the model loaded before the first file comes; the file's
name never gets here; nothing is raised on account of the content; importing this imports no scanner and no numbers, for a
folder whose every answer is known needs neither.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from assay import __version__
from assay.detectors.card import read_card
from assay.detectors.signals import REGISTRY
from assay.detectors.signals.rule_loading import rules_digest
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.errors import AssayError
from assay.provenance.repository import repository_state
from assay.provenance.trust import TrustPolicy
from assay.scanning import asking
from assay.scanning.audit.ledger import Version
from assay.scanning.audit.reading import asked
from assay.scanning.audit.row import SCHEMA, SUBJECT, failed

if TYPE_CHECKING:
    from assay.scanning.scan import Scanner

_LIBRARIES = ("c2pa-python", "pillow", "pillow-heif", "pillow-jxl-plugin", "trustmark", "invisible-watermark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """How to build a scanner in another process. Call it there; it gives the function that examines one file."""

    model: str | None  # None: no pixel classifier
    policy: TrustPolicy
    thorough: bool = False
    near: bool = False  # perceptual hashes are wanted
    unable: str = ""  # why this machine cannot run the model

    def __call__(self) -> Callable[[bytes], bytes]:
        from assay.detectors.perceptual import perceptual_hash
        from assay.provenance.decoding import decode
        from assay.scanning.audit.columns import content
        from assay.scanning.scan import Failure

        scanner = self.scanner()

        def examine(given: bytes) -> bytes:
            try:
                if (message := asked(given)) is None:
                    asset, custody = Asset.from_bytes(given, name=SUBJECT, limits=scanner.limits), None
                else:
                    examined = asking.examined(message, self.policy, limits=scanner.limits)
                    asset, custody = examined.asset, examined.custody
                found = content(scanner.scan(asset, custody=custody))
                if self.near and found.width is not None:
                    found = replace(found, perceptual_hash=perceptual_hash(decode(asset, limits=scanner.limits)))
            except AssayError as error:
                return content(Failure(SUBJECT, error)).to_json().encode()
            except MemoryError:
                return failed("ParserCrashed", "needs more memory than a worker may use").to_json().encode()
            return found.to_json().encode()

        return examine

    def scanner(self) -> "Scanner":
        """The scanner itself, computing with one thread. Raises `ModelRefused`."""
        from assay.scanning.scan import Scanner, standard_signals

        signals = standard_signals(None)
        if self.unable:
            from assay.detectors.signals.pixels import PixelsUnavailable

            signals = (*signals, PixelsUnavailable(self.unable))
        elif self.model is not None:
            from assay.detectors.classifier import warm
            from assay.detectors.signals.pixels import PixelsSignal

            warm(self.model, threads=1)  # kept for the process
            signals = (*signals, PixelsSignal(self.model, threads=1))
        return Scanner(signals=signals, policy=self.policy, thorough=self.thorough)

    def instead(self, reason: str) -> "Scanning":
        """The same without the model, which says so of every file."""
        return replace(self, unable=reason)

    def version(self) -> Version:
        """What the ledger must know of it. Raises `ModelRefused` where there is no such model."""
        lists = "\n".join(f"{item.id} {item.sha256} {len(item.anchors)}" for item in self.policy.lists)
        rest = f"{lists}\n{self.policy.ekus}{self.policy.now}{self.policy.online_revocation}"
        names = " ".join(entry.name for entry in REGISTRY)
        how = " ".join(word for word, asked in (("thorough", self.thorough), ("near", self.near)) if asked) or "usual"
        remembered = repository_state()  # what is remembered may lead a stripped copy back to its manifest
        return Version(
            engine=f"assay {__version__}, {SCHEMA}, rules {rules_digest()}, {how}: {names}, {_tools()}"
            + (f", repository {remembered}" if remembered else ""),
            model="" if self.model is None else _identity(self.model),
            trust=hashlib.sha256(rest.encode()).hexdigest()[:16],
        )


def _tools() -> str:
    """What else decides an answer: limits that were set, and the libraries that open pictures and decode marks."""
    given = {name: value for name, value in asdict(DEFAULT_LIMITS).items() if value != getattr(Limits(), name)}
    found = given | {name: installed for name in _LIBRARIES if (installed := _installed(name))}
    return " ".join(f"{name}={value}" for name, value in found.items())


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _identity(model: str) -> str:
    """The card names the hashes of all the model's files, so its own stands for the whole."""
    card = read_card(model)
    digest = hashlib.sha256((card.folder / "card.json").read_bytes()).hexdigest()
    return f"{card.name} {card.version} {digest[:16]}"
