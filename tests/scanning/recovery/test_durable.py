"""Marked, bound, signed, stripped, laundered, recovered: through the command line and through a wrapped generator."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import c2pa
import pytest
from click.testing import CliRunner, Result
from photograph_like import jpeg_asset, photograph
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from provider_wire import signed_upstream

import assay
from assay.cli import assay as command
from assay.detectors.evidence import Basis
from assay.detectors.fingerprints.iscc import ISCC, image_code, image_codes
from assay.detectors.fingerprints.searching import operating_point
from assay.detectors.signals.recovered_manifest import RecoveredManifest
from assay.detectors.subject import Subject
from assay.detectors.watermarks.spread import SpreadMark
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.generating.marking import UNMARKABLE, WATERMARKED, marked
from assay.provenance.media_type import MediaType
from assay.provenance.repository import open_repository
from assay.provenance.trust import default_policy
from assay.scanning import resolving
from assay.scanning.recovering import recover, remember
from assay.scanning.report.recovery_presenting import document, page

pytest.importorskip("pdqhash", reason="needs the extra `recovery`")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "repository.sqlite"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(command, list(arguments))
    assert done.exit_code == 0, done.output + str(done.exception)
    return done


def foreign(path: Path) -> list[dict[str, object]]:
    """The soft bindings of the active manifest as the bare C2PA SDK shows them."""
    with c2pa.Reader(path) as reader:
        told = json.loads(reader.json())
    active = told["manifests"][told["active_manifest"]]
    return [one["data"] for one in active["assertions"] if one["label"] == "c2pa.soft-binding"]


def bound(path: Path) -> bool:
    """Whether a foreign reader sees one soft binding, with the Image-Code of these pixels."""
    (stated,) = foreign(path)
    (block,) = stated["blocks"]  # type: ignore[misc]
    (code,) = image_codes(base64.b64decode(block["value"]))
    return (stated["alg"], block["scope"], code) == (ISCC, {}, image_code(decode(Asset.open(path))))


def laundered(asset: Asset, *, quality: int = 75) -> Asset:
    """Metadata gone, a tenth of the sides cut off, smaller, saved as JPEG."""
    image = decode(asset).convert("RGB")
    width, height = image.size
    part = image.crop((round(0.04 * width), round(0.07 * height), round(0.94 * width), round(0.97 * height)))
    return jpeg_asset(part.resize((part.width * 3 // 4, part.height * 3 // 4)), "downloaded.jpg", quality=quality)


def test_generated_marked_stripped_cropped_recovered(folder: Path) -> None:
    made = run("generate", "a busy harbour at noon", "--size", "768x512", "--seed", "5", "--format", "jpeg",
               "--watermark", "--soft-binding", "--remember", "--json")  # fmt: skip
    path = Path(json.loads(made.stdout)["pictures"][0]["path"])
    signed = Asset.open(path)
    active = verify(signed).active
    assert [action.label for action in active.actions] == ["c2pa.created", WATERMARKED]
    assert bound(path)
    copy = laundered(signed)
    assert b"c2pa" not in copy.content
    (folder / "downloaded.jpg").write_bytes(copy.content)
    (found,) = json.loads(run("recover", "downloaded.jpg", "--format", "json").stdout)["found"]
    assert found["manifest"] == active.label
    assert found["mark"]["scheme"] == SpreadMark.name
    assert found["same_bytes"] is False
    assert found["custody"]["links"][-1]["actions"][0]["action"] == "c2pa.created"
    assert "likely, not proved" in found["likely"]
    assert found["false_matches"]["trials"] == operating_point().false_matches.trials
    told = run("recover", "downloaded.jpg").stdout
    assert "marked at most, never as proved" in told
    assert "✓ the original · signed by" in told  # the chain, link by link
    assert "this file" not in told
    shown = run("recover", "downloaded.jpg", "--format", "html").stdout
    assert "the same mark" in shown
    assert "Only likely" in shown


def test_sign_and_edit_write_soft_bindings_that_a_foreign_reader_shows(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(jpeg_asset(photograph(1)).content)
    run("sign", "photo.jpg", "-o", "signed.jpg", "--soft-binding")
    assert bound(folder / "signed.jpg")
    made = run("edit", "signed.jpg", "warmer light", "--soft-binding", "--json", "-o", "edited")
    edited = Path(json.loads(made.stdout)["pictures"][0]["path"])
    assert bound(edited)
    assert len(verify(Asset.open(edited)).links) == 2
    plain = run("generate", "a lake", "--size", "256x256", "--json")
    assert foreign(Path(json.loads(plain.stdout)["pictures"][0]["path"])) == []


def test_a_wrapped_generator_marks_binds_and_remembers(folder: Path) -> None:
    def draw(prompt: str) -> bytes:
        return jpeg_asset(photograph(7), quality=95).content

    content = assay.signed(draw, signer="dev:", watermark=True, soft_binding=True, remember=True)("a harbour")
    signed = Asset.from_bytes(content, name="made.jpg")
    assert verify(signed).bottom_line is BottomLine.TRUSTED
    assert SpreadMark().detect(decode(signed)) is not None
    with open_repository() as repository:
        (found,) = recover(laundered(signed), repository).found
        assert found.mark is not None
        assert found.match is not None
        assert found.custody.active.label == verify(signed).active.label
        by_content = resolving.by_content(repository, laundered(signed))["matches"]
        assert [one["manifestId"] for one in by_content] == [found.record.manifest]


def test_a_mark_alone_leads_to_the_manifest_but_is_never_proof(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_is_alike = replace(operating_point(), agreement=1.01)
    monkeypatch.setattr("assay.detectors.fingerprints.searching.operating_point", lambda: nothing_is_alike)
    made = run("generate", "mountains", "--size", "640x480", "--seed", "2", "--watermark", "--remember", "--json")
    signed = Asset.open(Path(json.loads(made.stdout)["pictures"][0]["path"]))
    copy = laundered(signed)
    with open_repository() as repository:
        recovery = recover(copy, repository)
        (found,) = recovery.found
        assert found.match is None
        assert found.mark is not None
        assert not found.same_bytes
        assert found.record.sha256 == signed.sha256
        assert "It does not look enough like the original" in found.likely
        assert document(recovery)["found"][0]["distance"] is None
        assert "the same mark" in page([recovery])
        evidence = RecoveredManifest(repository.path).examine(Subject(copy, verify(copy), thorough=True))
        assert evidence.speaks
        assert evidence.basis <= Basis.MARKED
        assert "hidden identifier" in evidence.statement
        repository.forget(signed.sha256)
        assert recover(copy, repository).found == ()


def test_a_mark_is_remembered_only_where_the_manifest_declares_one(folder: Path) -> None:
    image, payload = SpreadMark().mark(photograph(3))
    (folder / "photo.jpg").write_bytes(jpeg_asset(image, quality=95).content)
    run("sign", "photo.jpg", "-o", "signed.jpg", "--remember")  # somebody else's mark, signed over without a word
    with open_repository() as repository:
        assert repository.by_mark(SpreadMark.name, payload) == ()


def test_what_a_provider_signed_stays_the_parent_of_the_marked_picture(folder: Path) -> None:
    upstream = signed_upstream(size=(512, 384))
    content = assay.signed(lambda prompt: upstream, signer="dev:", watermark=True)("a harbour")
    custody = verify(Asset.from_bytes(content, name="made.png"), default_policy())
    assert len(custody.links) == 2
    assert [action.label for action in custody.active.actions] == ["c2pa.opened", WATERMARKED]
    assert custody.active.axes.intact.answer.value != "no"


class Drowned(SpreadMark):
    """A marker whose marks cannot be read back."""

    def read(self, image: Image.Image) -> bytes | None:
        return None


def test_a_mark_that_cannot_be_read_back_is_neither_written_nor_declared() -> None:
    from assay.provenance.generating.attesting import Terms
    from assay.provenance.generating.provider import Request
    from assay.provenance.generating.provider import Result as Answer
    from assay.provenance.generating.receiving import received

    output = received(jpeg_asset(photograph(4)).content, provider="p")
    signed = Terms.of("dev:", marker=Drowned()).sign(Request(prompt="x"), Answer(provider="p"), output)
    assert UNMARKABLE in signed.warnings
    assert [action.label for action in verify(signed.asset).active.actions] == ["c2pa.created"]
    assert signed.source_sha256 == output.upstream_sha256  # its pixels were left alone


def test_marking_keeps_what_the_file_says_and_its_form() -> None:
    texts = PngInfo()
    texts.add_itxt("Description", "a lake")
    buffer = io.BytesIO()
    transparent = photograph(5)
    transparent.putalpha(ImageOps.grayscale(photograph(6)))
    exif = Image.Exif()
    exif[0x010E] = "lake"
    transparent.save(buffer, "PNG", pnginfo=texts, exif=exif)
    mark = marked(Asset.from_bytes(buffer.getvalue(), name="lake.png"), SpreadMark())
    assert mark is not None
    remade = decode(mark.asset)
    assert (mark.asset.media_type, remade.mode) == (MediaType.PNG, "RGBA")
    assert remade.getchannel("A").tobytes() == transparent.getchannel("A").tobytes()
    assert remade.text["Description"] == "a lake"
    assert remade.getexif()[0x010E] == "lake"
    assert SpreadMark().read(remade) == mark.payload


@pytest.mark.parametrize(("form", "size"), [("GIF", (300, 300)), ("PNG", (100, 300)), ("BMP", (300, 300))])
def test_what_cannot_carry_a_mark_is_refused(form: str, size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    photograph(8, (400, 400)).crop((0, 0, *size)).save(buffer, form)
    with pytest.raises(AssayError, match="marked"):
        marked(Asset.from_bytes(buffer.getvalue(), name="small"), SpreadMark())


def test_remembering_a_marked_picture_keeps_its_payload(folder: Path) -> None:
    made = run("generate", "a forest", "--size", "512x512", "--seed", "8", "--watermark", "--json")
    signed = Asset.open(Path(json.loads(made.stdout)["pictures"][0]["path"]))
    with open_repository() as repository:
        record, _ = remember(signed, repository)
        payload = SpreadMark().read(decode(signed))
        assert payload is not None
        assert repository.by_mark(SpreadMark.name, payload) == (record,)
        assert repository.by_mark(SpreadMark.name, bytes(6)) == ()
