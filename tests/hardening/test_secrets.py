"""No command connects to anything unasked, and no key is ever said."""

import base64
import io
import logging
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import custody_assets as made
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

from assay.cli import assay
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign
from assay.scanning.confining import can_confine

# A filter of nothing but `connect`, for the command's own process and every child.
DENIED = (
    "import dataclasses, platform, sys; import assay.scanning.confining as c\n"
    "machine = c._MACHINES[platform.machine()]\n"
    "connect = {'x86_64': 42, 'aarch64': 203}[platform.machine()]\n"
    "nothing = dict(absent=(), kill=(), clone=10**6, openat=10**6, open=None)\n"
    "c._MACHINES[platform.machine()] = dataclasses.replace(machine, denied=(connect,), **nothing)\n"
    "assert c.confine()\n"
    "import socket\n"
    "try: socket.create_connection(('127.0.0.1', 9), timeout=1)\n"
    "except PermissionError: pass\n"
    "else: sys.exit('the guard does not hold')\n"
    "from assay.cli import main; sys.argv = ['assay', *sys.argv[1:]]; main()"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that name addresses: a remote manifest, a responder, a namespace to be fetched."""
    folder = tmp_path_factory.mktemp("addresses")
    jpeg = made.encoded(made.picture())
    signer = made.leaf(made.authority(), ocsp_url="http://127.0.0.1:9/ocsp")
    (folder / "responder.jpg").write_bytes(made.sign(jpeg, made.created(), signer).content)
    remote = made.sign(jpeg, made.created(), signer, embed=False, remote_url="http://127.0.0.1:9/manifest.c2pa")
    (folder / "remote.jpg").write_bytes(remote.content)
    (folder / "vector.svg").write_bytes(
        b'<!DOCTYPE svg SYSTEM "http://127.0.0.1:9/x.dtd"><svg xmlns="http://www.w3.org/2000/svg" '
        b'xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="http://127.0.0.1:9/x.png"/></svg>'
    )
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Python's own sockets connect nowhere, and tell who tried."""
    tried: list[object] = []

    def refuse(self: socket.socket, address: object) -> None:
        tried.append(address)
        raise PermissionError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: tried.append(given) or [])
    return tried


COMMANDS = {
    "scan": ("scan", "--no-pixels", "--no-isolate"),
    "verify": ("verify", "--no-isolate", "-vv"),
    "scan page": ("scan", "--no-pixels", "--no-isolate", "--format", "html"),
    "verify page": ("verify", "--no-isolate", "--format", "html"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_asks_nobody(name: str, folder: Path, no_network: list[object]) -> None:
    done = CliRunner().invoke(assay, [*COMMANDS[name], str(folder)])
    assert done.exit_code in (0, 1), done.output
    assert "remote.jpg" in done.output
    assert no_network == []


@pytest.mark.skipif(not can_confine(), reason="no system call filter here")
@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--no-pixels", "--no-isolate", "--format", "json", "{folder}"),
        ("verify", "--no-isolate", "--format", "json", "{folder}"),
        ("audit", "--no-pixels", "--fresh", "--quiet", "--workers", "1", "-o", "-", "{folder}"),
        ("demo", "-o", "{tmp}/tour"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_native_code_connects_to_nothing_either(arguments: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    """`connect` is refused by the kernel: with and without that, a command must say the same."""
    given = [argument.format(folder=folder, tmp=tmp_path) for argument in arguments]
    watched = subprocess.run(
        [sys.executable, "-c", DENIED, *given], capture_output=True, text=True, check=False, timeout=120
    )
    assert watched.returncode in (0, 1), watched.stderr
    assert "not permitted" not in watched.stdout + watched.stderr
    if arguments[0] != "demo":
        free = subprocess.run(
            [sys.executable, "-m", "assay.cli", *given], capture_output=True, text=True, check=False, timeout=120
        )
        assert watched.stdout == free.stdout


def test_pages_load_nothing_from_elsewhere(folder: Path) -> None:
    for command in (("scan", "--no-pixels"), ("verify",)):
        page = CliRunner().invoke(assay, [*command, "--no-isolate", "--format", "html", str(folder)]).output
        assert "default-src 'none'" in page
        for opening in ('src="http', "src='http", "url(http", "@import", "<script", "<link", "<iframe"):
            assert opening not in page


def forms_of(key_pem: bytes) -> list[bytes]:
    """What of a key could turn up: its PEM lines, its DER in hexadecimal, and the number itself."""
    key = serialization.load_pem_private_key(key_pem, None)
    number: int = key.private_numbers().private_value  # type: ignore[union-attr]
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    raw = number.to_bytes(32, "big")
    lines = [line for line in key_pem.splitlines() if not line.startswith(b"-----") and len(line) > 20]
    return [*lines, der.hex().encode(), raw.hex().encode(), base64.b64encode(raw), str(number).encode(), raw]


def test_the_development_key_is_said_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("ASSAY_HOME", str(home))
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(made.encoded(made.picture()))
    environment = os.environ | {"ASSAY_HOME": str(home), "RUST_LOG": "trace", "PYTHONDEVMODE": "1"}
    said = b""
    for arguments in (
        ("sign", str(picture), "-o", str(tmp_path / "signed.jpg")),
        ("scan", "--no-pixels", "-vv", str(tmp_path / "signed.jpg")),
        ("verify", "--format", "crjson", str(tmp_path / "signed.jpg")),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "assay.cli", *arguments],
            capture_output=True,
            check=False,
            env=environment,
            timeout=120,
        )
        said += done.stdout + done.stderr
        assert done.returncode == 0, said
    keys = [path for path in home.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert keys, "no development key was made"
    for path in keys:
        assert path.stat().st_mode & 0o077 == 0, f"{path.name} can be read by others"
    others = [path for path in tmp_path.rglob("*") if path.is_file() and path not in keys]
    for key in keys:
        for form in forms_of(key.read_bytes()):
            assert form not in said
            for path in others:
                assert form not in path.read_bytes(), f"{path.name} holds the key"


def test_a_signer_says_no_key_in_logs_tracebacks_or_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    signer = open_signer("dev:")
    key_pem: bytes = signer.key_pem  # type: ignore[union-attr]
    said = io.StringIO(repr(signer) + str(signer))
    said.seek(0, io.SEEK_END)
    broken = Asset.from_bytes(b"\xff\xd8\xff\xe0 cut")
    with pytest.raises(AssayError) as failure:
        sign(broken, Recipe.generated(SoftwareAgent("model", "1")), signer, into=tmp_path / "out.jpg")
    said.write("".join(traceback.format_exception(failure.value)))
    text = (said.getvalue() + caplog.text).encode()
    for form in forms_of(key_pem):
        assert form not in text
