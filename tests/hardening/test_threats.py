"""Each lie about origin in docs/threat-model.md that can be told here is told; what is said of it is held to that page."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import custody_assets as made
import pytest
from dwtdct_marking import encoded, marked, photograph
from metadata_files import xmp_segment
from PIL import Image, PngImagePlugin

from assay.detectors.watermarks.dwtdct import PAYLOADS
from assay.provenance.asset import Asset
from assay.provenance.trust import Purpose, TrustPolicy
from assay.scanning.demo import _spliced
from assay.scanning.report.terminal import TerminalPresenter
from assay.scanning.scan import Scanner, standard_signals

ROOT = made.authority("Listed Root")
CAMERA = made.leaf(ROOT, "Camera 1", organisation="Camera Maker")
SELF = made.leaf(made.authority("Nobody's Root"), "Reuters", organisation="Reuters")
STAMPING = made.authority("Root of Stamps")
LISTED = (made.trust_list(ROOT), made.trust_list(STAMPING, purpose=Purpose.TIME_STAMPING))
PHOTO = photograph()
CAPTURED = "this image was captured by a camera or a scanner"
INCONCLUSIVE = "Inconclusive: nothing found here says where this image comes from."


def jpeg(image: Image.Image = PHOTO, **options: object) -> bytes:
    return encoded(image, "JPEG", **({"quality": 90} | options))


def captured(content: bytes, by: made.Credential = CAMERA) -> bytes:
    return made.sign(content, made.created(made.CAPTURED), by).content


def generated() -> bytes:
    return made.sign(jpeg(), made.created(), CAMERA).content


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def tampered() -> bytes:
    content = bytearray(captured(jpeg()))
    content[-2_000] ^= 1
    return bytes(content)


def edit_of(content: bytes) -> bytes:
    """Another picture, signed by a listed signer as an edit of that one."""
    return made.sign(jpeg(quality=80), made.opened(), CAMERA, ingredients=(made.parent(content),)).content


def captured_again() -> bytes:
    """What a listed generator made, signed as a capture with it as its parent."""
    source = (made.parent(generated()),)
    return made.sign(jpeg(quality=80), made.created(made.CAPTURED), CAMERA, ingredients=source, check=False).content


def stripped_badly() -> bytes:
    """The manifest is gone, a pointer to it is left."""
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="self#jumbf=/c2pa/urn:1"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    content = jpeg()
    return content[:2] + xmp_segment(xmp) + content[2:]


def screenshot() -> bytes:
    screen = Image.new("RGB", (1920, 1080), "white")
    screen.paste(opened(generated()), (300, 200))
    return encoded(screen, "PNG")


def spoofed() -> Image.Image:
    return marked(photograph(768, 768), PAYLOADS[0].bits)


def with_parameters() -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    return encoded(PHOTO, "PNG", pnginfo=text)


def with_camera_fields() -> bytes:
    fields = Image.Exif()
    fields[0x010F], fields[0x0110], fields[0x0132] = "Canon", "Canon EOS 5D", "2024:01:01 10:00:00"
    inner = fields.get_ifd(0x8769)
    inner[0x829A], inner[0x829D], inner[0x9003] = 0.01, 2.8, "2024:01:01 10:00:00"
    return jpeg(exif=fields)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is done, and the verdict, custody, words and findings that must come of it; `unsaid` must not."""

    row: str
    do: Callable[[], bytes]
    verdict: str
    custody: str
    said: tuple[str, ...]
    unsaid: tuple[str, ...] = ("A trusted signature states",)
    findings: frozenset[str] = frozenset()


