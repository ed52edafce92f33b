"""Changing which lists this machine uses: add, remove, restore, update.

Rules: only `update` opens a connection, and only to the list's configured address; what arrives is checked whole (size,
shape, signature where a key is pinned, not older than what is there, not suddenly halved) before anything is replaced;
replacing is atomic and the edition before stays on disk.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from assay.provenance.errors import UnreadableFile
from assay.provenance.fetching import FetchLimits, fetch
from assay.provenance.home import private_folder
from assay.provenance.replacing import replacing
from assay.provenance.trust.list_signatures import check_detached, is_wrapped, public_key, unwrapped
from assay.provenance.trust.products import read_products
from assay.provenance.trust.reading import MAX_LIST_BYTES, Contents, TrustListRefused, read_contents
from assay.provenance.trust.store import SWITCHED_OFF, Edition, editions, folder, metadata, shipped_editions
from assay.provenance.trust.trust_list import ListKind, Purpose

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_PRODUCTS_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What an update did: entries (certificates or products) that came and went."""

    edition: Edition
    changed: bool
    added: int = 0
    gone: int = 0


def find_edition(list_id: str) -> Edition:
    """The edition in force of that id, disabled ones included. Raises `TrustListRefused`."""
    found = next((edition for edition in editions() if edition.id == list_id), None)
    if found is None:
        raise TrustListRefused(f"{list_id}: no such trust list", "see `assay trust list`")
    return found


def add_list(
    list_id: str,
    path: Path,
    purposes: tuple[Purpose, ...],
    *,
    title: str = "",
    url: str = "",
    key: str = "",
) -> Edition:
    """Add a list of the user's own from a PEM file or a C2PA trust list in JSON. Raises `TrustListRefused`."""
    if not _ID.fullmatch(list_id):
        raise TrustListRefused(f"{list_id!r} cannot name a list", "use lower-case letters, digits and hyphens")
    if any(edition.id == list_id and not edition.disabled for edition in editions()) or _is_shipped(list_id):
        raise TrustListRefused(f"{list_id}: there is a list of that name", "remove it first, or choose another name")
    if not purposes:
        raise TrustListRefused(f"{list_id}: a list needs a purpose", "say what it is for: --purpose claim-signing …")
    if key:
        public_key(key)
    content = _read_file(path)
    contents = read_contents(str(path), content)
    edition = Edition(
        id=list_id,
        title=title or f"list “{list_id}” of this user",
        kind=ListKind.IDENTITY if purposes == (Purpose.IDENTITY,) else ListKind.USER,
        purposes=tuple(dict.fromkeys(purposes)),
        content="",
        source=str(path),
        sha256="",
        url=url,
        key=key,
    )
    return _store(edition, content, contents)


def remove_list(list_id: str) -> Edition:
    """Remove a list of the user's own, or switch a shipped one off. Raises `TrustListRefused`."""
    edition = find_edition(list_id)
    if edition.disabled:
        raise TrustListRefused(f"{list_id}: it is switched off already")
    if _is_shipped(list_id):
        with replacing(private_folder("trust", list_id) / SWITCHED_OFF, overwrite=True, mode=0o600):
            pass
        return find_edition(list_id)
    target = folder(list_id)
    for path in sorted(target.iterdir()):
        path.unlink()
    target.rmdir()
    return edition


def restore_list(list_id: str) -> Edition:
    """Switch a shipped list on again. Raises `TrustListRefused`."""
    if not _is_shipped(list_id):
        raise TrustListRefused(f"{list_id}: no list of that name is shipped with assay", "name a file to add")
    (folder(list_id) / SWITCHED_OFF).unlink(missing_ok=True)
    return find_edition(list_id)


