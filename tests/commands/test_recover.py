"""`assay sign --remember`, `assay repository`, `assay recover`: a stripped copy finds its way back."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from photograph_like import jpeg_asset, photograph
from postgresql import cluster, has_vector

from assay.cli import assay

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "repository.sqlite"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(jpeg_asset(photograph(1)).content)
    (tmp_path / "copy.jpg").write_bytes(jpeg_asset(photograph(1).resize((400, 300)), quality=60).content)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(assay, list(arguments))


def test_from_signing_to_forgetting(folder: Path) -> None:
    refused = run("recover", "copy.jpg")
    assert "there is no repository yet" in str(refused.exception)
    done = run("sign", "photo.jpg", "-o", "signed.jpg", "--remember", "--soft-binding")
    assert done.exit_code == 0, done.output
    assert "remembered" in done.stderr
    again = run("repository", "add", "signed.jpg", "copy.jpg")
    assert "0 remembered, 1 known already, 1 without a manifest that holds, 0 failed" in again.output
    found = run("recover", "copy.jpg", "--format", "json", "--save", "found.c2pa")
    assert found.exit_code == 0, found.output
    (best,) = json.loads(found.stdout)["found"]
    (listed,) = [json.loads(line) for line in run("repository", "list", "--format", "json").stdout.splitlines()]
    assert best["original"]["sha256"] == listed["sha256"]
    checked = run("verify", "signed.jpg", "--sidecar", "found.c2pa", "--require", "valid")
    assert checked.exit_code == 0, checked.output
    text = run("recover", "copy.jpg").stdout
    assert "proved" in text
    assert "only likely" in text
    assert run("recover", "copy.jpg", "-o", "page.html", "--format", "html").exit_code == 0
    assert "Only likely" in (folder / "page.html").read_text()
    assert run("repository", "forget", "signed.jpg").stdout == "1 forgotten\n"
    assert run("repository", "forget", "signed.jpg").exit_code == 3
    assert run("recover", "copy.jpg").exit_code == 3


def test_where_nothing_could_be_read_no_output_takes_the_name(folder: Path) -> None:
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
    (folder / "broken.jpg").write_bytes(b"no picture")
    for form in ("html", "json"):
        assert run("recover", "broken.jpg", "-o", f"page.{form}", "--format", form).exit_code == 1
        assert not (folder / f"page.{form}").exists()
    assert run("recover", "broken.jpg", "copy.jpg", "-o", "page.html", "--format", "html").exit_code == 1
    assert "Only likely" in (folder / "page.html").read_text()


def test_a_damaged_record_fails_the_pictures_that_come_to_it_and_they_are_named(folder: Path) -> None:
    for number in (1, 2):
        (folder / f"{number}.jpg").write_bytes(jpeg_asset(photograph(number)).content)
        run("sign", f"{number}.jpg", "-o", f"signed-{number}.jpg", "--remember")
    base = sqlite3.connect(folder / "repository.sqlite")
    with base:
        base.execute("UPDATE record SET thumbnail = substr(thumbnail, 1, 900) WHERE id = 1")
    base.close()
    done = run("recover", "copy.jpg", "2.jpg", "--format", "json")
    assert done.exit_code == 1
    assert "copy.jpg: not searched for: " in done.stderr
    assert "is damaged" in done.stderr
    (answered,) = done.stdout.splitlines()
    assert json.loads(answered)["found"][0]["original"]["name"] == "2.jpg"


def test_a_store_is_saved_of_one_picture_to_a_new_file(folder: Path) -> None:
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
    (folder / "in").mkdir()
    (folder / "copy.jpg").rename(folder / "in" / "copy.jpg")
    assert run("recover", "in", "--save", "one.c2pa").exit_code == 0
    taken = run("recover", "in", "--save", "one.c2pa")
    assert "one.c2pa: exists already" in str(taken.exception)
    assert taken.stdout == ""  # refused before the search
    (folder / "photo.jpg").rename(folder / "in" / "other.jpg")
    several = run("recover", "in", "--save", "two.c2pa")
    assert several.exit_code == 2
    assert "--save takes the store of one picture" in several.stderr
    assert not (folder / "two.c2pa").exists()


def test_what_only_reads_changes_no_repository_and_keeps_an_index_where_it_can(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.detectors.fingerprints.index._LOOSE", 0)
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
    kept, index = folder / "repository.sqlite", folder / "repository.sqlite-index"
    kept.chmod(0o440)
    before = kept.read_bytes()
    index.write_bytes(b"in the way, as a disk that is full or read-only")
    assert run("repository", "list").stdout.count("photo.jpg") == 1
    assert run("recover", "copy.jpg").exit_code == 0
    index.unlink()
    assert run("recover", "copy.jpg").exit_code == 0
    assert list(index.glob("*.npy"))
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (before, 0o440)


def test_forgetting_needs_to_be_told_what(folder: Path) -> None:
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
    assert run("repository", "forget").exit_code == 2
    assert run("repository", "forget", "--older-than", "1").exit_code == 3
    assert run("repository", "forget", "--older-than", "0").exit_code == 0


def test_two_machines_share_what_they_remember(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(vector=has_vector()) as running:
        monkeypatch.setenv("ASSAY_REPOSITORY", running.url)
        monkeypatch.setenv("ASSAY_HOME", str(folder / "one"))
        done = run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
        assert "remembered" in done.stderr, done.output
        monkeypatch.setenv("ASSAY_HOME", str(folder / "other"))
        found = run("recover", "copy.jpg", "--format", "json")
        assert found.exit_code == 0, found.output
        assert json.loads(found.stdout)["found"][0]["original"]["name"] == "photo.jpg"
        if has_vector():
            assert run("repository", "index", "--approximate").stdout == "searched by pgvector from now on\n"
            assert run("recover", "copy.jpg").exit_code == 0
        assert run("repository", "index", "--exact").stdout == "searched exactly from now on\n"
        assert run("repository", "list").stdout.count("photo.jpg") == 1
        assert run("repository", "forget", "signed.jpg").exit_code == 0
        assert run("recover", "copy.jpg").exit_code == 3


def test_only_a_database_has_a_choice_of_index(folder: Path) -> None:
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")
    assert run("repository", "index", "--approximate").exit_code == 2
