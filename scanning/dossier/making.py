"""Making a dossier: the image examined, the extract written, the pages rendered from it, the whole sealed and put in place.

Rules: the folder appears complete or not at all, and never over an existing one; the original and a sidecar that its chain of custody
rests on are copied byte by byte.
"""

import hashlib
import tempfile
from pathlib import Path

from assay.provenance.errors import OutputRefused
from assay.provenance.sidecar import SUFFIX
from assay.provenance.signing.signer import Signer
from assay.scanning.dossier.extract import extract, model_facts, to_bytes
from assay.scanning.dossier.mapping import evidence_map
from assay.scanning.dossier.page import page, to_pdf
from assay.scanning.dossier.seal import seal
from assay.scanning.scan import Report, Scanner

EXTRACT, PAGE, PDF = "extract.json", "dossier.html", "dossier.pdf"


def make_dossier(
    report: Report,
    folder: Path,
    *,
    scanner: Scanner,
    signer: Signer,
    sidecar: bytes | None = None,
    model: str | None = None,
    authority: str = "",
    examiner: str = "",
    note: str = "",
    pdf: bool = True,
) -> None:
    """Write a dossier to a new folder. `sidecar` is the manifest store that lay beside the image, where its custody rests on that;
    `model` the pixel model that was asked, if any. Raises `OutputRefused`, `MissingExtra`, `SigningFailed` or what stamping
    raises."""
    if folder.exists():
        raise OutputRefused.exists(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name[:40]}-", dir=folder.parent) as temporary:
            inside = Path(temporary) / "dossier"
            inside.mkdir()
            original = f"original{report.asset.media_type.suffix}"
            (inside / original).write_bytes(report.asset.content)
            if sidecar is not None:
                (inside / f"{original}{SUFFIX}").write_bytes(sidecar)
            heat = evidence_map(report, model) if model else None
            found = extract(
                report,
                policy=scanner.policy,
                original=original,
                sidecar=sidecar,
                model=model_facts(model) if model else None,
                mapped=heat is not None,
                examiner=examiner,
                note=note,
            )
            content = to_bytes(found)
            (inside / EXTRACT).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            html = page(found, report, extract_sha256=digest, sealed_by=signer.name, stamped=bool(authority), heat=heat)
            (inside / PAGE).write_text(html, encoding="utf-8")
            if pdf:
                (inside / PDF).write_bytes(to_pdf(html))
            seal(inside, signer, authority=authority)
            if folder.exists():
                raise OutputRefused.exists(folder)
            inside.rename(folder)
    except OSError as error:
        raise OutputRefused.from_os_error(folder, error) from error
