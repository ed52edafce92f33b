"""What may be kept, and what a kept manifest still proves.

Rules: a manifest is kept only with the bytes that it binds: otherwise anybody could hang a trusted signer's manifest on another
picture and have it found there; what is recalled is verified anew, and only that it fitted the bytes is taken from the record,
which says when that was checked.
"""

from dataclasses import replace

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, Axis, BottomLine, Custody, Link, Standing
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import Kind
from assay.provenance.repository.records import Fingerprint, Keepsake, Record
from assay.provenance.repository.repository import Repository
from assay.provenance.signing.thumbnail import thumbnail
from assay.provenance.trust import TrustPolicy
from assay.provenance.trust.answers import RevocationState

THUMBNAIL = 256  # pixels on the long side
_REVOKED = RevocationState.REVOKED.value
_BINDING_CODES = ("assertion.dataHash.", "assertion.bmffHash.", "assertion.boxesHash.")


class NothingToKeep(AssayError):
    """The picture has no manifest that holds for its bytes."""


def keepsake(
    asset: Asset,
    custody: Custody,
    *,
    sidecar: bytes | None = None,
    size: tuple[int, int] = (0, 0),
    fingerprints: tuple[Fingerprint, ...] = (),
) -> Keepsake:
    """What is to be kept of a verified picture. `sidecar` is its manifest store where that stood beside it; `size` in pixels.

    Raises `NothingToKeep` where there is no manifest, or none that binds these bytes.
    """
    active = custody.active
    if active is None:
        raise NothingToKeep(f"{asset.name}: there is no manifest to remember", "sign it first")
    whole = (active.axes.intact.answer, active.axes.authentic.answer) == (Answer.YES, Answer.YES)
    if not whole or custody.bottom_line in (BottomLine.TAMPERED, BottomLine.UNREADABLE, BottomLine.NO_MANIFEST):
        raise NothingToKeep(
            f"{asset.name}: its manifest does not hold for it and is not remembered: {custody.headline}"
        )
    found = (
        (sidecar,) if sidecar is not None else tuple(e.store for e in embedded_stores(asset.content, asset.media_type))
    )
    if not found:
        raise NothingToKeep(f"{asset.name}: its manifest is not in it", "name the sidecar")
    return Keepsake(
        sha256=asset.sha256,
        name=asset.name.rsplit("/", 1)[-1],
        media_type=asset.media_type.value,
        width=size[0],
        height=size[1],
        manifest=active.label,
        signer=active.signer.who,
        bottom_line=custody.bottom_line,
        store=found[-1],
        thumbnail=thumbnail(asset, THUMBNAIL) or b"",
        fingerprints=fingerprints,
    )


def recall(repository: Repository, record: Record, policy: TrustPolicy) -> Custody:
    """The chain of a kept manifest: signatures, certificates and trust as of now, the binding of its bytes as of then.

    The bottom line is never better than it was. Raises `RepositoryRefused` where the record was forgotten meanwhile.
    """
    stand_in = Asset.from_bytes(repository.thumbnail(record) or _EMPTY, name=record.name)
    found = verify(stand_in, policy, sidecar=repository.store(record), sidecar_name="the repository")
    active = found.active
    if active is None or active.axes.authentic.answer is not Answer.YES or _broken_otherwise(found):
        return replace(found, asset_sha256=record.sha256)
    then = record.kept[:10]
    intact = Axis(Answer.YES, f"it fitted the original's bytes when it was remembered on {then}")
    bound = _bound(found)
    history = next(link for link in found.links if link.label in bound).axes.unbroken  # an update's blames the stand-in
    links = tuple(_restored(link, intact, history) if link.label in bound else link for link in found.links)
    line = record.bottom_line
    if line.holds and history.answer is Answer.NO:
        line = BottomLine.BROKEN_HISTORY
    elif line.holds:
        standings = {link.now for link in links if link.label in bound or link.revocation_state == _REVOKED}
        if Standing.INVALID in standings:
            line = BottomLine.INVALID
        elif Standing.VALID in {link.now for link in links}:
            line = BottomLine.VALID
    elif line is BottomLine.INVALID:
        links = (*links[:-1], replace(links[-1], now=Standing.INVALID))
    links = (*links[:-1], replace(links[-1], title=active.title or record.name))
    vouched = active.axes.timely.statement if active.axes.timely.answer is Answer.NO else active.axes.trusted.statement
    signed = f"Signed by {active.signer.who}, {vouched}"
    fitted = f"it fitted the bytes of the original (sha256 {record.sha256[:16]}…) when it was remembered on {then}."
    reason = _reason(found, history)
    match line:
        case BottomLine.BROKEN_HISTORY | BottomLine.INVALID:
            what = "Its history is broken" if line is BottomLine.BROKEN_HISTORY else "It is not in order"
            headline = f"{what}{reason and f': {reason}'}. {signed}; {fitted}"
        case _:
            but = "but" if active.axes.trusted.answer is Answer.YES else "and"
            headline = f"{signed}{reason and f', {but} {reason}'}; {fitted}"
    return replace(
        found,
        asset_name=record.name,
        asset_sha256=record.sha256,
        bottom_line=line,
        headline=headline,
        links=links,
        place="the repository",
    )


def _bound(custody: Custody) -> frozenset[str]:
    """The manifests about the original's bytes: the active one and, where that is an update, what it updates."""
    found, link = set[str](), custody.active
    while link is not None and link.label not in found:
        found.add(link.label)
        parent = next((one.manifest for one in link.ingredients if one.relationship == "parentOf"), "")
        link = custody.find(parent) if link.kind in (Kind.UPDATE, Kind.TIME_STAMP) else None
    return frozenset(found)


def _reason(custody: Custody, history: Axis) -> str:
    """Why the chain is no better than its bottom line, where that is not its signer's doing."""
    assert custody.active is not None
    grave = [gap.statement for gap in (*custody.breaks, *custody.active.breaks) if gap.grave]
    if grave or history.answer is Answer.YES:
        return grave[0] if grave else ""
    first, *more = history.statement.split("; ")
    return f"{first} (and {len(more)} more such)" if more else first


def _restored(link: Link, intact: Axis, history: Axis) -> Link:
    """A link as it stands when the bytes that it binds are taken for unchanged."""
    axes = replace(link.axes, intact=intact, unbroken=history)
    if link.revocation_state == _REVOKED or axes.timely.answer is Answer.NO:
        standing = Standing.INVALID
    else:
        standing = Standing.TRUSTED if axes.trusted.answer is Answer.YES else Standing.VALID
    statuses = tuple(status for status in link.statuses if not _about_binding(status.code))
    return replace(link, axes=axes, now=standing, statuses=statuses)


def _broken_otherwise(custody: Custody) -> bool:
    """Whether the active manifest fails for another reason than that its picture is not at hand."""
    assert custody.active is not None
    return any(status.failure and _altered(status.code) for status in custody.active.statuses)


def _altered(code: str) -> bool:
    return code in ("assertion.hashedURI.mismatch", "claimSignature.mismatch", "assertion.missing")


def _about_binding(code: str) -> bool:
    return code.startswith(_BINDING_CODES)


# A picture of one pixel (GIF89a), for records whose format has no decoder and hence no thumbnail.
_EMPTY = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
