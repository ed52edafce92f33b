"""The soft-binding assertion (C2PA 2.2 §18.10): a fingerprint by which a manifest is found again when it was stripped.

Rules: written only on request; the algorithm is one of the C2PA list of soft binding algorithms. The SDK for Python takes
assertions as JSON, which knows no byte strings: values are written as CBOR arrays of bytes, which its readers take too.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from assay.provenance.signing.recipe import Assertion, Recipe

if TYPE_CHECKING:
    from PIL.Image import Image

SOFT_BINDING = "c2pa.soft-binding"


class Fingerprinter(Protocol):
    """Computes the value of a soft binding. `algorithm` is its name in the C2PA list."""

    algorithm: str

    def value(self, image: "Image") -> bytes:
        """The fingerprint of a decoded picture, as the algorithm's specification writes it into a soft binding."""
        ...


def with_soft_binding(recipe: Recipe, algorithm: str, value: bytes) -> Recipe:
    """The same recipe, stating besides that `value` is the picture's fingerprint by `algorithm`."""
    content = {"alg": algorithm, "blocks": [{"scope": {}, "value": list(value)}], "pad": []}
    return replace(recipe, assertions=(*recipe.assertions, Assertion(SOFT_BINDING, content)))
