"""A manifest beside a file speaks for it in audits as it does when the file is verified alone: folder, archive, bucket."""

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import custody_assets as made
import pytest
from s3_server import s3_server

from assay.provenance.errors import UnreadableFile
from assay.provenance.trust import TrustPolicy
from assay.scanning.audit.engine import Audit
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.ledger import Ledger
from assay.scanning.audit.reading import _MARK, read
from assay.scanning.audit.row import Row
from assay.scanning.audit.sources import Item, items
from assay.scanning.cluster import _portable
from assay.scanning.worker import Pool

ROOT = made.authority()
SIGNER = made.leaf(ROOT)
POLICY = TrustPolicy(lists=(made.trust_list(ROOT),))
SCANNING = Scanning(model=None, policy=POLICY)
JPEG = made.encoded(made.picture())
EXPECTED = {
    "full.jpg": "trusted",
    "stem.jpg": "trusted",
    "bare.jpg": "no-manifest",  # the same bytes, and nothing beside them
    "changed.jpg": "tampered",
    "two/a.jpg": "trusted",
    "two/a.png": "no-manifest",  # the sidecar was made for its namesake
}


@pytest.fixture(scope="module")
def store() -> bytes:
    return made.sign(JPEG, made.created(), SIGNER, embed=False).store


@pytest.fixture(scope="module")
def contents(store: bytes) -> dict[str, bytes]:
    """By name; pictures lie before and behind their sidecars."""
    return {
        "stem.c2pa": store,
        "full.jpg": JPEG,
        "stem.jpg": JPEG,
        "bare.jpg": JPEG,
        "changed.jpg": JPEG + b"!",
        "two/a.jpg": JPEG,
        "two/a.png": made.encoded(made.picture(), "PNG"),
        "two/a.c2pa": store,
        "full.jpg.c2pa": store,
        "changed.jpg.c2pa": store,
    }


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(SCANNING, size=1) as pool:
        yield pool


def audited(pool: Pool, *targets: Path | str, ledger: Path | None = None) -> tuple[list[Row], int]:
    with Ledger(ledger, SCANNING.version()) as kept:
        audit = Audit(items(map(str, targets)), ledger=kept, pool=pool)
        return list(audit), audit.examined


def told(rows: list[Row], root: str) -> dict[str, str | None]:
    return {row.name.removeprefix(root): row.custody for row in rows}


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1_000_000_000, 1_000_000_000))
    return folder


def test_in_folders_and_globs(contents: dict[str, bytes], pool: Pool, tmp_path: Path) -> None:
    folder = fill(tmp_path / "pictures", contents)
    rows, examined = audited(pool, folder)
    assert told(rows, f"{folder}/") == EXPECTED
    assert examined == 5  # full.jpg and stem.jpg are one question; two/a.jpg might have been another's
    assert told(audited(pool, folder / "*")[0], f"{folder}/") == EXPECTED  # the glob names the sidecars, too
    (alone,) = items([str(folder / "lone.c2pa")])
    assert alone.name.endswith("lone.c2pa")  # beside nothing: told to be no picture


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_in_archives(ending: str, contents: dict[str, bytes], pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / f"pictures.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if ending == "tar.gz" else "w") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    assert told(audited(pool, path)[0], f"{path}!") == EXPECTED
    for item in items([str(path)]):  # to another machine, and read there
        there: Item = pickle.loads(_portable(item))
        assert read(there) == read(item)


def test_in_buckets(contents: dict[str, bytes], pool: Pool) -> None:
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    import boto3

    with s3_server() as endpoint:
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket="sidecars")
        for name, content in contents.items():
            client.put_object(Bucket="sidecars", Key=name, Body=content)
        assert told(audited(pool, "s3://sidecars")[0], "s3://sidecars/") == EXPECTED
        for name, custody in EXPECTED.items():  # a single object's sidecar is asked for by name
            assert told(audited(pool, f"s3://sidecars/{name}")[0], "s3://sidecars/") == {name: custody}


def test_a_changed_sidecar_is_examined_again_and_an_unchanged_one_is_not(
    contents: dict[str, bytes], pool: Pool, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "pictures", contents)
    ledger = tmp_path / "ledger"
    first, _ = audited(pool, folder, ledger=ledger)
    assert audited(pool, folder, ledger=ledger) == (first, 0)
    stranger = made.leaf(made.authority("Unknown Root"), "Stranger")
    (folder / "full.jpg.c2pa").write_bytes(made.sign(JPEG, made.created(), stranger, embed=False).store)
    rows, examined = audited(pool, folder, ledger=ledger)
    (full,) = (row for row in rows if row.name.endswith("full.jpg"))
    assert (full.signer, examined) == ("Stranger", 1)
    (folder / "full.jpg.c2pa").unlink()
    rows, examined = audited(pool, folder, ledger=ledger)
    assert told(rows, f"{folder}/") == EXPECTED | {"full.jpg": "no-manifest"}
    assert examined == 0  # that is what bare.jpg said


def test_a_sidecar_that_cannot_be_read_is_told_and_not_remembered(
    contents: dict[str, bytes], pool: Pool, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "pictures", {"full.jpg": JPEG, "full.jpg.c2pa": contents["full.jpg.c2pa"]})
    ledger = tmp_path / "ledger"

    def refuse() -> None:
        raise UnreadableFile("full.jpg.c2pa: permission denied")

    (item,) = items([str(folder)])
    with Ledger(ledger, SCANNING.version()) as kept:
        (row,) = Audit([replace(item, beside=refuse)], ledger=kept, pool=pool)
    assert (row.error, row.conditions) == ("UnreadableFile", ("unreadable",))
    assert "permission denied" in row.headline
    ((again,), examined) = audited(pool, folder, ledger=ledger)
    assert (again.custody, examined) == ("trusted", 1)


def test_a_file_that_pretends_to_be_a_question_is_a_file(pool: Pool) -> None:
    trap = Item("trap.jpg", lambda: _MARK + b"\x00\x00\x00\x02{}")
    with Ledger(None, SCANNING.version()) as kept:
        (row,) = Audit([trap], ledger=kept, pool=pool)
    assert row.error == "UnsupportedFormat"
