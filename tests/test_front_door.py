"""The front door: what `import assay` offers works as its docstring shows."""

from pathlib import Path

import pytest
from outcomes import picture

import assay
from assay.scanning.scan import Scanner, standard_signals


def test_every_name_it_offers_is_there() -> None:
    for name in assay.__all__:
        assert getattr(assay, name) is not None
    assert set(assay.__all__) <= set(dir(assay))


def test_a_name_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = assay.nonsense


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
