"""Messages between a parent and its child process: four bytes of length (big-endian) and so many bytes, over one socket.

Rules: whoever listens says how long a message may be and how long all of it may take, for a child that was taken over may
begin one and never end it, or send what nobody asked for.
"""

import os
import select
import time

_PIECE = 64 * 1024


class Malformed(Exception):
    """What was sent is no message, or a longer one than allowed."""


def tell(descriptor: int, message: bytes) -> None:
    """Send one message. Raises `OSError` where nobody listens any more."""
    rest = memoryview(len(message).to_bytes(4, "big") + message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def hear(descriptor: int, *, most: int, seconds: float | None = None) -> bytes:
    """The next message, when nothing else is under way. `seconds` None: wait for ever.

    Raises `EOFError` or `ConnectionError` where the other side is gone, `TimeoutError` where the whole of it does not come
    in time, `Malformed` beyond `most` bytes or where more comes than one message.
    """
    waiting = None
    if seconds is not None:
        waiting, end = select.poll(), time.monotonic() + seconds
        waiting.register(descriptor, select.POLLIN)
    heard, size = b"", None
    while size is None or len(heard) < 4 + size:
        if waiting is not None and not waiting.poll(max(0.0, 1000 * (end - time.monotonic()))):
            raise TimeoutError
        piece = os.read(descriptor, _PIECE)
        if not piece:
            raise EOFError
        heard = heard + piece if heard else piece
        if size is None and len(heard) >= 4:
            size = int.from_bytes(heard[:4], "big")
            if size > most:
                raise Malformed("too long")
    if len(heard) != 4 + size:
        raise Malformed("malformed")
    return heard[4:]
