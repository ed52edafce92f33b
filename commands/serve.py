"""`assay serve`: the upload-scanning service and its page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from assay.scanning.service.keys import Keys

P = ParamSpec("P")
PACKAGES = (
    "fastapi",
    "uvicorn",
    "httptools",
    "orjson",
    "starlette",
    "python_multipart",
    "prometheus_client",
    "sqlalchemy",
)
SCOPES = ("scan", "jobs", "review", "metrics")  # a copy of keys.SCOPES, which a test holds equal
FOLDER = click.Path(file_okay=False, path_type=Path)
DATABASE_VARIABLE = "ASSAY_DATABASE"  # keeps a password off the list of processes


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8320, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--name", "names", multiple=True, help="Host name under which the server answers too; repeatable.")
@click.option("--workers", type=click.IntRange(1, 256), help="Files examined at once.  [default: one for each core]")
@click.option("--queue", default=32, show_default=True, type=click.IntRange(0, 10_000), help="Files that may wait.")
@click.option("--no-pixels", is_flag=True, help="Only what the file says and carries; no pixel classifier.")
@click.option("--model", default="deep", show_default=True, help="Pixel model: a name under models/, or a folder.")
@click.option("--max-megabytes", default=64, show_default=True, type=click.IntRange(1, 1024), help="Of one upload.")
@click.option("--max-megapixels", default=100, show_default=True, type=click.IntRange(1, 178), help="Of one image.")
@click.option("--max-seconds", default=60.0, show_default=True, type=click.FloatRange(1, 600), help="For one file.")
@click.option(
    "--state", type=FOLDER, help="Folder of keys and jobs. Without it nothing is kept, and no jobs are taken."
)
@click.option(
    "--database",
    metavar="URL",
    envvar=DATABASE_VARIABLE,
    help="PostgreSQL in place of a folder, for several servers that share keys and jobs: postgresql://…",
)
@click.option(
    "--retention", default=24.0, show_default=True, type=click.FloatRange(min=0), help="Hours until finished jobs go."
)
@click.option(
    "--waiting-megabytes", default=4096, show_default=True, type=click.IntRange(1), help="Of jobs not examined yet."
)
@click.option(
    "--caller-megabytes", default=1024, show_default=True, type=click.IntRange(1), help="The same of one key."
)
@click.option(
    "--spare-megabytes",
    default=256,
    show_default=True,
    type=click.IntRange(0),
    help="That stay free on the disk of --state; at least room for two uploads.",
)
@click.option(
    "--webhook-host", "webhook_hosts", multiple=True, metavar="HOST[:PORT]", help="May be called; repeatable."
)
@click.option(
    "--labels", "policies", multiple=True, metavar="FILE", help="A label policy beside the presets; repeatable."
)
@click.option("--rate", default=0, show_default=True, help="Requests a minute of one caller; 0 for any number.")
@click.option("--unprotected", is_flag=True, help="Listen on a reachable address without keys.")
@click.option("--stop-after", type=click.FloatRange(min=0, min_open=True), help="End after so many seconds.")
@click.pass_context
def serve(
    context: click.Context,
    host: str,
    port: int,
    names: tuple[str, ...],
    workers: int | None,
    queue: int,
    no_pixels: bool,
    model: str,
    max_megabytes: int,
    max_megapixels: int,
    max_seconds: float,
    state: Path | None,
    database: str | None,
    retention: float,
    waiting_megabytes: int,
    caller_megabytes: int,
    spare_megabytes: int,
    webhook_hosts: tuple[str, ...],
    policies: tuple[str, ...],
    rate: int,
    unprotected: bool,
    stop_after: float | None,
) -> None:
    """Run the scanning service and its page on this machine

    Answers at / with a page and under /v1 with JSON, the same that `assay scan` and `assay verify` print. Uploads stay in
    memory and are forgotten; hostile files are opened in worker processes that may die.

    Example: assay serve --port 8320
    """
    if context.invoked_subcommand is not None:
        return
    if state is not None and database is not None:
        raise click.UsageError("name one of --state and --database")
    with _extra():
        import python_multipart  # noqa: F401 - the framework would miss it only when the first form comes

        from assay.scanning.service.running import serve as run
    from assay.scanning.service.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        names=names,
        workers=workers or 0,
        queue=queue,
        model=None if no_pixels else model,
        upload=max_megabytes * 2**20,
        pixels=max_megapixels * 1_000_000,
        seconds=max_seconds,
        state=state,
        database=database or "",
        retention=retention * 3600,
        waiting=waiting_megabytes * 2**20,
        waiting_each=caller_megabytes * 2**20,
        spare=spare_megabytes * 2**20,
        webhook_hosts=webhook_hosts,
        policies=policies,
        rate=rate,
        unprotected=unprotected,
    )
    run(settings, stop_after=stop_after, say=click.echo)


def of_a_server(command: Callable[P, None]) -> Callable[P, None]:
    """The two ways of naming a server's state."""
    database = click.option(
        "--database", metavar="URL", envvar=DATABASE_VARIABLE, help="The servers' PostgreSQL database."
    )
    return click.option("--state", type=FOLDER, help="The server's state folder.")(database(command))


