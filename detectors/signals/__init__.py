"""One small unit each; the registry below is the order in which they are asked.

Rules: a signal's name is one string in code, documentation (`docs/signals.md#<name>`), JSON and SARIF; importing the
registry imports no signal; a signal never raises on bad input.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from assay.detectors.subject import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One signal of the registry. `target` is "module:class" under `assay.detectors.signals`; the class takes no
    arguments and has the attribute `name`. `basis` is the strongest on which it can speak, in one word."""

    name: str
    title: str
    target: str
    basis: str
    needs_pixels: bool = False

    @property
    def section(self) -> str:
        """Where the documentation describes it."""
        return f"docs/signals.md#{self.name}"

    def make(self) -> Signal:
        """Import and build the signal."""
        module, _, name = self.target.partition(":")
        signal: Signal = getattr(import_module(f"assay.detectors.signals.{module}"), name)()
        return signal


REGISTRY: tuple[Entry, ...] = (
    Entry(
        name="declaration-source-type",
        title="IPTC digital source type",
        target="declaration_source_type:SourceTypeDeclaration",
        basis="declared",
    ),
    Entry(
        name="watermark",
        title="Invisible watermark",
        target="watermark:InvisibleWatermark",
        basis="marked",
        needs_pixels=True,
    ),
)


def signals(*, only: Iterable[str] = (), pixels: bool = True) -> tuple[Signal, ...]:
    """Build the signals of the registry, all or those named; without those that decode the picture where asked so.

    Raises `KeyError` for a name that the registry does not know.
    """
    wanted = tuple(only)
    known = {entry.name for entry in REGISTRY}
    for name in wanted:
        if name not in known:
            raise KeyError(name)
    return tuple(
        entry.make()
        for entry in REGISTRY
        if (not wanted or entry.name in wanted) and (pixels or not entry.needs_pixels)
    )
