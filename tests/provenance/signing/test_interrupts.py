"""Signals that arrive while the C2PA SDK works or a file comes and goes: they wait, and none is lost."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from signing_assets import picture
from signing_certificates import make

from assay.provenance import _c2pa
from assay.provenance.errors import SigningFailed
from assay.provenance.interrupts import held, let_through
from assay.provenance.replacing import replacing
from assay.provenance.signing import CallbackSigner, Recipe, Signer, sign, signing


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Ctrl-C as in a terminal (a suite run in the background has it ignored), and all as it was afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def came() -> list[int]:
    """The numbers of what reached a handler that notes it and goes on."""
    heard: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: heard.append(number))
    return heard


def interrupting(method: str, nth: int) -> Callable[..., io.BytesIO]:
    """A `BytesIO` of which the nth call of a method, in any of its objects, comes with a Ctrl-C."""
    calls = 0

    def call(self: io.BytesIO, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            signal.raise_signal(signal.SIGINT)
        return getattr(io.BytesIO, method)(self, *arguments)

    return type("Interrupting", (io.BytesIO,), {method: call})


@pytest.mark.parametrize(
    ("method", "nth"),
    [
        ("seek", 1),
        ("seek", 2),
        ("seek", 9),
        ("readinto", 1),
        ("readinto", 5),
        ("readinto", 9),
        ("write", 1),
        ("write", 2),
    ],
)
def test_ctrl_c_anywhere_in_a_signature_ends_the_work(
    signer: Signer, method: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = SimpleNamespace(BytesIO=interrupting(method, nth))
    monkeypatch.setattr(_c2pa, "io", streams)
    monkeypatch.setattr(signing, "io", streams)
    with pytest.raises(KeyboardInterrupt):
        sign(picture(), Recipe.published(), signer)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_reaches_a_key_elsewhere_while_it_signs() -> None:
    reached = []

    def slow(message: bytes) -> bytes:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            reached.append("at once")
            raise
        return b""

    with pytest.raises(KeyboardInterrupt):
        sign(picture(), Recipe.published(), CallbackSigner.of(make().chain.decode(), slow))
    assert reached == ["at once"]


def test_a_signer_that_fails_is_no_interrupt() -> None:
    def failing(message: bytes) -> bytes:
        raise ValueError("no key")

    with pytest.raises(SigningFailed, match="no key"):
        sign(picture(), Recipe.published(), CallbackSigner.of(make().chain.decode(), failing))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_came_is_handed_on_in_order_and_as_often(came: list[int]) -> None:
    with held():
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1):
            signal.raise_signal(number)
        assert came == []
    assert came == [signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1]


def test_a_handler_that_raises_takes_no_turn_from_the_next(came: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert came == [signal.SIGTERM]


def test_the_error_of_a_block_does_not_hide_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, held():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise ValueError("the file ended early")
    assert isinstance(caught.value.__context__, ValueError)


def test_default_and_ignored_signals_are_left_as_they_are() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with held():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


def test_a_handler_set_meanwhile_stays(came: list[int]) -> None:
    def another(number: int, frame: FrameType | None) -> None: ...

    with held():
        signal.signal(signal.SIGTERM, another)
    assert signal.getsignal(signal.SIGTERM) is another


def test_one_within_another_waits_for_the_outer_one(came: list[int]) -> None:
    with held():
        with held():
            signal.raise_signal(signal.SIGTERM)
        assert came == []
    assert came == [signal.SIGTERM]


def test_what_is_the_callers_own_is_not_held(came: list[int]) -> None:
    with held():
        signal.raise_signal(signal.SIGTERM)
        with let_through():
            assert came == [signal.SIGTERM]
            signal.raise_signal(signal.SIGUSR1)
            assert came == [signal.SIGTERM, signal.SIGUSR1]
            with held():
                signal.raise_signal(signal.SIGUSR1)
                assert came == [signal.SIGTERM, signal.SIGUSR1]
            assert came == [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR1]
        signal.raise_signal(signal.SIGTERM)
        assert len(came) == 3
    assert len(came) == 4


def test_other_threads_hold_nothing(came: list[int]) -> None:
    within, over = threading.Event(), threading.Event()

    def work() -> None:
        with held():
            within.set()
            over.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    assert within.wait(30)
    with let_through():
        signal.raise_signal(signal.SIGTERM)
        assert came == [signal.SIGTERM]
    over.set()
    thread.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_meanwhile_can_be_ended() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(7))
    with held():
        child = os.fork()
        if child == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize("step", ["open", "link", "replace", "unlink"])
def test_ctrl_c_while_a_file_comes_and_goes_leaves_no_temporary(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, step)

    def interrupted(path: Any, *arguments: Any, **options: Any) -> Any:
        done = real(path, *arguments, **options)
        if str(path).startswith(str(tmp_path / ".")):
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(os, step, interrupted)
    target = tmp_path / "out.txt"
    with pytest.raises(KeyboardInterrupt), replacing(target, overwrite=step == "replace") as temporary:
        temporary.write_text("whole")
    monkeypatch.undo()
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if step == "open" else ["whole"])


def test_ctrl_c_while_a_file_is_written_is_not_held(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "out.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")
    assert list(tmp_path.iterdir()) == []
