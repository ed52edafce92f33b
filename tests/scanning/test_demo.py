"""The demo's tour: each exhibit is found to be what was done to it, without being told."""

from pathlib import Path

import pytest

from assay.detectors.evidence import Basis, Origin
from assay.provenance.custody.chain import BottomLine, Custody
from assay.scanning.demo import Tour, tour
from assay.scanning.scan import Report


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    return tour(tmp_path_factory.mktemp("tour"), model=None)


def found(toured: Tour, name: str) -> Report:
    for exhibit, outcome in zip(toured.exhibits, toured.outcomes, strict=True):
        if exhibit.path.name.startswith(name):
            assert isinstance(outcome, Report)
            return outcome
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("01-", BottomLine.TRUSTED),
        ("02-", BottomLine.TRUSTED),
        ("03-", BottomLine.TAMPERED),
        ("04-", BottomLine.NO_MANIFEST),
        ("05-", BottomLine.TAMPERED),
        ("06-", BottomLine.BROKEN_HISTORY),
        ("07-", BottomLine.NO_MANIFEST),
        ("08-", BottomLine.NO_MANIFEST),
        ("09-", BottomLine.NO_MANIFEST),
    ],
)
def test_custody_of_each_exhibit(toured: Tour, name: str, line: BottomLine) -> None:
    custody = found(toured, name).custody
    assert isinstance(custody, Custody)
    assert custody.bottom_line is line


@pytest.mark.parametrize("name", ["03-", "04-", "05-", "08-", "09-"])
def test_nothing_is_said_of_what_nothing_speaks_for(toured: Tour, name: str) -> None:
    verdict = found(toured, name).verdict
    assert (verdict.origin, verdict.basis) == (Origin.UNDETERMINED, Basis.NONE)


def test_a_computed_picture_is_created_and_never_synthetic(toured: Tour) -> None:
    for name in ("01-", "02-"):
        assert found(toured, name).verdict.origin is Origin.CREATED


def test_a_declared_picture_is_declared(toured: Tour) -> None:
    verdict = found(toured, "07-").verdict
    assert (verdict.origin, verdict.basis) == (Origin.SYNTHETIC, Basis.DECLARED)


def test_a_truncated_file_is_said_to_be_undecodable(toured: Tour) -> None:
    report = found(toured, "10-")
    assert report.undecoded is not None
    assert "truncated" in report.undecoded.message


def test_the_page_is_whole_and_shows_every_exhibit(toured: Tour) -> None:
    html = toured.page.read_text()
    for exhibit in toured.exhibits:
        assert exhibit.path.name in html
    assert html.rstrip().endswith("</html>")


def test_nothing_but_the_exhibits_and_the_page_is_left(toured: Tour) -> None:
    names = {path.name for path in toured.page.parent.iterdir()}
    assert names == {exhibit.path.name for exhibit in toured.exhibits} | {"report.html"}


def test_a_second_tour_replaces_the_first(tmp_path: Path) -> None:
    from assay.scanning.demo import make_exhibits

    first = [exhibit.path.read_bytes() for exhibit in make_exhibits(tmp_path)]
    second = [exhibit.path.read_bytes() for exhibit in make_exhibits(tmp_path)]
    assert len(first) == len(second) == 10
    assert first[7:9] == second[7:9]