OVERLAP = click.option(
    "--overlap", default=24.0, show_default=True, type=click.FloatRange(min=0), help="Hours that the old one counts on."
)


@serve.group()
def keys() -> None:
    """Make, list, rotate and revoke the API keys of a server; it notices within a second

    Example: assay serve keys add newsroom --state /var/lib/assay --scope scan
    """


@keys.command("add")
@click.argument("name")
@of_a_server
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Repeatable.  [default: all]")
@click.option(
    "--rate", default=0, show_default=True, type=click.IntRange(0), help="Requests a minute; 0: as the server."
)
def add_key(name: str, state: Path | None, database: str | None, scopes: tuple[str, ...], rate: int) -> None:
    """Make a key and show it, this once

    Example: assay serve keys add newsroom --state /var/lib/assay --scope scan
    """
    with _keys(state, database) as known:
        click.echo(known.add(name, scopes or SCOPES, rate=rate))


@keys.command("list")
@of_a_server
def list_keys(state: Path | None, database: str | None) -> None:
    """List the keys that count

    Example: assay serve keys list --state /var/lib/assay
    """
    from datetime import UTC, datetime

    from assay.provenance.text import plain

    with _keys(state, database) as known:
        for key in known.all():
            ends = f", until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d %H:%M} UTC" if key.expires else ""
            rate = f", {key.rate} a minute" if key.rate else ""
            made = f"{datetime.fromtimestamp(key.made, UTC):%Y-%m-%d}"
            click.echo(f"{plain(key.name)}: {', '.join(key.scopes)}{rate}, since {made}{ends}")


@keys.command("rotate")
@click.argument("name")
@of_a_server
@OVERLAP
def rotate_key(name: str, state: Path | None, database: str | None, overlap: float) -> None:
    """Make a new key for a name and show it; the old one counts for a while

    Example: assay serve keys rotate newsroom --state /var/lib/assay --overlap 1
    """
    with _keys(state, database) as known:
        click.echo(known.rotate(name, overlap=overlap * 3600))


@keys.command("revoke")
@click.argument("name")
@of_a_server
def revoke_key(name: str, state: Path | None, database: str | None) -> None:
    """End every key of a name at once

    Example: assay serve keys revoke newsroom --state /var/lib/assay
    """
    with _keys(state, database) as known:
        known.revoke(name)


@keys.command("webhook-secret")
@of_a_server
@click.option("--rotate", is_flag=True, help="Make a new one; webhooks are signed with both for a while.")
@OVERLAP
def webhook_secret(state: Path | None, database: str | None, rotate: bool, overlap: float) -> None:
    """Show the secret that webhooks are signed with

    Example: assay serve keys webhook-secret --state /var/lib/assay
    """
    with _keys(state, database) as known:
        click.echo(known.rotate_webhook_secret(overlap=overlap * 3600) if rotate else known.webhook_secrets()[0])


@contextmanager
def _keys(state: Path | None, database: str | None) -> Iterator["Keys"]:
    if (state is None) == (database is None):
        raise click.UsageError("name one of --state and --database")
    with _extra():
        from assay.scanning.service.keys import opened
    with opened(database or state) as known:  # type: ignore[arg-type]
        yield known


@contextmanager
def _extra() -> Iterator[None]:
    """Imports that need the extra. Raises `MissingExtra`."""
    from assay.provenance.errors import MissingExtra

    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in PACKAGES:
            raise MissingExtra("the service", "service") from error
        raise
