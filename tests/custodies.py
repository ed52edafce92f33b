"""Hand-made chains of custody for presenters: every bottom line, and strings that attack terminals and pages."""

from datetime import UTC, datetime

from outcomes import HOSTILE, picture

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import (
    Action,
    Answer,
    Axes,
    Axis,
    BottomLine,
    Custody,
    Gap,
    Identity,
    Ingredient,
    Link,
    Signer,
    Standing,
    Status,
)
from assay.provenance.custody.examining import Examined

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
YES = Axis(Answer.YES, "it holds", ("claimSignature.validated",))
NO = Axis(Answer.NO, "its bytes were changed", ("assertion.dataHash.mismatch",))
UNKNOWN = Axis(Answer.UNKNOWN, f"nothing is known of “{HOSTILE}”", ("ingredient.unknownProvenance",))


def link(label: str, **fields: object) -> Link:
    standard: dict[str, object] = {
        "title": f"{label}.jpg",
        "signer": Signer(
            common_name="Camera 7",
            organisation="Lumen Cameras",
            issuer="Lumen CA",
            serial="2a",
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2027, 1, 1, tzinfo=UTC),
            trust_list="C2PA trust list",
            trust_list_id="c2pa",
            trust_list_kind="official",
            assurance_level=1,
            product="Lumen L7",
        ),
        "actions": (
            Action(label="c2pa.created", digital_source_type=f"{IPTC}digitalCapture", software_agent="L7 2.0"),
        ),
        "certified_time": datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        "time_authority": "Time Co",
        "axes": Axes(YES, YES, YES, YES, YES),
        "now": Standing.TRUSTED,
        "revocation": "not revoked as of 2026-03-04 05:06 UTC",
        "revocation_state": "good",
    }
    return Link(label=label, **(standard | fields))  # type: ignore[arg-type]


PHOTO = link("photo", recorded=Standing.TRUSTED)
BAD = link("photo", title=HOSTILE, recorded=Standing.TAMPERED, now=Standing.TAMPERED, axes=Axes(NO, YES, YES, YES, YES))
STRANGER = Signer(common_name=HOSTILE, organisation=HOSTILE)
EDIT = link(
    "edit",
    title="front page.jpg",
    signer=STRANGER,
    claim_generator=HOSTILE,
    actions=(
        Action(label="c2pa.opened"),
        Action(label="c2pa.color_adjustments", description=HOSTILE, when="2026-03-05"),
        Action(label=f"org.example.{HOSTILE}", digital_source_type=f"{HOSTILE}"),
        Action(label="c2pa.edited", digital_source_type=f"{IPTC}compositeWithTrainedAlgorithmicMedia"),
    ),
    ingredients=(
        Ingredient(
            title=HOSTILE, relationship="parentOf", manifest="photo", recorded=(Status("a.b", "u", True, HOSTILE),)
        ),
        Ingredient(title="logo.png", relationship="componentOf"),
        Ingredient(title="lost.jpg", relationship="componentOf", manifest="gone"),
    ),
    certified_time=None,
    time_authority="",
    claimed_time=HOSTILE,
    now=Standing.VALID,
    axes=Axes(YES, YES, Axis(Answer.NO, HOSTILE, ("signingCredential.untrusted",)), YES, UNKNOWN),
    identities=(Identity(names=(HOSTILE,), kind="cawg.x509.cose", statement="it was not checked"),),
    breaks=(
        Gap("unsigned-component", "its component “logo.png” had no manifest: nothing is known of it"),
        Gap("missing-manifest", f"the manifest of its component “{HOSTILE}” is not in the file", grave=True),
    ),
    assertions=("c2pa.actions.v2", HOSTILE),
    soft_bindings=(HOSTILE,),
    permissions=(f"{HOSTILE}: notAllowed",),
    rubric=("ambiguousActions", "perceptibleGenAI"),
    statuses=(Status("claimSignature.validated", "u", False, HOSTILE),),
)


def custody(line: BottomLine, *links: Link, name: str = "picture.png", **fields: object) -> Custody:
    sha256 = Asset.from_bytes(picture()).sha256
    headline = fields.pop("headline", "One sentence that says it.")
    return Custody(  # type: ignore[arg-type]
        asset_name=name, asset_sha256=sha256, bottom_line=line, headline=headline, links=links, **fields
    )


CUSTODIES = {
    "trusted": custody(BottomLine.TRUSTED, PHOTO, place="PNG caBX", sdk_state="Trusted"),
    "hostile": custody(
        BottomLine.BROKEN_HISTORY,
        BAD,
        EDIT,
        name=f"{HOSTILE}.png",
        headline=f"Its history is broken: {HOSTILE}",
        breaks=(Gap("stray-manifest", "1 manifest of its store belongs to nothing in it"),),
        residue=(HOSTILE,),
        warnings=("the list is old",),
        remote_url=HOSTILE,
        place="PNG caBX",
        sdk_state="Trusted",
    ),
    "no-manifest": custody(BottomLine.NO_MANIFEST, headline="No manifest."),
    "unreadable": custody(
        BottomLine.UNREADABLE,
        headline=f"It cannot be read: {HOSTILE}",
        breaks=(Gap("unreadable-manifest", HOSTILE, True),),
    ),
}


def examined(name: str) -> Examined:
    found = CUSTODIES[name]
    return Examined(Asset.from_bytes(picture(), name=found.asset_name), found)
