"""Chains of custody as one self-contained page: each chain a picture, oldest on the left, the file itself on the right;
on a narrow screen the same cards from the file downwards.

Rules: no script and no request to anywhere; everything is escaped by Jinja, and strings of the file go through `plain`
first; thumbnails are re-encoded, never embedded as they came, and bounded in number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from markupsafe import Markup

from assay import __version__
from assay.provenance.asset import Asset, Limits
from assay.provenance.custody.chain import BottomLine, Custody, Link, Standing
from assay.provenance.custody.examining import Examined
from assay.provenance.errors import AssayError
from assay.scanning.report import custody_words as words
from assay.scanning.report.fragments import Fragment
from assay.scanning.report.html import environment
from assay.scanning.report.picture import thumbnail
from assay.scanning.scan import Failure

_WIDTH, _GAP = 236, 96  # of a card, between columns; pixels
_TALL, _SHORT = 372, 250  # from row to row, with signed links in it and without; pixels
_MOST_CARDS = 60
_THUMBNAIL = Limits(bytes=8 * 1024 * 1024, pixels=40_000_000)
_STATES = {
    Standing.TRUSTED: "trusted",
    Standing.VALID: "unknown",
    Standing.UNKNOWN: "unknown",
    Standing.INVALID: "invalid",
    Standing.TAMPERED: "broken",
}


@dataclass(slots=True)
class _Card:
    """One node placed in the picture."""

    node: words.Node
    depth: int
    row: int = 0
    above: "_Card | None" = None
    x: int = 0
    y: int = 0


def page(outcomes: Sequence[Examined | Failure], *, title: str = "Chain of custody") -> str:
    """Render chains as one HTML document."""
    return _rendered([_outcome(outcome) for outcome in outcomes], (), title)


def page_around(fragments: Sequence[Fragment], *, title: str = "Chain of custody") -> str:
    """The same page around parts that other processes made and `fragments.accepted` let through."""
    if len(fragments) > 1:  # each was made as if it were alone
        fragments = [replace(one, html=one.html.replace('<details open="">', "<details>")) for one in fragments]
    return _rendered((), fragments, title)


def _rendered(cards: Sequence[dict[str, object]], fragments: Sequence[Fragment], title: str) -> str:
    return (
        environment()
        .get_template("custody.html.j2")
        .render(
            title=title,
            cards=cards,
            fragments=[Markup(fragment.html) for fragment in fragments],  # noqa: S704 - checked element by element
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=__version__,
            questions=words.AXES,
            words=words,
        )
    )


def _outcome(outcome: Examined | Failure) -> dict[str, object]:
    if isinstance(outcome, Failure):
        return {"failure": str(outcome.error), "name": outcome.name}
    custody = outcome.custody
    gaps = [gap for gap in custody.breaks if gap.code not in ("unreadable-manifest", "remote-manifest-not-fetched")]
    return {
        "failure": "",
        "name": outcome.asset.name.rsplit("/", 1)[-1],
        "custody": custody,
        "line": words.BOTTOM_LINES[custody.bottom_line],
        "state": _line_state(custody.bottom_line),
        "gaps": gaps,
        "picture": chain_picture(outcome),
        "links": list(reversed(custody.links)),
        "thumbnail": thumbnail(outcome.asset, edge=480) if not custody.links else "",
    }


def _line_state(line: BottomLine) -> str:
    match line:
        case BottomLine.TRUSTED:
            return "trusted"
        case BottomLine.VALID | BottomLine.INCOMPLETE_HISTORY | BottomLine.NO_MANIFEST:
            return "unknown"
        case BottomLine.INVALID:
            return "invalid"
        case _:
            return "broken"


def chain_picture(outcome: Examined) -> dict[str, object] | None:
    """The chain laid out in columns: where each card stands, and the line from it to what was made of it."""
    root = words.picture_of(outcome.custody, most=_MOST_CARDS)
    if root is None:
        return None
    cards = _placed(root)
    deepest = max(card.depth for card in cards)
    tall = {card.row for card in cards if card.node.link is not None}
    tops = [0]
    for row in range(int(max(card.row for card in cards)) + 1):
        tops.append(tops[-1] + (_TALL if row in tall else _SHORT))
    for card in cards:
        card.x = (deepest - card.depth) * (_WIDTH + _GAP)
        card.y = tops[card.row]
    return {
        "width": (deepest + 1) * (_WIDTH + _GAP) - _GAP,
        "height": tops[-1] - 20,
        "cards": [_drawn(card, outcome) for card in cards],
        "lines": [_line(card) for card in cards if card.above is not None],
        "hidden": sum(len(link.ingredients) for link in outcome.custody.links) + 1 - len(cards),
    }


def _placed(root: words.Node) -> list[_Card]:
    """Cards in drawing order: leaves take a row each, a card with sources stands at the height of its first source."""
    cards: list[_Card] = []
    waiting = [_Card(root, 0)]
    while waiting:
        card = waiting.pop()
        cards.append(card)
        waiting += [_Card(child, card.depth + 1, above=card) for child in reversed(card.node.children)]
    row = 0
    first: dict[int, int] = {}
    for card in reversed(cards):  # leaves below their card come before it in this direction
        if id(card) not in first:
            card.row = row
            row += 1
        else:
            card.row = first[id(card)]
        if card.above is not None:
            first[id(card.above)] = card.row
    top = max(card.row for card in cards)
    for card in cards:
        card.row = top - card.row
    return cards


def _drawn(card: _Card, outcome: Examined) -> dict[str, object]:
    node, link = card.node, card.node.link
    missing = (
        link is None and node.ingredient is not None and bool(node.ingredient.manifest or node.ingredient.recorded)
    )
    state = _STATES[link.now] if link else ("broken" if missing else "ghost")
    return {
        "x": card.x,
        "y": card.y,
        "width": _WIDTH,
        "depth": min(card.depth, 4),
        "role": node.role,
        "state": state,
        "title": words.title_of(node),
        "link": link,
        "sign": words.STANDING_SIGNS[link.now] if link else ("✕" if missing else "?"),
        "said": words.standing(link) if link else ("its manifest is missing" if missing else "nothing is known of it"),
        "who": words.who(link) if link else "",
        "vouched": words.vouched(link) if link else "",
        "what": words.what(link) if link else "",
        "tool": words.tool(link) if link else "",
        "when": words.when(link) if link else "",
        "types": words.source_types(link) if link else (),
        "image": _image(node, link, outcome),
    }


def _line(card: _Card) -> dict[str, object]:
    above = card.above
    assert above is not None
    start, end = (card.x + _WIDTH, card.y + 92), (above.x, above.y + 92)
    middle = (start[0] + end[0]) // 2
    link = card.node.link
    return {
        "path": f"M{start[0]} {start[1]} C{middle} {start[1]} {middle} {end[1]} {end[0] - 8} {end[1]}",
        "x": middle,
        "y": start[1] - 10,
        "start": start[0] + 5,
        "role": card.node.role,
        "state": _STATES[link.now] if link else "ghost",
        "broken": link is not None and link.now is Standing.TAMPERED,
    }


def _image(node: words.Node, link: Link | None, outcome: Examined) -> str:
    """The file's own picture for the file, else the thumbnail that the ingredient or its manifest carries."""
    if not node.role:
        return thumbnail(outcome.asset, edge=440)
    urls = (node.ingredient.thumbnail if node.ingredient else "", link.thumbnail if link else "")
    return next((shown for url in urls if (shown := _stored(outcome.custody, url))), "")


def _stored(custody: Custody, url: str) -> str:
    found = custody.picture(url)
    if found is None:
        return ""
    try:
        return thumbnail(Asset.from_bytes(found[1], name="thumbnail", limits=_THUMBNAIL), edge=440)
    except AssayError:
        return ""
