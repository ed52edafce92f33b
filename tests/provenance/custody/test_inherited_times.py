"""A later link's time stamp saves an earlier one only where the later link itself holds."""

from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from assay.provenance.custody.certifying import inherited_times, vouching
from assay.provenance.custody.chain import Status
from assay.provenance.custody.statuses import Found

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
STAMP = Mock(certified=True, time=MOMENT)
ORDER, SOURCES = ("old", "new"), {"new": ("old",)}
VALIDATED = Status("claimSignature.validated")


def saved(found: Found) -> dict[str, datetime]:
    return inherited_times(ORDER, SOURCES, vouching({"old": None, "new": STAMP}, {"new": found}))


def test_a_link_that_holds_saves_its_source() -> None:
    assert saved(Found((VALIDATED,))) == {"old": MOMENT}


@pytest.mark.parametrize(
    "code", ["claimSignature.mismatch", "assertion.hashedURI.mismatch", "assertion.dataHash.mismatch"]
)
def test_a_link_that_was_changed_saves_nothing(code: str) -> None:
    assert saved(Found((VALIDATED, Status(code, failure=True)))) == {}


def test_a_link_whose_signature_was_not_checked_saves_nothing() -> None:
    assert saved(Found()) == {}
