"""The ledger against a plain dictionary, with reopening, kills and other versions at any moment."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assay.scanning.audit.ledger import Ledger, Version
from assay.scanning.audit.row import Content

HASHES = st.sampled_from([letter * 64 for letter in "abcd"])
NAMES = st.sampled_from(["a.jpg", "ä\n.jpg", "\udcff.png", "x!y.png"])
VERSIONS = st.sampled_from([Version("one", "", "t"), Version("two", "", "t"), Version("one", "m", "t")])
CONTENTS = st.builds(
    Content,
    origin=st.sampled_from(["synthetic", "undetermined"]),
    basis=st.just("none"),
    custody=st.sampled_from(["valid", "trusted"]),  # with a manifest and decoded: no version stands for another
    width=st.integers(1, 9),
    headline=st.text(max_size=9),
)


class LedgerMachine(RuleBasedStateMachine):
    """What was noted is found: under its own version, after any end."""

    @initialize(version=VERSIONS)
    def begin(self, version: Version) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path, self.version = self.folder / "ledger.sqlite", version
        self.ledger = Ledger(self.path, version)
        self.results: dict[tuple[str, Version], Content] = {}
        self.hashes: dict[str, tuple[str, str, int]] = {}

    @rule(sha256=HASHES, content=CONTENTS)
    def note(self, sha256: str, content: Content) -> None:
        self.ledger.note(sha256, content)
        self.results[sha256, self.version] = content

    @rule(name=NAMES, fingerprint=st.sampled_from(["1", "2"]), sha256=HASHES, size=st.integers(0, 9))
    def note_hash(self, name: str, fingerprint: str, sha256: str, size: int) -> None:
        self.ledger.note_hash(name, fingerprint, sha256=sha256, size=size, modified=1.0)
        self.hashes[name] = (fingerprint, sha256, size)

    @rule(version=VERSIONS)
    def reopen(self, version: Version) -> None:
        with self.ledger:
            pass
        self.version = version
        self.ledger = Ledger(self.path, version)

    @rule()
    def be_killed(self) -> None:
        """What lies on the disk at this moment is all that is left."""
        copy = Path(tempfile.mkdtemp(dir=self.folder))
        for file in self.path.parent.glob("ledger.sqlite*"):
            shutil.copy(file, copy)
        with self.ledger:
            pass
        self.path = copy / "ledger.sqlite"
        self.folder_of_now = copy
        self.ledger = Ledger(self.path, self.version)

    @invariant()
    def everything_is_found(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for sha256 in ("a" * 64, "b" * 64, "c" * 64, "d" * 64):
            assert self.ledger.find(sha256) == self.results.get((sha256, self.version))
        for name in ("a.jpg", "ä\n.jpg", "\udcff.png", "x!y.png"):
            known = self.hashes.get(name)
            for fingerprint in ("1", "2"):
                expected = known[1:] if known and known[0] == fingerprint else None
                assert self.ledger.hash_of(name, fingerprint) == expected
        assert self.ledger.warning == ""

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            with contextlib.suppress(Exception), self.ledger:
                pass
            shutil.rmtree(self.folder, ignore_errors=True)


LedgerMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestLedger = LedgerMachine.TestCase
