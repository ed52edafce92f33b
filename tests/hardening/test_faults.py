"""Bad days: for each fault, what the user sees and what is kept. The table is in docs/hardening.md."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import custody_assets as made
import pytest
from misbehaving import misbehaving, pid_of_child

from assay.detectors.card import ModelRefused, read_card, shipped_models
from assay.scanning.audit import ledger as ledger_room
from assay.scanning.audit.ledger import Ledger, Version
from assay.scanning.audit.row import Content
from assay.scanning.child import WorkerLimits
from assay.scanning.worker import ParserCrashed, Pool

KILLS = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
_LOADS = """
import importlib.machinery, importlib.util, os, signal, sys
elsewhere = [place for place in sys.path if place != os.path.dirname(__file__)]
spec = importlib.machinery.PathFinder.find_spec("onnxruntime", elsewhere)
module = sys.modules["onnxruntime"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
KILLS_LATER = (
    f"{_LOADS}module.InferenceSession.run = lambda *_: os.kill(os.getpid(), signal.SIGILL)"  # when it is to compute
)
KILLS_WITH_PICTURES = f"""{_LOADS}
run = module.InferenceSession.run
def until(self, names, given):
    if any(value.dtype == "uint8" and value.any() for value in given.values()):
        os.kill(os.getpid(), signal.SIGILL)
    return run(self, names, given)
module.InferenceSession.run = until
"""  # computes for the black picture that comes first, and for no other
CANNOT = "raise ImportError('libonnxruntime.so: cannot enable executable stack')"
VERSION = Version(engine="assay test", model="", trust="t")
KNOWN = Content(origin="undetermined", basis="none", custody="no-manifest", width=1, height=1)


def pictures(folder: Path, number: int = 3) -> Path:
    folder.mkdir()
    for count in range(number):
        (folder / f"{count}.png").write_bytes(made.encoded(made.picture((40 + count, 30)), "PNG"))
    return folder


def assay(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assay.cli", *map(str, arguments)], capture_output=True, text=True, check=False,
        timeout=120, **options,
    )  # fmt: skip


def test_a_stopped_child_is_killed_replaced_and_named() -> None:
    with Pool(misbehaving, size=1, limits=WorkerLimits(seconds=1.0)) as pool:
        pool.submit(b"warm").result()
        child = pool._lanes[0]._child
        os.kill(child.pid, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(ParserCrashed, match="no answer within 1 second"):
            pool.submit(b"one").result()
        assert time.monotonic() - started < 5  # it was to wait for one
        assert b'"height": 3' in pool.submit(b"two").result()
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


def test_a_killed_child_costs_nothing() -> None:
    with Pool(pid_of_child, size=1) as pool:
        first = int(pool.submit(b"a").result())
        os.kill(first, signal.SIGKILL)
        assert int(pool.submit(b"b").result()) != first


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE to stand in for a full disk")
@pytest.mark.parametrize("how", ["--isolate", "--no-isolate"])
def test_a_full_disk_leaves_no_half_output(tmp_path: Path, how: str) -> None:
    folder = pictures(tmp_path / "in", 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "page.html").write_text("the page before")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    done = assay("scan", "--no-pixels", how, "--format", "html", "-o", out / "page.html", folder, preexec_fn=full)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in out.iterdir()] == ["page.html"]
    assert (out / "page.html").read_text() == "the page before"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where not even root may write")
def test_an_output_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    done = assay("scan", "--no-pixels", "--format", "json", "-o", "/proc/rows.json", pictures(tmp_path / "in", 1))
    assert done.returncode == 1
    assert "/proc/rows.json: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_in_the_middle_of_a_write_leaves_nothing_behind(tmp_path: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from assay import cli
import click
from assay.provenance.replacing import replacing

def slow(*_, **__):
    with replacing(Path({str(tmp_path / "out.json")!r})) as temporary:
        temporary.write_text("half")
        print("writing", flush=True)
        time.sleep(60)

cli.assay.main = slow
cli.main()
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    assert len(list(tmp_path.iterdir())) == 1
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 1
    assert said.strip() == "assay: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_kill_nine_in_the_middle_of_a_write_leaves_the_old_output(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("before")
    program = (
        "import time; from pathlib import Path; from assay.provenance.replacing import replacing\n"
        f"with replacing(Path({str(target)!r}), overwrite=True) as t:\n"
        "    t.write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait()
    assert target.read_text() == "before"
    (left,) = (path for path in tmp_path.iterdir() if path != target)
    assert (left.name[0], left.read_text()) == (".", "half")


def test_a_clock_that_jumps_forgets_nothing_and_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.sqlite"
    now = time.time()
    with Ledger(path, VERSION) as ledger:
        ledger.note("ab" * 32, KNOWN)
        ledger.note_hash("old.png", "1:2", sha256="ab" * 32, size=9, modified=now - 60)
    for jump in (-10, 10):  # years
        monkeypatch.setattr(ledger_room.time, "time", lambda jump=jump: now + jump * 365 * 86_400)
        with Ledger(path, VERSION) as ledger:
            assert ledger.find("ab" * 32) == KNOWN
            assert ledger.hash_of("old.png", "1:2") == ("ab" * 32, 9)
    monkeypatch.setattr(ledger_room.time, "time", lambda: now - 10 * 365 * 86_400)
    with Ledger(path, VERSION) as ledger:  # every file is "of the future" now, and may yet change unseen
        ledger.note_hash("new.png", "3:4", sha256="cd" * 32, size=9, modified=now)
        assert ledger.hash_of("new.png", "3:4") is None


def test_a_damaged_ledger_page_costs_work_and_no_rows(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 12)
    path = tmp_path / "ledger.sqlite"
    common = ("audit", "--no-pixels", "--quiet", "--workers", "1", "--ledger", path, folder)
    assert assay(*common, "-o", tmp_path / "first.jsonl").returncode == 0
    size = path.stat().st_size
    assert size > 8_192
    with path.open("r+b") as file:  # every page but the first, which says that it is a ledger
        file.seek(4_096)
        file.write(os.urandom(size - 4_096))
    done = assay(*common, "-o", tmp_path / "second.jsonl")
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert "ledger" in done.stderr
    assert (tmp_path / "second.jsonl").read_text() == (tmp_path / "first.jsonl").read_text()


def test_a_truncated_model_file_is_refused_by_name(tmp_path: Path) -> None:
    name = shipped_models()[0]
    folder = tmp_path / "model"
    shutil.copytree(read_card(name).folder, folder)
    card = read_card(folder)
    cut = max((folder / file for file in card.files), key=lambda path: path.stat().st_size)
    os.truncate(cut, cut.stat().st_size // 2)
    with pytest.raises(ModelRefused, match=re.escape(cut.name)):
        card.verified(str(cut.relative_to(folder)))
    done = assay("detect", "--model", folder, next(pictures(tmp_path / "in", 1).iterdir()))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{cut.name} is not the file that the card describes" in done.stderr


def onnxruntime_that(folder: Path, does: str) -> dict[str, str]:
    """The environment of a machine on which importing ONNX Runtime does that."""
    (folder / "onnxruntime.py").write_text(does)
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize("how", ["--isolate", "--no-isolate"])
def test_onnx_runtime_that_cannot_be_loaded_costs_the_pixels_alone(tmp_path: Path, how: str) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", CANNOT)
    done = assay("scan", how, "--format", "json", pictures(tmp_path / "in", 1), env=environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (pixels,) = (entry for entry in report["evidence"] if entry["signal"] == "pixels")
    assert pixels["silence"] == "failed"
    assert "cannot be loaded on this machine: libonnxruntime.so" in pixels["statement"]
    assert sum(entry["silence"] != "failed" for entry in report["evidence"]) == len(report["evidence"]) - 1


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (CANNOT, "cannot be loaded on this machine: libonnx"),
        (KILLS, "this processor lacks"),
        (KILLS_LATER, "this processor lacks"),
        (KILLS_WITH_PICTURES, "this processor lacks"),
    ],
)
def test_an_audit_goes_on_without_pixels_says_so_and_examines_again_where_they_can_be(
    tmp_path: Path, does: str, said: str
) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", does)
    folder = pictures(tmp_path / "in", 3)
    common = ("audit", "--quiet", "--workers", "2", "--ledger", tmp_path / "ledger.sqlite", folder)

    def rows(name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    done = assay(*common, "-o", tmp_path / "without.jsonl", env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("going on without the pixel classifier, and every row says so") == 1
    assert said in done.stderr
    without = rows("without.jsonl")
    assert len(without) == 3
    assert all("note:pixels-not-examined" in row["findings"] for row in without)  # type: ignore[operator]
    assert {row["model"] for row in without} == {""}
    assert assay(*common, "-o", tmp_path / "with.jsonl").returncode == 0
    assert not any("note:pixels-not-examined" in row["findings"] for row in rows("with.jsonl"))  # type: ignore[operator]
    again = assay(*common, "-o", tmp_path / "again.jsonl", env=environment)
    assert (again.returncode, again.stderr) == (0, ""), "what is known with pixels needs none"
    assert rows("again.jsonl") == rows("with.jsonl")


@pytest.mark.parametrize("does", [CANNOT, KILLS])
def test_an_audit_that_was_told_which_model_to_use_ends_where_it_cannot(tmp_path: Path, does: str) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", does)
    folder = pictures(tmp_path / "in", 1)
    done = assay("audit", "--quiet", "--fresh", "--model", "swift", folder, env=environment)
    assert done.returncode == 1
    assert "a worker process does not start" in done.stderr
    assert "Traceback" not in done.stderr
    without = assay("audit", "--quiet", "--fresh", "--no-pixels", folder, env=environment)
    assert (without.returncode, without.stderr) == (0, "")


@pytest.mark.parametrize("command", [("detect",), ("scan", "--no-isolate")])
def test_what_loads_the_model_in_its_own_process_says_why_it_dies(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", KILLS)
    done = assay(*command, next(pictures(tmp_path / "in", 1).iterdir()), env=environment)
    assert done.returncode == -signal.SIGILL
    assert done.stdout == ""
    assert "killed while it loaded ONNX Runtime" in done.stderr
    assert "assay scan --no-pixels goes on without" in done.stderr


def test_detecting_without_onnx_runtime_ends_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", CANNOT)
    done = assay("detect", next(pictures(tmp_path / "in", 1).iterdir()), env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ONNX Runtime cannot be loaded on this machine: libonnx" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("does", [KILLS, KILLS_LATER, KILLS_WITH_PICTURES])
def test_an_instruction_that_the_processor_lacks_costs_a_scan_the_pixels_alone(tmp_path: Path, does: str) -> None:
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", does)
    folder = pictures(tmp_path / "in", 1)
    done = assay("scan", "--isolate", "--format", "json", folder, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    (pixels,) = (entry for entry in report["evidence"] if entry["signal"] == "pixels")
    assert pixels["silence"] == "failed"
    assert "this processor lacks" in pixels["statement"]
    assert "pixels-not-examined" in [finding["code"] for finding in report["findings"]]
    without = assay("scan", "--isolate", "--no-pixels", "--format", "json", folder, env=environment)
    assert without.returncode == 0


def test_an_illegal_instruction_without_the_model_is_the_files_own_fault() -> None:
    """A decoder that was led astray dies of SIGILL too; no file may take the pixel model from all others."""
    told: list[str] = []
    with Pool(misbehaving, size=1, instead=lambda reason: misbehaving, told=told.append) as pool:
        with pytest.raises(ParserCrashed, match="SIGILL"):
            pool.submit(b"illegal").result()
        with pytest.raises(ParserCrashed, match="not opened again"):
            pool.submit(b"illegal").result()
        assert b'"height": 3' in pool.submit(b"two").result()
    assert told == []


def test_an_illegal_instruction_with_the_model_alone_costs_the_model_and_no_file() -> None:
    told: list[str] = []
    with Pool(misbehaving, size=2, instead=lambda reason: pid_of_child, told=told.append) as pool:
        answers = [pool.submit(b"illegal %d" % number) for number in range(6)]
        assert all(answer.result().isdigit() for answer in answers)
    assert [reason.partition(",")[0] for reason in told] == ["a library needs instructions that this processor lacks"]


def test_a_server_whose_workers_cannot_run_the_model_says_so_and_is_never_ready(tmp_path: Path) -> None:
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi")
    (tmp_path / "modules").mkdir()
    environment = onnxruntime_that(tmp_path / "modules", CANNOT)
    command = ["serve", "--port", "0", "--workers", "1", "--model", "swift", "--stop-after", "90"]
    server = subprocess.Popen(
        [sys.executable, "-m", "assay.cli", *command], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        with httpx.Client(base_url=found[0].rstrip("/"), timeout=60, trust_env=False) as client:
            answer = client.post("/v1/scan", content=made.encoded(made.picture(), "PNG"))
            assert answer.status_code == 503
            assert "cannot be loaded on this machine: libonnx" in answer.json()["detail"]
            assert [client.get(path).status_code for path in ("/readyz", "/healthz")] == [503, 200]
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


@pytest.fixture
def silent_authority() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_time_stamp_authority_that_hangs_ends_in_bounded_time_and_loses_nothing(
    tmp_path: Path, silent_authority: str
) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(made.encoded(made.picture(), "PNG"))
    before = picture.read_bytes()
    environment = os.environ | {"ASSAY_HOME": str(tmp_path / "home")}
    started = time.monotonic()
    done = assay(
        "sign", picture, "-o", tmp_path / "signed.png", "--timestamp", silent_authority, env=environment
    )  # fmt: skip
    assert time.monotonic() - started < 90
    assert done.returncode == 1
    assert f"time stamp from {silent_authority} failed" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "signed.png").exists()
    assert picture.read_bytes() == before


def test_every_row_of_the_fault_table_names_a_test_that_exists() -> None:
    root = Path(__file__).resolve().parents[2]
    table = (root / "docs" / "hardening.md").read_text("utf-8").split("## When the machine fails")[1].split("\n## ")[0]
    named = re.findall(r"`(test_\w+)…?`", table)
    assert len(named) >= 10
    code = "".join(path.read_text("utf-8") for path in (root / "tests").rglob("test_*.py"))
    assert [name for name in named if f"def {name}" not in code] == []
