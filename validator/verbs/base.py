"""What makes a function a verb of the command line, and how a verb ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import click

VERBS: Final[dict[str, click.Command]] = {}
INTERRUPTED: Final = 130


def verb(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a function the verb *name*; its docstring is the help."""

    def file(function: Callable[..., None]) -> click.Command:
        VERBS[name] = click.command(name)(function)
        return VERBS[name]

    return file


def leave(code: int) -> NoReturn:
    """End the verb with an exit code."""
    raise click.exceptions.Exit(code)


def count(number: int, noun: str) -> str:
    """Return how many there are: `1 assertion`, `2 assertions`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
