"""Where reports go, and the terminal they are drawn on."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import click

from validator.errors import UsageError, together
from validator.wrapping import wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from validator.records.verdict import Report
    from validator.reporters.table import Detail

_COMMAND: Final = re.compile(r"^\s*(?:::|##\[)", re.MULTILINE)
"""How a line begins that GitHub's runner obeys."""


PIPED: Final = 100
"""Columns of what is laid out where nobody knows how wide it is."""


@dataclass(slots=True)
class Output:
    """Where reports go: formats with their paths, `-` for stdout."""

    to_files: list[tuple[str, Path]] = field(default_factory=list)
    to_stdout: str | None = None


def chosen(words: Sequence[str], formats: Collection[str] | None = None) -> Output:
    """Return where the reports of `--report` go; raise `UsageError` for what cannot be.

    Without *formats* they are those of reports.
    """
    if not words:
        return Output()  # and what draws reports is read while nobody waits, after the load
    from validator.files import check_writable
    from validator.registry import suggest
    from validator.reporters import REPORTERS, check_usable

    known = REPORTERS if formats is None else formats
    output = Output()
    for word in words:
        name, given, path = word.partition("=")
        if name not in known:
            raise UsageError(f"--report {name}: {suggest(name, known, 'formats')}")
        if given and not path:  # an empty variable of a script, most likely
            raise UsageError(f"--report {word}: no path; leave out the = for stdout")
        if formats is None:
            check_usable(name)
        if path and path != "-":
            check_writable(Path(path))
            if any(Path(path).resolve() == other.resolve() for _, other in output.to_files):
                raise UsageError(f"--report {word}: two reports do not fit into one file")
            output.to_files.append((name, Path(path)))
        elif output.to_stdout is not None:
            raise UsageError(
                "two reports without a path would mix on stdout: give --report FORMAT=PATH"
            )
        else:
            output.to_stdout = name
    return output


def check_apart(output: Output, flag: str, file: str | None) -> None:
    """Raise `UsageError` when a report would go where *file* is, which *flag* names."""
    if file is not None and any(Path(file).resolve() == p.resolve() for _, p in output.to_files):
        raise UsageError(f"{flag}{file}: a report would overwrite it; give it another name")


def show(reports: list[Report], output: Output, detail: Detail) -> None:
    """Write every report that was chosen, and draw the tables."""
    from validator.reporters import REPORTERS
    from validator.reporters.table import tables

    def draw(screen: Console) -> None:
        screen.print(tables(reports, screen.width, detail, bars=screen.encoding.startswith("utf")))

    deliver(output, lambda name: REPORTERS[name](reports), draw)


def deliver(output: Output, render: Callable[[str], str], draw: Callable[[Console], None]) -> None:
    """Write every report that was chosen, as *render* makes it of the name of its format."""
    from validator.files import write

    # Files come first: who reads our output may leave in the middle, as `head` does.
    unwritten: list[UsageError] = []
    for name, path in output.to_files:
        try:
            write(path, render(name))
        except UsageError as error:  # the others are not lost with it
            unwritten.append(error)
    # A report on stdout is for a program; what people read then goes where progress went.
    _drawn(draw, console(stderr=output.to_stdout is not None))
    if output.to_stdout is not None:
        click.echo(render(output.to_stdout), nl=False)
    if unwritten:
        raise together(unwritten)


def _drawn(draw: Callable[[Console], None], screen: Console) -> None:
    """Draw for people; what is no terminal gets lines that end where their text does."""
    if screen.is_terminal:
        draw(screen)
        return
    with screen.capture() as captured:
        draw(screen)
    text = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    # What a server said may begin a line, and to GitHub's runner such a line may be a command.
    if os.environ.get("GITHUB_ACTIONS") == "true" and _COMMAND.search(text):
        pause = token_hex(16)
        text = f"::stop-commands::{pause}\n{text}::{pause}::\n"
    screen.file.write(text)  # click would take an output in ASCII for a mistake, and write UTF-8
    screen.file.flush()


def console(*, stderr: bool) -> Console:
    """Return the terminal, or what stands in for it."""
    from rich.console import Console

    from validator.reporters.table import THEME

    width = None if _has_width(stderr=stderr) else PIPED
    return Console(stderr=stderr, theme=THEME, highlight=False, width=width)


def say(text: str, *, err: bool = False, piped: int | None = None) -> None:
    """Print *text*, wrapped to the terminal; in a pipe to *piped* columns, or as it is."""
    width = shutil.get_terminal_size().columns if _has_width(stderr=err) else piped
    click.echo(text if width is None else wrapped(text, width), err=err)


def _has_width(*, stderr: bool) -> bool:
    """Say whether somebody knows how wide the output is."""
    return (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
