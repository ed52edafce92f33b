"""Manifests that were signed or seen, found again by hash or fingerprint."""

from assay.provenance.repository.records import MARK, Fingerprint, Keepsake, Record
from assay.provenance.repository.repository import Repository, RepositoryRefused, default_path, repository_state

__all__ = [
    "MARK",
    "Fingerprint",
    "Keepsake",
    "Record",
    "Repository",
    "RepositoryRefused",
    "default_path",
    "repository_state",
]
