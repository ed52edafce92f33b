"""`assay verify`: the chain of custody of pictures, link by link."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.commands.outcome import EXIT_CONDITION, EXIT_FAILURE, EXIT_NOTHING
from assay.commands.placing import OutputFile
from assay.commands.repository import REMEMBER, remembering
from assay.commands.scan import several

if TYPE_CHECKING:
    from assay.provenance.trust import TrustList, TrustPolicy

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FILE)
@click.option(
    "--require",
    type=click.Choice(["intact", "valid", "trusted"]),
    help="Exit with 10 unless every file is at least that good; a file without a manifest is not.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "crjson", "html"]), default="text", show_default=True
)
@click.option("-o", "--output", type=OutputFile(), help="Write to a file instead of the terminal.")
@click.option("--sidecar", type=FILE, help="The manifest store of one file that is kept apart from it (.c2pa).")
@click.option(
    "--trust", "lists", multiple=True, metavar="LIST|FILE", help="Believe only this list (id, or PEM file); repeatable."
)
@click.option("--no-development", is_flag=True, help="Do not believe this machine's own development authority.")
@click.option("--online-revocation", is_flag=True, help="Ask the responders that trusted certificates name.")
@click.option(
    "--fetch-remote", "hosts", multiple=True, metavar="HOST", help="Fetch manifests kept at this host; repeatable."
)
@click.option(
    "--isolate/--no-isolate", default=None, help="Open files in a child process that may die.  [default: with several]"
)
@REMEMBER
@click.option("-v", "--verbose", count=True, help="Show the five answers for each link; -vv every code.")
def verify(
    paths: tuple[Path, ...],
    require: str | None,
    form: str,
    output: Path | None,
    sidecar: Path | None,
    lists: tuple[str, ...],
    no_development: bool,
    online_revocation: bool,
    hosts: tuple[str, ...],
    isolate: bool | None,
    remember: bool,
    verbose: int,
) -> None:
    """Check who signed a picture, every step before, and whether it all holds

    Every link of the chain is judged, and the weakest one decides. PATHS are files or folders; nothing leaves this machine
    unless asked for. Sidecars (.c2pa) beside a file are found. JSON is one document per line.

    Example: assay verify photo.jpg downloads/ --require trusted
    """
    from dataclasses import replace

    from assay.provenance.custody.chain import Requirement
    from assay.provenance.custody.examining import REMOTE_LIMITS, examine
    from assay.provenance.errors import AssayError
    from assay.scanning.report.custody_presenting import presenter
    from assay.scanning.scan import Failure
    from assay.scanning.walking import files

    if sidecar is not None and (len(paths) != 1 or paths[0].is_dir()):
        raise click.UsageError("--sidecar belongs to one file; name just that one")
    if isolate and (hosts or online_revocation):
        raise click.UsageError(
            "--isolate cannot be used with --fetch-remote or --online-revocation: a child has no network"
        )
    if isolate and remember:
        raise click.UsageError("--isolate cannot be used with --remember: a child keeps nothing")
    policy = _policy(lists, development=not no_development, online_revocation=online_revocation)
    if isolate is None:
        isolate = several(paths) and not hosts and not online_revocation and not remember
    if isolate:
        sys.exit(_isolated(paths, form, output, policy, require, sidecar, verbose))
    remote = replace(REMOTE_LIMITS, hosts=frozenset(hosts)) if hosts else None
    seen = failed = short = 0
    with presenter(form, output, policy, depth=verbose) as present:
        for path in files(paths):
            seen += 1
            try:
                examined = examine(path, policy, sidecar=sidecar, remote=remote)
            except AssayError as error:
                failed += 1
                present(Failure(str(path), error))
                continue
            present(examined)
            if remember and examined.custody.links:
                remembering(examined.asset, examined.manifest_store)
            short += require is not None and not examined.custody.meets(Requirement(require))
    if not seen:
        click.echo("assay: nothing to verify: no images in there", err=True)
        sys.exit(EXIT_NOTHING)
    if short:
        sys.exit(EXIT_CONDITION)
    if failed:
        sys.exit(EXIT_FAILURE)


def _isolated(
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    policy: "TrustPolicy",
    require: str | None,
    sidecar: Path | None,
    verbose: int,
) -> int:
    """The same in a child process that may die."""
    from assay.provenance.custody.chain import Requirement
    from assay.scanning.isolating import SHORT, Style, VerifyTask, isolated
    from assay.scanning.walking import files

    style = Style.of(form, output, sys.stdout, verbose)
    task = VerifyTask(style=style, policy=policy, require=Requirement(require) if require else None)
    with isolated(task, output, sys.stdout) as show:
        shown = [(one.held, one.failed) for one in (show(path, sidecar=sidecar) for path in files(paths))]
    if not shown:
        click.echo("assay: nothing to verify: no images in there", err=True)
        return EXIT_NOTHING
    if any(SHORT in held for held, _ in shown):
        return EXIT_CONDITION
    return EXIT_FAILURE if any(failed for _, failed in shown) else 0


def _policy(lists: tuple[str, ...], *, development: bool, online_revocation: bool) -> "TrustPolicy":
    """The machine's lists; where some are named, no other vouches for signers (time stamps and identities stay)."""
    from dataclasses import replace

    from assay.provenance.trust import Purpose, TrustListRefused, default_policy

    policy = default_policy(development=development, online_revocation=online_revocation)
    if not lists:
        return policy
    chosen = []
    for name in lists:
        known = policy.find(name)
        if known is None and not Path(name).is_file():
            ids = ", ".join(x.id for x in policy.lists)
            raise TrustListRefused(f"{name}: no such trust list, and no such file", f"the lists here are {ids}")
        chosen.append(known or _own_list(Path(name)))
    rest = [
        replace(x, purposes=tuple(purpose for purpose in x.purposes if purpose is not Purpose.CLAIM_SIGNING))
        for x in policy.lists
        if x not in chosen
    ]
    return replace(policy, lists=(*chosen, *(x for x in rest if x.purposes)))


def _own_list(path: Path) -> "TrustList":
    import hashlib

    from assay.provenance.errors import UnreadableFile
    from assay.provenance.trust import ListKind, Purpose, TrustList
    from assay.provenance.trust.reading import read_contents

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
    return TrustList(
        id=path.name,
        title=f"list in {path.name}",
        kind=ListKind.USER,
        purposes=(Purpose.CLAIM_SIGNING,),
        anchors=read_contents(str(path), content).certificates,
        sha256=hashlib.sha256(content).hexdigest(),
    )
