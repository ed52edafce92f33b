"""What `generate`, `edit` and `describe` share: options, the request they make, writing and saying what came of it.

Rules: keys come from the environment only; a file is written under a name that is free, and only once it is signed.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.commands.repository import REMEMBER, remembering
from assay.commands.sign import SOFT_BINDING, time_authority
from assay.provenance.generating.provider import Connection, Request, Result, Scalar
from assay.provenance.generating.providers import PROVIDERS
from assay.provenance.media_type import MediaType
from assay.provenance.replacing import free
from assay.provenance.text import plain

if TYPE_CHECKING:
    from assay.provenance.signing import Signed

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
FORMATS = {
    kind.name.lower(): kind for kind in (MediaType.PNG, MediaType.JPEG, MediaType.WEBP, MediaType.GIF, MediaType.SVG)
}
# What the CAWG training-and-data-mining assertion can say no to.
TRAINING = ("cawg.ai_training", "cawg.ai_generative_training", "cawg.ai_inference", "cawg.data_mining")


class Size(click.ParamType[Any]):
    """`1024x768`."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse width and height in pixels."""
        found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", str(value))
        if found is None:
            self.fail(f"{value} is no size; write 1024x768", param, ctx)
        return int(found[1]), int(found[2])


def _with(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def connection_options(command: F) -> F:
    """The options by which a provider is reached. Keys come from the environment only."""
    options = (
        click.option("--provider", type=click.Choice(list(PROVIDERS)), default="procedural", show_default=True,
                     envvar="ASSAY_PROVIDER", show_envvar=True, help="Who makes it."),
        click.option("--model", default="", envvar="ASSAY_MODEL", show_envvar=True, help="The provider's name of the model."),
        click.option("--endpoint", default="", metavar="URL", help="Another address than the provider's own."),
        click.option("--api-version", default="", help="The interface's version (Azure, MAI)."),
        click.option("--timeout", type=click.FloatRange(min=1), default=180.0, show_default=True, metavar="SECONDS",
                     help="How long to wait for an answer."),
        click.option("--retries", type=click.IntRange(0, 10), default=2, show_default=True,
                     help="How often to try again after a rate limit or a failure."),
        click.option("--json", "as_json", is_flag=True, help="Say it as one JSON document."),
    )  # fmt: skip
    return _with(command, options)


def picture_options(command: F) -> F:
    """The options that generating and editing share."""
    options = (
        click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), show_default=True,
                     help="The folder to write into."),
        click.option("-n", "--count", type=click.IntRange(1, 100), default=1, show_default=True, help="How many pictures."),
        click.option("--seed", type=click.IntRange(0), help="Where the provider takes one; pictures count on from it."),
        click.option("--format", "file_format", type=click.Choice(list(FORMATS)), help="Else the provider's own choice."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other parameter of the provider's."),
        click.option("--disclose-prompt", is_flag=True, help="Write the prompt into the manifest, and into the file's name."),
        click.option("--no-training", is_flag=True, help="State that the picture may not be used for training or mining."),
        click.option("--watermark", is_flag=True, help="Hide an identifier in the pixels first, by which the manifest is found again."),
        SOFT_BINDING,
        REMEMBER,
        click.option("--signer", "signer_uri", default="dev:", show_default=True, envvar="ASSAY_SIGNER", show_envvar=True,
                     metavar="URI", help="Who signs: dev:, pem:CHAIN,KEY, pkcs11:…, aws-kms:…, gcp-kms:… or azure-kms:…"),
        click.option("--timestamp", "timestamp_url", envvar="ASSAY_TIMESTAMP_URL", show_envvar=True, metavar="URL",
                     help="An RFC 3161 authority that certifies the time."),
        click.option("--without-stamp", type=click.Choice(["fail", "warn"]), default="fail", show_default=True,
                     help="What to do when the authority gives no stamp."),
    )  # fmt: skip
    return connection_options(_with(command, options))


def asked(prompt: str, options: dict[str, Any], **more: Any) -> Request:
    """The request that the options make."""
    return Request(
        prompt=prompt.encode("utf-8", "replace").decode(),  # an argument may hold bytes that are no text
        model=options["model"],
        count=options["count"],
        seed=options["seed"],
        output_format=FORMATS[options["file_format"]] if options["file_format"] else None,
        parameters=tuple(map(_setting, options["settings"])),
        **more,
    )


