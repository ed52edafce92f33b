"""What a child presents is what the command presents without one; a child that lies or dies harms nothing but its answer."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import custody_assets as made
import pytest
from click.testing import CliRunner

from assay.cli import assay
from assay.provenance.trust import TrustPolicy
from assay.scanning.isolating import ScanTask, Shown, Style, isolated
from assay.scanning.report.fragments import accepted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    jpeg = made.encoded(made.picture())
    signer = made.leaf(made.authority(), "<img src=x onerror=alert(1)>\u202e")
    signed = made.sign(jpeg, made.created(agent="\x1b]0;owned\x07"), signer)
    (folder / "signed.jpg").write_bytes(signed.content)
    (folder / "tampered.jpg").write_bytes(signed.content[:-40] + bytes(40))
    (folder / "photo <b>.png").write_bytes(made.encoded(made.picture(), "PNG"))
    (folder / "truncated.jpg").write_bytes(jpeg[:300])
    (folder / "no image.jpg").write_bytes(b"%PDF-1.7")
    (folder / "beside.jpg").write_bytes(jpeg)
    (folder / "beside.c2pa").write_bytes(made.sign(jpeg, made.created(), signer, embed=False).store)
    return folder


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(assay, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_scan_says_the_same_in_a_child(folder: Path, form: str) -> None:
    common = ("scan", folder, "--no-pixels", "--format", form, "--fail-on", "tampered", "-v")
    inside = run(*common, "--isolate")
    assert inside == run(*common, "--no-isolate")
    assert inside[0] == 10


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_verification_says_the_same_in_a_child(folder: Path, form: str) -> None:
    common = ("verify", folder, "--format", form, "--require", "intact", "-v")
    assert run(*common, "--isolate") == run(*common, "--no-isolate")


def test_a_named_sidecar_reaches_the_child(folder: Path) -> None:
    common = ("verify", folder / "photo <b>.png", "--sidecar", folder / "beside.c2pa", "--format", "json")
    assert run(*common, "--isolate") == run(*common, "--no-isolate")


@pytest.mark.parametrize("command", [("scan", "--no-pixels"), ("verify",)])
def test_a_page_has_the_same_words_and_pictures(folder: Path, command: tuple[str, ...]) -> None:
    from html import unescape

    pages = [run(*command, folder, "--format", "html", how)[1] for how in ("--isolate", "--no-isolate")]
    plain = ["".join(unescape(page).lower().replace("/>", ">").replace("</path>", "").replace("</circle>", "").split())
             for page in pages]  # fmt: skip
    cut = [text.split("<article", 1)[1].split("</main>")[0] for text in plain]
    ids = [re.sub(r'id="i\d+"', "", text) for text in cut]
    assert ids[0] == ids[1]
    assert "onerror=alert" not in pages[0].replace("&lt;img src=x onerror=alert", "")


def test_a_child_has_no_network_so_nothing_can_be_fetched_from_it(folder: Path) -> None:
    code, said = run("verify", folder, "--isolate", "--fetch-remote", "example.org")
    assert code == 2
    assert "no network" in said


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying(ScanTask):
    """A child that was taken over: it answers with `lie`, or kills itself for files that begin with JPEG's mark."""

    lie: bytes = b""

    def __call__(self) -> Callable[[bytes], bytes]:
        def examine(message: bytes) -> bytes:
            if not self.lie and b"\xff\xd8\xff" in message[:400]:
                os.kill(os.getpid(), signal.SIGSEGV)
            return self.lie or Shown(text="fine\n", held=frozenset(), failed=False).packed()

        return examine


def shown_by(path: Path, lie: bytes, form: str = "json") -> tuple[Shown, str]:
    stream = StringIO()
    task = Lying(style=Style(form=form), policy=TrustPolicy(lists=()), model=None, lie=lie)
    with isolated(task, None, stream) as show:
        shown = show(path)
    return shown, stream.getvalue()


def said(text: str) -> bytes:
    return Shown(text=text, held=frozenset(), failed=False, origin="captured").packed()


LIES = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\x02[]",
    b'\0\0\0\x02{}{"asset":{}}',
    b'\0\0\0\x3b{"held": ["rm -rf"], "failed": false, "origin": "captured"}{}\n',
    said("not json\n"),
    said('{"asset":{"name":"another.jpg"}}\n'),
    said('{"asset":{"name":"lie-6.png","sha256":"00"}}\n'),
    said("{}\n{}\n"),
    said("[" * 100_000 + "\n"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lies(ScanTask):
    """A child that tells another lie for each file."""

    def __call__(self) -> Callable[[bytes], bytes]:
        return lambda message: next(lie for at, lie in enumerate(LIES) if f"lie-{at}.png".encode() in message)


def test_a_lie_that_is_no_document_of_this_file_is_a_failure_of_the_file(tmp_path: Path) -> None:
    stream = StringIO()
    with isolated(Lies(style=Style(form="json"), policy=TrustPolicy(lists=()), model=None), None, stream) as show:
        for number in range(len(LIES)):
            path = tmp_path / f"lie-{number}.png"
            path.write_bytes(made.encoded(made.picture((9, 9)), "PNG"))
            assert show(path).failed, number
    for number, line in enumerate(stream.getvalue().splitlines()):
        document = json.loads(line)
        assert document["error"]["kind"] == "ParserCrashed", number
        assert "malformed" in document["error"]["message"], number


def test_controls_that_a_child_writes_do_not_reach_the_terminal(folder: Path) -> None:
    _, text = shown_by(
        folder / "signed.jpg", said("\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J\r\u202eover\nnext\n"), "text"
    )
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\r" not in text
    assert text.splitlines()[1] == "next"


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<p onclick='x'>",
        "<img src='https://example.org/x.png'>",
        "<p style='background:url(//example.org)'></p>",
        "<img src='data:image/svg+xml;base64,AAAA'>",
        "</main><form action='//example.org'>",
        "<div>",
        "</div>",
        "<!-- -->",
        "<![CDATA[x]]>",
        "<meta http-equiv=refresh content='0;url=//example.org'>",
        "<a href='//example.org'>x</a>",
        "<svg><use href='#x'/></svg>",
    ],
)
def test_html_that_our_templates_never_write_is_refused(html: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        accepted(html)


def test_half_a_tag_becomes_text() -> None:
    assert "<img" not in accepted("<p>x</p><img src=//example.org onerror=x")


def test_a_crash_is_told_of_its_file_and_the_rest_is_examined(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    copy.write_bytes((folder / "signed.jpg").read_bytes())
    stream = StringIO()
    task = Lying(style=Style(form="text"), policy=TrustPolicy(lists=()), model=None)
    with isolated(task, None, stream) as show:
        codes = [show(path).failed for path in (folder / "signed.jpg", folder / "photo <b>.png", copy)]
    assert codes == [True, False, True]
    assert stream.getvalue().count("crashed the parser: the process died of SIGSEGV") == 2
    assert "not opened again" in " ".join(stream.getvalue().split())


def test_what_libtiff_prints_does_not_reach_the_terminal(tmp_path: Path) -> None:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "TIFF", compression="tiff_lzw")
    broken = bytearray(buffer.getvalue())
    broken[8:60] = bytes(52)
    for name in ("one.tif", "two.tif"):
        (tmp_path / name).write_bytes(broken)
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "scan", "--no-pixels", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.count("cannot be decoded") == 2
