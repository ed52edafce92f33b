"""The conditions that a gate can fail on."""

from outcomes import CAPTURED, DECLARED, FAILURE, PIXELS, SILENT, report

from assay.commands.outcome import CONDITION_NAMES
from assay.provenance.custody.chain import BottomLine
from assay.scanning.gate import CONDITIONS, conditions


def test_the_command_line_offers_the_conditions_that_exist() -> None:
    assert tuple(CONDITIONS) == CONDITION_NAMES


def test_nothing_known_meets_no_condition() -> None:
    assert conditions(report(SILENT)) == set()


def test_a_declared_image_is_synthetic_and_disclosed() -> None:
    assert conditions(report(DECLARED)) == {"synthetic"}


def test_an_inferred_image_is_undisclosed() -> None:
    assert conditions(report(PIXELS)) == {"synthetic", "undisclosed"}


def test_contradicting_declarations_are_contested_and_nothing_else() -> None:
    assert conditions(report(DECLARED, CAPTURED)) == {"contested"}


def test_broken_bindings_and_broken_histories_are_tampering() -> None:
    for line in (BottomLine.TAMPERED, BottomLine.BROKEN_HISTORY):
        assert "tampered" in conditions(report(SILENT, bottom_line=line))
    for line in (BottomLine.INVALID, BottomLine.VALID, BottomLine.UNREADABLE):
        assert "tampered" not in conditions(report(SILENT, bottom_line=line))


def test_what_cannot_be_opened_is_unreadable() -> None:
    assert conditions(FAILURE) == {"unreadable"}