def update_list(list_id: str, *, force: bool = False, private_hosts: frozenset[str] = frozenset()) -> Update:
    """Fetch a list's newest edition and put it in place. Raises `TrustListRefused` or `FetchRefused`; then nothing changed.

    `force` accepts an older edition, or one that lost half of its entries.
    """
    edition = find_edition(list_id)
    if edition.disabled:
        raise TrustListRefused(f"{list_id}: it is switched off", f"switch it on with `assay trust add {list_id}`")
    if edition.frozen:
        raise TrustListRefused(f"{list_id}: it is frozen; there will be no newer edition")
    if not edition.url:
        raise TrustListRefused(f"{list_id}: it has no address to update from", "add it again with --url")
    parts = urlsplit(edition.url)
    if parts.scheme != "https" and not edition.key and parts.hostname not in private_hosts:
        raise TrustListRefused(
            f"{list_id}: {edition.url} is not https: anybody on the way could put themselves on the list",
            "use https, or pin a key with --key",
        )
    limit = MAX_PRODUCTS_BYTES if edition.is_products else MAX_LIST_BYTES
    limits = FetchLimits(bytes=limit, private_hosts=private_hosts)
    content = fetch(edition.url, limits)
    if is_wrapped(content):
        content = unwrapped(edition.url, content, edition.key)
    elif edition.key:
        check_detached(edition.url, content, fetch(edition.url + ".sig", limits), edition.key)
    before, issued_before = _entries(edition, edition.read())
    contents = Contents(()) if edition.is_products else read_contents(edition.url, content)
    after, _ = _entries(edition, content)
    if not force:
        _refuse_step_back(edition, issued_before, contents.issued, before=len(before), after=len(after))
    changed = hashlib.sha256(content).hexdigest() != edition.sha256
    stored = _store(replace(edition, source=edition.url, shipped=False), content, contents)
    return Update(edition=stored, changed=changed, added=len(after - before), gone=len(before - after))


def previous_edition(list_id: str) -> Update:
    """Return to the edition before the last update; once more returns to the later one. Raises `TrustListRefused`."""
    edition = find_edition(list_id)
    path = folder(list_id) / edition.previous
    if not edition.previous or not path.is_file():
        raise TrustListRefused(
            f"{list_id}: there is no edition before this one", "an update keeps the last edition only"
        )
    content = _read_file(path)
    contents = Contents(()) if edition.is_products else read_contents(str(path), content)
    before, after = _entries(edition, edition.read())[0], _entries(edition, content)[0]
    return Update(
        edition=_store(edition, content, contents), changed=True, added=len(after - before), gone=len(before - after)
    )


def _refuse_step_back(
    edition: Edition, issued_before: datetime | None, issued: datetime | None, *, before: int, after: int
) -> None:
    if issued_before and issued and issued < issued_before:
        raise TrustListRefused(
            f"{edition.id}: what {edition.url} offers was issued {issued:%Y-%m-%d}, before the edition in use "
            f"({issued_before:%Y-%m-%d})",
            "somebody may be replaying an old list; --force takes it all the same",
        )
    if after * 2 < before:
        raise TrustListRefused(
            f"{edition.id}: only {after} of {before} entries are left", "if that is right, --force takes it"
        )


def _entries(edition: Edition, content: bytes) -> tuple[frozenset[object], datetime | None]:
    """What the list holds, for comparing editions, and when it was issued."""
    if edition.is_products:
        return frozenset(product.record for product in read_products(edition.id, content)), None
    contents = read_contents(edition.id, content)
    return frozenset(contents.certificates), edition.issued or contents.issued


def _store(edition: Edition, content: bytes, contents: Contents) -> Edition:
    sha256 = hashlib.sha256(content).hexdigest()
    ending = "json" if content.lstrip()[:1] in (b"{", b"[") else "pem"
    stored = replace(
        edition,
        content=f"{sha256[:32]}.{ending}",
        sha256=sha256,
        issued=contents.issued,
        next_update=contents.next_update,
        retrieved=datetime.now(UTC).replace(microsecond=0),
        previous="" if edition.shipped or edition.sha256 == sha256 else edition.content,
    )
    if edition.sha256 == sha256 and edition.previous:
        stored = replace(stored, previous=edition.previous)
    target = private_folder("trust", edition.id)
    with replacing(target / stored.content, overwrite=True, mode=0o600) as temporary:
        temporary.write_bytes(content)
    _write_metadata(stored)
    for path in sorted(target.iterdir()):
        if path.name not in ("list.json", SWITCHED_OFF, stored.content, stored.previous) and not path.name.startswith(
            "."
        ):
            path.unlink(missing_ok=True)
    return stored


def _write_metadata(edition: Edition) -> None:
    target = private_folder("trust", edition.id) / "list.json"
    with replacing(target, overwrite=True, mode=0o600) as temporary:
        temporary.write_text(metadata(edition), encoding="utf-8")


def _is_shipped(list_id: str) -> bool:
    return any(edition.id == list_id for edition in shipped_editions())


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
