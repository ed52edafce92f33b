"""`assay keys`: the development authority, requests for real certificates, and what is wrong with a chain."""

import sys
from pathlib import Path

import click

from assay.provenance.errors import OutputRefused, UnreadableFile
from assay.provenance.text import plain

FILE = click.Path(path_type=Path)


@click.group()
def keys() -> None:
    """Keys and certificates for signing: make, request, check."""


@keys.command()
def new() -> None:
    """Make the development authority, or show where it is.

    It signs at once, and nobody else trusts it. It is made on the first signature anyway; this shows it.

    Example: assay keys new
    """
    from cryptography import x509

    from assay.provenance.home import home
    from assay.provenance.signing.development import WARNING, development_credential

    chain, _ = development_credential()
    leaf, authority = x509.load_pem_x509_certificates(chain.encode())
    folder = home() / "development"
    click.echo(f"development authority  {folder / 'authority.pem'}  valid until {authority.not_valid_after_utc.date()}")
    click.echo(f"development signer     {folder / 'chain.pem'}  valid until {leaf.not_valid_after_utc.date()}")
    click.echo("sign with it:          --signer dev:   (the default)")
    click.echo(f"assay: what it signs is {WARNING}", err=True)


@keys.command()
@click.option("--name", "common_name", required=True, help="The signer's name, as viewers will show it.")
@click.option("--organisation", required=True, help="The legal name of the organisation.")
@click.option("--country", default="", help="Two letters.")
@click.option("--unit", default="", help="A department.")
@click.option("--curve", type=click.Choice(["P-256", "P-384", "P-521"]), default="P-256", show_default=True)
@click.option("-o", "--out", required=True, type=FILE, help="The folder for signer.key and signer.csr.")
def request(common_name: str, organisation: str, country: str, unit: str, curve: str, out: Path) -> None:
    """Make a private key and a certificate request for an authority.

    The request asks for the extended key usages that the C2PA conformance programme demands. The key stays here,
    readable for you alone.

    Example: assay keys request --name "Example News" --organisation "Example News Ltd" --country GB -o keys/
    """
    from assay.provenance.replacing import replacing
    from assay.provenance.signing.credentials import request_certificate
    from assay.provenance.signing.development import write_private_key

    made = request_certificate(
        common_name=common_name, organisation=organisation, country=country, unit=unit, curve=curve
    )
    key_path, request_path = out / "signer.key", out / "signer.csr"
    with replacing(request_path) as draft:
        draft.write_bytes(made.request)
        try:
            write_private_key(key_path, made.key)
        except FileExistsError as error:
            raise OutputRefused.exists(key_path) from error
    click.echo(f"{key_path}  the private key: keep it, and show it to nobody")
    click.echo(f"{request_path}  send this to the certificate authority")
    click.echo(f"then: assay keys check CHAIN.pem --key {key_path}")


@keys.command()
@click.argument("chain", type=FILE)
@click.option("--key", "key_path", type=FILE, help="The private key that should belong to it.")
def check(chain: Path, key_path: Path | None) -> None:
    """Say in words why a certificate chain would be refused.

    CHAIN is a PEM file with the signer's certificate first. Exit code 1 if it cannot sign.

    Example: assay keys check chain.pem --key signer.key
    """
    from assay.provenance.signing.credentials import Severity, check_chain

    findings = check_chain(_read(chain), _read(key_path) if key_path else None)
    for finding in findings:
        advice = f"  → {finding.advice}" if finding.advice else ""
        click.echo(f"{finding.severity:<8} {plain(finding.statement)}{advice}")
    if any(finding.severity is Severity.REFUSED for finding in findings):
        sys.exit(1)
    click.echo(f"{chain}: can sign C2PA claims; whether anybody trusts it is for their trust list to say")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