def connection(options: dict[str, Any]) -> Connection:
    """How to reach the provider."""
    return Connection(
        endpoint=options["endpoint"],
        api_version=options["api_version"],
        timeout=options["timeout"],
        retries=options["retries"],
        model=options["model"],
    )


def run(request: Request, options: dict[str, Any]) -> None:
    """Ask, sign, write, say. What was refused is said with the provider's reason and makes the exit code 1."""
    from assay.provenance.generating.attesting import Terms
    from assay.provenance.generating.providers import ask, open_provider
    from assay.scanning.durable import durability

    terms = Terms.of(
        options["signer_uri"],
        timestamp=time_authority(options["timestamp_url"], options["without_stamp"]),
        disclose_prompt=options["disclose_prompt"],
        training_mining=dict.fromkeys(TRAINING, "notAllowed") if options["no_training"] else {},
        **durability(watermark=options["watermark"], soft_binding=options["soft_binding"]),
    )
    result = ask(open_provider(options["provider"], connection(options)), request)
    stem = _slug(request.prompt) if options["disclose_prompt"] else result.provider
    signed = []
    for output in result.outputs:
        name = f"{stem}-{output.upstream_sha256[:10]}{output.media_type.suffix}"
        signed.append(terms.sign(request, result, output, into=free(options["out"] / name)))
    if options["remember"]:
        for one in signed:
            remembering(one.asset, one.sidecar)
    if options["as_json"]:
        click.echo(json.dumps(_document(result, signed), ensure_ascii=False, indent=2))
    else:
        _show(result, signed)
    for warning in sorted({warning for one in signed for warning in one.warnings}):
        click.echo(f"assay: {plain(warning)}", err=True)
    if result.refusal:
        click.echo(f"assay: {plain(str(result.refusal))}", err=True)
        sys.exit(1)


def _show(result: Result, signed: "list[Signed]") -> None:
    for one, output in zip(signed, result.outputs, strict=True):
        click.echo(f"{plain(str(one.path), limit=4096)}  {len(one.asset.content):,} bytes")
        facts = [result.provider, result.model, *(f"{name} {value}" for name, value in output.parameters)]
        click.echo(f"  made by {plain(', '.join(dict.fromkeys(filter(None, facts))))}")
        if output.alt_text:
            click.echo(f"  shows: {plain(output.alt_text)}")
        if output.upstream != "none":
            click.echo(f"  it carried a manifest of the provider's ({output.upstream}), which is its parent now")
        click.echo(f"  signed by {plain(one.signer)}{', time-stamped' if one.timestamped else ''}")
    for event in result.safety:
        if result.refusal and (event.code, event.reason) == (result.refusal.code, result.refusal.reason):
            continue  # said on stderr
        words = ": ".join(filter(None, [event.code, event.category, event.reason]))
        click.echo(f"  {event.stage} safety: {plain(words)}")


def _document(result: Result, signed: "list[Signed]") -> dict[str, Any]:
    return {
        "provider": result.provider,
        "model_requested": result.model_requested,
        "model_returned": result.model_returned,
        "request_id": result.request_id,
        "usage": dict(result.usage),
        "refusal": {"by": result.refusal.by, "code": result.refusal.code, "reason": result.refusal.reason}
        if result.refusal
        else None,
        "safety": [
            {"stage": e.stage, "code": e.code, "category": e.category, "reason": e.reason, "score": e.score}
            for e in result.safety
        ],
        "pictures": [
            {
                "path": str(one.path),
                "media_type": output.media_type,
                "sha256": one.sha256,
                "received_sha256": output.upstream_sha256,
                "received_manifest": output.upstream,
                "manifest": one.manifest_label,
                "signer": one.signer,
                "development": one.development,
                "parameters": dict(output.parameters),
                "alt_text": output.alt_text,
            }
            for one, output in zip(signed, result.outputs, strict=True)
        ],
    }


def _setting(text: str) -> tuple[str, Scalar]:
    """`quality=high`, `temperature=0.4`, `upscale=true`: numbers and truth values as JSON has them, all else as text."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.UsageError(f"--set {text}: write NAME=VALUE")
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    return name, parsed if isinstance(parsed, str | int | float | bool) else value


def _slug(prompt: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48].strip("-") or "picture"
