"""A manifest that was stripped from a picture, found again in this machine's repository by the picture's looks or its mark.

Rules: where there is no repository nothing is computed, a database is not asked (confined processes reach none; who asked it
hands over an excerpt), and no file is ever changed (confined processes may not); a recovered manifest never proves anything
about a copy, so this speaks at most as a mark does, and only as strongly as the manifest itself holds; all that match are
heard, and where they differ each is named; crops and marks are tried in a thorough examination only; threads take turns at
the one open repository, for its indexes may be large.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from assay.detectors.evidence import (
    DEVELOPMENT,
    MONTAGE,
    Basis,
    Evidence,
    Finding,
    Origin,
    Rate,
    Severity,
    Silence,
    Trace,
)
from assay.detectors.fingerprints.pdq import installed
from assay.detectors.fingerprints.searching import Searcher, marked, operating_point
from assay.detectors.signals.manifest import ManifestSignal
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Custody
from assay.provenance.errors import AssayError, UnsupportedFormat
from assay.provenance.repository import Record, Repository, default_place
from assay.provenance.repository.keeping import recall
from assay.provenance.trust import TrustPolicy, default_policy

if TYPE_CHECKING:
    from PIL.Image import Image


_GENERATED = frozenset({Origin.SYNTHETIC, Origin.COMPOSITE})


@dataclass(frozen=True, slots=True)
class _Told:
    """What one remembered manifest says of origin, or why it says nothing; `sentence` without how its chain stands."""

    record: Record
    sentence: str
    evidence: Evidence


class RecoveredManifest:
    """Searches the repository where there is one."""

    name = "recovered-manifest"

    def __init__(
        self, path: Path | None = None, *, policy: TrustPolicy | None = None, repository: Repository | None = None
    ) -> None:
        """`path`: another file than this user's; `repository`: one that is open already, in its place, and for reading only:
        it is asked from whatever thread examines. Raises `ValueError` for one that may be written."""
        if repository is not None and not repository.reading:
            raise ValueError("a repository that is open for writing belongs to its own thread")
        self._path = path
        self._given = Searcher(repository) if repository is not None else None
        self._policy = policy
        self._turn = Lock()  # for whoever uses the searcher, and what it holds
        self._searcher: Searcher | None = None
        self._state: tuple[tuple[int, int], ...] = ()  # of the open repository's files

    def examine(self, subject: Subject) -> Evidence:
        """Look for the picture among those whose manifests were remembered."""
        path = self._path or default_place()
        if self._given is None and isinstance(path, str):
            return self._silent(
                Silence.INAPPLICABLE,
                "Manifests are remembered in a database, which was not asked; `assay recover` asks it.",
            )
        if self._given is None and not Path(path).is_file():
            return self._silent(Silence.INAPPLICABLE, "No manifests are remembered on this machine.")
        if isinstance(subject.custody, Custody) and (subject.custody.links or subject.custody.place):
            return self._silent(Silence.INAPPLICABLE, "The file has a manifest of its own.")
        if not installed():
            return self._silent(Silence.INAPPLICABLE, "Searching needs the extra `recovery`.")
        try:
            picture = subject.image
            with self._turn:
                return self._search(self._given or self._searching(Path(path)), subject, picture)
        except UnsupportedFormat:
            return self._silent(Silence.INAPPLICABLE, f"{subject.asset.media_type} has no pixels to compare.")
        except AssayError as error:
            return self._silent(Silence.FAILED, error.message)

    def _search(self, searcher: Searcher, subject: Subject, picture: "Image") -> Evidence:
        mark, records = marked(searcher.repository, picture) if subject.thorough else (None, ())
        told = []
        if mark is not None:
            how = "It carries the hidden identifier of a picture whose manifest is remembered."
            trace = Trace(f"pixels {mark.scheme}", mark.payload.hex())
            told += [self._recalled(searcher.repository, record, how, trace, None) for record in records]
        known = {record.id for record in records}
        for match in searcher.search(picture, crops=subject.thorough):
            if match.record.id not in known:
                how = f"It looks like a copy of a picture whose manifest is remembered ({match.distance} of 256 bits differ)."
                trace = Trace("pixels PDQ distance", str(match.distance))
                rate = operating_point().false_matches
                told.append(self._recalled(searcher.repository, match.record, how, trace, rate))
        if not told:
            return self._silent(Silence.ABSENT, "No remembered picture is like this one.")
        return self._weighed(told)

    def _recalled(self, repository: Repository, record: Record, how: str, trace: Trace, rate: Rate | None) -> _Told:
        """What one remembered manifest says of origin."""
        custody = recall(repository, record, self._policy or default_policy())
        stand_in = Subject(_stand_in(repository.thumbnail(record)), custody)
        stated = ManifestSignal().examine(stand_in)
        statement = f"{how} {stated.statement}"
        traces = (
            Trace("repository manifest", record.manifest),
            Trace("repository sha256", record.sha256),
            trace,
        )
        findings = tuple(_of_original(finding, record) for finding in stated.findings)
        if not stated.speaks:
            silent = Evidence.silent(self.name, Silence.INCONCLUSIVE, statement, findings=findings, traces=traces)
            return _Told(record, stated.statement, silent)
        return _Told(
            record,
            stated.statement.removesuffix(f" {custody.headline}"),
            Evidence(
                signal=self.name,
                statement=statement,
                origin=stated.origin,
                basis=min(stated.basis, Basis.MARKED),
                generator=stated.generator,
                findings=findings,
                traces=traces,
                false_positive_rate=rate if rate and rate.trials else None,
            ),
        )

    def _weighed(self, told: list[_Told]) -> Evidence:
        """One voice of all that match, the best first: the strongest basis speaks, and says "in part" where one of it does;
        where it states different origins, nobody knows which picture this is a copy of."""
        speaking = [each.evidence for each in told if each.evidence.speaks]
        basis = max((evidence.basis for evidence in speaking), default=Basis.NONE)
        strongest = [evidence for evidence in speaking if evidence.basis is basis] or [told[0].evidence]
        spoken = min(strongest, key=lambda evidence: evidence.origin is not Origin.COMPOSITE)
        statement = f"{spoken.statement}{_more(len(told) - 1)}"
        note = Finding("recovered-manifest", Severity.NOTE, statement)
        others = [
            finding for each in told for finding in each.evidence.findings if finding.code not in (DEVELOPMENT, MONTAGE)
        ]
        found = tuple(dict.fromkeys((*spoken.findings, *others)))
        if _agree(speaking):
            return replace(spoken, statement=statement, findings=(*found, note))
        warning = Finding("originals-disagree", Severity.WARNING, _differing(told))
        if _agree(strongest):
            return replace(spoken, statement=statement, findings=(warning, *found, note))
        traces = tuple(trace for evidence in speaking for trace in evidence.traces)
        return Evidence.silent(
            self.name, Silence.INCONCLUSIVE, warning.statement, findings=(warning, *found), traces=traces
        )

    def _searching(self, path: Path) -> Searcher:
        """The open repository; opened anew where the file or its log has changed since."""
        log = path.with_name(path.name + "-wal")
        state = tuple((at.stat().st_ino, at.stat().st_mtime_ns) if at.exists() else (0, 0) for at in (path, log))
        if self._searcher is None or state != self._state:
            if self._searcher is not None:
                self._searcher.repository.close()
            self._searcher, self._state = Searcher(Repository(path, reading=True)), state
        return self._searcher

    def _silent(self, silence: Silence, statement: str) -> Evidence:
        return Evidence.silent(self.name, silence, statement)


def _of_original(finding: Finding, record: Record) -> Finding:
    """What was found of the original, told of a file that is likely a copy and no more: never an alarm about its own bytes."""
    said = f"{finding.statement[:1].lower()}{finding.statement[1:]}"
    if finding.code in (DEVELOPMENT, MONTAGE):
        return replace(finding, statement=f"Of the original: {said}")
    return Finding(f"original-{finding.code}", Severity.WARNING, f"Of the original “{record.name}”: {said}")


def _agree(said: list[Evidence]) -> bool:
    """Whether all state one origin; "all of it" and "in part" are both generated."""
    origins = {evidence.origin for evidence in said}
    return len(origins) <= 1 or origins <= _GENERATED


def _more(others: int) -> str:
    if not others:
        return ""
    return f" {others} more remembered picture{'s match' if others > 1 else ' matches'}; `assay recover` shows all."


def _differing(told: list[_Told]) -> str:
    """The best match for each origin that is stated, and how many more there are."""
    named: dict[Origin, _Told] = {}
    for each in told:
        if each.evidence.speaks:
            named.setdefault(each.evidence.origin, each)
    each_said = " ".join(f"“{each.record.name}”: {each.sentence}" for each in named.values())
    return (
        "It looks like a copy of several pictures whose remembered manifests state different origins. "
        f"{each_said}{_more(len(told) - len(named))} Compare the pictures."
    )


def _stand_in(thumbnail: bytes) -> Asset:
    return Asset.from_bytes(thumbnail, name="original")
