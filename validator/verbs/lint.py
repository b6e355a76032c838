"""`validator lint`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from validator.errors import SpecProblems
from validator.verbs.base import count, leave, verb
from validator.verbs.flags import Flags
from validator.verbs.output import say
from validator.verbs.specs import files, load

if TYPE_CHECKING:
    from validator.spec.model import Spec


@verb("lint")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("--strict", is_flag=True, help="Let warnings count as problems.")
def lint(specs: tuple[str, ...], *, strict: bool) -> None:
    """Check specs without any server: everything wrong with them, and where.

    Warnings are about what is allowed and likely not meant: a counter whose change nobody asks
    for, a bound that everything keeps, the same question twice.
    """
    from validator.smells import smells

    good = True
    for path in files(specs):
        try:
            spec = load(path, Flags())
        except SpecProblems as problems:
            good = False
            say(problems.drawn(), err=True)
            continue
        found = smells(spec)
        sources = dict(spec.sources)
        for smell in found:
            say(smell.drawn(sources, "warning"), err=True)
        good = good and not (strict and found)
        told = count(len(found), "warning") if found else "no problem"
        click.echo(f"{path}: {count(_assertions(spec), 'assertion')}, {told}")
    leave(0 if good else SpecProblems.exit_code)


def _assertions(spec: Spec) -> int:
    own = sum(len(e.assertions) for e in spec.endpoints) + len(spec.assertions)
    return own + sum(len(plan.assertions) for plan in spec.loads)
