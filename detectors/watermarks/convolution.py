"""A convolutional code of rate 1/3 with soft decisions: bits in, three times as many out, and back through much noise.

Constraint length 7, generators 133, 171, 165 (octal), ended by six zeros. Source: Viterbi 1967; the generators are those of
Odenwalder 1970 for rate 1/3.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
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
    steps = np.ascontiguousarray(np.asarray(soft, dtype=np.float32).T).reshape(-1, 3, len(soft))
    # State h and state h + 32 both come from 2h and 2h + 1: [entering bit, the origin's last bit, h, word].
    signs = _signs()
    best = np.full((_STATES, len(soft)), -np.inf, np.float32)
    best[0] = 0
    choices = np.empty((len(steps), 2, _STATES // 2, len(soft)), bool)
    for i, values in enumerate(steps):
        candidates = np.tensordot(signs, values, axes=1)
        candidates += best.reshape(_STATES // 2, 2, -1).swapaxes(0, 1)
        np.greater(candidates[:, 1], candidates[:, 0], out=choices[i])
        best = candidates.max(axis=1).reshape(_STATES, -1)
    bits = np.empty((len(steps), len(soft)), np.uint8)
    state, word = np.zeros(len(soft), np.intp), np.arange(len(soft))
    for i in reversed(range(len(steps))):
        bits[i] = state >> (_MEMORY - 1)
        state = (state << 1 | choices[i].reshape(_STATES, -1)[state, word]) & (_STATES - 1)
    return np.ascontiguousarray(bits[:-_MEMORY].T)


@cache
def _signs() -> NDArray[np.float32]:
    """The three outputs as ±1 for each entering bit, origin's last bit and half state. Shape (2, 2, 32, 3)."""
    signs = np.empty((2, 2, _STATES // 2, 3), np.float32)
    for bit, last, half in product((0, 1), (0, 1), range(_STATES // 2)):
        register = bit << _MEMORY | half << 1 | last
        signs[bit, last, half] = [(register & generator).bit_count() % 2 * 2 - 1 for generator in _GENERATORS]
    return signs
