"""A dossier's pages, HTML and PDF, rendered from its extract and from pictures that we encoded ourselves.

Rules: no script and no request to anywhere, in the browser and in the PDF writer; strings of the file go through `plain` and
Jinja's escaping; the only importer of WeasyPrint, which must not change how Pillow decodes for the rest of us.
"""

from typing import TYPE_CHECKING, Any

from assay.provenance.custody.chain import Custody
from assay.provenance.custody.examining import Examined
from assay.provenance.errors import MissingExtra
from assay.scanning.dossier.extract import PICTURE_EDGE, Document
from assay.scanning.dossier.mapping import legend
from assay.scanning.report import custody_words
from assay.scanning.report.custody_html import chain_picture
from assay.scanning.report.html import environment
from assay.scanning.report.picture import encode, thumbnail
from assay.scanning.scan import Report

if TYPE_CHECKING:
    from PIL.Image import Image

_PAPER = (660, 960)  # the text on A4 in CSS pixels: a larger chain is drawn as cards one below the other, never smaller
_EDGES = {  # by state: WeasyPrint lets no style sheet into SVG, so there the lines of the chain need attributes of their own
    "trusted": 'stroke="#1f7a4a"',
    "unknown": 'stroke="#8a6a12" stroke-dasharray="7 6"',
    "ghost": 'stroke="#8a6a12" stroke-dasharray="7 6"',
    "broken": 'stroke="#b3261e" stroke-dasharray="3 7"',
    "invalid": 'stroke="#b3261e" stroke-dasharray="3 7"',
}


def page(
    found: Document,
    report: Report,
    *,
    extract_sha256: str,
    sealed_by: str,
    stamped: bool = False,
    heat: "Image | None" = None,
) -> str:
    """Render one extract as an HTML document made for paper and screen. `stamped`: the seal will bear an authority's stamp."""
    custody = report.custody
    chain = chain_picture(Examined(report.asset, custody)) if isinstance(custody, Custody) else None
    evidence = found["report"]["evidence"]
    return (
        environment()
        .get_template("dossier.html.j2")
        .render(
            found=found,
            report=found["report"],
            custody=found["report"]["custody"],
            picture=chain,
            paper=_EDGES,
            stacked=chain is not None and not _fits(chain),
            image=thumbnail(report.asset, edge=PICTURE_EDGE),
            heat=encode(heat, edge=PICTURE_EDGE) if heat is not None else "",
            legend=legend() if heat is not None else "",
            speaking=[piece for piece in evidence if not piece["silence"]],
            silent=[piece for piece in evidence if piece["silence"]],
            measured=[piece for piece in evidence if piece["false_positive_rate"]],
            questions=custody_words.AXES,
            extract_sha256=extract_sha256,
            sealed_by=sealed_by,
            stamped=stamped,
        )
    )


def _fits(chain: dict[str, object]) -> bool:
    return int(str(chain["width"])) <= _PAPER[0] and int(str(chain["height"])) <= _PAPER[1]


def to_pdf(html: str) -> bytes:
    """The page as PDF. Raises `MissingExtra` without WeasyPrint."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        try:
            from weasyprint import HTML
            from weasyprint.urls import URLFetcher
        except (ImportError, OSError) as error:  # OSError: its native libraries are missing
            raise MissingExtra("writing PDF", "pdf") from error
        fetcher: Any = URLFetcher(allowed_protocols={"data"}, allow_redirects=False)
        pdf: bytes = HTML(string=html, url_fetcher=fetcher).write_pdf()
        return pdf
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before  # WeasyPrint sets it for the whole process when it is imported
