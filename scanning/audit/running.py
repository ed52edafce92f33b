"""One audit from targets to outputs: what the command line, the benchmark and the kill test all run.

Rules: outputs and policy are checked before the first file is read; Ctrl-C and SIGTERM end it with whole, partial outputs.
"""

import os
import signal
import sys
import threading
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BufferedReader
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, cast

from assay.provenance.errors import AssayError, MissingExtra, UnreadableFile
from assay.provenance.home import home
from assay.provenance.trust import default_policy
from assay.scanning.audit.baseline import Baseline
from assay.scanning.audit.engine import Audit
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.ledger import Ledger
from assay.scanning.audit.policy import Policy, read_policy
from assay.scanning.audit.row import Row
from assay.scanning.audit.sources import STORE_SCHEMES, Item, is_archive, items, paths_of
from assay.scanning.audit.tally import GONE, SAME, Tally
from assay.scanning.report.audit_terminal import AuditTerminal
from assay.scanning.report.progress import progress
from assay.scanning.report.row_writing import Outputs
from assay.scanning.walking import exclusions, files
from assay.scanning.worker import Pool, cores

if TYPE_CHECKING:
    from assay.scanning.cluster import ClusterAudit

POLICY_FILE = "assay.toml"
_AGAIN = "run the same command again to go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one audit is asked to do; see `assay audit --help`. `model` None: no pixel classifier."""

    targets: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    fail_on: tuple[str, ...] = ()
    policy: Path | None = None
    baseline: Path | None = None
    exclude: tuple[str, ...] = ()
    archives: bool = False
    model: str | None = None
    insist: bool = False  # end where this machine cannot run the model, instead of going on without
    thorough: bool = False
    near: bool = False
    engine: str = "local"
    workers: int | None = None
    ledger: Path | None = None
    fresh: bool = False
    quiet: bool = False
    verbose: bool = False


@dataclass(slots=True)
class Ending:
    """How an audit ended. `met`: conditions and rules that it fails on; `unread`: files that could not be read at all;
    `excluded`: files that were named or found, and that `--exclude` or the policy leaves out."""

    tally: Tally = field(default_factory=Tally)
    met: set[str] = field(default_factory=set)
    unread: int = 0
    excluded: int = 0
    complete: bool = False
    failures: list[AssayError] = field(default_factory=list)

    def pass_over(self) -> None:
        """Count a file that was named and is excluded."""
        self.excluded += 1


def run(options: Options) -> Ending:
    """Run one audit. Raises `AssayError` where it cannot begin: a policy, baseline, ledger or output that is refused."""
    policy = _policy(options)
    exclusions(options.exclude)  # what is no pattern is refused before anything is opened
    if options.near and find_spec("pdqhash") is None:
        raise MissingExtra("grouping pictures that look alike", "near")
    scanning = Scanning(model=options.model, policy=default_policy(), thorough=options.thorough, near=options.near)
    ending = Ending()
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        baseline = Baseline(options.baseline) if options.baseline else None
        path = options.ledger or home() / "ledger.sqlite"
        ledger = stack.enter_context(Ledger(path, scanning.version(), fresh=options.fresh))
        outputs = Outputs(options.outputs, keep=[options.baseline] if options.baseline else [])
        stack.callback(outputs.abandon)  # of what is not finished when this ends
        terminal = None if "-" in options.outputs else AuditTerminal(sys.stdout, everything=options.verbose)
        targets = _listed(options.targets)
        exclude = options.exclude + (policy.prunable if policy else ())
        found = items(
            targets,
            exclude=options.exclude,
            prune=policy.prunable if policy else (),
            inside_archives=options.archives,
            passed_over=ending.pass_over,
        )
        if policy:
            found = _not_excluded(found, policy, ending)
        audit: Audit | ClusterAudit | None = None
        try:
            with ExitStack() as running:
                if options.engine == "ray":
                    audit = _cluster(found, ledger, scanning, options)
                else:
                    instead = None if options.insist or options.model is None else scanning.instead
                    pool = running.enter_context(
                        Pool(scanning, size=options.workers or cores(), instead=instead, told=_going_on)
                    )
                    audit = Audit(found, ledger=ledger, pool=pool)
                count = _counter(options, exclude)
                with progress(count=count, quiet=options.quiet) as shown:
                    for row in compared(audit, policy, baseline):
                        ending.tally.add(row)
                        shown.step(ending.tally)
                        if row.change == SAME:
                            continue
                        judge(row, options.fail_on, policy, ending)
                        outputs.write(row)
                        if terminal:
                            terminal.write(row, above=shown.console)
            ending.complete = True
        except KeyboardInterrupt:
            again = "run it again: with --fresh it begins anew, without it goes on" if options.fresh else _AGAIN
            ending.failures.append(AssayError("interrupted", again))
        finally:
            outputs.finish(complete=ending.complete)
        ending.failures += outputs.failures
        if ledger.warning:
            ending.failures.append(AssayError(ledger.warning))
        if terminal and not options.quiet:
            seconds = time.monotonic() - started
            terminal.finish(
                ending.tally, seconds=seconds, examined=audit.examined if audit else 0, complete=ending.complete
            )
    return ending


