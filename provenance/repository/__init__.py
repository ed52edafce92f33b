"""Manifests that were signed or seen, found again by hash or fingerprint."""
