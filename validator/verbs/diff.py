"""`validator diff`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from validator.errors import UsageError
from validator.verbs.base import count, leave, verb
from validator.verbs.output import console
from validator.wrapping import wrapped

if TYPE_CHECKING:
    from validator.comparison import Change, Difference, Figure, Kind
    from validator.records.verdict import Report

MOST = 40
"""Changes of one kind, and figures, that are listed."""


@verb("diff")
@click.argument("earlier", metavar="EARLIER")
@click.argument("later", metavar="LATER")
@click.option(
    "--tolerance",
    metavar="PERCENT",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Figures of the ledger that differ by no more count as the same.",
)
@click.option("--exit-code", is_flag=True, help="End with 1 when the later run is worse.")
def diff_command(earlier: str, later: str, *, tolerance: float, exit_code: bool) -> None:
    """Show what changed between two JSON reports: verdicts, values and the ledger; worst first."""
    from validator.comparison import difference

    runs = list(_matched(earlier, later))
    screen = console(stderr=False)
    worse = False
    for was, now in runs:
        found = difference(was, now, tolerance=tolerance / 100)
        worse = worse or found.worse
        for text, style in _lines(found):
            told = wrapped(text, screen.width) if screen.is_terminal else text
            screen.print(told, style=style, markup=False, soft_wrap=True)
    leave(1 if exit_code and worse else 0)


def _matched(earlier: str, later: str) -> Iterator[tuple[Report, Report]]:
    """Pair the runs of two files; raise `UsageError` when they have no spec in common."""
    from validator.comparison import same_spec
    from validator.reporters.saved import read

    was, now = read(earlier), read(later)
    found = [(old, run) for run in now if (old := same_spec(was, run.title, run.spec))]
    if not found:
        held = [", ".join(repr(run.title) for run in runs) for runs in (was, now)]
        raise UsageError(f"{earlier} is of {held[0]} and {later} of {held[1]}: nothing to compare")
    yield from found


def _lines(found: Difference) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    from validator.comparison import Kind

    was, now = found.earlier, found.later
    yield f"{now.title}: {_result(was)} → {_result(now)}", "head"
    if was.target != now.target:
        yield f"  target  {was.target} → {now.target}", "muted"
    for load in found.loads:
        sent = f"{_shown(load.earlier)} → {_shown(load.later)} requests"
        yield f"  {load.path.removesuffix('.sent')}  {sent}: counts differ by that alone", "warned"
    for kind in Kind:
        changes = [change for change in found.changes if change.kind is kind]
        if changes:
            yield from _kind(kind, changes)
    if found.figures:
        yield "", ""
        yield f"ledger  {count(len(found.figures), 'figure')} changed", "head"
        width = max(len(figure.path) for figure in found.figures[:MOST])
        for figure in found.figures[:MOST]:
            yield f"  {figure.path:{width}}  {_figure(figure)}", "warned" if figure.worse else ""
        yield from _more(len(found.figures))
    if not found.changes and not found.figures:
        yield "  nothing changed", "muted"


def _result(report: Report) -> str:
    from validator.reporters.wording import counts, word

    return f"{word(report)} ({counts(report)})"


def _kind(kind: Kind, changes: Sequence[Change]) -> Iterator[tuple[str, str]]:
    from validator.comparison import Kind
    from validator.reporters.wording import full_name
    from validator.values import printable

    styles = {Kind.WORSE: "failed", Kind.NEW: "failed", Kind.VACUOUS: "warned"}
    styles |= {Kind.GONE: "warned", Kind.BETTER: "passed"}
    style = styles.get(kind, "muted")
    yield "", ""
    yield f"{kind.value}  {count(len(changes), 'assertion')}", style
    for change in changes[:MOST]:
        verdict = change.verdict
        if kind is Kind.VALUE and change.earlier is not None:
            told = f"{change.earlier.actual} → {verdict.actual}"
            yield f"  {full_name(verdict)}  {printable(told)}", ""
            continue
        yield f"  {full_name(verdict)}  [{verdict.severity.value}]", ""
        if kind in (Kind.GONE, Kind.ADDED):
            continue
        for label, one in (("was", change.earlier), ("now", change.later)):
            if one is not None:
                told = f"{one.status.value}{', vacuous' if one.vacuous else ''}: {one.actual}"
                asked = f"; expected {one.expected}" if one.bad else ""
                yield f"    {label}  {printable(told + asked)}", "" if label == "now" else "muted"
        if change.later is not None and change.later.bad and change.later.note:
            yield f"         {printable(change.later.note.splitlines()[0])}", "muted"
    yield from _more(len(changes))


def _more(number: int) -> Iterator[tuple[str, str]]:
    if number > MOST:
        yield f"  and {number - MOST} more", "muted"


def _figure(figure: Figure) -> str:
    ratio = figure.ratio
    share = f"  {100 * (ratio - 1):+.0f} %" if ratio is not None else ""
    share += ", worse" if figure.worse else ""
    return f"{_shown(figure.earlier)} → {_shown(figure.later)}{share}"


def _shown(value: Any) -> str:
    from validator.values import brief, is_number, show

    if value is None:
        return "absent"
    return show(value) if is_number(value) else brief(value)
