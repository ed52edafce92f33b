"""`assay serve`: the upload-scanning service and its page."""

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)


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
    from assay.provenance.errors import MissingExtra

    try:
        from assay.scanning.service.running import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in (
            "fastapi",
            "uvicorn",
            "starlette",
            "python_multipart",
            "prometheus_client",
        ):
            raise MissingExtra("the service", "service") from error
        raise
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
        unprotected=unprotected,
    )
    run(settings, stop_after=stop_after, say=click.echo)
