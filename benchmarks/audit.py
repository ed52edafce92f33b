"""What an audit costs beside the sum of its parts, what it keeps in memory, and whether it survives being killed.

    python benchmarks/audit.py throughput [--files 2000] [--folder DIR] [--model swift | --no-pixels] [--peer "NAME=COMMAND {file}"]…
    python benchmarks/audit.py memory [--files 100000] [--different 100000]
    python benchmarks/audit.py kills [--files 5000] [--kills 20]

throughput: each part alone, one thread, in processor time per file (reading and hashing, the C2PA read and custody, decoding,
signals, the bare pixel model on the same pictures: `--model`, which the audit is told to ask, too), on the first `--sample` files;
then `assay audit` over the whole folder with one process per core, its processor time (all processes; what starting up costs is
taken off by auditing a sixth of the files, too) and wall time. Efficiency is the sum of the parts over what the audit used:
processor time is what an audit can waste, and other programs disturb it least. Then the unchanged folder again, `--again` times:
the median counts. Peers are commands for one file each, run one after the other on a few files of the same folder:
`assay scan`, `encypher-c2pa`'s reader and `sahu65`'s command line, where `--cache` holds the environments that
`benchmarks/peers.py` makes, and any `--peer`; one that is not installed is skipped with its reason. Without --folder the pictures
are made: 1 MP, sensor-like noise, every tenth signed with the development key; no two have the same bytes, though there are only
`SCENES` different pictures behind them, each of which got a comment of its own as often as it was needed (the audit examines
each file: it knows a picture again by the hash of all its bytes). Exit code 1: efficiency below 0.9, or the second run less than
20 times faster. Starting takes a large part of a second run, so a few hundred files are too few to show its speed.

memory: as many small pictures in five formats, `--different` of them different from one another (a few hundred pictures,
each of which got a comment of its own as often as it was needed), no pixel model; once a second, the sum of the proportional set sizes (what /proc/PID/smaps_rollup calls Pss) of all processes together, and the
largest of it in each tenth of the rows. Exit code 1 above 1.5 GB.

kills: SIGKILL at random moments, then one undisturbed run; exit code 1 unless its rows are those of a run that nothing
disturbed, byte for byte.
"""

# ruff: noqa: E402 - thread counts must be set before numpy is imported
import argparse
import io
import json
import os
import random
import resource
import shlex
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy: parts are measured on one thread, as a worker runs them

import numpy as np
from PIL import Image

from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import decode
from assay.provenance.signing import Recipe, SoftwareAgent, SourceType, open_signer, sign
from assay.provenance.trust import default_policy
from assay.scanning.scan import standard_signals
from assay.scanning.worker import cores

# In the environments that `benchmarks/peers.py` makes below its cache folder.
PEERS = (
    (
        "encypher-c2pa",
        'python -c "import sys, encypher_c2pa; encypher_c2pa.verify(sys.argv[1], telemetry=False, online=False)" {file}',
    ),
    ("sahu65", "sahu65 detect {file}"),
)
AUDIT = [sys.executable, "-m", "assay.cli", "audit", "--quiet"]


def scene(seed: int, width: int, height: int) -> bytes:
    """A JPEG that compresses like a photograph, none like another."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = 128 + 60 * np.sin(x / (90 + seed % 97)) * np.cos(y / (80 + seed % 61)) + 30 * np.sin((x + 2 * y) / 61)
    pixels = np.stack([waves, waves * 0.8 + 20, waves * 0.6 + 40], axis=-1)
    pixels += generator.normal(0, 3, (height, width, 1)).astype(np.float32)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


SCENES = 200


@cache
def photograph(seed: int) -> bytes:
    """One of `SCENES` pictures of 1 MP."""
    return scene(seed, 1152, 896)


def different_photograph(number: int) -> bytes:
    """A picture of 1 MP whose bytes are none other's: one of `SCENES`, with a comment of its own."""
    return commented(photograph(number % SCENES), f"picture {number:08}".encode())


