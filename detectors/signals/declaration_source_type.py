"""The IPTC digital source type that a file declares in XMP or IIM: a statement, unsigned, that anybody could have written.

Source: IPTC Photo Metadata Standard 2025.1, property Digital Source Type.
"""

from dataclasses import replace

from assay.detectors.evidence import Evidence, Origin
from assay.detectors.signals.declaring import Claim, spoken
from assay.detectors.source_types import IPTC, montage, source_type
from assay.detectors.subject import Subject
from assay.provenance.disclosure.block import Carrier, Field

_NAMES = frozenset({"Iptc4xmpExt:DigitalSourceType", "photoshop:DigitalSourceType", "Iptc4xmpCore:DigitalSourceType"})


class SourceTypeDeclaration:
    """Reads every digital source type of the file; the picture's own speaks, a nested part's is only told."""

    name = "declaration-source-type"

    def examine(self, subject: Subject) -> Evidence:
        """Say what the file declares as its digital source type."""
        claims = [claim for field in subject.metadata.fields if (claim := _claim(field))]
        said = spoken(self.name, claims, nothing="The file declares no digital source type.")
        captured = [claim.field for claim in claims if claim.origin is Origin.CAPTURED and claim.field.primary]
        return replace(said, findings=(*said.findings, *montage(field.value for field in captured)))


def _claim(field: Field) -> Claim | None:
    match field.carrier:
        case Carrier.XMP:
            nested = "/" in field.name.split("}")[-1]
            if field.name not in _NAMES and not (nested and field.name.endswith("Iptc4xmpExt:DigitalSourceType")):
                return None
        case Carrier.IIM:
            nested = False
            if IPTC not in field.value:
                return None
        case _:
            return None
    known = source_type(field.value)
    if known is None:
        return Claim(field, Origin.UNDETERMINED, "of a source type that the vocabulary does not know")
    if nested:
        return Claim(field, Origin.UNDETERMINED, f"in part {known.meaning}")
    return Claim(field, known.origin, known.meaning)
