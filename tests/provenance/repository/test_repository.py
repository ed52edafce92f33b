"""The repository keeps, finds and forgets, whatever happens in between."""

import multiprocessing
import os
import signal
import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assay.provenance.custody.chain import BottomLine
from assay.provenance.repository import Fingerprint, Keepsake, Repository, RepositoryRefused, repository_state

SECRET = b"a manifest store that nobody may find again"


def keepsake(number: int, *, manifest: str = "urn:c2pa:1", store: bytes = b"store") -> Keepsake:
    return Keepsake(
        sha256=f"{number:064x}",
        name=f"{number}.jpg",
        media_type="image/jpeg",
        width=4,
        height=3,
        manifest=manifest,
        signer="somebody",
        bottom_line=BottomLine.TRUSTED,
        store=store,
        thumbnail=b"thumbnail",
        fingerprints=(Fingerprint("pdq", "whole", number.to_bytes(32)), Fingerprint("pdq", "core", bytes(32))),
    )


def test_what_is_kept_is_found_by_hash_label_and_fingerprint(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        record, new = repository.keep(keepsake(7))
        assert new
        assert repository.by_sha256(f"{7:064x}".upper()) == (record,)
        assert repository.by_manifest("urn:c2pa:1") == (record,)
        assert list(repository.values("pdq", "whole")) == [(record.id, (7).to_bytes(32))]
        assert list(repository.values("pdq", "whole", after=record.id)) == []
        assert (repository.store(record), repository.thumbnail(record)) == (b"store", b"thumbnail")
        assert len(repository.fingerprints(record)) == 2


def test_nothing_is_overwritten(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        first, _ = repository.keep(keepsake(1))
        again, new = repository.keep(keepsake(1, store=b"another store"))
        assert (again, new) == (first, False)
        assert repository.store(first) == b"store"
        other, new = repository.keep(keepsake(1, manifest="urn:c2pa:2"))
        assert new
        assert repository.by_sha256(first.sha256) == (first, other)


def test_what_is_forgotten_is_nowhere_on_disk(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        repository.keep(keepsake(1, store=SECRET))
        record, _ = repository.keep(keepsake(2))
        repository.index_folder.mkdir()
        (repository.index_folder / "pdq-whole-0.npy").write_bytes(SECRET)
        before = repository.forgettings
        assert repository.forget(f"{1:064x}") == 1
        assert repository.forget(f"{1:064x}") == 0
        assert repository.forgettings == before + 1
        assert list(repository.records()) == [record]
        left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert SECRET not in left
        assert f"{1:064x}".encode() not in left


def test_what_a_reader_keeps_from_being_overwritten_is_told_and_overwritten_later(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.provenance.repository.repository._WAIT", 0.05)
    path = tmp_path / "r.sqlite"
    with Repository(path) as repository:
        for number in (1, 2, 3):
            repository.keep(keepsake(number, store=SECRET))
        repository.index_folder.mkdir()
        (repository.index_folder / "pdq-whole-0.npy").touch()
        backup = sqlite3.connect(path, isolation_level=None)
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM record").fetchone()
        with pytest.raises(RepositoryRefused, match="not overwritten yet: another process is reading"):
            repository.forget(f"{1:064x}", f"{2:064x}", f"{3:064X}")
        assert len(repository) == 0
        assert list(repository.index_folder.iterdir()) == []
        backup.execute("COMMIT")
        (repository.index_folder / "pdq-whole-1.npy").touch()
        assert repository.forget(f"{1:064x}") == 0
        left = b"".join(one.read_bytes() for one in tmp_path.glob("r.sqlite*") if one.is_file())
        assert SECRET not in left
        assert (repository.index_folder / "pdq-whole-1.npy").exists()
        backup.close()


def test_numbers_of_the_forgotten_are_not_given_again(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        first, _ = repository.keep(keepsake(1))
        repository.forget(first.sha256)
        second, _ = repository.keep(keepsake(2))
        assert second.id > first.id
        with pytest.raises(RepositoryRefused, match="forgotten"):
            repository.store(first)


def test_retention(tmp_path):
    with Repository(tmp_path / "r.sqlite") as repository:
        repository.keep(keepsake(1))
        assert repository.forget_older(timedelta(days=1)) == 0
        assert repository.forget_older(timedelta(seconds=-1)) == 1
        assert len(repository) == 0


def test_only_the_user_can_read_it(tmp_path):
    with Repository(tmp_path / "in" / "r.sqlite") as repository:
        repository.keep(keepsake(1))
        modes = {path.stat().st_mode & 0o077 for path in repository.path.parent.iterdir()}
    assert modes == {0}


def test_another_files_content_is_refused(tmp_path):
    path = tmp_path / "r.sqlite"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(RepositoryRefused, match="no usable repository"):
        Repository(path)
    base = sqlite3.connect(tmp_path / "later.sqlite")
    base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(RepositoryRefused, match="another version"):
        Repository(tmp_path / "later.sqlite")


@pytest.mark.parametrize("reading", [False, True])
def test_what_is_no_repository_is_left_as_it_is(tmp_path, reading):
    base = sqlite3.connect(tmp_path / "app.sqlite")
    base.execute("CREATE TABLE record (mine)")
    base.execute("PRAGMA user_version = 1")
    base.close()
    (tmp_path / "picture.jpg").write_bytes(b"no database" * 100)
    for path, why in (("app.sqlite", "a database of something else"), ("picture.jpg", "no usable repository")):
        (tmp_path / path).chmod(0o664)
        before = (tmp_path / path).read_bytes()
        with pytest.raises(RepositoryRefused, match=why):
            Repository(tmp_path / path, reading=reading)
        assert (tmp_path / path).read_bytes() == before
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o664
    assert len(list(tmp_path.iterdir())) == 2


def _write_many(path: str, start: int, count: int) -> None:
    with Repository(Path(path)) as repository:
        for number in range(start, start + count):
            repository.keep(keepsake(number))


def _write_until_killed(path: str) -> None:
    with Repository(Path(path)) as repository:
        number = 0
        while True:
            number += 1
            repository.keep(keepsake(number))


def test_writers_do_not_get_in_each_others_way(tmp_path):
    path = tmp_path / "r.sqlite"
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=_write_many, args=(str(path), 10 * i, 15)) for i in range(4)]  # overlapping
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    with Repository(path) as repository:
        assert len(repository) == 45
        assert len({record.sha256 for record in repository.records()}) == 45


def test_a_killed_writer_leaves_whole_records(tmp_path):
    path = tmp_path / "r.sqlite"
    with Repository(path) as repository:
        writer = multiprocessing.get_context("fork").Process(target=_write_until_killed, args=(str(path),))
        writer.start()
        while len(repository) < 20:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        records = list(repository.records())
        assert len(records) >= 20
        assert all(len(repository.fingerprints(record)) == 2 for record in records)
        assert len(list(repository.values("pdq", "whole"))) == len(records)
        assert repository.keep(keepsake(10_000_000))[1]


class Remembering(RuleBasedStateMachine):
    """Against a dictionary: add, forget, look up, reopen, and abandon a half-done transaction as a crash would."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "r.sqlite"
        self.repository = Repository(self.path)
        self.model: dict[tuple[str, str], bytes] = {}

    @rule(number=st.integers(0, 5), manifest=st.sampled_from(["a", "b"]), store=st.binary(max_size=8))
    def add(self, number: int, manifest: str, store: bytes) -> None:
        record, new = self.repository.keep(keepsake(number, manifest=manifest, store=store))
        key = (record.sha256, manifest)
        assert new == (key not in self.model)
        self.model.setdefault(key, store)

    @rule(number=st.integers(0, 5))
    def forget(self, number: int) -> None:
        gone = [key for key in self.model if key[0] == f"{number:064x}"]
        assert self.repository.forget(f"{number:064x}") == len(gone)
        for key in gone:
            del self.model[key]

    @rule()
    def reopen(self) -> None:
        self.repository.close()
        self.repository = Repository(self.path)

    @rule(number=st.integers(0, 5))
    def crash(self, number: int) -> None:
        half = sqlite3.connect(self.path, isolation_level=None)
        half.execute("BEGIN IMMEDIATE")
        half.execute("DELETE FROM record WHERE sha256 = ?", (f"{number:064x}",))
        half.close()  # without COMMIT: what a killed process leaves
        self.reopen()

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "repository"):
            return
        found = {(r.sha256, r.manifest): self.repository.store(r) for r in self.repository.records()}
        assert found == self.model
        assert len(self.repository) == len(list(self.repository.values("pdq", "whole"))) == len(self.model)

    def teardown(self) -> None:
        if hasattr(self, "repository"):
            self.repository.close()
            self.folder.cleanup()


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)


def test_reading_changes_no_file_and_sees_what_was_committed(tmp_path):
    path = tmp_path / "r.sqlite"
    assert repository_state(path) == ""
    with Repository(path) as repository:
        record, _ = repository.keep(keepsake(1))
        with Repository(path, reading=True) as reader:  # beside a writer
            assert reader.by_sha256(record.sha256) == (record,)
    state = repository_state(path)
    before = path.read_bytes()
    with Repository(path, reading=True) as reader:
        assert reader.by_sha256(record.sha256) == (record,)
        with pytest.raises(RepositoryRefused):
            reader.forget(record.sha256)
    assert path.read_bytes() == before
    with Repository(path) as repository:
        repository.keep(keepsake(2))
    assert repository_state(path) != state
