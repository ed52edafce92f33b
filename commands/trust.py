"""`assay trust`: which lists are believed for what, how old they are, and keeping them up to date."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from assay.provenance.trust.store import Edition
    from assay.provenance.trust.trust_list import TrustList

PURPOSES = ("claim-signing", "time-stamping", "identity")


@click.group(invoke_without_command=False)
def trust() -> None:
    """Show and keep the trust lists: who is believed, for what, since when.

    Signers of content, time-stamping authorities and identities have separate lists. Nothing is fetched except by
    `assay trust update`.
    """


@trust.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(form: str) -> None:
    """List the trust lists in use, with their age.

    Example: assay trust list
    """
    from assay.provenance.trust.policy import NO_IDENTITY_LIST
    from assay.provenance.trust.store import editions

    rows = [_row(edition) for edition in editions()]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    head = ("list", "kind", "believed for", "entries", "issued", "state")
    cells = [
        (
            r["id"],
            r["kind"],
            ", ".join(r["purposes"]) or "product names",
            f"{r['entries']} + {r['allowed']} single" if r["allowed"] else str(r["entries"]),
            r["issued"][:10],
            r["state"],
        )
        for r in rows
    ]
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    for line in [head, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if not any("identity" in row["purposes"] for row in rows if row["state"] != "switched off"):
        click.echo(f"\nNote: {NO_IDENTITY_LIST}.")


@trust.command()
@click.argument("list_id", metavar="LIST")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(list_id: str, form: str) -> None:
    """Show one list: where it comes from, its dates, and whom it holds.

    Example: assay trust show c2pa
    """
    from assay.provenance.text import plain
    from assay.provenance.trust.editing import find_edition

    edition = find_edition(list_id)
    row = _row(edition) | {"holders": _holders(edition)}
    if form == "json":
        click.echo(json.dumps(row, indent=2))
        return
    click.echo(f"{plain(edition.title)}  ({row['state']})")
    for label, value in (
        ("believed for", ", ".join(row["purposes"]) or "names of conforming products"),
        ("source", row["source"]),
        ("updates from", row["url"]),
        ("licence", row["licence"]),
        ("sha256", row["sha256"]),
        ("issued", row["issued"]),
        ("next update", row["next_update"]),
        ("retrieved", row["retrieved"]),
        ("allowed leaves", str(row["allowed"]) if row["allowed"] else ""),
    ):
        if value:
            click.echo(f"  {label:<15} {plain(value)}")
    for holder in row["holders"]:
        until = f"  until {holder['until'][:10]}" if holder.get("until") else ""
        click.echo(f"  - {plain(holder['name'])}{until}")


@trust.command()
@click.argument("list_id", metavar="LIST")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(PURPOSES), help="What it is believed for.")
@click.option("--title", default="", help="What reports call it.")
@click.option("--url", default="", help="Where `assay trust update` fetches it from.")
@click.option("--key", type=click.Path(path_type=Path), help="Public key (PEM) that must have signed every update.")
def add(list_id: str, file: Path | None, purposes: tuple[str, ...], title: str, url: str, key: Path | None) -> None:
    """Add a list of your own from FILE, or, without FILE, switch a shipped list on again.

    FILE holds certificates in PEM, or is a C2PA trust list in JSON.

    Example: assay trust add newsroom our-ca.pem --purpose claim-signing
    """
    from assay.provenance.errors import UnreadableFile
    from assay.provenance.trust.editing import add_list, restore_list
    from assay.provenance.trust.trust_list import Purpose

    if file is None:
        edition = restore_list(list_id)
        click.echo(f"{edition.id}: in use again, the edition shipped with assay")
        return
    try:
        pinned = key.read_text(encoding="ascii", errors="replace") if key else ""
    except OSError as error:
        raise UnreadableFile.from_os_error(key, error) from error
    edition = add_list(list_id, file, tuple(map(Purpose, purposes)), title=title, url=url, key=pinned)
    row = _row(edition)
    click.echo(
        f"{edition.id}: {row['entries'] + row['allowed']} certificates, believed for {', '.join(row['purposes'])}"
    )


@trust.command()
@click.argument("list_id", metavar="LIST")
def remove(list_id: str) -> None:
    """Remove a list of your own, or switch a shipped one off.

    Example: assay trust remove interim
    """
    from assay.provenance.trust.editing import remove_list

    edition = remove_list(list_id)
    click.echo(f"{edition.id}: " + ("switched off" if edition.disabled else "removed"))


@trust.command()
@click.argument("list_ids", metavar="[LIST]...", nargs=-1)
@click.option("--force", is_flag=True, help="Take an older list, or one that lost half of its entries.")
@click.option("--back", is_flag=True, help="Fetch nothing: return to the edition before the last update.")
@click.option(
    "--private-host", "private_hosts", multiple=True, help="A mirror that may be asked though its address is private."
)
def update(list_ids: tuple[str, ...], force: bool, back: bool, private_hosts: tuple[str, ...]) -> None:
    """Fetch newer editions of lists from their configured addresses: of all that have one, or of those named.

    A list that is incomplete, malformed, wrongly signed or older than the one in use is refused, and nothing changes.

    Example: assay trust update c2pa
    """
    from assay.provenance.errors import AssayError
    from assay.provenance.text import plain
    from assay.provenance.trust.editing import previous_edition, update_list
    from assay.provenance.trust.store import editions

    named = list_ids or tuple(e.id for e in editions() if e.url and not e.disabled and not e.frozen)
    failed = 0
    for list_id in named:
        try:
            if back:
                done = previous_edition(list_id)
            else:
                done = update_list(list_id, force=force, private_hosts=frozenset(private_hosts))
        except AssayError as error:
            failed += 1
            click.echo(f"{plain(list_id)}: kept as it was: {plain(str(error), limit=600)}", err=True)
            continue
        change = f"{done.added} new, {done.gone} gone" if done.changed else "unchanged"
        issued = f", issued {done.edition.issued:%Y-%m-%d}" if done.edition.issued else ""
        click.echo(f"{list_id}: {change}{issued}")
    if failed:
        raise AssayError(f"{failed} of {len(named)} lists could not be updated", "the editions before stay in use")


def _row(edition: "Edition") -> dict[str, Any]:
    """One list as JSON and table show it."""
    from assay.provenance.trust.store import load, load_products

    row: dict[str, Any] = {
        "id": edition.id,
        "title": edition.title,
        "kind": edition.kind.value,
        "purposes": [purpose.value for purpose in edition.purposes],
        "source": edition.source,
        "url": edition.url,
        "licence": edition.licence,
        "sha256": edition.sha256,
        "signed_by_pinned_key": bool(edition.key),
        "shipped": edition.shipped,
    }
    listing: TrustList | None = None if edition.is_products else load(edition)
    dates: Edition | TrustList = listing or edition
    entries = len(listing.anchors) if listing else len(load_products())
    stale = listing.stale() if listing else False
    age = listing.age() if listing else None
    for name in ("issued", "next_update", "retrieved"):
        value = getattr(dates, name)
        row[name] = value.isoformat() if value else ""
    days = f"{age.days} days old" if age is not None else ""
    state = "switched off" if edition.disabled else "frozen" if edition.frozen else "STALE" if stale else "current"
    return row | {
        "entries": entries,
        "allowed": len(listing.allowed) if listing else 0,
        "stale": stale,
        "state": f"{state}, {days}" if days and not edition.disabled else state,
    }


def _holders(edition: "Edition") -> list[dict[str, str]]:
    from assay.provenance.trust.certificates import names
    from assay.provenance.trust.reading import read_contents
    from assay.provenance.trust.store import load_products

    if edition.is_products:
        return [{"name": f"{p.common_name} ({p.organisation})", "record": p.record} for p in load_products()]
    return [
        {
            "name": f"{holder.common_name or '(no common name)'} ({holder.organisation or 'no organisation'})",
            "until": holder.not_after.isoformat() if holder.not_after else "",
            "sha256": holder.sha256,
        }
        for holder in map(names, read_contents(edition.id, edition.read()).certificates)
    ]
