"""Which files of an audit look nearly the same, by the distance of their perceptual hashes.

Rules: exact over all that was met before, with nothing approximated; a row is near the first one it resembles, so groups do not
drift; 40 bytes and a name are kept for each picture that resembles none before.
"""

import numpy as np

from assay.detectors.perceptual import NEAR

_WORDS = 4  # of 64 bits


class Neighbours:
    """The perceptual hashes met so far."""

    def __init__(self) -> None:
        self._hashes = np.empty((1024, _WORDS), dtype=np.uint64)
        self._names: list[str] = []

    def first_like(self, perceptual_hash: str, name: str) -> str:
        """The first file that looks nearly the same, else an empty string; then this one is kept."""
        if not perceptual_hash:
            return ""
        wanted = np.frombuffer(bytes.fromhex(perceptual_hash), dtype=np.uint64)
        known = self._hashes[: len(self._names)]
        distances = np.bitwise_count(known ^ wanted).sum(axis=1, dtype=np.uint16)
        close = np.flatnonzero(distances <= NEAR)
        if close.size:
            return self._names[int(close[0])]
        if len(self._names) == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)])
        self._hashes[len(self._names)] = wanted
        self._names.append(name)
        return ""
