"""A convolutional code of rate 1/3 with soft decisions: bits in, three times as many out, and back through much noise.

Constraint length 7, generators 133, 171, 165 (octal), ended by six zeros. Source: Viterbi 1967; the generators are those of
Odenwalder 1970 for rate 1/3.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GENERATORS = (0o133, 0o171, 0o165)
_MEMORY = 6
_STATES = 1 << _MEMORY


def encoded_bits(bits: Sequence[int]) -> list[int]:
    """3 · (len(bits) + 6) coded bits."""
    state, found = 0, []
    for bit in (*bits, *(0,) * _MEMORY):
        register = bit << _MEMORY | state
        found += [(register & generator).bit_count() & 1 for generator in _GENERATORS]
        state = register >> 1
    return found


def decoded_bits(soft: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The likeliest bits for soft values (positive for a one), without the six last. Shape (n, 3 · steps) to (n, steps − 6)."""
    outputs, origins = _trellis()
    steps = np.asarray(soft, dtype=np.float32).reshape(len(soft), -1, 3)
    best = np.full((len(soft), _STATES), -np.inf, np.float32)
    best[:, 0] = 0
    choices = np.empty((steps.shape[1], len(soft), _STATES), np.uint8)
    for i in range(steps.shape[1]):
        candidates = best[:, origins] + np.tensordot(
            steps[:, i], outputs, axes=1
        )  # [word, which of its two origins, state]
        choices[i] = candidates[:, 1] > candidates[:, 0]
        best = candidates.max(axis=1)
    bits = np.empty((len(soft), steps.shape[1]), np.uint8)
    state, word = np.zeros(len(soft), np.intp), np.arange(len(soft))
    for i in reversed(range(steps.shape[1])):
        bits[:, i] = state >> (_MEMORY - 1)
        state = origins[choices[i, word, state], state]
    return bits[:, :-_MEMORY]


@cache
def _trellis() -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """For each state and each of its two origins: the three outputs as ±1 (3, 2, states), and the origin (2, states)."""
    outputs, origins = np.empty((3, 2, _STATES), np.float32), np.empty((2, _STATES), np.intp)
    for state in range(_STATES):
        for last in (0, 1):
            register = state << 1 | last  # the bit that entered is the state's highest
            origins[last, state] = register & (_STATES - 1)
            outputs[:, last, state] = [((register & generator).bit_count() & 1) * 2 - 1 for generator in _GENERATORS]
    return outputs, origins
