"""The command line: one table of commands, loaded on use, and the only mapping of failures to exit codes.

Rules: exit codes 0 done, 1 failure, 2 usage, 3 nothing to scan, 10 a `--fail-on` or `--require` condition met; all others
are reserved. Starting up imports click and nothing heavier; a command's module is imported when it is called.
"""

import sys
from importlib import import_module

import click

from assay import __version__
from assay.provenance.errors import AssayError

COMMANDS: dict[str, tuple[str, str]] = {  # name: (module under assay.commands, what `assay --help` says of it)
    "demo": ("demo", "Take a tour: generate, sign, edit, tamper, strip, launder, scan and report"),
    "scan": ("scan", "Say where images come from, who says so and how sure that is"),
