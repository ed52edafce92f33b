"""Invisible watermarks that can be decoded locally, behind one protocol."""
