"""`validator report`."""

from __future__ import annotations

import click

from validator.verbs.base import verb
from validator.verbs.flags import detail, shown_flags
from validator.verbs.output import check_apart, chosen, show


@verb("report")
@click.argument("files", nargs=-1, required=True, metavar="REPORT...")
@shown_flags
def report_command(
    files: tuple[str, ...], *, reports: tuple[str, ...], quiet: bool, verbose: bool
) -> None:
    """Show JSON reports again, in any format: what `run --report json=FILE` has written.

    Several files are one combined report. The exit code says whether they could be shown, and not
    what they say.
    """
    from validator.reporters.saved import read

    output, wanted = chosen(reports), detail(quiet=quiet, verbose=verbose)
    for file in files:
        check_apart(output, "", file)
    runs = [run for file in files for run in read(file)]
    show(runs, output, wanted)
