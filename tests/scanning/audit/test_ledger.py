"""The ledger gives back what it was told under the same version, or under one whose difference cannot matter."""

import sqlite3
import stat
from pathlib import Path

import pytest

from assay.scanning.audit.ledger import Ledger, LedgerRefused, Version
from assay.scanning.audit.row import Content, failed

NOW = Version("assay 1", "deep@1", "lists@1")
PLAIN = Content(origin="undetermined", basis="none", custody="no-manifest", width=4, height=3)
SIGNED = Content(origin="captured", basis="proved", custody="trusted", width=4, height=3)
UNDECODED = Content(origin="captured", basis="proved", custody="trusted")
BROKEN = failed("UnsupportedFormat", "its content is text")


def kept(path: Path) -> None:
    with Ledger(path, NOW) as ledger:
        for sha256, content in (("p", PLAIN), ("s", SIGNED), ("u", UNDECODED), ("b", BROKEN)):
            ledger.note(sha256, content)


@pytest.mark.parametrize(
    ("version", "remembered"),
    [
        (NOW, "psub"),
        (Version("assay 1", "deep@1", "lists@2"), "pb"),  # nobody signed a file without a manifest
        (Version("assay 1", "deep@2", "lists@1"), "ub"),  # no model has seen what was never decoded
        (Version("assay 1", "deep@2", "lists@2"), "b"),
        (Version("assay 2", "deep@1", "lists@1"), ""),
    ],
)
def test_a_change_costs_only_what_it_must(tmp_path: Path, version: Version, remembered: str) -> None:
    kept(tmp_path / "ledger")
    with Ledger(tmp_path / "ledger", version) as ledger:
        assert "".join(key for key in "psub" if ledger.find(key) is not None) == remembered
        assert ledger.find("p") in (PLAIN, None)


def test_a_file_is_known_by_its_fingerprint_unless_it_changed_a_moment_ago(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", NOW) as ledger:
        ledger.note_hash("old.png", "1", sha256="aa", size=5, modified=1_000.0)
        ledger.note_hash("fresh.png", "1", sha256="bb", size=5, modified=4_000_000_000.0)
        ledger.note_hash("caf\udce9.png", "1", sha256="cc", size=5, modified=1_000.0)
        assert ledger.hash_of("old.png", "1") == ("aa", 5)
        assert ledger.hash_of("old.png", "2") is None
        assert ledger.hash_of("fresh.png", "1") is None
        assert ledger.hash_of("caf\udce9.png", "1") == ("cc", 5)


def test_a_fresh_audit_believes_nothing_older_and_replaces_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger", NOW) as ledger:
        ledger.note_hash("a.png", "1", sha256="s", size=5, modified=1_000.0)
        ledger.note("s", SIGNED)
    with Ledger(tmp_path / "ledger", NOW, fresh=True) as ledger:
        assert ledger.hash_of("a.png", "1") is None
        assert ledger.find("s") is None
        ledger.note("s", BROKEN)
        assert ledger.find("s") == BROKEN  # a copy of what was just examined
    with Ledger(tmp_path / "ledger", NOW) as ledger:
        assert ledger.hash_of("a.png", "1") == ("s", 5)
        assert ledger.find("s") == BROKEN


def test_what_is_no_ledger_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("dear diary, this is certainly no database " * 40)
    text.chmod(0o644)
    with pytest.raises(LedgerRefused):
        Ledger(text, NOW)
    assert text.read_text().startswith("dear diary")
    assert stat.S_IMODE(text.stat().st_mode) == 0o644
    other = tmp_path / "other"
    with sqlite3.connect(other) as base:
        base.execute("PRAGMA user_version = 7")
    with pytest.raises(LedgerRefused, match="another version"):
        Ledger(other, NOW)
    with sqlite3.connect(tmp_path / "places") as base:
        base.execute("CREATE TABLE bookmarks (url TEXT)")
    base.close()
    before = (tmp_path / "places").read_bytes()
    with pytest.raises(LedgerRefused, match="no ledger"):
        Ledger(tmp_path / "places", NOW)
    assert (tmp_path / "places").read_bytes() == before


def test_a_ledger_that_cannot_be_written_any_more_warns_and_lets_the_audit_go_on(tmp_path: Path) -> None:
    kept(tmp_path / "ledger")
    with Ledger(tmp_path / "ledger", NOW) as ledger:
        ledger._base.execute("PRAGMA query_only = ON")  # what a full disk amounts to
        ledger.note("new", PLAIN)
        assert "cannot be written" in ledger.warning
        assert ledger.find("p") == PLAIN
