"""No command connects to anything unasked, and no key is ever said."""

import base64
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import traceback
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import custody_assets as made
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

from assay.cli import assay
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.signing import CallbackSigner, KeySigner, Recipe, SoftwareAgent, open_signer, sign
from assay.scanning.confining import can_confine
from assay.scanning.dossier.seal import seal

# A filter of nothing but `connect`, for the command's own process and every child: whoever tries is killed, so that no
# attempt can be swallowed.
DENIED = (
    "import dataclasses, platform, sys; import assay.scanning.confining as c\n"
    "machine = c._MACHINES[platform.machine()]\n"
    "connect = {'x86_64': 42, 'aarch64': 203}[platform.machine()]\n"
    "nothing = dict(absent=(), kill=(), clone=10**6, openat=10**6, open=None)\n"
    "c._MACHINES[platform.machine()] = dataclasses.replace(machine, denied=(connect,), **nothing)\n"
    "c._DENY = c._KILL\n"
    "assert c.confine()\n"
    "if sys.argv[1:] == ['connect']: import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)\n"
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
    kept = ["repository", "add", "--repository", str(folder / "kept.sqlite"), str(folder / "responder.jpg")]
    done = CliRunner().invoke(assay, kept)
    assert done.exit_code == 0, done.output
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
    "detect": ("detect", "--model", "swift"),
    "recover": ("recover", "--repository", "{folder}/kept.sqlite"),
    "dossier": ("dossier", "make", "--no-pixels", "--no-pdf", "-o", "{tmp}/dossier"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_asks_nobody(name: str, folder: Path, tmp_path: Path, no_network: list[object]) -> None:
    place = folder / "remote.jpg" if name in ("detect", "recover", "dossier") else folder
    done = CliRunner().invoke(
        assay, [*(word.format(tmp=tmp_path, folder=folder) for word in COMMANDS[name]), str(place)]
    )
    assert done.exit_code in (0, 1, 3), done.output
    assert "remote.jpg" in done.output or name == "dossier"
    assert no_network == []


def without_network(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DENIED, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.skipif(not can_confine(), reason="no system call filter here")
def test_whoever_connects_is_killed() -> None:
    """So that the other tests can fail."""
    assert without_network("connect").returncode == -signal.SIGSYS


_PDF = () if find_spec("weasyprint") else ("--no-pdf",)


@pytest.mark.skipif(not can_confine(), reason="no system call filter here")
@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", "--no-pixels", "--no-isolate", "--format", "json", "{folder}"),
        ("verify", "--no-isolate", "--format", "json", "{folder}"),
        ("audit", "--no-pixels", "--fresh", "--quiet", "--workers", "1", "-o", "-", "{folder}"),
        ("detect", "--model", "swift", "--format", "json", "{folder}/remote.jpg"),
        ("recover", "--repository", "{folder}/kept.sqlite", "--format", "json", "{folder}/remote.jpg"),
        ("dossier", "make", "--no-pixels", *_PDF, "-o", "{tmp}/dossier", "{folder}/remote.jpg"),
        ("demo", "-o", "{tmp}/tour"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_native_code_connects_to_nothing_either(arguments: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    """`connect` kills: with and without that, a command must say the same."""
    given = [argument.format(folder=folder, tmp=tmp_path) for argument in arguments]
    watched = without_network(*given)
    assert watched.returncode in (0, 1, 3), watched.stderr
    assert "died of" not in watched.stdout + watched.stderr
    if arguments[0] not in ("demo", "dossier"):
        free = subprocess.run(
            [sys.executable, "-m", "assay.cli", *given], capture_output=True, text=True, check=False, timeout=120
        )
        assert watched.stdout == free.stdout


def test_the_runtime_of_the_pixel_models_reports_to_nobody(tmp_path: Path) -> None:
    """Left alone, ONNX Runtime makes an identifier and a queue of reports in the user's cache folder as soon as it is imported,
    and sends them ten seconds later."""
    program = "from assay.detectors.classifier import load; load('swift')"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []


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


@pytest.fixture
def canary(tmp_path: Path) -> tuple[str, bytes]:
    """A key of the user's own in files, as `--signer` names it."""
    signer = made.leaf(made.authority())
    (tmp_path / "chain.pem").write_bytes(signer.chain_pem)
    (tmp_path / "key.pem").write_bytes(signer.key_pem)
    (tmp_path / "key.pem").chmod(0o600)
    return f"pem:{tmp_path / 'chain.pem'},{tmp_path / 'key.pem'}", signer.key_pem


def test_a_key_in_a_file_reaches_no_output_log_or_dossier(tmp_path: Path, canary: tuple[str, bytes]) -> None:
    uri, key_pem = canary
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(made.encoded(made.picture()))
    (tmp_path / "broken.jpg").write_bytes(picture.read_bytes()[:300])
    environment = os.environ | {"ASSAY_HOME": str(tmp_path / "home"), "RUST_LOG": "trace", "PYTHONDEVMODE": "1"}
    said, codes = b"", []
    for arguments in (
        ("sign", "--signer", uri, "-o", tmp_path / "signed.jpg", picture),
        ("sign", "--signer", uri, "-o", tmp_path / "never.jpg", tmp_path / "broken.jpg"),
        ("sign", "--signer", uri.replace("chain.pem", "key.pem"), "-o", tmp_path / "never.jpg", picture),
        ("sign", "--signer", f"pem:{tmp_path / 'key.pem'}", "-o", tmp_path / "never.jpg", picture),
        ("dossier", "make", "--no-pixels", "--no-pdf", "--signer", uri, "-o", tmp_path / "dossier", picture),
        ("dossier", "make", "--no-pixels", "--signer", uri, "-o", tmp_path / "none", tmp_path / "missing.jpg"),
        ("keys", "check", tmp_path / "chain.pem", "--key", tmp_path / "key.pem"),
        ("scan", "--no-pixels", "--no-isolate", tmp_path / "key.pem", tmp_path / "signed.jpg"),
        ("audit", "--no-pixels", "-o", tmp_path / "rows.jsonl", tmp_path),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "assay.cli", *map(str, arguments)],
            capture_output=True, check=False, env=environment, timeout=120,
        )  # fmt: skip
        said += done.stdout + done.stderr
        codes.append(done.returncode)
    assert codes[:6] == [0, 1, 1, 1, 0, 1], said.decode(errors="replace")
    assert (tmp_path / "dossier" / "seal.sig").exists()
    others = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "key.pem"]
    own = [path for path in others if b"PRIVATE KEY" in path.read_bytes()]
    assert {path.name for path in own} <= {"key.pem"}, "another key was made, and lies about"
    for form in forms_of(key_pem):
        assert form not in said
        for path in others:
            assert form not in path.read_bytes(), f"{path.name} holds the key"


@dataclass
class OwnSigner:
    """A `Signer` of somebody's own, whose chain is whatever stands in a file."""

    chain: str
    key: KeySigner
    name: str = "own"
    algorithm: str = "es256"
    development: bool = False

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


@pytest.mark.parametrize("order", ["{chain}{key}", "{key}{chain}", "\ufeff{chain}{key}"], ids=["last", "first", "bom"])
def test_a_key_in_the_chains_file_reaches_no_picture_and_no_seal(order: str, tmp_path: Path) -> None:
    """The SDK writes every PEM block of a chain as a certificate, whatever is in it."""
    owner = made.leaf(made.authority())
    both = order.format(chain=owner.chain_pem.decode(), key=owner.key_pem.decode())
    file = tmp_path / "both.pem"
    file.write_text(both)
    opened = open_signer(f"pem:{file},{file}")
    assert isinstance(opened, KeySigner)
    picture = Asset.from_bytes(made.encoded(made.picture()))
    for number, signer in enumerate(
        (
            opened,
            CallbackSigner.of(both, opened.sign),
            CallbackSigner(both, "es256", opened.sign),
            OwnSigner(both, opened),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "picture.jpg").write_bytes(sign(picture, Recipe.published(), signer).asset.content)
        seal(folder, signer)
        for path in folder.iterdir():
            for form in forms_of(owner.key_pem):
                assert form not in path.read_bytes(), f"{path.name} holds the key"


def test_a_crash_while_signing_shows_no_key_in_its_traceback(
    tmp_path: Path, canary: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours, with the key in hand: what Python prints, and what reporters of crashes add (local variables)."""
    from assay.provenance import _c2pa

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(_c2pa, "build", crash)
    uri, key_pem = canary
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(made.encoded(made.picture()))
    done = CliRunner().invoke(assay, ["sign", "--signer", uri, "-o", str(tmp_path / "signed.jpg"), str(picture)])
    assert isinstance(done.exception, RuntimeError)
    crashed = traceback.TracebackException.from_exception(done.exception, capture_locals=True)
    said = (done.output + "".join(crashed.format())).encode()
    assert b"signer" in said, "the signer was in hand"
    for form in forms_of(key_pem):
        assert form not in said
