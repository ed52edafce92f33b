"""assay: where does an image come from, who says so, and how sure can we be?

The front door. Names are resolved on first use, so that `import assay` costs nothing:

    import assay

    report = assay.scan("photo.jpg")         # everything that is known, weighed into one verdict
    custody = assay.verify("photo.jpg")      # what the C2PA manifest says and whether it can be proved
    client = assay.signed(OpenAI(), signer="dev:")   # every picture that this client returns is signed
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_FRONT_DOOR = {
    "Asset": "assay.provenance.asset",
    "AssayError": "assay.provenance.errors",
    "Derivation": "assay.provenance.signing.deriving",
    "PromptRefused": "assay.provenance.generating.provider",
    "Refusal": "assay.provenance.generating.provider",
    "Report": "assay.scanning.scan",
    "Scanner": "assay.scanning.scan",
    "Recipe": "assay.provenance.signing",
    "derive": "assay.provenance.signing.deriving",
    "open_signer": "assay.provenance.signing",
    "scan": "assay.scanning.scan",
    "sign": "assay.provenance.signing",
    "signed": "assay.scanning.durable",
    "verify": "assay.provenance.custody",
}

__all__ = [
    "AssayError",
    "Asset",
    "Derivation",
    "PromptRefused",
    "Recipe",
    "Refusal",
    "Report",
    "Scanner",
    "__version__",
    "derive",
    "open_signer",
    "scan",
    "sign",
    "signed",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _FRONT_DOOR:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(import_module(_FRONT_DOOR[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FRONT_DOOR])
