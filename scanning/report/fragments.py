"""Parts of a page that another process made: checked element by element before they become part of ours.

Rules: an allow-list of what our own templates write and nothing else; a picture is data of one type; a part that closes more
than it opened is refused, so that none reaches out of its place.
"""

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

_ELEMENTS = frozenset(
    ("a", "abbr", "article", "b", "br", "circle", "code", "dd", "defs", "details", "div", "dl", "dt", "figcaption", "figure", "g",
     "h2", "h3", "h4", "i", "img", "li", "marker", "ol", "p", "path", "section", "small", "span", "summary", "svg", "table", "td",
     "th", "tr", "ul")
)  # fmt: skip
_EMPTY = frozenset({"br", "img"})
_ATTRIBUTES = frozenset(
    ("alt", "aria-hidden", "aria-label", "aria-labelledby", "class", "d", "download", "height", "href", "id", "marker-end", "markerheight", "markerwidth", "open",
     "orient", "r", "refx", "refy", "role", "scope", "src", "style", "tabindex", "title", "transform", "viewbox", "width")
)  # fmt: skip
_PICTURE = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]*")
_RECORD = re.compile(r"data:application/json;base64,[A-Za-z0-9+/=]*")
_STYLE = re.compile(r"(?:(?:left|top|width|height):-?[0-9.]+px;?)*")
_MARKER = "url(#tip)"


@dataclass(frozen=True, slots=True)
class Fragment:
    """One file's part of a page, already checked; `origin` as in the verdict, empty where there is none."""

    html: str
    origin: str = ""
    failed: bool = False


def main_of(page: str) -> str:
    """What stands between a page's `<main>` tags."""
    return page.partition("<main>")[2].rpartition("</main>")[0]


def accepted(html: str) -> str:
    """The same part, written anew from what was understood of it, so that no browser can understand it otherwise.

    Raises `ValueError` where it holds what our templates never write.
    """
    checker = _Checker()
    checker.feed(html)
    checker.close()
    if checker.open:
        raise ValueError(f"<{checker.open[-1]}> is left open")
    return "".join(checker.written)


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.written: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS:
            raise ValueError(f"<{tag}> in a page")
        for name, value in attrs:
            if name not in _ATTRIBUTES or not _allowed(name, value or ""):
                raise ValueError(f"{name} of <{tag}> in a page")
        described = "".join(f' {name}="{escape(value or "")}"' for name, value in attrs)
        self.written.append(f"<{tag}{described}>")
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> in a page")
        self.written.append(f"</{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        self.written.append(escape(data, quote=False))

    def handle_comment(self, data: str) -> None:
        raise ValueError("a comment in a page")

    def handle_decl(self, decl: str) -> None:
        raise ValueError("a declaration in a page")

    def unknown_decl(self, data: str) -> None:
        raise ValueError("a declaration in a page")

    def handle_pi(self, data: str) -> None:
        raise ValueError("an instruction in a page")


def _allowed(name: str, value: str) -> bool:
    match name:
        case "src":
            return _PICTURE.fullmatch(value) is not None
        case "href":
            return _RECORD.fullmatch(value) is not None
        case "style":
            return _STYLE.fullmatch(value) is not None
        case "marker-end":
            return value == _MARKER
        case _:
            return True
