"""The repository in PostgreSQL answers as the one in a file does, whoever writes at the same time."""

import multiprocessing
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgresql import Cluster, cluster, has_vector

from assay.detectors.fingerprints.index import DatabaseIndex, HammingIndex, index_of
from assay.provenance.custody.chain import BottomLine
from assay.provenance.repository import (
    Fingerprint,
    Keepsake,
    Record,
    Repository,
    RepositoryRefused,
    default_place,
    open_repository,
    repository_state,
)
from assay.provenance.repository.postgres import PostgresRepository

needs_vector = pytest.mark.skipif(not has_vector(), reason="no PostgreSQL with pgvector is installed")


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with cluster(vector=has_vector()) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def address(running, home) -> str:
    return running.fresh(f"assay_{secrets.token_hex(6)}")


@pytest.fixture(params=["file", "postgresql"])
def place(request, tmp_path) -> str | Path:
    return tmp_path / "r.sqlite" if request.param == "file" else request.getfixturevalue("address")


def keepsake(
    number: int, *, manifest: str = "urn:c2pa:1", store: bytes = b"store", prints: tuple[Fingerprint, ...] | None = None
) -> Keepsake:
    return Keepsake(
        sha256=f"{number:064x}",
        name=f"{number}.jpg\0\udcff",
        media_type="image/jpeg",
        width=4,
        height=3,
        manifest=manifest,
        signer="somebody",
        bottom_line=BottomLine.TRUSTED,
        store=store,
        thumbnail=b"thumbnail",
        fingerprints=prints
        or (Fingerprint("pdq", "whole", number.to_bytes(32)), Fingerprint("mark.1", "mark", b"sixsix")),
    )


def told(record: Record) -> tuple[object, ...]:
    """All of a record but when it was kept."""
    return (
        record.sha256,
        record.name,
        record.manifest,
        record.signer,
        record.bottom_line,
        record.width,
        record.media_type,
    )


def test_both_keep_find_and_forget_alike(place):
    long = "urn:c2pa:" + "x" * 9_000  # more than a tree of indexes takes
    with open_repository(place) as repository:
        first, new = repository.keep(keepsake(7))
        assert new
        assert repository.keep(keepsake(7, store=b"another")) == (first, False)
        second, new = repository.keep(keepsake(7, manifest=long))
        assert new
        assert second.id > first.id
        assert told(first)[:2] == (f"{7:064x}", "7.jpg\\0\\udcff")
        assert repository.by_sha256(f"{7:064x}".upper()) == (first, second)
        assert repository.by_manifest(long) == (second,)
        assert repository.get(first.id) == first
        assert repository.store(first) == b"store"
        assert repository.thumbnail(first) == b"thumbnail"
        assert set(repository.fingerprints(first)) == set(keepsake(7).fingerprints)
        assert list(repository.values("pdq", "whole")) == [(r.id, (7).to_bytes(32)) for r in (first, second)]
        assert list(repository.values("pdq", "whole", after=first.id)) == [(second.id, (7).to_bytes(32))]
        assert repository.has_marks("mark.1")
        assert repository.by_mark("mark.1", b"sixsix") == (first, second)
        assert repository.by_mark("mark.1", b"others") == ()
        assert list(repository.records()) == [first, second]
        state = repository.state
        assert repository.forget(f"{7:064x}") == 2
        assert (len(repository), repository.forgettings, repository.get(first.id)) == (0, 1, None)
        assert repository.state != state
        assert not repository.has_marks("mark.1")
        with pytest.raises(RepositoryRefused, match="forgotten"):
            repository.store(first)
        third, _ = repository.keep(keepsake(8))
        assert third.id > second.id
        assert repository.forget_older(timedelta(days=1)) == 0
        assert repository.forget_older(timedelta(seconds=-1)) == 1
        for number in (9, 10, 11):
            repository.keep(keepsake(number))
        assert repository.forget(f"{9:064x}", f"{10:064X}", f"{10:064x}", f"{12:064x}") == 2
        assert [record.sha256 for record in repository.records()] == [f"{11:064x}"]


def test_many_records_are_read_in_pages(address, monkeypatch):
    monkeypatch.setattr("assay.provenance.repository.repository._PAGE", 3)
    with open_repository(address) as repository:
        kept = [repository.keep(keepsake(number))[0] for number in range(7)]
        assert list(repository.records()) == kept
        assert [number for number, _ in repository.values("pdq", "whole")] == [record.id for record in kept]


def test_reading_writes_nothing(address):
    with pytest.raises(RepositoryRefused, match="no repository yet"):
        open_repository(address, reading=True)
    with open_repository(address) as repository:
        record, _ = repository.keep(keepsake(1))
    with open_repository(address, reading=True) as reader:
        assert reader.by_sha256(record.sha256) == (record,)
        with pytest.raises(RepositoryRefused, match="read-only"):
            reader.forget(record.sha256)


def test_an_address_is_no_path_and_its_password_no_word(monkeypatch):
    address = "postgresql://somebody:swordfish@127.0.0.1:1/assay"
    monkeypatch.setenv("ASSAY_REPOSITORY", address)
    assert default_place() == address
    assert repository_state() == ""
    with pytest.raises(RepositoryRefused) as refused:
        open_repository()
    assert "postgresql://127.0.0.1/assay" in refused.value.message
    assert "swordfish" not in str(refused.value)