def commented(jpeg: bytes, text: bytes) -> bytes:
    """The same picture with a comment segment behind the start of image."""
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


SMALL = (("JPEG", (160, 120)), ("PNG", (64, 64)), ("WEBP", (128, 96)), ("GIF", (96, 96)), ("TIFF", (72, 64)))
BASES = 400


@cache
def base(seed: int) -> bytes:
    """A picture of 64 to 160 pixels a side, in one of five formats."""
    form, (width, height) = SMALL[seed % len(SMALL)]
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(scene(seed, width, height))) as picture:
        picture.save(buffer, form, quality=80)
    return buffer.getvalue()


def small(seed: int) -> bytes:
    """A picture of a few kilobytes whose bytes are none other's: one of `BASES`, with a comment of its own."""
    content, text = base(seed % BASES), f"picture {seed:08}".encode()
    match SMALL[seed % BASES % len(SMALL)][0]:
        case "JPEG":
            return commented(content, text)
        case "PNG":  # a text chunk before the end
            chunk = b"tEXtComment\0" + text
            packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            return content[:-12] + packed + content[-12:]
        case "WEBP":  # a chunk of an unknown name, which readers pass over
            grown = content + b"note" + struct.pack("<I", len(text)) + text
            return grown[:4] + struct.pack("<I", len(grown) - 8) + grown[8:]
        case "GIF":  # a comment extension before the trailer
            return content[:-1] + b"\x21\xfe" + bytes([len(text)]) + text + b"\0" + content[-1:]
        case _:  # TIFF: bytes that no directory points to
            return content + text


def fill(folder: Path, files: int, make: Callable[[int], bytes], *, signed_every: int = 0) -> None:
    """Write `files` pictures, a thousand to a folder."""
    signer = open_signer("dev:")
    recipe = Recipe.created(SourceType.DIGITAL_CAPTURE, SoftwareAgent("Benchmark Camera"))
    for number in range(files):
        path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = make(number)
        if signed_every and number % signed_every == 0:
            content = sign(Asset.from_bytes(content, name=path.name), recipe, signer).asset.content
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))


def parts(paths: list[Path], *, model: str | None) -> dict[str, float]:
    """Processor seconds per file of each part alone."""
    policy = default_policy()
    signals = [one for one in standard_signals(None) if one.name != "c2pa-manifest"]
    used: dict[str, float] = {}

    def clock(name: str, act: Callable[[], object]) -> None:
        begun = time.process_time()
        act()
        used[name] = (time.process_time() - begun) / len(paths)

    verify(Asset.open(paths[0]), policy)  # warm
    assets: list[Asset] = []
    clock("read, hash", lambda: assets.extend(Asset.open(path) for path in paths))
    subjects: list[Subject] = []
    clock("C2PA, custody", lambda: subjects.extend(Subject(asset, verify(asset, policy)) for asset in assets))
    images: list[Image.Image] = []
    clock("decode", lambda: images.extend(decode(asset) for asset in assets))
    for subject in subjects:  # decoded once, outside the clock
        subject.image  # noqa: B018
    for one in signals:  # warm
        one.examine(subjects[0])
    clock("signals", lambda: [one.examine(subject) for subject in subjects for one in signals])
    if model:
        from assay.detectors.classifier import load
        from assay.detectors.quality import measure

        asked = load(model, threads=1)
        qualities = [measure(image) for image in images[:1]] * len(images)
        asked.opinions(images[:1], qualities[:1])
        clock(f"model {model}", lambda: [asked.opinions([image], qualities[:1]) for image in images])
    return used


