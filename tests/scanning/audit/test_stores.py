"""A bucket is listed and read through a real S3 server on loopback; those of Google and Azure through theirs, where installed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from misbehaving import misbehaving
from s3_server import s3_server
from store_servers import azure_server, google_server

from assay.commands.audit import audit
from assay.commands.outcome import EXIT_FAILURE
from assay.provenance.asset import Limits
from assay.provenance.errors import AssayError
from assay.scanning.audit.engine import Audit
from assay.scanning.audit.ledger import Ledger, Version
from assay.scanning.audit.sources import Item, items
from assay.scanning.worker import Pool

pytest.importorskip("obstore")
pytest.importorskip("moto")

VERSION = Version("assay 1", "", "lists")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server():
        _fill("pictures")
        yield "s3://pictures"


def _fill(name: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket=name)
    for number in range(30):
        client.put_object(Bucket=name, Key=f"a/{number:02}.jpg", Body=b"picture %d" % (number % 25))
    client.put_object(Bucket=name, Key="a/notes.txt", Body=b"words")
    client.put_object(Bucket=name, Key="b/large.png", Body=bytes(5000))
    client.put_object(Bucket=name, Key="b/ünïcode key.png", Body=b"picture x")


def test_a_prefix_gives_its_images_lazily_and_in_order(bucket: str) -> None:
    found = list(items([f"{bucket}/a"]))
    assert [item.name for item in found] == [f"s3://pictures/a/{number:02}.jpg" for number in range(30)]
    assert found[3].read() == b"picture 3"
    assert found[0].fingerprint
    assert found[0].size == len(b"picture 0")
    assert found[0].date.startswith("20")


def test_exclusions_odd_keys_and_single_objects(bucket: str) -> None:
    assert [item.name for item in items([bucket], exclude=["a/"])] == [
        "s3://pictures/b/large.png",
        "s3://pictures/b/ünïcode key.png",
    ]
    (one,) = items([f"{bucket}/b/ünïcode key.png"])
    assert one.read() == b"picture x"


def _refusal(item: Item) -> str:
    with pytest.raises(AssayError) as failure:
        item.read()
    return failure.value.message


def test_what_cannot_be_listed_or_read_is_an_item_that_says_so(bucket: str) -> None:
    (missing,) = items(["s3://no-such-bucket/x"])
    assert "cannot be listed" in _refusal(missing)
    (large,) = items([f"{bucket}/b/large.png"], limits=Limits(bytes=100))
    assert "exceed the limit" in _refusal(large)


def test_a_prefix_under_which_there_is_nothing_says_so_beside_others_too(bucket: str, tmp_path: Path) -> None:
    *found, missing = items([f"{bucket}/a", f"{bucket}/A/"])
    assert len(found) == 30
    assert "s3://pictures/A/: no object lies under this prefix" in _refusal(missing)
    assert list(items([f"{bucket}/a"], exclude=["*.jpg"])) == []  # there is something, and none of it is asked for
    done = CliRunner().invoke(audit, [f"{bucket}/A", "--no-pixels", "--ledger", str(tmp_path / "ledger"), "-q"])
    assert done.exit_code == EXIT_FAILURE
    assert "no object lies under this prefix; its case counts" in done.output


def test_a_bucket_is_audited_and_remembered(bucket: str, tmp_path: Path) -> None:
    def run() -> tuple[list[str], int, int]:
        with Ledger(tmp_path / "ledger", VERSION) as kept, Pool(misbehaving, size=1) as pool:
            work = Audit(items([f"{bucket}/a"]), ledger=kept, pool=pool)
            rows = list(work)
        return [row.to_json() for row in rows], sum(bool(row.duplicate_of) for row in rows), work.examined

    first, copies, examined = run()
    assert (len(first), copies, examined) == (30, 5, 25)
    assert run() == (first, 5, 0)


@pytest.fixture(params=["gs", "az"])
def other_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    server = google_server("pictures") if request.param == "gs" else azure_server("pictures", tmp_path / "azure")
    with server as put:
        for key in ("a/00.jpg", "a/01.jpg", "a/01.jpg.c2pa", "a/notes.txt", "b/ünïcode key.png"):
            put(key, f"content of {key}".encode())
        yield f"{request.param}://pictures"


def test_google_and_azure_are_listed_and_read_like_s3(other_store: str) -> None:
    found = list(items([other_store]))
    assert [item.name.removeprefix(other_store) for item in found] == ["/a/00.jpg", "/a/01.jpg", "/b/ünïcode key.png"]
    assert found[0].read() == b"content of a/00.jpg"
    assert all(item.fingerprint and item.date for item in found)
    assert [item.beside is not None for item in found] == [False, True, False]
    assert found[1].beside is not None
    beside = found[1].beside()
    assert beside is not None
    assert beside.store == b"content of a/01.jpg.c2pa"
    (one,) = items([f"{other_store}/b/ünïcode key.png"])
    assert one.read() == "content of b/ünïcode key.png".encode()
    (missing,) = items([f"{other_store.partition('://')[0]}://nowhere/x"])
    assert "cannot be listed" in _refusal(missing)
