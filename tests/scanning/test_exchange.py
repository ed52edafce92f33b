"""What a child that was taken over can do to whoever listens to it, and to the memory that both see: nothing."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.scanning.carrier import MAPPED, Carrier
from assay.scanning.exchange import Malformed, hear, tell

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be sealed on this platform")


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_message_arrives_whole(size: int) -> None:
    one, other = socket.socketpair()
    with one, other:
        tell(one.fileno(), b"x" * size)
        assert hear(other.fileno(), most=70_000, seconds=5) == b"x" * size


@pytest.mark.parametrize("begun", [b"", b"\0\0", b"\0\0\0\x09only"])
def test_a_message_that_is_begun_and_never_ended_is_not_waited_for(begun: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(begun)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            hear(other.fileno(), most=100, seconds=0.2)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("sent", [b"\0\0\0\x65", b"\xff\xff\xff\xff", b"\0\0\0\x01ab"])
def test_more_than_is_allowed_or_was_announced_is_refused(sent: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(sent)
        with pytest.raises(Malformed):
            hear(other.fileno(), most=100, seconds=5)


def test_a_side_that_is_gone_is_told() -> None:
    one, other = socket.socketpair()
    one.sendall(b"\0\0\0\x05ab")
    one.close()
    with other, pytest.raises(EOFError):
        hear(other.fileno(), most=100, seconds=5)


@pytest.mark.parametrize("size", [0, 1, MAPPED, MAPPED + 1])
def test_content_of_every_size_is_carried(size: int) -> None:
    carrier, content = Carrier(), os.urandom(size)
    for loaded in (content, b"shorter"[:size]):
        assert carrier.unload(carrier.load(loaded)) == loaded
        carrier.shrink(len(loaded))
    carrier.close()


@linux
def test_nobody_can_take_mapped_memory_away() -> None:
    carrier = Carrier()
    carrier.load(b"content")
    assert carrier._mapped is not None
    for size in (0, MAPPED + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(carrier._mapped.fileno(), size)
    carrier.close()


def test_a_program_that_starts_itself_in_its_children_fails_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    """Without its main guard each child runs the program again and dies before it reads what it is to do."""
    (tmp_path / "program.py").write_text(
        "from assay.scanning.worker import Pool\n"
        "from program_parts import Making\n"
        "with Pool(Making(bytes(1_000_000)), size=1) as pool:\n"
        "    print(pool.submit(b'').result())\n"
    )
    (tmp_path / "program_parts.py").write_text(
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Making:\n    much: bytes\n\n"
        "    def __call__(self):\n        return bytes\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "a worker process does not start: the process ended with code 1" in done.stderr
