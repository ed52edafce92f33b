"""What passes between a parent and its child processes: a head of JSON and a body of bytes in one message, never a pickle.

Layout: four bytes (big-endian) length of the head, the head, the body. The reader checks the head's fields itself: a child
may have been taken over.
"""

import json
from typing import Any


def packed(head: dict[str, Any], body: bytes) -> bytes:
    """One message."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "big") + text + body


def unpacked(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Head and body. Raises `ValueError` on anything that `packed` does not write."""
    end = 4 + int.from_bytes(message[:4], "big")
    head = json.loads(message[4:end])
    if not isinstance(head, dict):
        raise ValueError("the head of a message is no object")
    return head, message[end:]
