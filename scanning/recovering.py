"""Remembering manifests, and recovering them for copies that lost theirs.

Rules: what is proved (the recovered manifest holds for the original) and what is likely (that this picture is a copy of the
original) are never mixed; only the very same bytes make both a proof; nothing is remembered unless asked for.
"""

from dataclasses import dataclass, field
from math import floor
from pathlib import Path

from assay.detectors.fingerprints.iscc import ImageCode
from assay.detectors.fingerprints.searching import Match, Searcher, fingerprints, mark_of, marked, operating_point
from assay.detectors.watermarks.protocol import Decoded
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Custody
from assay.provenance.custody.verifying import verify
from assay.provenance.decoding import can_decode, decode, open_image
from assay.provenance.errors import AssayError
from assay.provenance.repository import FIRST, Fingerprint, Place, Record, Repository, is_there, open_repository
from assay.provenance.repository.keeping import keepsake, recall
from assay.provenance.signing.recipe import Recipe
from assay.provenance.signing.soft_binding import with_soft_binding
from assay.provenance.trust import TrustPolicy, default_policy

NOTHING = "No manifest was recovered: no picture in the repository is like this one. That is no evidence of anything."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One manifest found again: by its bytes, or by its looks (`match`), by the mark in its pixels (`mark`), or both.

    `proved` and `likely` are sentences; where the manifest does not hold, `proved` says that, and nothing is.
    """

    record: Record
    custody: Custody
    match: Match | None
    mark: Decoded | None = None
    proved: str
    likely: str
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def same_bytes(self) -> bool:
        """Whether this very file is remembered."""
        return self.match is None and self.mark is None

    @property
    def holds(self) -> bool:
        """Whether the recovered manifest may be relied on as far as its signer is."""
        return self.custody.bottom_line.holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a search for one picture found, the best first. `own` is its own chain, where it still has one."""

    asset: Asset
    own: Custody
    found: tuple[Recovered, ...]
    searched: int

    @property
    def headline(self) -> str:
        """The first thing to say."""
        if not self.found:
            return NOTHING
        best = self.found[0]
        if best.same_bytes:
            return f"These very bytes are remembered, with a manifest signed by {best.record.signer}."
        more = f", and {len(self.found) - 1} more" if len(self.found) > 1 else ""
        holds = "was signed" if best.holds else "does not hold, signed"
        if best.mark is not None:
            return f"This picture carries the mark of one whose manifest {holds} by {best.record.signer}{more}."
        return f"This picture looks like a copy of one whose manifest {holds} by {best.record.signer}{more}."


def remember(
    asset: Asset,
    repository: Repository,
    *,
    policy: TrustPolicy | None = None,
    sidecar: bytes | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Record, bool]:
    """Keep the manifest of a picture that it binds. Returns the record, and whether it is new.

    Raises `NothingToKeep`, `MissingExtra` or `RepositoryRefused`.
    """
    custody = verify(asset, policy or default_policy(), sidecar=sidecar)
    size, prints = (0, 0), tuple[Fingerprint, ...]()
    if can_decode(asset.media_type):
        image = decode(asset, limits=limits)
        size, prints = image.size, fingerprints(image)
        if custody.active and any(a.label.startswith("c2pa.watermarked") for a in custody.active.actions):
            prints += mark_of(image)
    return repository.keep(keepsake(asset, custody, sidecar=sidecar, size=size, fingerprints=prints))


def remember_path(path: Path, repository: Repository, *, policy: TrustPolicy | None = None) -> tuple[Record, bool]:
    """The same for a file, with a sidecar beside it where its manifest is there. Raises `AssayError`."""
    from assay.provenance.custody.examining import examine

    examined = examine(path, policy or default_policy())
    return remember(examined.asset, repository, policy=policy, sidecar=examined.manifest_store)


