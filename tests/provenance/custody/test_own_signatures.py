"""What assay signs, assay verifies: its actions are the signer's own word, and the rubric finds nothing ambiguous."""

from pathlib import Path

from signing_assets import picture

from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.signing import Recipe, SoftwareAgent, open_signer, sign


def test_a_generated_picture_is_attributed_to_its_signer(tmp_path: Path) -> None:
    signer = open_signer("dev:")
    signed = sign(picture(), Recipe.generated(SoftwareAgent("Model", "1")), signer)
    custody = verify(signed.asset)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[-1].signer.development
    assert custody.links[-1].rubric == ("fullyGenAIMedia",)
    assert any("development authority" in warning for warning in custody.warnings)
