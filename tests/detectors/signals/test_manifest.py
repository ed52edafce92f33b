import custody_assets as made
import pytest

from assay.detectors.evidence import Basis, Origin, Silence
from assay.detectors.signals.manifest import ManifestSignal
from assay.detectors.subject import Subject
from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy

ROOT = made.authority()
SIGNER = made.leaf(ROOT)
POLICY = TrustPolicy(lists=(made.trust_list(ROOT),))
JPEG = made.encoded(made.picture())
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = made.sign(JPEG, made.created(), SIGNER).content
CAPTURED = made.sign(JPEG, made.created(made.CAPTURED, "Camera"), SIGNER).content


def examined(content: bytes, policy: TrustPolicy = POLICY):
    asset = Asset.from_bytes(content)
    return ManifestSignal().examine(Subject(asset, verify(asset, policy)))


def edit(parent: bytes, *actions: dict[str, object], **options: object) -> bytes:
    description = made.opened(*actions)
    return made.sign(JPEG, description, SIGNER, ingredients=(made.parent(parent),), **options).content


@pytest.mark.parametrize(
    ("term", "origin"),
    [
        ("trainedAlgorithmicMedia", Origin.SYNTHETIC),
        ("compositeWithTrainedAlgorithmicMedia", Origin.COMPOSITE),
        ("compositeSynthetic", Origin.COMPOSITE),
        ("digitalCapture", Origin.CAPTURED),
        ("computationalCapture", Origin.CAPTURED),
        ("algorithmicMedia", Origin.CREATED),
        ("digitalCreation", Origin.CREATED),
    ],
)
def test_a_trusted_source_type_is_proof(term: str, origin: Origin) -> None:
    found = examined(made.sign(JPEG, made.created(IPTC + term), SIGNER).content)
    assert (found.origin, found.basis) == (origin, Basis.PROVED)
    assert found.traces[0].value == IPTC + term
    assert found.generator == "Test Generator 1"


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("digitalCapture", "was captured by a camera."),
        ("compositeCapture", "was composed of parts that were all captured."),
        ("print", "was scanned from a print."),
        ("digitalCreation", "was made by a person with tools that are not generative."),
    ],
)
def test_the_source_type_is_told_in_its_own_words(term: str, words: str) -> None:
    found = examined(made.sign(JPEG, made.created(IPTC + term), SIGNER).content)
    assert f"states that the picture {words}" in found.statement
    assert ["montage-of-captures"] * (term == "compositeCapture") == [finding.code for finding in found.findings]
    kept = examined(edit(made.sign(JPEG, made.created(IPTC + term), SIGNER).content))
    assert (kept.findings, words in kept.statement) == (found.findings, True)


def test_without_a_list_the_same_manifest_is_a_declaration() -> None:
    found = examined(GENERATED, TrustPolicy())
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.DECLARED)


def test_a_term_that_says_nothing_is_no_evidence() -> None:
    found = examined(made.sign(JPEG, made.created(IPTC + "screenCapture"), SIGNER).content)
    assert found.silence is Silence.INCONCLUSIVE


def test_tampering_is_a_finding_and_the_statement_drops_out() -> None:
    found = examined(GENERATED[:-50] + b"!" + GENERATED[-49:])
    assert not found.speaks
    assert [finding.code for finding in found.findings] == ["tampered"]


def test_an_edit_of_a_generated_picture_stays_generated() -> None:
    found = examined(edit(GENERATED, {"action": "c2pa.color_adjustments"}))
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.PROVED)


def created_over(parent: bytes, source_type: str) -> bytes:
    """A manifest that says to have created the picture, and names a parent."""
    description = made.created(source_type)
    return made.sign(JPEG, description, SIGNER, ingredients=(made.parent(parent),), check=False).content


def test_a_capture_of_what_a_trusted_signature_says_is_generated_is_a_contradiction() -> None:
    content = created_over(GENERATED, made.CAPTURED)
    for given in (content, edit(content), created_over(content, made.CAPTURED)):
        found = examined(given)
        assert found.silence is Silence.INCONCLUSIVE
        assert [finding.code for finding in found.findings] == ["contradictory-manifest"]
        assert "was made by a trained model (AI) and" in found.statement
        assert "was captured by a camera." in found.statement
        assert {trace.value for trace in found.traces} == {made.TRAINED, made.CAPTURED}


def test_two_beginnings_in_one_manifest_that_exclude_one_another_are_a_contradiction() -> None:
    for first, second in ((made.TRAINED, made.CAPTURED), (made.CAPTURED, made.TRAINED)):
        description = made.created(first)
        description["assertions"][0]["data"]["actions"] += made.created(second)["assertions"][0]["data"]["actions"]
        found = examined(made.sign(JPEG, description, SIGNER, check=False).content)
        assert found.findings[-1].code == "contradictory-manifest"


def test_a_generator_may_name_the_photograph_that_it_started_from() -> None:
    found = examined(created_over(CAPTURED, made.TRAINED))
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.PROVED)
    assert examined(created_over(GENERATED, made.TRAINED)).basis is Basis.PROVED
    fill = {"action": "c2pa.edited", "digitalSourceType": IPTC + "trainedAlgorithmicMedia"}
    found = examined(edit(created_over(GENERATED, made.CAPTURED), fill))
    assert (found.origin, found.basis) == (Origin.COMPOSITE, Basis.PROVED)


