"""Targets become items: lazily, bounded, never outside what was named."""

import bz2
import gc
import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from outcomes import picture

from assay.provenance.asset import Limits
from assay.provenance.errors import AssayError
from assay.scanning.audit import archives
from assay.scanning.audit.sources import Item, items, paths_of


def names(*targets: Path | str, **options: object) -> list[str]:
    return [item.name for item in items(map(str, targets), **options)]  # type: ignore[arg-type]


def refusal(item: Item) -> str:
    with pytest.raises(AssayError) as failure:
        item.read()
    return failure.value.message


def test_ignore_files_and_exclusions_hold_below_their_folder(tmp_path: Path) -> None:
    for name in ("keep.png", "drafts/a.png", "deep/drafts/b.png", "deep/c.png", "deep/kept-draft.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture())
    (tmp_path / ".assayignore").write_text("/drafts/\n*-draft.png\n")
    (tmp_path / "deep" / ".assayignore").write_text("!kept-draft.png\n")
    found = [Path(name).relative_to(tmp_path).as_posix() for name in names(tmp_path, exclude=["c.png"])]
    assert found == ["deep/drafts/b.png", "deep/kept-draft.png", "keep.png"]


def test_globs_are_expanded_and_a_name_that_looks_like_one_is_a_name(tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b[1].png"):
        (tmp_path / name).write_bytes(picture())
    assert names(tmp_path / "a*.png") == [str(tmp_path / "a1.png"), str(tmp_path / "a2.png")]
    assert names(tmp_path / "b[1].png") == [str(tmp_path / "b[1].png")]
    assert names(tmp_path / "none*.png") == [str(tmp_path / "none*.png")]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.png", ["a/plain.png", "a/s/b[1]/deep.png", "a/s/near.png"]),
        ("a/**/*.png", ["a/plain.png", "a/s/b[1]/deep.png", "a/s/near.png"]),
        ("a/**", ["a/plain.png", "a/s/b[1]/deep.png", "a/s/near.png", "a/s/words.txt"]),
        ("a/**/", ["a/plain.png", "a/s/b[1]/deep.png", "a/s/near.png"]),
        ("a/**/*", ["a/plain.png", "a/s/b[1]/deep.png", "a/s/near.png", "a/s/words.txt"]),
        ("a/**/*/", ["a/s/b[1]/deep.png", "a/s/near.png"]),
        ("**/s/**/*.png", ["a/s/b[1]/deep.png", "a/s/near.png"]),
        ("l*/**/near.png", ["link/s/near.png"]),
        ("**/.hidden/*.png", ["a/.hidden/a.png"]),
        ("**/n**", ["a/s/near.png"]),
        ("**/none*", ["**/none*"]),
    ],
)
def test_a_glob_of_any_depth_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    for name in ("plain.png", "s/near.png", "s/b[1]/deep.png", "s/words.txt", ".hidden/a.png"):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_bytes(b"words" if name.endswith("txt") else picture())
    for link, place in (("a/loop", "."), ("a/other", "."), ("a/s/up", ".."), ("a/s/side", "../s"), ("link", "a")):
        (tmp_path / link).symlink_to(place)
    monkeypatch.chdir(tmp_path)
    absolute = [str(tmp_path / name) for name in found]
    assert sorted({*names(pattern)}) == found
    assert sorted({*names(f"{tmp_path}/{pattern}")}) == absolute
    assert len([*paths_of(pattern)]) == len({*paths_of(pattern)})


def test_a_very_deep_tree_is_walked(tmp_path: Path) -> None:
    here = Path.cwd()
    os.chdir(tmp_path)
    depth = 1200  # deeper than Python's stack
    try:
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("x.png").write_bytes(picture())
        found = names(tmp_path)
        Path("x.png").unlink()
    finally:
        for _ in range(depth):  # or whoever removes temporary folders breaks on it
            os.chdir("..")
            Path("d").rmdir()
        os.chdir(here)
    assert [name[-7:] for name in found] == ["d/x.png"]


