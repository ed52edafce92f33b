"""Scanners for worker processes that do what hostile files make parsers do; which harm is done is written in the bytes."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable

CRASH, HANG, SPIN, SWELL, EXIT, GARBAGE, FLOOD, LINGER, SLOW, BEGIN = (
    b"crash", b"hang", b"spin", b"swell", b"exit", b"garbage", b"flood", b"linger", b"slow", b"begin",
)  # fmt: skip
_kept: list[bytes] = []


def misbehaving() -> Callable[[bytes], bytes]:
    """Made in the child; answers with the length of what it was given, or does harm."""

    def examine(content: bytes) -> bytes:
        match content.split(b" ")[0]:
            case b"crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"illegal":
                os.kill(os.getpid(), signal.SIGILL)
            case b"hang":
                time.sleep(600)
            case b"slow":
                time.sleep(3)
            case b"begin":  # an answer, and never end it
                for descriptor in range(3, 64):
                    with contextlib.suppress(OSError):
                        os.write(descriptor, b"\0\0\1\0begun")
                time.sleep(600)
            case b"spin":
                while True:
                    pass
            case b"swell":
                _kept.append(bytes(8 * 1024**3))
            case b"exit":
                os._exit(3)
            case b"garbage":
                return b"\x80 no json"
            case b"flood":
                return b"x" * (64 * 1024 * 1024)
            case b"linger":
                _kept.append(os.urandom(64 * 1024 * 1024))
        columns = {
            "media_type": "image/png",
            "width": 1,
            "height": len(content),
            "origin": "undetermined",
            "basis": "none",
        }
        return json.dumps(columns).encode()

    return examine


def pid_of_child() -> Callable[[bytes], bytes]:
    """Answers with the child's process number."""
    return lambda content: str(os.getpid()).encode()


def unable() -> Callable[[bytes], bytes]:
    """A scanner that cannot be made."""
    raise ValueError("the model is missing")


def environment() -> Callable[[bytes], bytes]:
    """Answers with the number of threads that numeric libraries are told to use."""
    return lambda content: os.environ.get("OMP_NUM_THREADS", "").encode()


def obeying() -> Callable[[bytes], bytes]:
    """For a server: answers with a document that says "examined", or does the harm that the upload names."""

    def examine(message: bytes) -> bytes:
        started = time.perf_counter()
        end = 4 + int.from_bytes(message[:4], "big")
        told, content = json.loads(message[4:end]), message[end:]
        match content.split(b" ")[0]:
            case b"crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"hang":
                time.sleep(600)
            case b"another":
                told["name"] = "another file"
            case b"lie":
                return b"\x00\x00\xff\xff no envelope"
            case b"slow":
                time.sleep(0.4)
            case b"long":
                time.sleep(6)
            case b"say":  # the rest of the upload, as head and body
                head, _, body = content[4:].partition(b"\n")
                return len(head).to_bytes(4, "big") + head + body
        seconds = time.perf_counter() - started
        head = json.dumps({"error": "", "origin": "undetermined", "basis": "none", "seconds": seconds}).encode()
        body = json.dumps(report_on(told["name"]) | {"said": "examined"}).encode() + b"\n"
        return len(head).to_bytes(4, "big") + head + body

    return examine


def report_on(name: str) -> dict[str, object]:
    """The shortest report that says nothing."""
    verdict = {"origin": "undetermined", "basis": "none", "headline": "Nothing.", "contested": False, "grounds": []}
    return {
        "assay": "0",
        "asset": {"name": name},
        "verdict": verdict,
        "findings": [],
        "evidence": [],
        "custody": {"error": "nothing was looked at"},
    }
