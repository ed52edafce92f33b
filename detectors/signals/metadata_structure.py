"""What is malformed in a file's metadata: findings, never a statement about origin."""

from assay.detectors.evidence import Evidence, Silence
from assay.detectors.signals.declaring import finding
from assay.detectors.subject import Subject


class MetadataStructure:
    """Reports every flaw that reading the container met: wrong lengths, bombs, entities, cut or broken pieces."""

    name = "metadata-structure"

    def examine(self, subject: Subject) -> Evidence:
        """List the flaws; the container's shape is no evidence of origin."""
        findings = tuple(dict.fromkeys(finding(flaw) for flaw in subject.metadata.flaws))
        if not findings:
            return Evidence.silent(self.name, Silence.ABSENT, "The metadata are well formed.")
        return Evidence.silent(
            self.name,
            Silence.INCONCLUSIVE,
            f"The metadata are malformed in {len(findings)} place(s); what could be read was read.",
            findings=findings,
        )
