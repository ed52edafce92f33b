"""A child that was taken over reaches no network, runs nothing, writes nothing."""

from pathlib import Path

import pytest
from escaping import ATTEMPTS, escaping, noisy
from misbehaving import CRASH, HANG, misbehaving

from assay.scanning.child import WorkerLimits
from assay.scanning.confining import can_confine
from assay.scanning.worker import ParserCrashed, Pool

linux = pytest.mark.skipif(
    not can_confine(), reason="no system call filter on this platform; docs/hardening.md says so"
)


@linux
def test_a_child_that_was_taken_over_has_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("precious")
    monkeypatch.setenv("ASSAY_TEST_FILE", str(target))
    with Pool(escaping, size=1) as pool:
        answers = {attempt: pool.submit(attempt.encode()).result().decode() for attempt in ATTEMPTS}
    assert {attempt: answer for attempt, answer in answers.items() if not answer.startswith("refused")} == {}
    assert target.read_text() == "precious"
    assert not Path("escaped").exists()


def test_a_child_may_read_and_think() -> None:
    with Pool(escaping, size=1) as pool:
        assert b"A child" in pool.submit(f"read {__file__}".encode()).result()
        assert pool.submit(b"think in threads").result() == b"4"


def test_what_native_libraries_print_reaches_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    with Pool(noisy, size=1) as pool:
        assert pool.submit(b"").result() == b"quiet"
    assert capfd.readouterr() == ("", "")


def test_what_crashed_a_child_is_not_opened_again_and_the_rest_goes_on() -> None:
    with Pool(misbehaving, size=1, limits=WorkerLimits(seconds=2.0)) as pool:
        for harm in (CRASH, HANG):
            with pytest.raises(ParserCrashed) as first:
                pool.submit(harm).result()
            with pytest.raises(ParserCrashed, match="it was not opened again") as second:
                pool.submit(harm).result()
            assert first.value.reason in second.value.message
            assert b'"height": 7' in pool.submit(b"healthy").result()


@linux
def test_a_kernel_that_refuses_the_filter_is_a_failure_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.scanning import child

    def refuse() -> bool:
        raise OSError(1, "the system call filter is refused; ASSAY_UNCONFINED=1 goes on without")

    monkeypatch.setattr(child, "confine", refuse)
    monkeypatch.setattr(child.resource, "setrlimit", lambda *_: None)  # this is the tests' own process
    with pytest.raises(OSError, match="ASSAY_UNCONFINED"):
        child.give_up(WorkerLimits())
    monkeypatch.setenv(child.UNCONFINED, "1")
    child.give_up(WorkerLimits())