def _write_many(address: str, start: int, count: int) -> None:
    with open_repository(address) as repository:
        for number in range(start, start + count):
            repository.keep(keepsake(number))


def test_an_index_that_follows_several_writers_misses_none(address):
    """Numbers are given before records can be seen: without turns, a later number could appear before an earlier one."""
    writers = [
        multiprocessing.get_context("spawn").Process(target=_write_many, args=(address, 15 * i, 25)) for i in range(3)
    ]
    with open_repository(address) as repository:
        for writer in writers:
            writer.start()
        seen: dict[int, bytes] = {}
        while len(seen) < 55:
            assert any(writer.is_alive() for writer in writers) or len(repository) == 55
            seen |= dict(repository.values("pdq", "whole", after=max(seen, default=0)))
        for writer in writers:
            writer.join()
        assert [writer.exitcode for writer in writers] == [0] * 3
        assert seen == dict(repository.values("pdq", "whole"))


VALUES = st.lists(
    st.one_of(
        st.binary(min_size=32, max_size=32),
        st.integers(0, 255).map(lambda bit: (1 << bit).to_bytes(32)),  # near one another, with ties
    ),
    max_size=12,
)


@needs_vector
@given(
    VALUES,
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3),
    st.integers(0, 256),
    st.integers(1, 4),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_database_and_pgvector_give_equal_answers(tmp_path_factory, running, home, values, queries, within, most):
    """pgvector is kept from its index here, so that what is compared is its distances and our statement."""
    asked = [*queries, bytes(32)]
    with (
        Repository(tmp_path_factory.mktemp("r") / "r.sqlite") as file,
        open_repository(running.fresh(f"assay_{secrets.token_hex(6)}")) as shared,
    ):
        assert isinstance(shared, PostgresRepository)
        for number, value in enumerate(values):
            for repository in (file, shared):
                repository.keep(keepsake(number, prints=(Fingerprint("pdq", "whole", value),)))
        numbers = {record.id: place for place, record in enumerate(shared.records())}
        embedded = HammingIndex(file, "pdq", "whole").nearest(asked, within=within, most=most)
        followed = index_of(shared, "pdq", "whole")
        assert isinstance(followed, HammingIndex)
        told = [(hit.query, hit.record - 1, hit.distance) for hit in embedded]
        found = followed.nearest(asked, within=within, most=most)
        assert [(hit.query, numbers[hit.record], hit.distance) for hit in found] == told
        shared.index(approximate=True)
        asking = index_of(shared, "pdq", "whole")
        assert isinstance(asking, DatabaseIndex)
        shared._base.execute("SET enable_indexscan = off")
        found = asking.nearest(asked, within=within, most=most)
        # Of equally near ones at the limit of `most` either may be named.
        assert [(hit.query, hit.distance) for hit in found] == [(query, distance) for query, _, distance in told]
        exact = {(query, record): distance for query, record, distance in _all(values, asked)}
        assert all(exact[hit.query, numbers[hit.record]] == hit.distance for hit in found)


def _all(values: list[bytes], queries: list[bytes]) -> list[tuple[int, int, int]]:
    return [
        (q, v, (int.from_bytes(query) ^ int.from_bytes(value)).bit_count())
        for q, query in enumerate(queries)
        for v, value in enumerate(values)
    ]


@needs_vector
def test_pgvectors_index_finds_copies_among_many(address):
    chance = np.random.default_rng(5)
    values = [chance.bytes(32) for _ in range(600)]
    with open_repository(address) as repository:
        assert isinstance(repository, PostgresRepository)
        repository.index(approximate=True)
        repository.index(approximate=True)  # anew
        for number, value in enumerate(values):
            repository.keep(keepsake(number, prints=(Fingerprint("pdq", "whole", value),)))
        noise = [sum(1 << int(bit) for bit in chance.choice(256, 20, replace=False)) for _ in values]
        copies = [(int.from_bytes(v) ^ n).to_bytes(32) for v, n in zip(values, noise, strict=True)]
        repository._base.execute("SET enable_seqscan = off")
        hits = index_of(repository, "pdq", "whole").nearest(copies[:100], within=31, most=1)
        assert sum(hit.distance == 20 for hit in hits) >= 95
        repository.index(approximate=False)
        assert isinstance(index_of(repository, "pdq", "whole"), HammingIndex)
    with open_repository(address) as again:
        assert isinstance(index_of(again, "pdq", "whole"), HammingIndex)


def test_each_machine_keeps_an_index_of_its_own_and_drops_what_was_forgotten(address, home, monkeypatch):
    monkeypatch.setattr("assay.detectors.fingerprints.index._LOOSE", 2)
    query = [(3).to_bytes(32)]
    with open_repository(address) as one, open_repository(address, reading=True) as other:
        for number in range(5):
            one.keep(keepsake(number))
        here, there = index_of(one, "pdq", "whole"), index_of(other, "pdq", "whole")
        assert here.nearest(query, within=0, most=1) == there.nearest(query, within=0, most=1) != ()
        assert list((home / "repository-index").rglob("*.npy"))
        one.forget(f"{3:064x}")
        assert not list((home / "repository-index").rglob("*.npy"))
        assert here.nearest(query, within=0, most=1) == there.nearest(query, within=0, most=1) == ()
