"""China's AIGC label in each of its carriers."""

import html
import json

import pytest
from metadata_files import asset, exif_segment, jpeg, png, segment, text, tiff, user_comment, xmp, xmp_segment

from assay.detectors.evidence import Basis, Origin, Silence
from assay.detectors.signals.declaration_aigc import AigcDeclaration, producer, well_formed
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError

URI = "http://www.tc260.org.cn/ns/AIGC/1.0/"


def record(label="1", who="00110110102MACQD9K64010001"):
    return json.dumps({"Label": label, "ContentProducer": who, "ProduceID": "x", "ReservedCode1": ""})


def examine(content):
    return AigcDeclaration().examine(Subject(asset(content), AssayError("not verified")))


DOUBAO = "001191110102MACQD9K64010000"
CARRIERS = {
    "xmp-element": lambda r: jpeg(xmp_segment(xmp(f'<T:AIGC xmlns:T="{URI}">{html.escape(r, quote=False)}</T:AIGC>'))),
    "xmp-attribute": lambda r: jpeg(
        xmp_segment(xmp(namespaces=f'xmlns:C260="{URI}"', attributes=f'C260:AIGC="{html.escape(r)}"'))
    ),
    "png": lambda r: png(text("AIGC", r)),
    "exif": lambda r: jpeg(exif_segment(tiff({}, exif={0x9286: user_comment(f'{{"AIGC":{r}}}')}))),
    "comment": lambda r: jpeg(segment(0xFE, f'{{"AIGC":{r}}}'.encode())),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_label_one_in_every_carrier(carrier):
    evidence = examine(CARRIERS[carrier](record(who=DOUBAO)))
    assert (evidence.origin, evidence.basis) == (Origin.SYNTHETIC, Basis.DECLARED)
    assert evidence.generator == "Doubao (ByteDance)"


@pytest.mark.parametrize("label", ["2", "3", "9", ""])
def test_other_labels_leave_the_origin_open(label):
    assert examine(png(text("AIGC", record(label)))).silence is Silence.INCONCLUSIVE


def test_a_number_is_a_label_too():
    assert examine(png(text("AIGC", '{"Label": 1}'))).origin is Origin.SYNTHETIC


def test_broken_json_under_its_own_key_still_speaks():
    assert examine(png(text("AIGC", '{"Label":"1","ContentProducer":"0011'))).origin is Origin.SYNTHETIC


@pytest.mark.parametrize(
    "content", [png(text("Title", '"AIGC" in China: {"Label": 1}')), png(text("AIGC", "hello")), png()]
)
def test_twins_stay_silent(content):
    assert examine(content).silence is Silence.ABSENT


def test_unknown_producers_are_named_by_a_well_formed_code_only():
    assert well_formed("91110108335469089C")
    assert not well_formed("91110108335469089D")
    assert producer("0011" + "91350100M000100Y43" + "01") == "credit code 91350100M000100Y43"
    assert producer("0011" + "91350100M000100Y44" + "01") == ""


def test_the_codes_of_the_table_are_well_formed():
    from assay.detectors.signals.declaration_aigc import _producers

    assert [code for code in _producers() if not well_formed(code)] == []
