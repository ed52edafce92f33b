"""The page in a real browser: dropped, chosen by keyboard, without its script, at phone width, in the dark."""

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from custody_assets import authority, created, encoded, leaf, opened, parent, picture, sign
from outcomes import report
from photograph_like import jpeg_asset, photograph
from serving import Server

from assay.detectors.evidence import Basis, Evidence, Origin
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer
from assay.provenance.signing import sign as assay_sign
from assay.scanning.report.fragments import accepted
from assay.scanning.service.looking import fragment
from assay.scanning.words import INCONCLUSIVE, SENTENCES

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    signer = leaf(authority())
    first = sign(encoded(picture()), created(), signer)
    source = parent(first.content, title="first.jpg")
    second = sign(encoded(picture(colour="#334455")), opened(), signer, ingredients=(source,))
    (folder / "signed.jpg").write_bytes(second.content)
    whole = assay_sign(jpeg_asset(photograph(1)), Recipe.generated(SoftwareAgent("m")), open_signer("dev:")).asset
    (folder / "cut.jpg").write_bytes(whole.content[:9_000])  # past its manifest, which keeps no picture
    (folder / "bare.jpg").write_bytes(encoded(picture()))
    (folder / "notes.jpg").write_text("no image")
    return folder


POOR = r"""
() => {
  const parse = (text) => {
    const n = text.match(/-?[\d.]+(?:e-?\d+)?/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [n[0] * scale, n[1] * scale, n[2] * scale, n.length > 3 ? n[3] : 1];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !element.checkVisibility() || element.closest(".told-already")) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const [a, b] = [light(over(parse(style.color), behind)), light(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.trim().slice(0, 40)}`);
  }
  return poor;
}
"""  # text whose contrast with what is behind it is below WCAG 2.2's 4.5:1, or 3:1 where it is large


