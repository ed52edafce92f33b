"""The front door: what `import assay` offers works as its docstring shows."""

import ast
import builtins
import re
from pathlib import Path

import pytest
from outcomes import picture

import assay
from assay.scanning.scan import Scanner, standard_signals

ROOT = Path(__file__).resolve().parent.parent


def test_every_name_it_offers_is_there() -> None:
    for name in assay.__all__:
        assert getattr(assay, name) is not None
    assert set(assay.__all__) <= set(dir(assay))


def test_a_name_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = assay.nonsense


PAGES = [page for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")) if "```python" in page.read_text("utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_the_pages_tells_where_each_name_of_its_own_comes_from(page: Path) -> None:
    """Classes and what is taken from the front door; in lower case stand what the reader has."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    nodes = [
        node for code in (*blocks, *re.findall(r"`(assay\.\w+\([^`]*\))`", text)) for node in ast.walk(ast.parse(code))
    ]
    known = {*dir(builtins), "OpenAI"}
    known |= {alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {node.id for node in nodes if isinstance(node, ast.Name) and node.id[0].isupper()} <= known
    front = {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "assay"}
    assert front <= set(assay.__all__)


def test_a_derivative_is_made_with_names_of_the_front_door() -> None:
    plain = assay.Asset.from_bytes(picture())
    derived = assay.derive(plain, assay.Derivation(resize=(8, 8)), assay.open_signer("dev:"))
    assert assay.verify(derived.asset).bottom_line.holds


def test_sign_verify_and_scan_a_file(tmp_path: Path) -> None:
    plain, signed = tmp_path / "plain.png", tmp_path / "signed.png"
    plain.write_bytes(picture())
    recipe = assay.Recipe.created(
        "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation", agent=_agent("a drawing program")
    )
    assay.sign(assay.Asset.open(plain), recipe, assay.open_signer("dev:"), into=signed)
    assert assay.verify(signed).bottom_line == "trusted"
    report = assay.scan(signed, scanner=Scanner(signals=standard_signals(None)))
    assert (report.verdict.origin, report.verdict.basis.word) == ("created", "proved")


def test_a_sidecar_beside_the_file_is_taken_into_account(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    plain = tmp_path / "plain.png"
    plain.write_bytes(picture())
    recipe = assay.Recipe.created(
        "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation", agent=_agent("a drawing program")
    )
    assay.sign(assay.Asset.open(plain), recipe, assay.open_signer("dev:"), into=path, sidecar=True)
    scanner = Scanner(signals=standard_signals(None))
    assert scanner.scan_file(path).verdict.origin == "created"
    assert scanner.scan(assay.Asset.from_bytes(path.read_bytes())).verdict.origin == "undetermined"


def _agent(name: str):
    from assay.provenance.signing import SoftwareAgent

    return SoftwareAgent(name)
