"""`assay dossier`: one image for court or print, sealed; and the checking of a sealed one."""

import sys
from pathlib import Path

import click

from assay.commands.outcome import EXIT_FAILURE


class ImageFirst(click.Group):
    """A group whose first word is an image unless it is a command: `assay dossier photo.jpg -o DIR`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Read anything that is no command as the image of a new dossier."""
        if args and args[0] not in self.commands:
            args = ["make", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=ImageFirst)
def dossier() -> None:
    """Put all that is known of one image on paper, sealed with your key

    Writes a folder with the original, HTML and PDF pages, a machine-readable extract, and a seal over all of them that can be
    checked years later, without a network.

    Example: assay dossier photo.jpg -o dossier/ --signer pem:chain.pem,key.pem
    """


@dossier.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--signer", "signer_uri", default="dev:", show_default=True, help="Whose key seals it; see `assay sign`.")
@click.option("--timestamp", default="", help="RFC 3161 authority to stamp the seal.  [default: $ASSAY_TIMESTAMP_URL]")
@click.option("--examiner", default="", help="Who examined the image, for the pages.")
@click.option("--note", default="", help="A case number or remark, for the pages.")
@click.option("--model", default="deep", show_default=True, help="Pixel model: a name under models/, or a folder.")
@click.option("--no-pixels", is_flag=True, help="Only what the file says and carries; no pixel classifier.")
@click.option("--no-pdf", is_flag=True, help="HTML only; PDF needs the extra `pdf`.")
def make(
    image: Path,
    output: Path,
    signer_uri: str,
    timestamp: str,
    examiner: str,
    note: str,
    model: str,
    no_pixels: bool,
    no_pdf: bool,
) -> None:
    """Make the dossier of one image

    Example: assay dossier make photo.jpg -o dossier/ --examiner "A. Writer" --note "case 12"
    """
    from assay.provenance.custody.examining import examine
    from assay.provenance.signing import open_signer
    from assay.provenance.signing.timestamp import TimestampAuthority, configured_authority
    from assay.scanning.dossier.making import make_dossier
    from assay.scanning.scan import Scanner, standard_signals

    authority = TimestampAuthority(timestamp) if timestamp else configured_authority()
    signer = open_signer(signer_uri)
    asked = None if no_pixels else model
    scanner = Scanner(signals=standard_signals(asked), thorough=True)
    examined = examine(image, scanner.policy, limits=scanner.limits)
    make_dossier(
        scanner.scan(examined.asset, custody=examined.custody),
        output,
        sidecar=examined.manifest_store,
        scanner=scanner,
        signer=signer,
        model=asked,
        authority=authority.url if authority else "",
        examiner=examiner,
        note=note,
        pdf=not no_pdf,
    )
    click.echo(f"dossier in {output}, sealed by {signer.name}")
    if signer.development:
        click.echo("assay: sealed with a throw-away development key: name yours with --signer", err=True)


@dossier.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--certificate", type=click.Path(path_type=Path), help="The sealer's certificate (PEM), from elsewhere.")
def verify(folder: Path, certificate: Path | None) -> None:
    """Check a dossier: its files, seal, stamp and signer, and the image itself

    Nothing is fetched. Exits with 1 where something does not hold; what cannot be known is said and is no failure.

    Example: assay dossier verify dossier/
    """
    from assay.provenance.errors import UnreadableFile
    from assay.provenance.text import plain
    from assay.provenance.trust import default_policy
    from assay.scanning.dossier.checking import check_dossier, holds

    try:
        expected = certificate.read_bytes() if certificate else None
    except OSError as error:
        raise UnreadableFile.from_os_error(certificate, error) from error
    checks = check_dossier(folder, default_policy(), expected=expected)
    for check in checks:
        click.echo(f"{check.answer.value:<8} {check.question}  {plain(check.statement, limit=400)}")
    if not holds(checks):
        click.echo(f"assay: {plain(str(folder))}: this dossier does not hold", err=True)
        sys.exit(EXIT_FAILURE)
