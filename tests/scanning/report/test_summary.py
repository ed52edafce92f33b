"""The summary page counts rightly, says what matters first, and carries nothing of a file as markup."""

import io
from html.parser import HTMLParser

import pytest
from outcomes import HOSTILE
from scanning_rows import simple

from assay.scanning.audit.row import Row
from assay.scanning.audit.tally import tallied
from assay.scanning.report.summary import SummaryPage, lead, reason

ROWS = [
    *(simple(f"quiet/{number}.png") for number in range(300)),
    simple("t.png", conditions=("tampered", "synthetic"), custody="tampered", custody_headline="Changed.", origin="synthetic"),
    simple(f"{HOSTILE}.png", origin="synthetic", signer=HOSTILE, generator=HOSTILE, conditions=("synthetic", "undisclosed")),
    simple("c.png", origin="captured", basis="proved"),
    simple("p.png", breaches=("<b>rule</b>",), conditions=("unreadable",), origin=None, error="ParserCrashed"),
]  # fmt: skip


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def page(rows: list[Row], *, complete: bool = True) -> str:
    stream = io.StringIO()
    summary = SummaryPage(stream)
    for row in rows:
        summary.write(row)
    summary.finish(complete=complete)
    return stream.getvalue()


def test_the_first_words_are_the_answer() -> None:
    assert lead(tallied(ROWS)) == (
        "1 is not what was signed, or made from something that is not; 2 are held to be generated, wholly or in part; 1 is stated to come from a "
        "camera; 300 say nothing of their origin; 1 could not be opened or decoded. Of those held to be generated, 1 does not say so."
    )
    assert "304 files audited" in page(ROWS)
    assert lead(tallied([simple("d.png", origin="created")])) == "1 is stated to be made without an AI model."


def test_the_page_says_who_looked_at_the_pixels() -> None:
    assert "Pixels were judged by swift 0.2.0," in page([simple("a.png", model="swift 0.2.0")])
    assert "No pixel model was asked at all" in page([simple("a.png", model="")])
    assert "No pixel model was asked for 1 file:" in page([simple("a.png", model=""), simple("b.png", model="deep 1")])
    assert "pixel model was asked" not in page([simple("a.png", model=None)])


@pytest.mark.parametrize(("name", "why"), [("t.png", "tampered"), ("p.png", "policy")])
def test_the_gravest_reason_speaks(name: str, why: str) -> None:
    assert reason(next(row for row in ROWS if row.name == name)) == why


def test_nothing_of_a_file_is_markup_and_nothing_is_fetched() -> None:
    tags = Tags(page(ROWS))
    assert not tags.names & {"img", "script", "b>rule", "iframe", "link"}
    assert tags.addresses == []
    assert "\u202e" not in page(ROWS)


def test_a_partial_audit_says_so_and_an_empty_one_is_a_page() -> None:
    assert "interrupted" in page(ROWS, complete=False)
    assert "interrupted" not in page(ROWS)
    assert "No image was found" in page([])


def test_the_page_stays_small_however_many_files_there_are() -> None:
    many = [simple(f"{number}/x.png", conditions=("tampered",)) for number in range(3000)]
    assert len(page(many)) < 300_000
    assert "2,800 more are in the rows" in page(many)
