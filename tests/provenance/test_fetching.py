"""Fetching is bounded, and stays away from private networks."""

import threading
from http.server import BaseHTTPRequestHandler

import pytest
from loopback import says, server

from assay.provenance import fetching
from assay.provenance.fetching import FetchLimits, FetchRefused, fetch

LOOPBACK = frozenset({"127.0.0.1"})


def test_a_whole_answer_is_returned() -> None:
    with server(says(b"hello")) as url:
        assert fetch(url, FetchLimits(private_hosts=LOOPBACK)) == b"hello"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0"]
)
def test_private_addresses_are_refused_unless_named(host: str) -> None:
    with pytest.raises(FetchRefused, match="not a public one"):
        fetch(f"http://{host}:9/x")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/x", "gopher://x", "http://", "http://a:b@c/", "x"]
)
def test_only_plain_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(FetchRefused):
        fetch(url)


def test_a_redirect_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        server(says(b"", status=302, Location="http://localhost:9/secret")) as url,
        pytest.raises(FetchRefused, match="not a public one"),
    ):
        fetch(url, FetchLimits(private_hosts=LOOPBACK))


def test_a_redirect_to_a_host_not_named_is_refused() -> None:
    with (
        server(says(b"", status=302, Location="http://example.org/")) as url,
        pytest.raises(FetchRefused, match=r"example\.org is not among those allowed"),
    ):
        fetch(url, FetchLimits(private_hosts=LOOPBACK, hosts=LOOPBACK))


def test_a_redirect_to_no_address_is_refused() -> None:
    with server(says(b"", status=302, Location="//[example/")) as url, pytest.raises(FetchRefused, match="IPv6"):
        fetch(url, FetchLimits(private_hosts=LOOPBACK))


def test_a_redirect_from_https_to_plain_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_exchange", lambda *_: (b"", "http://example.org/list"))
    with pytest.raises(FetchRefused, match="redirected from https"):
        fetch("https://example.org/list")


def test_a_redirect_is_followed_and_a_circle_ends() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        says(b"there")(request) if request.path == "/there" else says(b"", status=302, Location="/there")(request)

    with server(answer) as url:
        assert fetch(url, FetchLimits(private_hosts=LOOPBACK)) == b"there"
    with server(says(b"", status=302, Location="/list")) as url, pytest.raises(FetchRefused, match="once too often"):
        fetch(url, FetchLimits(private_hosts=LOOPBACK))


def test_a_large_answer_is_cut_off_with_or_without_a_stated_length() -> None:
    with server(says(b"x" * 300_000)) as url, pytest.raises(FetchRefused, match="larger than 1,000"):
        fetch(url, FetchLimits(bytes=1_000, private_hosts=LOOPBACK))


def test_half_an_answer_is_refused() -> None:
    with server(says(b"half", stated=8)) as url, pytest.raises(FetchRefused):
        fetch(url, FetchLimits(private_hosts=LOOPBACK))


def test_an_error_of_the_server_is_refused() -> None:
    with server(says(b"no", status=404)) as url, pytest.raises(FetchRefused, match="404"):
        fetch(url, FetchLimits(private_hosts=LOOPBACK))


def test_an_answer_that_trickles_is_given_up() -> None:
    stop = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.05):
            try:
                request.wfile.write(b".")
                request.wfile.flush()
            except OSError:
                return

    with server(trickle) as url:
        with pytest.raises(FetchRefused, match=r"too long|timed out"):
            fetch(url, FetchLimits(seconds=0.4, private_hosts=LOOPBACK))
        stop.set()


def test_the_address_is_resolved_once_so_that_it_cannot_change(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    resolve = fetching.socket.getaddrinfo

    def counting(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        return resolve(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", counting)
    with server(says(b"hello")) as url:
        fetch(url, FetchLimits(private_hosts=LOOPBACK))
    assert [host for host in asked if not host[0].isdigit()] == []
    assert asked.count("127.0.0.1") <= 2  # ours, and create_connection's of the literal address
