"""Objects of a bucket, listed page by page and read whole: S3, Google Cloud Storage, Azure Blob Storage.

Rules: credentials and endpoints come from the environment that each store's own tools use; only images by name are listed,
for looking into every object would mean fetching it; nothing is ever written to a store; the only importer of obstore.
"""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from assay.provenance.asset import DEFAULT_LIMITS, Limits
from assay.provenance.errors import AssayError, LimitExceeded, MissingExtra, UnreadableFile
from assay.scanning.audit.sources import Item, refused
from assay.scanning.walking import is_image_name


def objects(url: str, *, exclude: tuple[str, ...] = (), limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """Yield the images under a URL such as `s3://bucket/prefix`; a listing that breaks off says so in a last item."""
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise MissingExtra(f"reading {url.partition('://')[0]}://", "cloud") from error
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    spec = _spec(exclude)
    try:
        make: Any = obstore.store.from_url  # typed per store, and which one it is decides the URL
        store = make(f"{scheme}://{bucket}", client_options=_client_options())
        single = is_image_name(prefix)
        pages = [[obstore.head(store, prefix)]] if single else obstore.list(store, prefix=prefix or None)
        for page in pages:
            for entry in page:
                key = entry["path"]
                if is_image_name(key) and not (spec and spec.match_file(key)):
                    yield _item(store, f"{scheme}://{bucket}/{key}", entry, limits)
    except Exception as error:  # the stores' clients raise what they like
        yield refused(
            url, UnreadableFile(f"{url}: cannot be listed: {_first_line(error)}", "check the URL and the credentials")
        )


def _item(store: Any, name: str, entry: Any, limits: Limits) -> Item:
    tag = entry.get("e_tag") or ""
    return Item(
        name,
        partial(_read, store, entry["path"], name, entry["size"], limits),
        entry["size"],
        entry["last_modified"].timestamp(),
        f"{tag} {entry['size']} {entry['last_modified'].isoformat()}" if tag else "",
    )


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


def _client_options() -> dict[str, Any]:
    """Plain HTTP only where the user's own endpoint is plain HTTP: a local server."""
    return {"allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")}


def _spec(exclude: tuple[str, ...]) -> Any:
    if not exclude:
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(exclude)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
