from collections.abc import Callable

import custody_assets as made
import pytest
from c2pa import C2paError

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Requirement, Standing
from assay.provenance.errors import SigningFailed
from assay.provenance.jumbf.boxes import boxes, superbox
from assay.provenance.trust import Purpose, TrustPolicy

Judged = Callable[..., Custody]


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def without(store: bytes, label: str) -> bytes:
    """A JUMBF box with the superbox of that label cut out of it, at whatever depth."""
    (outer,) = boxes(store, 0, len(store))
    found = superbox(store, outer)
    if found is None or found.label == label:
        return b"" if found else store
    content = b"".join(without(store[box.offset : box.end], label) for box in boxes(store, outer.start, outer.end))
    return (len(content) + 8).to_bytes(4, "big") + b"jumb" + content


def axes(custody: Custody) -> str:
    assert custody.active is not None
    found = custody.active.axes
    short = {Answer.YES: "y", Answer.NO: "n", Answer.UNKNOWN: "?"}
    return "".join(
        short[a.answer] for a in (found.intact, found.authentic, found.trusted, found.timely, found.unbroken)
    )


def codes(custody: Custody) -> set[str]:
    return {gap.code for gap in (*custody.breaks, *(gap for link in custody.links for gap in link.breaks))}


def test_signed_and_anchored_is_trusted(signed: made.Signed, judged: Judged) -> None:
    custody = judged(signed.content)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert axes(custody) == "yyyyy"
    assert custody.sdk_state == "Trusted"
    assert "Throw-away Tests" in custody.headline
    assert "list of claim-signing" in custody.headline
    assert all(custody.meets(requirement) for requirement in Requirement)


def test_no_manifest_is_no_evidence(jpeg: bytes, judged: Judged) -> None:
    custody = judged(jpeg)
    assert custody.bottom_line is BottomLine.NO_MANIFEST
    assert "no evidence of anything" in custody.headline
    assert not any(custody.meets(requirement) for requirement in Requirement)


def test_the_librarys_names_for_its_errors_are_left_out(jpeg: bytes) -> None:
    with pytest.raises(_c2pa.ManifestUnreadable, match=r"cannot be read: invalid JUMBF header$"):
        _c2pa.read(Asset.from_bytes(jpeg), _c2pa.context(), sidecar=b"nonsense")
    with pytest.raises(SigningFailed, match=r"chain is refused: invalid signing credentials"):
        _c2pa.signer_from_key("es256", b"nonsense", b"nonsense")
    said = {
        "Other: unknown algorithm": "unknown algorithm",
        "Other: Verify: TIFF: odd": "TIFF: odd",
        "Other: ": "no reason is given",
    }
    assert [_c2pa._reason(C2paError.Other(each)) for each in said] == list(said.values())


@pytest.mark.parametrize("lists", ["none", "other"])
def test_without_an_anchor_it_is_valid_and_its_name_proves_nothing(
    lists: str, signed: made.Signed, judged: Judged
) -> None:
    policy = TrustPolicy(lists=(made.trust_list(made.authority()),) if lists == "other" else ())
    custody = judged(signed.content, policy)
    assert custody.bottom_line is BottomLine.VALID
    assert axes(custody) == "yynyy"
    assert "whom no trust list knows" in custody.headline
    assert custody.meets(Requirement.VALID)
    assert not custody.meets(Requirement.TRUSTED)


@pytest.mark.parametrize("how", ["byte", "appended"])
def test_changed_bytes_are_tampering(how: str, signed: made.Signed, judged: Judged) -> None:
    content = flipped(signed.content, len(signed.content) - 100) if how == "byte" else signed.content + b"more"
    custody = judged(content)
    assert custody.bottom_line is BottomLine.TAMPERED
    assert axes(custody)[:2] == "ny"
    assert "assertion.dataHash.mismatch" in custody.links[-1].axes.intact.codes
    assert not custody.meets(Requirement.INTACT)


def test_an_altered_claim_is_tampering_and_not_authentic(signed: made.Signed, judged: Judged) -> None:
    custody = judged(flipped(signed.content, signed.content.index(b"assay-tests") + 2))
    assert custody.bottom_line is BottomLine.TAMPERED
    assert custody.links[-1].axes.authentic.answer is Answer.NO
    assert custody.links[-1].axes.trusted.answer is Answer.NO
    assert "claimSignature.mismatch" in custody.links[-1].axes.authentic.codes


