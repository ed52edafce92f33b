"""Nearest fingerprints by the exact index, by PostgreSQL's own comparing, and by pgvector's HNSW: milliseconds, copies found.

    python benchmarks/nearest.py REPOSITORY postgresql://… [--most 100000] [--queries 60]

REPOSITORY is a file that `benchmarks/recovery.py` or `assay repository add` filled; the database must be empty and have pgvector 0.7 or later.
Its PDQ fingerprints of whole pictures are copied there. A query is one of them with 20, 40, 60 or 80 bits turned by lot; it is found if its original
is among the twelve nearest. Milliseconds are processor time, of this process and of the database's, which must be on this machine (Linux).
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from assay.detectors.fingerprints.index import HammingIndex
from assay.detectors.fingerprints.pdq import BITS, PDQ
from assay.provenance.repository import Repository
from assay.provenance.repository.postgres import PostgresRepository

TURNED = (20, 40, 60, 80)
LOOKS, WITHIN = 12, 94  # of a search by looks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("address")
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=60)
    options = parser.parse_args()
    chance = random.Random(1)
    with Repository(options.repository, reading=True) as file, PostgresRepository(options.address) as shared:
        values = [pair for pair, _ in zip(file.values(PDQ, "whole"), range(options.most), strict=False)]
        base = shared._base
        with (
            base.cursor() as cursor,
            cursor.copy("COPY fingerprint (record, algorithm, region, value) FROM STDIN") as rows,
        ):
            for number, value in values:
                rows.write_row((number, PDQ, "whole", value))
        base.execute("ANALYZE fingerprint")
        picked = chance.sample(values, options.queries)
        queries = {bits: [(number, turned(value, bits, chance)) for number, value in picked] for bits in TURNED}
        spent = Spent(base.info.backend_pid)
        print(f"{len(values):,} fingerprints, {options.queries} queries for each number of turned bits")
        index = HammingIndex(file, PDQ, "whole")
        index.nearest([bytes(32)], within=0, most=1)
        told(
            spent,
            "exact index",
            queries,
            lambda one: [hit.record for hit in index.nearest([one], within=WITHIN, most=LOOKS)],
        )
        base.execute("SET max_parallel_workers_per_gather = 0")
        few = {bits: asked[:5] for bits, asked in queries.items()}
        base.execute("CREATE EXTENSION IF NOT EXISTS vector")
        for name, operator in (("bit_count(a # b)", "bit_count(bits # {0})"), ("a <~> b", "bits <~> {0}")):
            statement = (
                f"SELECT record FROM fingerprint WHERE algorithm = '{PDQ}' AND region = 'whole'"
                f" ORDER BY {operator.format('%s::bit(256)')}, record LIMIT {LOOKS}"
            )
            told(spent, f"PostgreSQL, every one by {name}", few, lambda one, said=statement: asked_of(base, said, one))
        start = spent()
        shared.index(approximate=True)
        print(f"pgvector's indexes were made in {spent() - start:.0f} s")
        statement = (
            f"SELECT record FROM fingerprint WHERE algorithm = '{PDQ}' AND region = 'whole'"
            f" ORDER BY bits <~> %s::bit(256) LIMIT {LOOKS}"
        )
        for width in (100, 200, 400):
            base.execute(f"SET hnsw.ef_search = {width}")
            told(spent, f"pgvector, ef_search {width}", queries, lambda one, said=statement: asked_of(base, said, one))


def asked_of(base: object, statement: str, query: bytes) -> Iterator[int]:
    rows = base.execute(statement, (f"{int.from_bytes(query):0256b}",))  # type: ignore[attr-defined]
    return (number for (number,) in rows)


def turned(value: bytes, bits: int, chance: random.Random) -> bytes:
    mask = sum(1 << bit for bit in chance.sample(range(BITS), bits))
    return (int.from_bytes(value) ^ mask).to_bytes(32)


class Spent:
    """Seconds of processor time that this process and one of the database have used."""

    def __init__(self, process: int) -> None:
        self._stat = Path(f"/proc/{process}/stat")

    def __call__(self) -> float:
        ticks = self._stat.read_text().rpartition(")")[2].split()[11:13]  # utime, stime: proc(5)
        return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def told(
    spent: Spent, name: str, queries: dict[int, list[tuple[int, bytes]]], nearest: Callable[[bytes], Iterable[int]]
) -> None:
    """One line: what a query costs, and how many originals are found for each number of turned bits."""
    start = spent()
    found = {bits: sum(number in list(nearest(one)) for number, one in asked) for bits, asked in queries.items()}
    each = 1e3 * (spent() - start) / sum(map(len, queries.values()))
    shares = ", ".join(f"{bits} bits: {hits} of {len(queries[bits])}" for bits, hits in found.items())
    print(f"{name}: {each:.2f} ms; {shares}", flush=True)


if __name__ == "__main__":
    main()