def test_a_generated_fill_makes_a_composite_of_a_photograph() -> None:
    fill = {"action": "c2pa.edited", "digitalSourceType": IPTC + "trainedAlgorithmicMedia"}
    assert examined(edit(CAPTURED)).origin is Origin.CAPTURED
    assert examined(edit(CAPTURED, fill)).origin is Origin.COMPOSITE


def test_a_generated_component_makes_a_composite() -> None:
    parts = (
        made.parent(CAPTURED),
        made.parent(GENERATED, label="c1", relationship="componentOf"),
    )
    placed = {"action": "c2pa.placed", "parameters": {"ingredientIds": ["c1"]}}
    found = examined(made.sign(JPEG, made.opened(placed), SIGNER, ingredients=parts).content)
    assert found.origin is Origin.COMPOSITE


def test_a_fill_into_an_unsigned_picture_is_proved_and_its_capture_is_not() -> None:
    fill = {"action": "c2pa.edited", "digitalSourceType": IPTC + "compositeWithTrainedAlgorithmicMedia"}
    found = examined(edit(JPEG, fill))
    assert (found.origin, found.basis) == (Origin.COMPOSITE, Basis.PROVED)
    description = made.opened()
    description["assertions"][0]["data"]["actions"][0]["digitalSourceType"] = made.CAPTURED
    found = examined(made.sign(JPEG, description, SIGNER, ingredients=(made.parent(JPEG),)).content)
    assert (found.origin, found.basis) == (Origin.CAPTURED, Basis.DECLARED)


def test_a_generated_edit_of_an_unknown_picture_does_not_make_all_of_it_generated() -> None:
    for label in ("c2pa.edited", "c2pa.drawing"):
        found = examined(edit(JPEG, {"action": label, "digitalSourceType": made.TRAINED}))
        assert (found.origin, found.basis) == (Origin.COMPOSITE, Basis.PROVED), label


def test_a_generated_part_on_an_empty_canvas_is_a_part() -> None:
    description = made.created("http://c2pa.org/digitalsourcetype/empty")
    actions = description["assertions"][0]["data"]["actions"]
    actions.append({"action": "c2pa.drawing", "digitalSourceType": made.TRAINED})
    assert examined(made.sign(JPEG, description, SIGNER).content).origin is Origin.COMPOSITE
    actions[1]["digitalSourceType"] = made.CAPTURED
    assert not examined(made.sign(JPEG, description, SIGNER).content).speaks


def test_what_the_signer_merely_passes_on_is_no_proof() -> None:
    description = made.created()
    del description["assertions"][0]["created"]
    content = made.sign(JPEG, description, SIGNER).content
    found = examined(content)
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.DECLARED)
    assert "without answering for it" in found.statement
    custody = verify(Asset.from_bytes(content), POLICY)
    assert any("does not answer for them" in gap for gap in custody.gaps)


def test_a_strangers_component_does_not_weaken_what_the_trusted_generator_states() -> None:
    stranger = made.leaf(made.authority("Elsewhere"))
    strange = made.sign(JPEG, made.created(made.CAPTURED), stranger).content
    for relationship in ("componentOf", "inputTo"):
        part = made.parent(strange, label="c1", relationship=relationship)
        found = examined(made.sign(JPEG, made.created(), SIGNER, ingredients=(part,), check=False).content)
        assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.PROVED)


def test_a_generated_fill_into_a_strangers_generated_picture_is_proved_as_a_part() -> None:
    stranger = made.leaf(made.authority("Elsewhere"))
    fill = {"action": "c2pa.edited", "digitalSourceType": IPTC + "compositeWithTrainedAlgorithmicMedia"}
    found = examined(edit(made.sign(JPEG, made.created(), stranger).content, fill))
    assert (found.origin, found.basis) == (Origin.COMPOSITE, Basis.PROVED)


def test_a_trusted_word_that_went_through_a_strangers_hands_is_the_strangers() -> None:
    stranger = made.leaf(made.authority("Elsewhere"))
    opened = made.sign(JPEG, made.opened(), stranger, ingredients=(made.parent(GENERATED),)).content
    found = examined(edit(opened))
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.DECLARED)


def test_a_trusted_edit_of_a_tampered_parent_proves_nothing() -> None:
    found = examined(edit(GENERATED[:-50] + b"!" + GENERATED[-49:]))
    assert not found.speaks
    assert [finding.code for finding in found.findings] == ["broken-history"]


def test_a_strangers_parent_is_a_declaration_though_the_editor_is_trusted() -> None:
    stranger = made.leaf(made.authority("Elsewhere"))
    found = examined(edit(made.sign(JPEG, made.created(), stranger).content))
    assert (found.origin, found.basis) == (Origin.SYNTHETIC, Basis.DECLARED)


def test_absence_and_failure_are_silent() -> None:
    assert examined(JPEG).silence is Silence.ABSENT
    failed = ManifestSignal().examine(Subject(Asset.from_bytes(JPEG), AssayError("no list")))
    assert failed.silence is Silence.FAILED


def test_a_removed_manifest_is_a_finding_and_no_evidence() -> None:
    png = made.sign(made.encoded(made.picture(), "PNG"), made.created(), SIGNER, media_type="image/png").content
    found = examined(png.replace(b"caBX", b"xaBX"))
    assert found.silence is Silence.ABSENT
    assert [finding.code for finding in found.findings] == ["removed-provenance"]


def test_ingredients_taken_in_without_lists_do_not_weaken_the_proof() -> None:
    anchors: tuple[_c2pa.Anchors, ...] = POLICY.anchors()
    assert examined(edit(GENERATED, anchors=anchors)).basis is Basis.PROVED
    assert examined(edit(GENERATED)).basis is Basis.PROVED