def test_an_altered_assertion_is_tampering(signed: made.Signed, judged: Judged) -> None:
    custody = judged(signed.content.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedib"))
    assert custody.bottom_line is BottomLine.TAMPERED
    assert custody.links[-1].axes.intact.codes == ("assertion.hashedURI.mismatch",)


def test_an_assertion_that_was_cut_out_is_tampering(jpeg: bytes, signer: made.Credential, judged: Judged) -> None:
    store = made.sign(jpeg, made.created(), signer, embed=False).store
    assert judged(jpeg, sidecar=without(store, "nothing")).bottom_line is BottomLine.TRUSTED
    custody = judged(jpeg, sidecar=without(store, "c2pa.actions.v2"))
    assert custody.bottom_line is BottomLine.TAMPERED
    assert "its manifest was changed after it was signed" in custody.headline
    assert custody.links[-1].axes.intact.codes == ("assertion.missing",)
    assert not custody.meets(Requirement.INTACT)


def test_a_trusted_edit_of_a_tampered_parent_cannot_get_past_the_gate(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, judged: Judged
) -> None:
    tampered = flipped(signed.content, len(signed.content) - 100)
    edit = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(tampered, title="bought.jpg"),))
    custody = judged(edit.content)
    assert custody.sdk_state == "Trusted"
    assert custody.bottom_line is BottomLine.BROKEN_HISTORY
    assert [link.now for link in custody.links] == [Standing.TAMPERED, Standing.TRUSTED]
    assert custody.links[0].recorded is Standing.TAMPERED
    assert custody.headline.startswith("Its history is broken: “bought.jpg”")
    assert not any(custody.meets(requirement) for requirement in Requirement)


def test_an_edit_of_that_edit_is_no_better(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, judged: Judged
) -> None:
    tampered = flipped(signed.content, len(signed.content) - 100)
    edit = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(tampered, title="bought.jpg"),))
    again = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(edit.content, title="edit.jpg"),))
    custody = judged(again.content)
    assert custody.bottom_line is BottomLine.BROKEN_HISTORY
    assert [link.now for link in custody.links] == [Standing.TAMPERED, Standing.TRUSTED, Standing.TRUSTED]
    assert "bought.jpg" in custody.headline


def test_a_trusted_edit_of_a_strangers_picture_is_only_valid(
    jpeg: bytes, stranger: made.Credential, signer: made.Credential, judged: Judged
) -> None:
    theirs = made.sign(jpeg, made.created(), stranger)
    custody = judged(made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(theirs.content),)).content)
    assert custody.sdk_state == "Trusted"
    assert custody.bottom_line is BottomLine.VALID
    assert "Stranger & Co, whom no trust list knows" in custody.headline
    assert axes(custody) == "yyyy?"


def test_a_recorded_lack_of_trust_is_no_alarm_when_the_list_knows_the_signer_now(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, judged: Judged
) -> None:
    custody = judged(made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(signed.content),)).content)
    assert [status.code for status in custody.links[-1].ingredients[0].recorded or () if status.failure] == [
        "signingCredential.untrusted"
    ]
    assert custody.links[0].recorded is Standing.VALID
    assert custody.links[0].now is Standing.TRUSTED
    assert custody.bottom_line is BottomLine.TRUSTED


def test_a_parent_altered_after_it_was_taken_in(
    jpeg: bytes, signed: made.Signed, signer: made.Credential, anchors: tuple[_c2pa.Anchors, ...], judged: Judged
) -> None:
    edit = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(signed.content),), anchors=anchors)
    again = made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(edit.content),), anchors=anchors)
    assert judged(again.content).bottom_line is BottomLine.TRUSTED
    custody = judged(again.content.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedib"))
    assert custody.bottom_line is BottomLine.BROKEN_HISTORY
    assert custody.links[0].now is Standing.TAMPERED
    assert custody.links[0].recorded is Standing.TRUSTED
    assert custody.links[-1].now is Standing.TRUSTED


def test_an_unsigned_parent_is_named_and_the_history_is_incomplete(
    jpeg: bytes, signer: made.Credential, judged: Judged
) -> None:
    custody = judged(made.sign(jpeg, made.opened(), signer, ingredients=(made.parent(jpeg, title="scan.jpg"),)).content)
    assert custody.sdk_state == "Trusted"
    assert custody.bottom_line is BottomLine.INCOMPLETE_HISTORY
    assert "unsigned-parent" in codes(custody)
    assert "nothing is known of “scan.jpg”" in custody.headline
    assert not custody.meets(Requirement.TRUSTED)


def test_an_unsigned_input_of_a_generator_is_no_gap_in_its_history(
    jpeg: bytes, signer: made.Credential, judged: Judged
) -> None:
    prompt = made.parent(jpeg, title="prompt.jpg", relationship="inputTo")
    custody = judged(made.sign(jpeg, made.created(), signer, ingredients=(prompt,)).content)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert "unsigned-input" in codes(custody)


def test_a_list_for_time_stamps_vouches_for_no_claim(
    root: made.Credential, signed: made.Signed, judged: Judged
) -> None:
    custody = judged(signed.content, TrustPolicy(lists=(made.trust_list(root, purpose=Purpose.TIME_STAMPING),)))
    assert custody.sdk_state == "Trusted"
    assert custody.bottom_line is BottomLine.VALID
    assert custody.links[-1].axes.trusted.answer is Answer.NO
    assert "kept for time-stamping" in custody.links[-1].axes.trusted.statement
