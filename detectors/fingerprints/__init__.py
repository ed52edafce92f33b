"""Fingerprints of pictures: what survives recompression, resizing and light cropping, and how a copy is found by it."""
