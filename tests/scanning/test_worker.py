"""Child processes may die; whatever they do costs one answer and no other."""

import os
import time

import pytest
from misbehaving import (
    BEGIN,
    CRASH,
    EXIT,
    FLOOD,
    HANG,
    LINGER,
    SPIN,
    SWELL,
    environment,
    misbehaving,
    pid_of_child,
    unable,
)  # fmt: skip

from assay.scanning import worker
from assay.scanning.audit.row import Content
from assay.scanning.child import WorkerLimits
from assay.scanning.worker import ParserCrashed, Pool, WorkersFailed

LIMITS = WorkerLimits(seconds=2.0, cpu_seconds=60, memory=2 * 1024**3)


HARMS = {
    CRASH: "SIGSEGV",
    EXIT: "ended with code 3",
    SWELL: "ended with code 1",
    HANG: "no answer within 2 seconds",
    BEGIN: "no answer within 2 seconds",
    FLOOD: "its answer is too long",
}


def test_a_harmful_file_costs_its_own_answer_and_no_other() -> None:
    with Pool(misbehaving, size=2, limits=LIMITS) as pool:
        answers = [(harm, pool.submit(harm), pool.submit(b"healthy")) for harm in HARMS]
        for harm, harmed, healthy in answers:
            with pytest.raises(ParserCrashed, match=HARMS[harm]):
                harmed.result()
            assert Content.from_json(healthy.result()).height == 7


def test_what_harmed_a_child_is_known_again_by_its_key() -> None:
    with Pool(misbehaving, size=2, limits=LIMITS) as pool:
        told = [pool.submit(EXIT + b" one", key="the file").exception()]
        told += [pool.submit(EXIT + b" two", key=key).exception() for key in ("the file", "")]
    assert ["it was not opened again" in str(error) for error in told] == [False, True, False]
    assert [error.unopened for error in told if isinstance(error, ParserCrashed)] == [False, True, False]


def test_what_had_no_answer_in_time_is_opened_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its child may have been stopped. What killed one is not."""
    monkeypatch.setattr(worker, "_HUNG_SECONDS", 1.0)
    with Pool(misbehaving, size=1, limits=WorkerLimits(seconds=0.5)) as pool:
        told = [pool.submit(harm).exception() for harm in (CRASH, HANG, HANG)]
        time.sleep(1.0)
        told += [pool.submit(harm).exception() for harm in (CRASH, HANG)]
    told = [error for error in told if isinstance(error, ParserCrashed)]
    assert [error.unopened for error in told] == [False, False, True, True, False]
    assert [error.lasting for error in told] == [True, False, False, True, False]


def test_processor_time_is_limited_for_each_file() -> None:
    limits = WorkerLimits(seconds=60.0, cpu_seconds=1)
    with Pool(misbehaving, size=1, limits=limits) as pool, pytest.raises(ParserCrashed, match="processor time"):
        pool.submit(SPIN).result()


def test_a_child_that_has_grown_is_replaced_after_its_answer() -> None:
    limits = WorkerLimits(resident=100 * 1024**2)
    with Pool(misbehaving, size=1, limits=limits) as pool:
        answers = [pool.submit(LINGER + b" %d" % number) for number in range(3)]
        assert [Content.from_json(answer.result()).height for answer in answers] == [8, 8, 8]


def test_a_child_killed_from_outside_is_asked_again_elsewhere() -> None:
    with Pool(pid_of_child, size=1) as pool:
        first = int(pool.submit(b"").result())
        os.kill(first, 9)
        assert int(pool.submit(b"").result()) != first


def test_a_scanner_that_cannot_be_made_says_why() -> None:
    with Pool(unable, size=1) as pool, pytest.raises(WorkersFailed, match="the model is missing"):
        pool.submit(b"").result()


def test_every_child_computes_with_one_thread_and_the_parent_is_left_alone() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    with Pool(environment, size=2) as pool:
        assert {pool.submit(b"").result() for _ in range(4)} == {b"1"}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_ending_at_once_does_not_wait_for_work_in_hand() -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Pool(misbehaving, size=1) as pool:  # noqa: PT012
        pool.submit(b"one").result()
        hanging = pool.submit(HANG)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 30
    assert hanging.cancelled() or hanging.exception() is not None
