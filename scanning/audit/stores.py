"""Objects of a bucket, listed page by page and read whole: S3, Google Cloud Storage, Azure Blob Storage.

Rules: credentials and endpoints come from the environment that each store's own tools use; only images by name are listed,
for looking into every object would mean fetching it; nothing is ever written to a store; the only importer of obstore.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from assay.provenance.asset import DEFAULT_LIMITS, Limits
from assay.provenance.errors import AssayError, LimitExceeded, MissingExtra, UnreadableFile
from assay.provenance.sidecar import SUFFIX, Beside, sidecar_names
from assay.scanning.audit.listing import Sidecars
from assay.scanning.audit.sources import Item, refused
from assay.scanning.walking import exclusions, is_image_name

_ENDPOINTS = {  # the variables that name another server than the store's own
    "s3": ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_GROUP = 4096  # objects whose names begin alike; a sidecar further off is not found


def objects(url: str, *, exclude: tuple[str, ...] = (), limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """Yield the images under a URL such as `s3://bucket/prefix`; a listing that breaks off says so in a last item, and so does a
    prefix under which there is nothing at all, as a folder that is not there."""
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise MissingExtra(f"reading {url.partition('://')[0]}://", "cloud") from error
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    spec = exclusions(exclude) if exclude else None
    try:
        make: Any = obstore.store.from_url  # typed per store, and which one it is decides the URL
        store = make(f"{scheme}://{bucket}", client_options=_client_options(scheme))
        if single := is_image_name(prefix):
            listed = iter([_single(store, prefix)])
        else:
            listed = _neighbours(entry for page in obstore.list(store, prefix=prefix or None) for entry in page)
        empty = True
        for group in listed:
            empty = False
            entries = {entry["path"]: entry for entry in group}
            sidecars = Sidecars(entries)
            for key, entry in entries.items():
                if is_image_name(key) and not (spec and spec.match_file(key)):
                    found = sidecars.of(key)
                    beside = (
                        (entries[found[0]], found[1] and (not single or found[0] == key + SUFFIX)) if found else None
                    )
                    yield _item(store, f"{scheme}://{bucket}/", entry, beside, limits)
        if empty and prefix.strip("/"):
            yield refused(
                url,
                UnreadableFile(
                    f"{url}: no object lies under this prefix; its case counts, and it ends with a whole folder's name",
                    "check its spelling",
                ),
            )
    except Exception as error:  # the stores' clients raise what they like
        yield refused(
            url, UnreadableFile(f"{url}: cannot be listed: {_first_line(error)}", "check the URL and the credentials")
        )


def _neighbours(entries: Iterable[Any]) -> Iterator[list[Any]]:
    """The entries, those together whose names begin alike up to their first dot, as a picture's and its sidecar's do: in a
    listing by name, as all three stores give it, they follow one another."""
    group: list[Any] = []
    lead = ""
    for entry in entries:
        folder, slash, name = entry["path"].rpartition("/")
        if group and (not entry["path"].startswith(lead) or len(group) >= _GROUP):
            yield group
            group = []
        if not group:
            lead = f"{folder}{slash}{name.partition('.')[0]}."
        group.append(entry)
    if group:
        yield group


def _single(store: Any, key: str) -> list[Any]:
    """One object and its sidecar. Others that the sidecar could mean are not looked for: it would take a listing."""
    import obstore
    from obstore.exceptions import NotFoundError

    found = [obstore.head(store, key)]
    for name in sidecar_names(key):
        with suppress(NotFoundError, FileNotFoundError):
            return [*found, obstore.head(store, name)]
    return found


def _item(store: Any, root: str, entry: Any, sidecar: tuple[Any, bool] | None, limits: Limits) -> Item:
    name = root + entry["path"]
    prints = [_fingerprint(entry)]
    beside = None
    if sidecar is not None:
        found, sole = sidecar
        prints += [_fingerprint(found), str(sole)]
        beside = partial(_beside, store, root + found["path"], found, sole)
    return Item(
        name,
        partial(_read, store, entry["path"], name, entry["size"], limits),
        entry["size"],
        entry["last_modified"].timestamp(),
        " ".join(prints) if all(prints) else "",
        beside,
    )


def _fingerprint(entry: Any) -> str:
    tag = entry.get("e_tag") or ""
    return f"{tag} {entry['size']} {entry['last_modified'].isoformat()}" if tag else ""


def _beside(store: Any, name: str, entry: Any, sole: bool) -> Beside:
    limits = replace(DEFAULT_LIMITS, bytes=DEFAULT_LIMITS.store)
    return Beside(name, _read(store, entry["path"], name, entry["size"], limits), sole)


def _read(store: Any, key: str, name: str, size: int, limits: Limits) -> bytes:
    import obstore

    if size > limits.bytes:
        raise LimitExceeded(name, "bytes", found=size, limit=limits.bytes)
    try:
        found = obstore.get(store, key)
        if found.meta["size"] > limits.bytes:
            raise LimitExceeded(name, "bytes", found=found.meta["size"], limit=limits.bytes)
        return bytes(found.bytes())
    except AssayError:
        raise
    except Exception as error:
        raise UnreadableFile(f"{name}: cannot be read: {_first_line(error)}") from error


def _client_options(scheme: str) -> dict[str, Any] | None:
    """Plain HTTP only where the user's own endpoint is plain HTTP: a local server. None leaves it to the variables."""
    plain = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS[scheme])
    return {"allow_http": True} if plain else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
