"""Writing manifests: recipes, signers, keys, derivatives and the signing log."""

from assay.provenance.signing.recipe import (
    ASSAY,
    NAMESPACE,
    Action,
    Assertion,
    Component,
    Prompt,
    Recipe,
    RecipeRefused,
    Relationship,
    SoftwareAgent,
    SourceType,
)
from assay.provenance.signing.signer import CallbackSigner, KeySigner, Signer, key_signer, open_signer
from assay.provenance.signing.signing import Signed, sign

__all__ = [
    "ASSAY",
    "NAMESPACE",
    "Action",
    "Assertion",
    "CallbackSigner",
    "Component",
    "KeySigner",
    "Prompt",
    "Recipe",
    "RecipeRefused",
    "Relationship",
    "Signed",
    "Signer",
    "SoftwareAgent",
    "SourceType",
    "key_signer",
    "open_signer",
    "sign",
]
