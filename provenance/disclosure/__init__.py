"""Unsigned statements in a file's metadata, one family per module."""
