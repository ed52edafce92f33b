"""Targets become files: everything named, and in folders whatever is or calls itself an image."""

from pathlib import Path

import pytest
from outcomes import picture

from assay.scanning import walking
from assay.scanning.walking import files


def test_named_files_are_given_whatever_they_are(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    missing = tmp_path / "missing.jpg"
    assert list(files([text, missing])) == [text, missing]


def test_a_folder_gives_images_by_content_and_by_name_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "no-ending").write_bytes(picture())
    (tmp_path / "a.jpg").write_text("no image, but calls itself one")
    (tmp_path / "README.md").write_text("# hello")
    (tmp_path / ".hidden.png").write_bytes(picture())
    assert [path.relative_to(tmp_path).as_posix() for path in files([tmp_path])] == ["a.jpg", "b/no-ending"]


def test_no_link_is_followed_out_of_the_tree(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "x.png").write_bytes(picture())
    (inside / "folder").symlink_to(outside)
    (inside / "file.png").symlink_to(outside / "x.png")
    assert list(files([inside])) == []


def test_lines_of_an_ignore_file_that_are_no_patterns_exclude_nothing_and_lose_nothing(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(picture())
    (tmp_path / ".assayignore").write_bytes(b"caf\xe9/\n!\nb*\n")
    assert [path.name for path in files([tmp_path])] == ["a.png", "c.png"]


def test_an_ignore_file_that_cannot_be_read_says_so_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(path)

    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / ".assayignore").write_text("a*")
    monkeypatch.setattr(Path, "read_bytes", denied)
    monkeypatch.setattr(walking, "_worth_opening", lambda path: True)  # as when it cannot be opened either
    assert [path.name for path in files([tmp_path])] == [".assayignore", "a.png"]
