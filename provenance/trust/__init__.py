"""Whom we believe: trust lists by purpose, certificate paths, revocation and time."""
