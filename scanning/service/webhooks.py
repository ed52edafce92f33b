"""Webhooks: which may be called, how a call is signed (Standard Webhooks 1.0), and one attempt at it.

Rules: only hosts that were named at the start are called; no redirect is followed; an attempt has a few seconds in all, whatever
its receiver does, and nothing of it is waited for after that, which no client with a time limit for each step would keep to.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import socket
import ssl
import threading
from collections.abc import Collection
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from assay.provenance.errors import AssayError
from assay.provenance.text import plain

_SECONDS = 15.0  # for one attempt, from the name's look-up to the end of the answer's head
_PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.\d ([1-5]\d\d)\b")
Place = tuple[str, int | None]  # a host and one of its ports, None for any


class WebhookRefused(AssayError):
    """A webhook's address is not one that this server may call."""


def named_host(name: str) -> Place:
    """What a --webhook-host names: a host as URLs have it, and a port or any. Raises `WebhookRefused`."""
    bare = name.count(":") > 1 and not name.startswith("[")  # an IPv6 address
    try:
        parts = urlsplit(f"//[{name}]" if bare else f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if (
        not host
        or not re.fullmatch(r"[0-9a-z._:%-]+", host)
        or parts.username is not None
        or parts.path
        or parts.query
        or parts.fragment
    ):
        raise WebhookRefused(
            f"--webhook-host {plain(name)} is no host", "write hooks.example, hooks.example:8443 or [::1]:8443"
        )
    return host, port


def check_webhook(url: str, allowed: Collection[Place]) -> None:
    """Raise `WebhookRefused` unless the URL's host was named at the start, with its port or any."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    ordinary = url.isascii() and url.isprintable() and " " not in url
    if not ordinary or not host or port is None or parts.scheme not in _PORTS or parts.username is not None:
        raise WebhookRefused("a webhook is a plain http or https URL", "give one without user name")
    if (host, port) not in allowed and (host, None) not in allowed:
        raise WebhookRefused(
            f"this server calls no webhook at {parts.netloc.lower()}", "start it with --webhook-host to allow it"
        )


def signed(body: bytes, identity: str, moment: int, secrets: tuple[str, ...]) -> dict[str, str]:
    """The headers of the Standard Webhooks specification 1.0 (symmetric signatures), one signature for each secret."""
    content = f"{identity}.{moment}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "content-type": "application/json",
        "user-agent": "assay",
    }


async def post(url: str, body: bytes, headers: dict[str, str]) -> str:
    """ "delivered", or what went wrong."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {"host": parts.netloc, **headers, "content-length": str(len(body)), "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    try:
        async with asyncio.timeout(_SECONDS):
            context = await asyncio.to_thread(ssl.create_default_context) if secure else None
            reader, writer = await _connected(parts.hostname or "", parts.port or _PORTS[parts.scheme], context)
            try:
                writer.write(f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
                status = await _status(reader)
            finally:
                writer.transport.abort()  # closing would wait for a receiver that reads nothing
    except TimeoutError:
        return "not reached: no answer in time"
    except (OSError, ValueError) as error:
        return f"not reached: {error}"
    return "delivered" if 200 <= status < 300 else f"answered {status}"


async def _connected(
    host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address of a host that answers; one that does not must leave time for the next.

    Raises `OSError`.
    """
    failed = OSError("it has no address")
    for *_, address in await _addresses(host, port):
        try:
            async with asyncio.timeout(_SECONDS / 3):
                return await asyncio.open_connection(
                    *address[:2], ssl=context, server_hostname=host if context else None
                )
        except OSError as error:
            failed = error
    raise failed


async def _addresses(host: str, port: int) -> list[Any]:
    """What a host's name stands for, looked up in a thread that nothing waits for: an executor's would keep the server from
    ending. Raises `OSError` or `ValueError`."""
    found: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    found.set_running_or_notify_cancel()  # so that giving up leaves it to its thread
    threading.Thread(target=look_up, daemon=True).start()
    return await asyncio.wrap_future(found)


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of the first answer that is not about going on. Raises `ValueError` where there is none."""
    while True:
        found = _STATUS.match(await reader.readline())
        if found is None:
            raise ValueError("its answer is not HTTP")
        while (await reader.readline()).strip():
            pass
        if (status := int(found[1])) >= 200:
            return status