def recover(
    asset: Asset,
    repository: Repository,
    *,
    policy: TrustPolicy | None = None,
    searcher: Searcher | None = None,
    crops: bool = True,
    most: int = 10,
    limits: Limits = DEFAULT_LIMITS,
) -> Recovery:
    """Look for the manifests that a picture may have lost: by its hash, then by the mark in its pixels and by its looks.

    Raises `AssayError` where the picture cannot be decoded or hashed.
    """
    policy = policy or default_policy()
    found = [_exact(asset, repository, record, policy) for record in repository.by_sha256(asset.sha256)[:most]]
    if not found:
        open_image(asset, limits=limits)  # a format without a decoder is said as such
        image = decode(asset, limits=limits)
        mark, records = marked(repository, image)
        matches = {
            match.record.id: match for match in (searcher or Searcher(repository)).search(image, crops=crops, most=most)
        }
        found = [_alike(repository, one, policy, match=matches.pop(one.id, None), mark=mark) for one in records]
        found += [_alike(repository, match.record, policy, match=match) for match in matches.values()]
        found = found[:most]
    return Recovery(asset=asset, own=verify(asset, policy), found=tuple(found), searched=len(repository))


def _exact(asset: Asset, repository: Repository, record: Record, policy: TrustPolicy) -> Recovered:
    custody = verify(asset, policy, sidecar=repository.store(record), sidecar_name="the repository")
    return Recovered(
        record=record,
        custody=custody,
        match=None,
        proved=f"The recovered manifest was checked against this very file: {_lower(custody.headline)}",
        likely="Nothing is left to likelihood: these are the bytes that were remembered.",
        thumbnail=repository.thumbnail(record),
    )


def _alike(
    repository: Repository,
    record: Record,
    policy: TrustPolicy,
    *,
    match: Match | None = None,
    mark: Decoded | None = None,
) -> Recovered:
    custody = recall(repository, record, policy)
    holds = (
        "holds for the original, not for this copy" if custody.bottom_line.holds else "does not hold for the original"
    )
    return Recovered(
        record=record,
        custody=custody,
        match=match,
        mark=mark,
        proved=f"The recovered manifest {holds}: {_lower(custody.headline)}",
        likely=" ".join(
            filter(
                None,
                (
                    "That this picture is a copy of that original is likely, not proved.",
                    _marking(mark) if mark else "",
                    likeness(match) if match else "It does not look enough like the original to be found by that.",
                    "A retouched or look-alike picture can match as well; compare the two.",
                ),
            )
        ),
        thumbnail=repository.thumbnail(record),
    )


def _marking(mark: Decoded) -> str:
    return (
        f"The identifier that was hidden in the original's pixels was read from this picture ({mark.matched} of {mark.bits} "
        "coded bits agree). By chance one is read in fewer than one picture in a million; but whoever has a marked picture "
        "can copy its mark into another."
    )


def likeness(match: Match) -> str:
    """How alike copy and original are, and how often that was wrong when it was measured."""
    said = (
        f"Seen {match.how}, its fingerprint differs in {match.distance} of 256 bits, and laid over each other the two agree "
        f"to {floor(100 * max(0.0, match.agreement))}%."
    )
    point = operating_point()
    rate = point.false_matches
    if rate.trials:
        said += (
            f" Of {rate.trials:,} searches for pictures that were not among {point.distractors:,} remembered ones, "
            f"{rate.hits:,} found one all the same (with 95 % certainty at most {rate.high:.2%})."
        )
    return said


def softly_bound(recipe: Recipe, asset: Asset) -> Recipe:
    """The recipe with the picture's ISCC Image-Code as soft binding. Raises what decoding raises."""
    return with_soft_binding(recipe, ImageCode.algorithm, ImageCode().value(decode(asset)))


def require_repository(where: Place, *, reading: bool = False) -> Repository:
    """Open a repository that must be there already. `reading`: it is not changed, and no more than searched; only an index for
    that is kept where it can be. Raises `AssayError`."""
    if not is_there(where):
        raise AssayError(f"{where}: there is no repository yet", FIRST)
    return open_repository(where, reading=reading, indexing=reading)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
