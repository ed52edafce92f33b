"""Manifests that were signed or seen, found again by hash or fingerprint."""

from assay.provenance.repository.excerpt import Excerpt
from assay.provenance.repository.opening import (
    Place,
    default_place,
    is_there,
    open_repository,
    place,
    repository_state,
)
from assay.provenance.repository.records import MARK, Fingerprint, Keepsake, Record
from assay.provenance.repository.repository import FIRST, Repository, RepositoryRefused

__all__ = [
    "FIRST",
    "MARK",
    "Excerpt",
    "Fingerprint",
    "Keepsake",
    "Place",
    "Record",
    "Repository",
    "RepositoryRefused",
    "default_place",
    "is_there",
    "open_repository",
    "place",
    "repository_state",
]
