"""Two small plots as SVG text: receiver operating characteristic (logarithmic) and reliability."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

import numpy as np
from numpy.typing import NDArray

_SIDE, _LEFT, _TOP = 320, 52, 30
_COLOURS = ("#1b6ca8", "#c4501b", "#4a7d2c", "#7a4fa3", "#8a6d1f", "#555555")


def roc(curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.bool_]]], *, title: str) -> str:
    """Recall against false-positive rate from 0.1 % to 100 %, one line per name of (scores, positive)."""
    body = [_frame(title, "false-positive rate", "recall")]
    for tick in (0.001, 0.01, 0.1, 1.0):
        body.append(_tick_x(_log_x(tick), f"{tick:.1%}"))
    body += [_tick_y(_y(tick), f"{tick:.1f}") for tick in (0.0, 0.5, 1.0)]
    for index, (name, (scores, positive)) in enumerate(curves.items()):
        down = np.sort(scores[~positive])[::-1]
        points = []
        for rate in np.logspace(-3, 0, 61):
            limit = down[min(len(down) - 1, int(rate * len(down)))]
            points.append((_log_x(float(rate)), _y(float((scores[positive] > limit).mean()))))
        body.append(_line(points, _COLOURS[index % len(_COLOURS)]))
        body.append(_entry(index, name))
    return _document(body)


def reliability(rows: Sequence[tuple[float, float, int]], *, title: str) -> str:
    """Observed share against stated probability, at equal prior odds; the diagonal is perfect."""
    body = [_frame(title, "stated probability", "observed share")]
    body += [_tick_x(_x(tick), f"{tick:.1f}") for tick in (0.0, 0.5, 1.0)]
    body += [_tick_y(_y(tick), f"{tick:.1f}") for tick in (0.0, 0.5, 1.0)]
    body.append(_line([(_x(0), _y(0)), (_x(1), _y(1))], "#aaaaaa"))
    body.append(_line([(_x(stated), _y(observed)) for stated, observed, _ in rows], _COLOURS[0]))
    for stated, observed, count in rows:
        body.append(
            f'<circle cx="{_x(stated):.1f}" cy="{_y(observed):.1f}" r="3" fill="{_COLOURS[0]}"><title>{count}</title></circle>'
        )
    return _document(body)


def _x(value: float) -> float:
    return _LEFT + value * _SIDE


def _log_x(value: float) -> float:
    return _LEFT + (log10(max(value, 1e-3)) + 3) / 3 * _SIDE


def _y(value: float) -> float:
    return _TOP + (1 - value) * _SIDE


def _frame(title: str, x: str, y: str) -> str:
    middle = _LEFT + _SIDE / 2
    return (
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>'
        f'<text x="{middle}" y="18" text-anchor="middle" font-weight="bold">{escape(title)}</text>'
        f'<text x="{middle}" y="{_TOP + _SIDE + 34}" text-anchor="middle">{escape(x)}</text>'
        f'<text x="14" y="{_TOP + _SIDE / 2}" text-anchor="middle" transform="rotate(-90 14 {_TOP + _SIDE / 2})">{escape(y)}</text>'
    )


def _tick_x(x: float, label: str) -> str:
    return f'<text x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{label}</text>'


def _tick_y(y: float, label: str) -> str:
    return f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _entry(index: int, name: str) -> str:
    y = _TOP + 16 + 15 * index
    colour = _COLOURS[index % len(_COLOURS)]
    return f'<text x="{_LEFT + 10}" y="{y}" fill="{colour}">{escape(name)}</text>'


def _document(body: Sequence[str]) -> str:
    width, height = _LEFT + _SIDE + 20, _TOP + _SIDE + 46
    style = 'font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {style}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *body, "</svg>\n"])