ATTACKS = {
    "stripped": Attack(
        row="Strip", do=lambda: jpeg(opened(generated()), quality=95), verdict="undetermined 0", custody="no-manifest",
        said=(INCONCLUSIVE, "that nothing was found is no evidence of any origin"),
    ),
    "stripped, with residue": Attack(
        row="Strip", do=stripped_badly, verdict="undetermined 0", custody="no-manifest",
        said=("Inconclusive",), findings=frozenset({"removed-provenance"}),
    ),
    "saved again, smaller": Attack(
        row="Re-encode", do=lambda: jpeg(opened(generated()).resize((300, 300)), quality=70),
        verdict="undetermined 0", custody="no-manifest", said=(INCONCLUSIVE,),
    ),
    "screenshot": Attack(
        row="Screenshot", do=screenshot, verdict="undetermined 0", custody="no-manifest", said=(INCONCLUSIVE,),
    ),
    "a camera before a screen": Attack(
        row="Re-photograph", do=lambda: captured(jpeg()), verdict="captured 4", custody="trusted",
        said=(f"A trusted signature states that {CAPTURED}", "As sure as the signer is honest"), unsaid=(),
    ),
    "signed by oneself": Attack(
        row="Self-sign", do=lambda: captured(jpeg(), SELF), verdict="captured 2", custody="valid",
        said=(f"The file states, without proof, that {CAPTURED}", "anybody can sign under any name"),
    ),
    "an edit of a tampered picture": Attack(
        row="Launder", do=lambda: edit_of(tampered()), verdict="undetermined 0", custody="broken-history",
        said=("the signed history of this image is broken", "its bytes were not those that were signed when it was taken in"),
        unsaid=("A trusted signature states", "captured by a camera"), findings=frozenset({"broken-history"}),
    ),
    "an edit of a picture signed by oneself": Attack(
        row="Launder", do=lambda: edit_of(captured(jpeg(), SELF)), verdict="captured 2", custody="valid",
        said=("The file states, without proof", "was signed by Reuters, whom no trust list knows"),
    ),
    "another file's manifest": Attack(
        row="Splice", do=lambda: _spliced(Asset.from_bytes(jpeg(PHOTO.rotate(90))), Asset.from_bytes(captured(jpeg()))),
        verdict="undetermined 0", custody="tampered", said=("its manifest was made for another file",),
        unsaid=("A trusted signature states", "captured by a camera"), findings=frozenset({"tampered"}),
    ),
    "a capture of a generated picture": Attack(
        row="Sign a generated picture as a capture", do=captured_again, verdict="undetermined 0", custody="trusted",
        said=("signed statements about where this image comes from exclude one another",),
        findings=frozenset({"contradictory-manifest"}),
    ),
    "a root for stamps": Attack(
        row="Wrong kind of trust", do=lambda: captured(jpeg(), made.leaf(STAMPING)), verdict="captured 2",
        custody="valid", said=("The file states, without proof",),
    ),
    "a generator's mark on a photograph": Attack(
        row="Spoof a watermark", do=lambda: encoded(spoofed()), verdict="synthetic 3", custody="no-manifest",
        said=("invisible watermark", "into another picture"),
    ),
    "a generator's mark on a signed photograph": Attack(
        row="Spoof a watermark", do=lambda: captured(jpeg(spoofed(), quality=95, subsampling=0)), verdict="captured 4",
        custody="trusted", said=(f"A trusted signature states that {CAPTURED}", "watermark"), unsaid=(),
    ),
    "a generator's text": Attack(
        row="Copied metadata", do=with_parameters, verdict="synthetic 2", custody="no-manifest",
        said=("The file states, without proof, that this image was generated", "anybody can write, change or remove it"),
    ),
    "a camera's fields": Attack(
        row="Copied metadata", do=with_camera_fields, verdict="undetermined 0", custody="no-manifest",
        said=("Inconclusive",), unsaid=("captured by", "A trusted signature"),
    ),
    "a claim about a photograph": Attack(
        row="Liar's dividend", do=jpeg, verdict="undetermined 0", custody="no-manifest", said=(INCONCLUSIVE,),
        unsaid=("generated by",),
    ),
    "a claim about a signed photograph": Attack(
        row="Liar's dividend", do=lambda: captured(jpeg()), verdict="captured 4", custody="trusted",
        said=(CAPTURED,), unsaid=("generated by",),
    ),
}  # fmt: skip
ELSEWHERE = {
    "Borrow a name": "tests/provenance/custody/test_borrowed_names.py, test_identities.py",
    "Cut out a statement": "tests/provenance/custody/test_verifying.py",
    "Expired or revoked key": "tests/provenance/custody/test_times.py, test_revocation.py",
    "Adversarial pixels": "benchmarks/adversarial.py",
    "Model extraction": "nothing to see",
    "Data-set shift": "docs/evaluation.md",
}


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(signals=standard_signals(None), policy=TrustPolicy(lists=LISTED))


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_said_of_a_lie(name: str, scanner: Scanner) -> None:
    attack = ATTACKS[name]
    report = scanner.scan(Asset.from_bytes(attack.do(), name="picture"))
    stream = io.StringIO()
    TerminalPresenter(stream, width=4_000).show(report)
    text = " ".join(stream.getvalue().split())
    assert f"{report.verdict.origin} {report.verdict.basis:d}" == attack.verdict, text
    assert getattr(report.custody, "bottom_line", None) == attack.custody, text
    for words in attack.said:
        assert words in text
    for words in attack.unsaid:
        assert words not in text
    assert attack.findings <= {finding.code for finding in report.verdict.findings}, report.verdict.findings


def test_a_copied_mark_stays_as_dissent_where_a_camera_signed(scanner: Scanner) -> None:
    attack = ATTACKS["a generator's mark on a signed photograph"]
    verdict = scanner.scan(Asset.from_bytes(attack.do(), name="picture")).verdict
    assert "watermark" in [piece.signal for piece in verdict.dissent]
    assert verdict.contested


def test_every_row_of_the_page_is_attacked_or_excused() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "threat-model.md").read_text("utf-8")
    table = page.split("## Lies about origin")[1].split("\n## ")[0]
    rows = re.findall(r"^\| \*\*(.+?)\*\*", table, re.MULTILINE)
    assert len(rows) >= 15
    assert set(rows) == {attack.row for attack in ATTACKS.values()} | ELSEWHERE.keys()
    for quoted in re.findall("“(.+?)”", table.split("|---|")[1]):
        assert any(quoted in words for attack in ATTACKS.values() for words in attack.said), quoted
