"""Hand-made outcomes for presenters: every kind of verdict, and strings that attack terminals, pages and tables."""

import io

from PIL import Image

from assay.detectors.evidence import Basis, Evidence, Finding, Origin, Rate, Severity, Silence, Trace
from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.errors import UnsupportedFormat
from assay.scanning.scan import Failure, Report
from assay.scanning.verdict import weigh

HOSTILE = '<img src=x onerror=alert(1)> =HYPERLINK("http://x") \u202egpj.exe \x1b[31mred\x07 {{7*7}} [bold]x[/bold]'


def picture(colour: str = "teal", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def report(*evidence: Evidence, name: str = "picture.png", bottom_line: BottomLine = BottomLine.NO_MANIFEST) -> Report:
    asset = Asset.from_bytes(picture(), name=name)
    custody = Custody(
        asset_name=name,
        asset_sha256=asset.sha256,
        bottom_line=bottom_line,
        headline="There is no manifest in this file.",
    )
    return Report(asset=asset, width=64, height=48, custody=custody, evidence=evidence, verdict=weigh(evidence))


SILENT = Evidence.silent("manifest", Silence.ABSENT, "No manifest.")
DECLARED = Evidence(
    signal="generator-traces",
    origin=Origin.SYNTHETIC,
    basis=Basis.DECLARED,
    statement=f"The PNG text says: {HOSTILE}",
    generator="Stable Diffusion",
    traces=(Trace("PNG tEXt parameters", HOSTILE, 1234),),
    findings=(Finding("malformed", Severity.WARNING, HOSTILE),),
)
CAPTURED = Evidence(
    signal="iptc-digital-source-type",
    origin=Origin.CAPTURED,
    basis=Basis.DECLARED,
    statement="XMP says digitalCapture.",
)
PIXELS = Evidence(
    signal="pixels",
    origin=Origin.SYNTHETIC,
    basis=Basis.INFERRED,
    statement="The pixel model speaks.",
    llr=1.6,
    false_positive_rate=Rate(hits=3, trials=2100, low=0.0005, high=0.0042),
    true_positive_rate=Rate(hits=140, trials=700, low=0.17, high=0.23),
)
FAILURE = Failure(f"{HOSTILE}.jpg", UnsupportedFormat(f"{HOSTILE}.jpg", "text"))
