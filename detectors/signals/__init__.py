"""One small unit each; the registry below is the order in which they are asked.

Rules: a signal's name is one string in code, documentation (`docs/signals.md#<name>`), JSON and SARIF; importing the
registry imports no signal; a signal never raises on bad input.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.detectors.subject import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One signal of the registry. `target` is "module:class" under `assay.detectors.signals`; the class takes no
    arguments and has the attribute `name`. `basis` is the strongest on which it can speak, in one word."""

    name: str
    title: str
    target: str
    basis: str

    @property
    def section(self) -> str:
        """Where the documentation describes it."""
        return f"docs/signals.md#{self.name}"

    def make(self) -> "Signal":
        """Import and build the signal."""
        module, _, name = self.target.partition(":")
        signal: Signal = getattr(import_module(f"assay.detectors.signals.{module}"), name)()
        return signal


REGISTRY: tuple[Entry, ...] = (
    Entry(
        name="c2pa-manifest",
        title="C2PA manifest and its chain of custody",
        target="manifest:ManifestSignal",
        basis="proved",
    ),
    Entry(
        name="declaration-source-type",
        title="IPTC digital source type",
        target="declaration_source_type:SourceTypeDeclaration",
        basis="declared",
    ),
    Entry(
        name="declaration-ai-fields",
        title="IPTC fields for AI systems and prompts",
        target="ruled:AiFieldsDeclaration",
        basis="declared",
    ),
    Entry(
        name="declaration-credit",
        title="Credit lines of Google's and Apple's AI tools",
        target="ruled:CreditDeclaration",
        basis="declared",
    ),
    Entry(
        name="declaration-aigc",
        title="China's AIGC label (GB 45438-2025)",
        target="declaration_aigc:AigcDeclaration",
        basis="declared",
    ),
    Entry(
        name="declaration-app",
        title="Applications that declare their AI functions (ByteDance, Samsung)",
        target="ruled:AppDeclaration",
        basis="declared",
    ),
    Entry(
        name="generator-metadata",
        title="Traces that image generators leave in metadata",
        target="ruled:GeneratorMetadata",
        basis="declared",
    ),
    Entry(
        name="generator-stealth",
        title="Parameters hidden in the lowest bits, NovelAI's signature",
        target="generator_stealth:StealthGenerator",
        basis="proved",
    ),
    Entry(
        name="watermark",
        title="Invisible watermark",
        target="watermark:InvisibleWatermark",
        basis="marked",
    ),
    Entry(
        name="recovered-manifest",
        title="Stripped manifest, found again by the picture's looks",
        target="recovered_manifest:RecoveredManifest",
        basis="marked",
    ),
    Entry(
        name="trace-compression",
        title="Compression history",
        target="trace_compression:CompressionTrace",
        basis="none",
    ),
    Entry(
        name="trace-camera",
        title="Camera metadata and their consistency",
        target="trace_camera:CameraTrace",
        basis="none",
    ),
    Entry(
        name="trace-delivery",
        title="Way of delivery",
        target="trace_delivery:DeliveryTrace",
        basis="none",
    ),
    Entry(
        name="trace-demosaicing",
        title="Colour filter interpolation",
        target="trace_demosaicing:DemosaicingTrace",
        basis="none",
    ),
    Entry(
        name="metadata-structure",
        title="Malformed metadata",
        target="metadata_structure:MetadataStructure",
        basis="none",
    ),
    Entry(
        name="pixels",
        title="Pixels, by a trained classifier",
        target="pixels:PixelsSignal",
        basis="inferred",
    ),
    Entry(
        name="faces",
        title="Faces, each by itself, by a trained classifier",
        target="faces:FacesSignal",
        basis="inferred",
    ),
)