def test_a_fingerprint_changes_with_the_content_even_if_the_date_is_set_back(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(picture("red"))
    (before,) = items([str(file)])
    status = file.stat()
    file.write_bytes(picture("blue"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    (after,) = items([str(file)])
    assert before.modified == after.modified
    assert before.fingerprint != after.fingerprint


def test_files_that_vanish_shrink_in_permission_or_are_too_large_say_so(tmp_path: Path) -> None:
    for name in ("gone.png", "large.png"):
        (tmp_path / name).write_bytes(picture())
    gone, large = items([str(tmp_path)], limits=Limits(bytes=20))
    (tmp_path / "gone.png").unlink()
    assert "no such file" in refusal(gone)
    assert "exceed the limit" in refusal(large)


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a.png", picture("red"))
        archive.writestr("../../escape.png", picture("blue"))
        archive.writestr("nested.zip", b"PK\x03\x04")
        archive.writestr("README.md", "# no image")
        archive.writestr("no-ending", picture("green"))
    return path


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (
            ("in/a.png", picture("red")),
            ("/abs/b.png", picture("blue")),
            ("n.tar", b"x"),
            ("c.txt", b"words"),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_700_000_000
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_a_zip_gives_its_images_and_a_word_on_what_is_not_opened(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip")
    found = {item.name.partition("!")[2]: item for item in items([str(path)])}
    assert list(found) == ["in/a.png", "../../escape.png", "nested.zip", "no-ending"]
    assert found["in/a.png"].read() == picture("red")
    assert found["../../escape.png"].read() == picture("blue")
    assert "archive in an archive" in refusal(found["nested.zip"])
    assert [path.name for path in tmp_path.iterdir()] == ["z.zip"]


def test_a_bomb_is_given_up_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SLACK", 1_000_000)
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", picture())
        for number in range(3):
            archive.writestr(f"{number}.png", bytes(10_000_000))
    *found, last = items([str(tmp_path / "z.zip")])
    assert [item.name.partition("!")[2] for item in found] == ["a.png"]
    assert "bytes in all members exceed" in refusal(last)


def header(kind: bytes, size: int, name: str = "a.png") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, size
    return made


def sparse(size: int, *, whole: int, more: bool = False) -> bytes:
    """A sparse file's header in the old layout of GNU tar: `size` bytes are there of `whole`; `more` of its map follows."""
    block = bytearray(header(tarfile.GNUTYPE_SPARSE, size).tobuf(tarfile.GNU_FORMAT))
    block[482] = more
    block[483:495] = b"%011o\0" % whole
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * ord(" ") + sum(block[156:512]))
    return bytes(block)


def attributes(**given: str) -> bytes:
    made = tarfile.TarInfo("a.png")
    made.size, made.pax_headers = 512, {name.replace("_", "."): value for name, value in given.items()}
    return made.tobuf(tarfile.PAX_FORMAT)


ROOM = 400_000  # bytes of one member's headers: more than the test lets be held
MAP = (b"%011o\0" % 1 * 42 + b"\1").ljust(512, b"\0")  # a piece of it, after which another follows
SWOLLEN = {
    "long name": header(tarfile.GNUTYPE_LONGNAME, ROOM).tobuf(tarfile.GNU_FORMAT) + bytes(ROOM),
    "long link": header(tarfile.GNUTYPE_LONGLINK, ROOM).tobuf(tarfile.GNU_FORMAT) + bytes(ROOM),
    "attributes": header(tarfile.XHDTYPE, ROOM).tobuf(tarfile.GNU_FORMAT) + bytes(ROOM),
    "attributes of all": header(tarfile.XGLTYPE, ROOM).tobuf(tarfile.GNU_FORMAT) + bytes(ROOM),
    "sparse map": sparse(0, whole=1, more=True) + MAP * (ROOM // 512),
    "sparse map of zeros": sparse(0, whole=1, more=True) + (bytes(504) + b"\1" + bytes(7)) * (ROOM // 512),
    "sparse map 1.0": attributes(GNU_sparse_major="1", GNU_sparse_minor="0") + b"9999999\n" + b"1\n" * (ROOM // 2),
}


@pytest.mark.parametrize("kind", SWOLLEN)
def test_a_tar_whose_headers_would_fill_the_memory_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(archives, "_HEADER", 100_000)
    (tmp_path / "t.tar.bz2").write_bytes(bz2.compress(SWOLLEN[kind], 1))
    tracemalloc.start()
    try:
        (item,) = items([str(tmp_path / "t.tar.bz2")])
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
    assert "bytes of one member's headers exceed the limit of 100,000; the rest of the archive was not" in refusal(item)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (sparse(2**60, whole=1), "bytes in all members"),  # it would be passed over for hours
        (sparse(0, whole=1, more=True) + b"\1" * 100, "a broken archive"),
        (attributes(size="-1000000000000000000"), "a broken archive"),
    ],
)
def test_a_tar_whose_sizes_are_lies_is_given_up(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.tar").write_bytes(content)
    *_, last = items([str(tmp_path / "t.tar")])
    assert said in refusal(last)


def test_names_and_attributes_of_a_tar_are_bounded_in_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "NAMES", 5_000)
    with tarfile.open(tmp_path / "names.tar", "w") as archive:
        for number in range(8):
            archive.addfile(tarfile.TarInfo(f"{number}{'x' * 900}.png"))
    common = {f"assay.{number}": "x" * 900 for number in range(100)}
    with tarfile.open(tmp_path / "attributes.tar", "w", pax_headers=common) as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    (long,), (wide,) = items([str(tmp_path / "names.tar")]), items([str(tmp_path / "attributes.tar")])
    assert "characters of names exceed the limit of 5,000" in refusal(long)
    assert "characters of attributes of all members exceed" in refusal(wide)


@pytest.mark.parametrize(
    ("bound", "said"), [("ENTRIES", "4 members exceed"), ("NAMES", "bytes of its list of members exceed")]
)
def test_the_list_of_a_zip_is_bounded_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, said: str
) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.png", picture())
    assert len(names(tmp_path / "z.zip")) == 4
    monkeypatch.setattr(archives, bound, 3)
    (item,) = items([str(tmp_path / "z.zip")])
    assert said in refusal(item)


def test_long_names_and_attributes_of_a_tar_are_read(tmp_path: Path) -> None:
    name = "long/" * 60 + "é.png"
    for layout in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "t.tar", "w", format=layout) as archive:
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(picture()), {"SCHILY.xattr.user.note": "x" * 1_000_000}
            archive.addfile(member, io.BytesIO(picture()))
        (item,) = items([str(tmp_path / "t.tar")])
        assert (item.name, item.read()) == (f"{tmp_path / 't.tar'}!{name}", picture())


def test_members_of_a_tar_are_not_kept(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for number in range(1000):
            archive.addfile(tarfile.TarInfo(f"{number}.txt"))
        archive.add(Path(__file__), "last.png")
    archive.members.clear()
    for _ in items([str(tmp_path / "t.tar")]):
        assert sum(isinstance(each, tarfile.TarInfo) for each in gc.get_objects()) < 10


def test_a_tar_gives_its_images_and_follows_no_link(tmp_path: Path) -> None:
    path = tarred(tmp_path / "t.tgz")
    found = {item.name.partition("!")[2]: item for item in items([str(path)])}
    assert list(found) == ["in/a.png", "/abs/b.png", "n.tar"]
    assert found["/abs/b.png"].read() == picture("blue")
    assert found["in/a.png"].date == "2023-11-14T22:13:20Z"


def test_archives_in_folders_are_opened_only_when_asked_for(tmp_path: Path) -> None:
    zipped(tmp_path / "z.zip")
    (tmp_path / "a.png").write_bytes(picture())
    assert names(tmp_path) == [str(tmp_path / "a.png")]
    assert str(tmp_path / "z.zip!in/a.png") in names(tmp_path, inside_archives=True)


@pytest.mark.parametrize("name", ["a.7z", "a.RAR", "a.tar.zst"])
def test_an_archive_of_a_kind_that_is_not_opened_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert names(tmp_path) == []
    for target, asked in ((path, False), (tmp_path, True)):
        (item,) = items([str(target)], inside_archives=asked)
        assert item.name == str(path)
        assert "an archive of a kind that is not opened" in refusal(item)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(path, name)
    with tarfile.open(tmp_path / "outer.tar", "w") as tar:
        tar.add(path, name)
    for outer in ("outer.zip", "outer.tar"):
        (item,) = items([str(tmp_path / outer)])
        assert "archive in an archive" in refusal(item)


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar.gz"])
def test_a_broken_archive_is_one_item_that_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04 no archive at all")
    (item,) = items([str(path)])
    assert "broken archive" in refusal(item)


def plain_tar(*contents: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("how", ["a damaged header", "cut between members", "cut within a header"])
def test_a_tar_whose_next_header_is_not_whole_does_not_count_as_ended(tmp_path: Path, how: str) -> None:
    whole = plain_tar(picture("red"), picture("blue"))
    second = whole.index(b"1.png")
    broken = {
        "a damaged header": whole[: second + 150] + b"\xff" + whole[second + 151 :],
        "cut between members": whole[:second],
        "cut within a header": whole[: second + 100],
    }
    path = tmp_path / "t.tar"
    path.write_bytes(broken[how])
    first, last = items([str(path)])
    assert (first.name, last.name) == (f"{path}!0.png", str(path))
    assert "broken archive" in refusal(last)


@pytest.mark.parametrize("name", ["twice.zip", "twice.tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_all_examined(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    given = [("a.png", "red"), ("a.png", "blue"), ("#2!a.png", "green"), ("a.png", "white")]
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for member, colour in given:
                archive.writestr(member, picture(colour))
    else:
        with tarfile.open(path, "w") as tar:
            for member, colour in given:
                entry = tarfile.TarInfo(member)
                entry.size = len(picture(colour))
                tar.addfile(entry, io.BytesIO(picture(colour)))
    found = [(item.name.removeprefix(f"{path}!"), item.read()) for item in items([str(path)])]
    assert [content for _, content in found] == [picture(colour) for _, colour in given]
    assert [name for name, _ in found] == ["a.png", "#2!a.png", "#2!#2!a.png", "#3!a.png"]


def test_names_that_no_file_can_bear_are_items_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    nul, long, good = items(["a\0b.png", str(tmp_path / ("x" * 300 + ".png")), str(tmp_path / "a.png")])
    assert "no file is called that" in refusal(nul)
    assert "too long" in refusal(long)
    assert good.read() == picture()


def test_an_archive_that_breaks_off_gives_what_comes_before(tmp_path: Path) -> None:
    whole = tarred(tmp_path / "t.tgz").read_bytes()
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    *_, last = items([str(cut)])
    assert "broken archive" in refusal(last)


@pytest.mark.parametrize(
    ("defect", "said"),
    [("encrypted", "is encrypted"), ("unusual", "compression method is not supported"), ("damaged", "a broken member")],
)
@pytest.mark.parametrize("name", ["in.png", "no-ending", "in.dat"])
def test_a_member_that_cannot_be_read_says_so_whatever_it_is_called(
    tmp_path: Path, defect: str, said: str, name: str
) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, picture())
        archive.writestr("good", picture())
    patched = bytearray(path.read_bytes())
    listed = patched.index(b"PK\x01\x02")
    match defect:
        case "encrypted":
            patched[6] |= 1  # in the header of the member, and in the list of members
            patched[listed + 8] |= 1
        case "unusual":
            patched[8] = patched[listed + 10] = 9  # Deflate64
        case "damaged":
            patched[30 + len(name) : 50 + len(name)] = b"\xff" * 20
    path.write_bytes(patched)
    bad, good = items([str(path)])
    assert bad.name == f"{path}!{name}"
    assert said in refusal(bad)
    assert good.read() == picture()


BESIDE = bytes.fromhex("0005160700020000") + b"Mac OS X        \0\2".ljust(90, b"\0")  # what macOS packs beside a file


@pytest.mark.parametrize("name", ["m.zip", "m.tar"])
def test_what_macos_packs_beside_a_picture_is_no_picture_and_what_only_calls_itself_so_is(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    given = {"a.png": picture(), "__MACOSX/._a.png": BESIDE, "._b.png": picture("red"), ".hidden.png": picture("blue")}
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in given.items():
                archive.writestr(member, content)
    else:
        with tarfile.open(path, "w") as tar:
            for member, content in given.items():
                tar.addfile(header(tarfile.REGTYPE, len(content), member), io.BytesIO(content))
    assert names(path) == [f"{path}!{member}" for member in ("a.png", "._b.png", ".hidden.png")]


def test_a_link_in_a_zip_is_no_picture_unless_a_picture_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("link.png", b"a.png"), ("said-to-be-one.png", picture())):
            link = zipfile.ZipInfo(name)
            link.create_system, link.external_attr = 3, 0o120777 << 16
            archive.writestr(link, content)
    assert names(path) == [f"{path}!said-to-be-one.png"]


def linked(path: Path, *given: tuple[str, bytes | str]) -> Path:
    """A tar of files with their bytes and hard links with their targets."""
    with tarfile.open(path, "w") as archive:
        for name, content in given:
            if isinstance(content, bytes):
                archive.addfile(header(tarfile.REGTYPE, len(content), name), io.BytesIO(content))
            else:
                link = header(tarfile.LNKTYPE, 0, name)
                link.linkname = content
                archive.addfile(link)
    return path


def test_a_hard_link_in_a_tar_is_one_more_name_of_its_file(tmp_path: Path) -> None:
    path = linked(
        tmp_path / "t.tar",
        ("drafts/a.png", picture("red")),
        ("drafts/a.png", picture("blue")),
        ("press/a.png", "drafts/a.png"),
        ("press/again", "press/a.png"),
        ("drafts/a.png.c2pa", b"a store"),
        ("press/a.png.c2pa", "drafts/a.png.c2pa"),
        ("notes", b"no picture"),
        ("notes.txt", "notes"),
        ("press/b.png", "notes"),
        ("press/lost", "elsewhere.png"),
    )
    found = {item.name.removeprefix(f"{path}!"): item for item in items([str(path)], exclude=["drafts/"])}
    assert list(found) == ["press/a.png", "press/again", "press/b.png", "press/lost"]
    assert found["press/a.png"].read() == found["press/again"].read() == picture("blue")
    assert found["press/b.png"].read() == b"no picture"
    assert "is a hard link to “elsewhere.png”" in refusal(found["press/lost"])
    beside = found["press/a.png"].beside
    assert beside is not None
    assert (store := beside()) is not None
    assert store.store == b"a store"
    assert found["press/again"].beside is None


def test_hard_links_do_not_swell_a_tar_beyond_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SLACK", 0)
    monkeypatch.setattr(archives, "RATIO", 2)
    large = picture() + bytes(100_000)
    path = linked(tmp_path / "t.tar", ("a.png", large), *((f"{number}.png", "a.png") for number in range(3)))
    (item,) = items([str(path)])
    assert "bytes in all members exceed" in refusal(item)