class Watched:
    """A page whose requests and complaints are kept."""

    def __init__(self, browser: Any, server: Server, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(server.address)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def test_a_chosen_file_is_answered_in_plain_words(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server) as watched:
        page = watched.page
        page.set_input_files("#file", files / "signed.jpg")
        page.wait_for_selector("article.look")
        said = page.locator("article h2").inner_text()
        assert said == SENTENCES[Basis.DECLARED, Origin.SYNTHETIC]
        assert page.locator(".chainmap .node").count() == 2
        assert page.locator(".voice.declared").count() >= 1
        assert "What could not be told" in page.locator("article").text_content()
        assert page.evaluate("document.activeElement.matches('article.look')")
        assert page.locator("[role=status]").inner_text() == said
        places = page.locator(".chainmap .node").evaluate_all("nodes => nodes.map(node => node.offsetLeft)")
        assert len(set(places)) == 2  # style attributes are let through, scripts are not
        saved = page.locator("a[download]").get_attribute("href")
        assert b'"assay.report/1"' in base64.b64decode(saved.partition(",")[2])
        assert watched.complaints == []
        assert all(url.startswith((server.address, "data:", "blob:")) for url in watched.requests)


def test_a_dropped_file_that_is_no_image_is_refused_in_words(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server) as watched:
        page = watched.page
        dropped = page.evaluate_handle(
            "() => { const held = new DataTransfer(); held.items.add(new File(['no image'], 'notes.jpg')); return held; }"
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
        page.wait_for_selector("article.look")
        told = page.locator("article").inner_text()
        assert "could not be examined" in told
        assert "its content is text" in told


def test_several_files_are_shown_newest_first(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server) as watched:
        page = watched.page
        page.set_input_files("#file", [files / "bare.jpg", files / "notes.jpg"])
        page.wait_for_selector("article.look >> nth=1")
        assert page.locator("article").first.locator("h2").inner_text() == "This file could not be examined."
        assert page.locator("article").nth(1).locator("h2").inner_text() == INCONCLUSIVE
        assert page.locator("#said").count() == 1


def test_the_keyboard_reaches_everything(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server) as watched:
        page = watched.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "file"
        with page.expect_file_chooser() as chosen:
            page.keyboard.press("Space")
        chosen.value.set_files(files / "signed.jpg")
        page.wait_for_selector("article.look")
        stops = []
        for _ in range(12):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.className || document.activeElement.tagName"))
        assert "scroll" in stops
        assert "SUMMARY" in stops
        assert "button quiet" in stops


def test_it_can_be_read_aloud(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server) as watched:
        page = watched.page
        page.set_input_files("#file", files / "signed.jpg")
        page.wait_for_selector("article.look")
        heard = page.locator("body").aria_snapshot()
        assert 'heading "Where does this image come from?" [level=1]' in heard
        assert f'article "{SENTENCES[Basis.DECLARED, Origin.SYNTHETIC]}"' in heard
        assert 'region "Chain of custody"' in heard
        assert 'img "The picture signed.jpg"' in heard
        assert page.locator("img:not([alt])").count() == 0
        assert page.locator("html[lang=en]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["", "signed.jpg", "cut.jpg", "notes.jpg"])
def test_every_word_can_be_read_and_every_control_has_a_name(
    browser: Any, server: Server, files: Path, scheme: str, name: str
) -> None:
    with Watched(browser, server, color_scheme=scheme) as watched:
        page = watched.page
        if name:
            page.set_input_files("#file", files / name)
            page.wait_for_selector("article.look")
        assert page.evaluate(POOR) == []
        assert name != "cut.jpg" or "no picture kept" in page.locator("main").inner_text()
        levels = page.locator("h1, h2, h3, h4").evaluate_all("found => found.map(each => Number(each.tagName[1]))")
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        heard = page.locator("body").aria_snapshot()
        assert not re.search(r"- (button|link|checkbox|img|region|article)(:| \[|$)", heard, re.MULTILINE)
        assert page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_the_dark(browser: Any, server: Server, files: Path, scheme: str) -> None:
    with Watched(browser, server, viewport={"width": 360, "height": 740}, color_scheme=scheme) as watched:
        page = watched.page
        page.set_input_files("#file", files / "signed.jpg")
        page.wait_for_selector("article.look")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        cards = page.locator(".chainmap .node").evaluate_all(
            "nodes => nodes.map(node => node.getBoundingClientRect().toJSON())"
        )
        assert all(card["left"] >= 0 and card["right"] <= 360 for card in cards)  # nothing to scroll sideways for
        assert cards[0]["bottom"] < cards[1]["top"]
        assert page.locator(".chainmap .from").inner_text() == "↳ made from"
        verdict, picture = (page.locator(f"article {part}").bounding_box() for part in ("h2", "figure"))
        assert verdict["y"] < picture["y"]
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, paper[4:-1].split(",")))
        assert (brightness > 600) == (scheme == "light")


def test_it_works_without_its_script(browser: Any, server: Server, files: Path) -> None:
    with Watched(browser, server, java_script_enabled=False) as watched:
        page = watched.page
        page.set_input_files("#file", files / "bare.jpg")
        page.check("[name=thorough]")
        page.click("#go")
        page.wait_for_selector("article.look")
        assert page.locator("article h2").inner_text() == INCONCLUSIVE
        assert page.locator("#form").count() == 1


def test_the_policy_lets_no_foreign_script_run(browser: Any, server: Server) -> None:
    with Watched(browser, server) as watched:
        watched.page.evaluate(
            "() => { const put = document.createElement('div'); put.innerHTML = '<img src=x onerror=\"window.ran = 1\">';"
            " document.body.append(put); const script = document.createElement('script'); script.textContent = 'window.ran = 2';"
            " document.body.append(script); const far = document.createElement('img'); far.src = 'http://127.0.0.1:9/x.png';"
            " document.body.append(far); }"
        )
        watched.page.wait_for_timeout(200)
        assert watched.page.evaluate("window.ran") is None
        assert sum("Content Security Policy" in complaint for complaint in watched.complaints) >= 3


def test_the_map_fades_by_a_slider(browser: Any, server: Server, files: Path) -> None:
    """What a worker with a classifier writes, in the page of a server without one."""
    pixels = Evidence(signal="pixels", statement="So.", origin=Origin.SYNTHETIC, basis=Basis.INFERRED, llr=1.2)
    shown = "data:image/jpeg;base64," + base64.b64encode((files / "bare.jpg").read_bytes()).decode()
    written = accepted(fragment(report(pixels), heatmap=shown))
    with Watched(browser, server) as watched:
        page = watched.page
        page.route("**/look", lambda route: route.fulfill(body=written, content_type="text/html"))
        page.set_input_files("#file", files / "bare.jpg")
        slider = page.get_by_label("Show what moved the classifier")
        slider.wait_for()
        fades = [page.eval_on_selector(".map", "map => Number(getComputedStyle(map).opacity)")]
        for key in ("End", "Home"):
            slider.press(key)
            fades.append(page.eval_on_selector(".map", "map => Number(getComputedStyle(map).opacity)"))
        assert fades == [0.75, 1, 0]
        assert page.evaluate(POOR) == []
        assert watched.complaints == []
