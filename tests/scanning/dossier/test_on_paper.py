"""A dossier's picture of a chain can be read on A4, however long the chain: in type of 8 points and over nothing else."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from custody_assets import CAPTURED, authority, created, encoded, leaf, opened, parent, picture, sign, trust_list

from assay.provenance.asset import Asset
from assay.provenance.trust import TrustPolicy
from assay.scanning.dossier.extract import extract
from assay.scanning.dossier.page import page
from assay.scanning.scan import Scanner

CHROMIUM = "/usr/bin/chromium"
WIDTH = (210 - 2 * 17) / 25.4 * 96  # of the text on A4, between the margins of dossier.css, in CSS pixels
SMALLEST = 8 / 72 * 96  # 8 points in CSS pixels
CARDS = {"one": 1, "two": 2, "four": 4, "eight": 8, "montage": 7}  # in the picture of each chain
SAID = ("intact, and a trust list knows the signer", "nothing is known of it")  # one of them on each card


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """A dossier for each chain: so many links in a row, or one picture put together of five unsigned ones and a signed one."""
    root = authority()
    signer, policy = leaf(root, organisation="Press Photo Agency of the North"), TrustPolicy(lists=(trust_list(root),))
    bare = encoded(picture())
    row = [sign(bare, created(CAPTURED, "Camera"), signer).content]
    while len(row) < CARDS["eight"]:
        source = parent(row[-1], title=f"version-{len(row)}.jpg")
        row.append(sign(bare, opened(), signer, ingredients=(source,)).content)
    parts = [parent(bare, title=f"{n}.jpg", label=f"c{n}", relationship="componentOf") for n in range(5)]
    placed = {"action": "c2pa.placed", "parameters": {"ingredientIds": [f"c{n}" for n in range(5)]}}
    montage = sign(bare, opened(placed), signer, ingredients=(parent(row[0]), *parts)).content
    made = {}
    for name, links in CARDS.items():
        content = montage if name == "montage" else row[links - 1]
        report = Scanner(signals=(), policy=policy).scan(Asset.from_bytes(content, name="photo.jpg"))
        found = extract(report, policy=policy, original="original.jpg", model=None)
        made[name] = page(found, report, extract_sha256="0" * 64, sealed_by="x")
    return made


@pytest.fixture(scope="module")
def paper() -> Iterator[Any]:
    """A browser's page as wide as the text on A4, in the style for print."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags, headless=True)
        sheet = browser.new_page(viewport={"width": round(WIDTH), "height": 970})
        sheet.emulate_media(media="print")
        yield sheet
        browser.close()


DRAWN = """
() => [...document.querySelectorAll(".chainmap *")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length)
  .map((e) => {
    const box = e.getBoundingClientRect(), size = parseFloat(getComputedStyle(e).fontSize);
    const drawn = e.offsetWidth ? size * box.width / e.offsetWidth : size;
    return {text: e.textContent.trim(), size: drawn, left: box.left, right: box.right, bottom: box.bottom};
  })
"""


@pytest.mark.parametrize("chain", CARDS)
def test_a_browser_prints_a_chain_in_type_that_can_be_read(paper: Any, pages: dict[str, str], chain: str) -> None:
    paper.set_content(pages[chain])
    drawn = paper.evaluate(DRAWN)
    assert sum(one["text"] in SAID for one in drawn) == CARDS[chain]
    assert min(one["size"] for one in drawn) >= SMALLEST
    assert all(one["left"] >= 0 and one["right"] <= WIDTH for one in drawn)
    below = paper.locator("h3", has_text="the file itself").bounding_box()["y"]
    assert max(one["bottom"] for one in drawn) <= below  # nothing is printed over what follows
    cards = paper.locator(".chainmap .node").evaluate_all("all => all.map((e) => e.getBoundingClientRect().toJSON())")
    for one, another in pairwise(cards):
        assert one["bottom"] <= another["top"] or one["left"] >= another["right"]


@pytest.mark.parametrize("chain", CARDS)
def test_the_pdf_shows_a_chain_in_type_that_can_be_read(pages: dict[str, str], chain: str) -> None:
    weasyprint = pytest.importorskip("weasyprint", reason="WeasyPrint is not installed")
    from weasyprint.formatting_structure.boxes import TextBox

    said = []
    for sheet in weasyprint.HTML(string=pages[chain]).render().pages:
        for drawing in (box for box in sheet._page_box.descendants(placeholders=True) if _is(box, "chainmap")):
            said += [box for box in drawing.descendants(placeholders=True) if isinstance(box, TextBox)]
        assert all(box.position_x + box.width <= sheet.width for box in said)
        assert all(box.position_y + box.height <= sheet.height for box in said)
    assert min(box.style["font_size"] for box in said) >= SMALLEST
    assert sum(box.text.strip() in SAID for box in said) == CARDS[chain]  # each on one line


def _is(box: Any, name: str) -> bool:
    return box.element is not None and box.element.get("class") == name