def _not_excluded(found: Iterable[Item], policy: Policy, ending: Ending) -> Iterator[Item]:
    for item in found:
        if policy.excludes(item.name):
            ending.pass_over()
        else:
            yield item


def _going_on(reason: str) -> None:
    print(f"assay: going on without the pixel classifier, and every row says so: {reason}", file=sys.stderr, flush=True)


def _cluster(found: Iterable[Item], ledger: Ledger, scanning: Scanning, options: Options) -> "ClusterAudit":
    from assay.scanning.cluster import ClusterAudit

    return ClusterAudit(found, ledger=ledger, scanning=scanning, actors=options.workers, insist=options.insist)


def _policy(options: Options) -> Policy | None:
    if options.policy is not None:
        return read_policy(options.policy)
    found = Path(POLICY_FILE)
    if not found.is_file():
        return None
    if not options.quiet:
        print(f"assay: policy from {found}", file=sys.stderr)
    return read_policy(found)


def compared(rows: Iterable[Row], policy: Policy | None, baseline: Baseline | None) -> Iterator[Row]:
    """The rows with what a policy and an earlier audit say of them, then those that are gone."""
    for row in rows:
        judged = policy.judged(row) if policy else row
        yield baseline.compared(judged) if baseline else judged
    if baseline:
        yield from baseline.gone()


def judge(row: Row, fail_on: Sequence[str], policy: Policy | None, ending: Ending) -> None:
    """Note what of a row an audit fails on."""
    wanted = {*fail_on, *(policy.fail_on if policy else ())}
    ending.met |= wanted & set(row.conditions)
    ending.met.update(row.breaches)
    ending.unread += row.error == UnreadableFile.__name__ and row.change != GONE  # its error is the earlier audit's


def _listed(targets: Iterable[str]) -> Iterator[str]:
    """The targets, with `-` replaced by the lines of standard input; names with line breaks come NUL-separated."""
    for target in targets:
        if target != "-":
            yield target
            continue
        yield from filter(None, _names(cast(BufferedReader, sys.stdin.buffer)))


def _names(stream: BufferedReader) -> Iterator[str]:
    """Bytes, for names need not be text; what comes first tells which separator is meant, for no name holds a NUL."""
    rest = b""
    separator = b""
    if stream.peek(len(BOM_UTF8)).startswith(BOM_UTF8):  # an editor's mark, no part of the first name
        stream.read(len(BOM_UTF8))
    while chunk := stream.read1(65_536):
        separator = separator or (b"\0" if b"\0" in chunk else b"\n")
        *whole, rest = (rest + chunk).split(separator)
        yield from (_name(name, separator) for name in whole)
    yield _name(rest, separator)


def _name(name: bytes, separator: bytes) -> str:
    return os.fsdecode(name if separator == b"\0" else name.rstrip(b"\r"))


def _counter(options: Options, exclude: tuple[str, ...]) -> Callable[[], int] | None:
    """How to count the files ahead of the work; None where that would cost what the work costs."""
    if options.archives or any(
        target == "-" or target.startswith(STORE_SCHEMES) or is_archive(target) for target in options.targets
    ):
        return None
    return lambda: sum(1 for target in options.targets for _ in files(paths_of(target), exclude=exclude))


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends an audit as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
