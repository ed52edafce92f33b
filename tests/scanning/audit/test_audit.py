"""The audit as a whole, with real child processes: order, copies, crashes, memory of what is done."""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from misbehaving import CRASH, GARBAGE, HANG, SLOW, misbehaving, unable

from assay.provenance.errors import AssayError
from assay.scanning.audit.engine import Audit
from assay.scanning.audit.ledger import Ledger, Version
from assay.scanning.audit.row import Row
from assay.scanning.audit.sources import Item, items, refused
from assay.scanning.child import WorkerLimits
from assay.scanning.worker import Pool, WorkersFailed

VERSION = Version("assay 1", "", "lists")


def audited(folder: Path, ledger: Path | None = None, version: Version = VERSION) -> tuple[list[Row], int]:
    with Ledger(ledger, version) as kept, Pool(misbehaving, size=2) as pool:
        audit = Audit(items([str(folder)]), ledger=kept, pool=pool)
        return list(audit), audit.examined


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.png").write_bytes(b"picture %d" % (number % 10))
    (folder / "05.png").write_bytes(CRASH)
    (folder / "07.png").write_bytes(GARBAGE)
    for file in folder.iterdir():
        os.utime(file, (1_000_000, 1_000_000))
    return folder


def test_rows_come_in_order_copies_are_named_and_a_crash_costs_one_row(folder: Path) -> None:
    rows, examined = audited(folder)
    assert [Path(row.name).name for row in rows] == [f"{number:02}.png" for number in range(12)]
    assert examined == 10
    assert {Path(row.name).name: Path(row.duplicate_of).name for row in rows if row.duplicate_of} == {
        "10.png": "00.png",
        "11.png": "01.png",
    }
    failed = {Path(row.name).name: row.headline for row in rows if row.error}
    assert list(failed) == ["05.png", "07.png"]
    assert "SIGSEGV" in failed["05.png"]
    assert "malformed" in failed["07.png"]
    assert all(row.conditions == ("unreadable",) for row in rows if row.error)
    assert rows[0].modified == "1970-01-12T13:46:40Z"


def test_a_second_run_examines_nothing_and_gives_the_same_rows(folder: Path, tmp_path: Path) -> None:
    first, _ = audited(folder, tmp_path / "ledger")
    second, examined = audited(folder, tmp_path / "ledger")
    assert second == first
    assert examined == 0


def test_changed_new_and_renamed_files_cost_only_themselves(folder: Path, tmp_path: Path) -> None:
    audited(folder, tmp_path / "ledger")
    (folder / "00.png").write_bytes(b"other picture")
    (folder / "02.png").rename(folder / "zz.png")
    (folder / "new.png").write_bytes(b"new picture")
    rows, examined = audited(folder, tmp_path / "ledger")
    assert examined == 2
    assert len(rows) == 13
    assert rows[0].height == len(b"other picture")


def test_another_version_examines_everything_again(folder: Path, tmp_path: Path) -> None:
    audited(folder, tmp_path / "ledger")
    assert audited(folder, tmp_path / "ledger", Version("assay 2", "", "lists"))[1] == 10


def test_leaving_in_the_middle_loses_nothing_that_was_known(folder: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", VERSION) as kept, Pool(misbehaving, size=1) as pool:
        rows = iter(Audit(items([str(folder)]), ledger=kept, pool=pool))
        given = [next(rows).name for _ in range(4)]
        rows.close()  # type: ignore[attr-defined]
    again, examined = audited(folder, tmp_path / "ledger")
    assert [row.name for row in again[:4]] == given
    assert examined <= 6


def test_what_had_no_answer_in_time_is_no_finding_for_later_audits(tmp_path: Path) -> None:
    """The machine may have been at fault; what crashed is remembered."""
    given = [Item("hung.png", lambda: HANG), Item("copy.png", lambda: HANG), Item("crashed.png", lambda: CRASH)]
    examined = []
    for _ in range(2):
        limits = WorkerLimits(seconds=1.0)
        with Ledger(tmp_path / "ledger", VERSION) as kept, Pool(misbehaving, size=1, limits=limits) as pool:
            audit = Audit(given, ledger=kept, pool=pool)
            assert [row.error for row in audit] == ["ParserCrashed"] * 3
        examined.append(audit.examined)
    assert examined == [2, 1]


def test_items_that_cannot_be_read_are_rows_with_their_reason() -> None:
    given = [refused("a.png", AssayError("a.png: permission denied")), Item("b.png", lambda: b"fine")]
    with Ledger(None, VERSION) as kept, Pool(misbehaving, size=1) as pool:
        first, second = Audit(given, ledger=kept, pool=pool)
    assert (first.headline, first.sha256, first.error) == ("permission denied", None, "AssayError")
    assert second.height == 4


def test_targets_that_overlap_give_one_row_for_each_file(folder: Path) -> None:
    with Ledger(None, VERSION) as kept, Pool(misbehaving, size=1) as pool:
        rows = list(Audit(items([str(folder), str(folder / "0*.png")]), ledger=kept, pool=pool))
    assert len(rows) == len({row.name for row in rows}) == 12


def test_work_in_hand_is_bounded_however_many_files_there_are() -> None:
    drawn = 0
    finished = 0
    ahead = []

    def endless() -> Iterator[Item]:
        nonlocal drawn
        while True:
            drawn += 1
            ahead.append(drawn - finished)
            content = b"picture %d" % drawn
            yield Item(f"{drawn}.png", lambda content=content: content, len(content))  # type: ignore[misc]

    with Ledger(None, VERSION) as kept, Pool(misbehaving, size=1) as pool:
        for _ in Audit(endless(), ledger=kept, pool=pool):
            finished += 1
            if finished == 200:
                break
    assert max(ahead) < 60


def test_rows_that_wait_for_a_slow_one_hold_neither_bytes_nor_archives(tmp_path: Path) -> None:
    class Held:
        """Stands for what a member of an archive holds."""

    alive: weakref.WeakSet[Held] = weakref.WeakSet()
    most = 0

    def members(first: bytes) -> Iterator[Item]:
        nonlocal most
        yield Item("slow.png", lambda: first)
        for number in range(300):
            held = Held()
            alive.add(held)
            yield Item(
                f"{number}.png",
                lambda held=held, number=number: b"picture %d" % number,  # type: ignore[misc]
                fingerprint="unchanged",
            )
            del held
            most = max(most, len(alive))

    for first, examined in ((SLOW, 301), (SLOW + b" again", 1)):  # the second time the others are known
        with Ledger(tmp_path / "ledger", VERSION) as kept, Pool(misbehaving, size=2) as pool:
            audit = Audit(members(first), ledger=kept, pool=pool)
            assert len(list(audit)) == 301
        assert audit.examined == examined
        assert most < 60


def test_workers_that_cannot_start_end_the_audit_with_the_reason(folder: Path) -> None:
    with (
        Ledger(None, VERSION) as kept,
        pytest.raises(WorkersFailed, match="the model is missing"),
        Pool(unable, size=1) as pool,
    ):
        list(Audit(items([str(folder)]), ledger=kept, pool=pool))
