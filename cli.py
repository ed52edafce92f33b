"""The command line: one table of commands, loaded on use, and the only mapping of failures to exit codes.

Rules: exit codes 0 done, 1 failure, 2 usage, 3 nothing to scan, 10 a `--fail-on` or `--require` condition met; all others
are reserved. Starting up imports click and nothing heavier; a command's module is imported when it is called.
"""

import errno
import io
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType

import click

from assay import __version__
from assay.provenance.errors import AssayError
from assay.provenance.limits import check_setting
from assay.provenance.text import plain

COMMANDS: dict[str, tuple[str, str]] = {  # name: (module under assay.commands, what `assay --help` says of it)
    "demo": ("demo", "Take a tour: generate, sign, edit, tamper, strip, launder, scan and report"),
    "scan": ("scan", "Say where images come from, who says so and how sure that is"),
    "detect": ("detect", "Ask the pixel classifier alone, and show the numbers behind its answer"),
    "verify": ("verify", "Check who signed a picture, every step before, and whether it all holds"),
    "trust": ("trust", "Show and keep the trust lists: who is believed, for what, since when"),
    "generate": ("generate", "Make pictures from a prompt, signed as they leave"),
    "edit": ("edit", "Change a picture as a prompt says, signed with the original as its parent"),
    "describe": ("describe", "Say what a picture shows: alt text and caption, kept apart"),
    "sign": ("sign", "Sign a picture, or every picture of a folder"),
    "keys": ("keys", "Keys and certificates for signing: make, request, check"),
    "signatures": ("signatures", "Replay and check the log of all signatures made on this machine"),
    "derive": ("derive", "Make a derivative of a picture, signed with the original as its parent"),
    "audit": ("audit", "Examine folders, archives and buckets, and remember what was found"),
    "serve": ("serve", "Run the scanning service and its page on this machine"),
    "report": ("report", "Summarise the rows of an audit again, without examining anything"),
    "train": ("train", "Refit the pixel model on labelled pictures of your own"),
    "evaluate": ("evaluate", "Measure a pixel model on labelled pictures, by the protocol of docs/evaluation.md"),
    "recover": ("recover", "Find the manifest that a picture has lost"),
    "repository": ("repository", "Keep manifests, so that copies that lost theirs lead back to them"),
    "dossier": ("dossier", "Put all that is known of one image on paper, sealed with your key"),
}


_OF_THE_MACHINE = (  # and no defect of ours, wherever a file is opened or written
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
)


class CommandTable(click.Group):
    """A group whose commands are imported when they are called; the list of them needs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table: it tells the story better than the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module; its click object bears the command's name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"assay.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


_DOCS = Path(__file__).resolve().parent / "docs"


@click.command(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nThe pages that messages call docs/… are in {_DOCS}",
)
@click.version_option(__version__, prog_name="assay")
def assay() -> None:
    """Where does an image come from, who says so, and how sure can we be?

    Example: assay scan photo.jpg
    """


def _interrupted(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does, so that no temporary file is left behind."""
    raise KeyboardInterrupt


def _open_what_is_closed() -> None:
    """Whoever closed our standard streams has an empty input and wants no words; no file may be opened in their place."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - for as long as we live
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _interrupted)
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of few characters must not end a run
    try:
        check_setting()
        sys.exit(assay.main(standalone_mode=False))
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("assay: interrupted", err=True)
        sys.exit(1)
    except AssayError as error:
        # it may name a file, and a name may hold anything
        click.echo(f"assay: {plain(str(error), limit=2000)}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone: not our failure, nothing left to say
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        what = "cannot write" if error.filename is None else plain(os.fsdecode(error.filename), limit=2000)
        click.echo(f"assay: {what}: {error.strerror}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