def installed() -> dict[str, str]:
    """The environment, with byte code kept as an installed package has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: list[str], home: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command with all the processes it waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run(
        command,
        env=installed() | {"ASSAY_HOME": str(home), "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode")},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wall = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as name:
        yield Path(name)


def throughput(options: argparse.Namespace) -> bool:
    """See the module's docstring."""
    with workplace() as place:
        folder = options.folder
        if folder is None:
            folder = place / "pictures"
            fill(folder, options.files, different_photograph, signed_every=10)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())[: options.files]
        chosen = place / "chosen"
        chosen.mkdir()
        for number, path in enumerate(paths):
            shutil.copy2(path, chosen / f"{number:05}{path.suffix}")
            os.utime(chosen / f"{number:05}{path.suffix}", (1_700_000_000, 1_700_000_000))
        few = place / "few"
        few.mkdir()
        for path in sorted(chosen.iterdir())[: max(len(paths) // 6, 2 * cores())]:
            shutil.copy2(path, few)
        copies = sorted(chosen.iterdir())
        used = parts(copies[: options.sample], model=None if options.no_pixels else options.model)
        flags = ["--no-pixels"] if options.no_pixels else ["--model", options.model]
        home = place / "home"
        command = [*AUDIT, *flags, str(chosen), "-o", str(place / "rows.jsonl")]
        less = len(list(few.iterdir()))
        run([*AUDIT, *flags, str(copies[0])], place / "other")  # compiles what is imported
        _, start = run([*AUDIT, *flags, "--fresh", str(few), "-o", str(place / "x.jsonl")], place / "other")
        wall, cpu = run(command, home)
        again, again_cpu = (
            statistics.median(taken) for taken in zip(*(run(command, home) for _ in range(options.again)), strict=True)
        )
        total = sum(used.values())
        marginal = (cpu - start) / (len(copies) - less)
        print(
            f"{len(copies)} files, {sum(p.stat().st_size for p in copies) / 1e6:.1f} MB, {cores()} cores, load {os.getloadavg()[0]:.1f}"
        )
        for name, seconds in used.items():
            print(f"  {name:<16}{seconds * 1000:9.1f} ms of processor time a file")
        print(f"  {'sum of the parts':<16}{total * 1000:9.1f} ms")
        print(f"  {'the audit':<16}{marginal * 1000:9.1f} ms, beside {cpu - marginal * len(copies):.1f} s to start")
        print(f"efficiency {total / marginal:.2f}; {len(copies) / wall:.1f} files a second on this machine as loaded")
        print(
            f"second run {again:.2f} s after {wall:.1f} s: {wall / again:.0f} times faster "
            f"({again_cpu:.2f} s of processor time after {cpu:.1f} s: {cpu / again_cpu:.0f} times less)",
            flush=True,
        )
        for peer in [
            f"shell loop over assay scan={sys.executable} -m assay.cli scan {' '.join(flags)} {{file}}",
            *(f"{name}={options.cache / name / 'bin' / command}" for name, command in PEERS),
            *options.peer,
        ]:
            compare(peer, copies[:5], home, wall / len(copies))
        return total / marginal >= 0.9 and wall / again >= 20


def compare(peer: str, paths: list[Path], home: Path, ours: float) -> None:
    """Run one peer's command for a few files, one after the other."""
    name, _, template = peer.partition("=")
    program = shlex.split(template)[0]
    if shutil.which(program) is None:
        print(f"  {name}: skipped, {program} is not here")
        return
    begun = time.monotonic()
    for path in paths:
        command = [part.replace("{file}", str(path)) for part in shlex.split(template)]
        done = subprocess.run(
            command, env=os.environ | {"ASSAY_HOME": str(home)}, check=False, capture_output=True, text=True
        )
        if done.returncode not in (0, 1, 2, 3):
            print(f"  {name}: skipped, it ended with {done.returncode}: {done.stderr.strip()[-200:]}")
            return
    each = (time.monotonic() - begun) / len(paths)
    print(f"  {name}: {each * 1000:.0f} ms a file, {each / ours:.1f} times the audit's {ours * 1000:.0f} ms")


def memory(options: argparse.Namespace) -> bool:
    """See the module's docstring."""
    with workplace() as place:
        fill(place / "pictures", options.different, small)
        originals = sorted((place / "pictures").rglob("*.jpg"))
        for number in range(options.different, options.files):
            copy = place / "pictures" / f"{number // 1000:03}" / f"{number:06}.jpg"
            copy.parent.mkdir(exist_ok=True)
            os.link(originals[number % len(originals)], copy)
        command = [
            *AUDIT,
            "--no-pixels",
            str(place / "pictures"),
            "-o",
            str(place / "rows.jsonl"),
            "-o",
            str(place / "page.html"),
        ]
        for title in ("first run", "second run"):
            begun = time.monotonic()
            process = subprocess.Popen(
                command, env=os.environ | {"ASSAY_HOME": str(place / "home")}, stdout=subprocess.DEVNULL
            )
            tenths = [0] * 11  # the last: while the outputs are being finished
            while process.poll() is None:
                held = sum(_pss(pid) for pid in _family(process.pid))
                done = max(_lines(place / f"rows.jsonl{ending}") for ending in (".part", "")) * 10 // options.files
                tenths[done] = max(tenths[done], held)
                time.sleep(1.0)
            seconds = time.monotonic() - begun
            rows = _lines(place / "rows.jsonl")
            peak = max(tenths)
            print(
                f"{title}: {rows:,} rows in {seconds:.0f} s, {rows / seconds:.0f} a second, peak {peak / 1e6:.0f} MB of all processes together; by tenths of the rows {' '.join(f'{held / 1e6:.0f}' for held in tenths)}",
                flush=True,
            )
            if rows != options.files or peak > 1.5e9:
                return False
    return True


def _family(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0


def kills(options: argparse.Namespace) -> bool:
    """See the module's docstring."""
    with workplace() as place:
        fill(place / "pictures", options.files, small, signed_every=100)
        environment = os.environ | {"ASSAY_HOME": str(place / "home")}
        command = [
            *AUDIT,
            "--no-pixels",
            str(place / "pictures"),
            "-o",
            str(place / "rows.jsonl"),
            "--ledger",
            str(place / "ledger"),
        ]
        delays = random.Random(3)
        killed = 0
        for _ in range(options.kills * 3):
            if killed == options.kills:
                break
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(delays.uniform(0.5, options.most))
                (place / "ledger").unlink()  # it got through: begin anew, so that every kill hits work
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
        done = subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
        once = [*command[:-4], "-o", str(place / "once.jsonl"), "--fresh"]
        subprocess.run(once, env=environment, check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line)["name"] for line in (place / "rows.jsonl").read_text().splitlines()]
        same = (place / "rows.jsonl").read_bytes() == (place / "once.jsonl").read_bytes()
        print(
            f"{killed} kills over {options.files:,} files: exit code {done.returncode}, {len(rows):,} rows, {len(set(rows)):,} different names, {'byte for byte' if same else 'NOT'} those of an undisturbed run"
        )
        return same and done.returncode == 0 and len(rows) == options.files and killed == options.kills


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("throughput")
    one.add_argument("--files", type=int, default=2000)
    one.add_argument("--sample", type=int, default=150, help="files on which the parts are measured alone")
    one.add_argument("--again", type=int, default=3, help="runs over the unchanged folder")
    one.add_argument("--folder", type=Path)
    one.add_argument("--model", default="swift", help="pixel model of the parts, the audit and the shell loop")
    one.add_argument("--no-pixels", action="store_true")
    one.add_argument("--peer", action="append", default=[])
    one.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "assay-peers", help="the peers' environments"
    )
    two = commands.add_parser("memory")
    two.add_argument("--files", type=int, default=100_000)
    two.add_argument("--different", type=int)
    three = commands.add_parser("kills")
    three.add_argument("--files", type=int, default=5_000)
    three.add_argument("--kills", type=int, default=20)
    three.add_argument("--most", type=float, default=8.0, help="seconds before a kill, at most")
    options = parser.parse_args()
    if options.command == "memory" and options.different is None:
        options.different = options.files
    passed = {"throughput": throughput, "memory": memory, "kills": kills}[options.command](options)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
