"""The one way in which assay itself fetches something: named URLs only, bounded in size and time, never from a private network.

Rules: the address is resolved once, checked, and connected to as checked, so that a name cannot change its meaning between;
each redirect is checked like the first URL; a truncated answer is a failure; proxies of the environment are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from assay.provenance.errors import AssayError

_CHUNK = 64 * 1024


class FetchRefused(AssayError):
    """A URL may not be fetched, or its answer is not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Caps of one fetch. Units: bytes, seconds for the whole exchange. `private_hosts` are allowed though private."""

    bytes: int = 4 * 1024 * 1024
    seconds: float = 20.0
    redirects: int = 3
    private_hosts: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None  # None: any public host


def fetch(url: str, limits: FetchLimits | None = None, *, body: bytes | None = None, content_type: str = "") -> bytes:
    """GET `url`, or POST `body` to it, and return the answer's bytes. Raises `FetchRefused`. POSTs follow no redirect."""
    limits = limits or FetchLimits()
    deadline = time.monotonic() + limits.seconds
    for _ in range(1 if body is not None else limits.redirects + 1):
        try:
            answer, target = _exchange(url, limits, deadline, body, content_type)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchRefused(f"{url}: {_reason(error)}", "check the address and the connection") from None
        if target is None:
            return answer
        before, url = url, target
        if before.startswith("https:") and not url.startswith("https:"):
            raise FetchRefused(f"{before}: redirected from https to {url}")
    raise FetchRefused(f"{url}: redirected once too often")


def _exchange(
    url: str, limits: FetchLimits, deadline: float, body: bytes | None, content_type: str
) -> tuple[bytes, str | None]:
    """The answer, or where a redirect points."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise FetchRefused(f"{url}: only plain http and https URLs are fetched")
    if limits.hosts is not None and host not in limits.hosts:
        raise FetchRefused(f"{url}: the host {host} is not among those allowed")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = _connect(parts.scheme, host, port, limits, deadline)
    try:
        headers = {"User-Agent": "assay", "Accept-Encoding": "identity"} | (
            {"Content-Type": content_type} if content_type else {}
        )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line = connection.sock  # the connection forgets it where the server closes after answering
        connection.request("GET" if body is None else "POST", path, body=body, headers=headers)
        response = connection.getresponse()
        if body is None and response.status in (301, 302, 303, 307, 308):
            return b"", urljoin(url, response.getheader("Location") or "")
        if response.status != 200:
            raise FetchRefused(f"{url}: the server answered {response.status}")
        return _read(response, line, url, limits, deadline), None
    finally:
        connection.close()


def _connect(scheme: str, host: str, port: int, limits: FetchLimits, deadline: float) -> http.client.HTTPConnection:
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in addresses:
        if not ipaddress.ip_address(str(address[0]).split("%")[0]).is_global and host not in limits.private_hosts:
            raise FetchRefused(
                f"{host}: its address {address[0]} is not a public one", "private networks are never asked"
            )
    raw = socket.create_connection((str(addresses[0][4][0]), port), timeout=_left(deadline))
    connection = http.client.HTTPConnection(host, port)
    connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host) if scheme == "https" else raw
    return connection


def _read(
    response: http.client.HTTPResponse,
    line: socket.socket,
    url: str,
    limits: FetchLimits,
    deadline: float,
) -> bytes:
    stated = response.length
    answer = bytearray()
    while True:
        line.settimeout(_left(deadline))
        part = response.read1(_CHUNK)
        if not part:
            break
        answer += part
        if len(answer) > limits.bytes:
            raise FetchRefused(f"{url}: the answer is larger than {limits.bytes:,} bytes")
    if stated is not None and len(answer) != stated:
        raise FetchRefused(f"{url}: only {len(answer):,} of {stated:,} bytes arrived", "try again")
    return bytes(answer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
