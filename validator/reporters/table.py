"""Tables for people at a terminal, in a pipe or in a log."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum, auto

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from validator.records.verdict import (
    LOAD,
    REACHABLE,
    Report,
    Severity,
    Status,
    Verdict,
    load_section,
)
from validator.reporters.base import reporter
from validator.reporters.figures import request_lines, shape_lines
from validator.reporters.wording import (
    counts,
    found,
    full_name,
    mark,
    notes,
    place,
    sections,
    silent,
    where,
    word,
    worst_first,
)
from validator.values import printable

THEME = Theme(
    {
        "passed": "green",
        "failed": "bold red",
        "warned": "yellow",
        "informed": "cyan",
        "muted": "dim",
        "head": "bold",
    }
)

MOST_ROWS = 300
"""Above this many verdicts only those that did not pass are listed: a table costs 2 ms a row."""
MOST_BAD = 60
"""And of those this many of each endpoint."""
_WIDE = 110
"""Columns from which on notes get a column of their own."""
_NARROWEST = 40
_MOST_REASONS = 4
_PART = re.compile(r".*[./_](?=[^./_])")
"""As much of a name as ends with a part of it, such as `load.wall_`."""
_STYLES = {Severity.CRITICAL: "failed", Severity.WARNING: "warned", Severity.INFO: "informed"}


class Detail(Enum):
    """How much of a report a person wants to read."""

    LITTLE = auto()
    USUAL = auto()
    MUCH = auto()


@reporter("table")
def render(reports: Sequence[Report]) -> str:
    """The tables that a terminal shows, as plain text 100 columns wide.

    ```yaml
    # validator run SPEC --report table=verdicts.txt
    ```
    """
    console = Console(file=io.StringIO(), width=100, no_color=True, theme=THEME)
    console.print(tables(reports, console.width))
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def tables(
    reports: Sequence[Report], width: int, detail: Detail = Detail.USUAL, *, bars: bool = True
) -> RenderableType:
    """Return everything a person reads, for a console *width* columns wide.

    Without *bars*, which not every terminal can show, distributions are not drawn.
    """
    parts: list[RenderableType] = []
    for report in reports:
        if detail is Detail.LITTLE:
            parts += _outcome(report, width, several=len(reports) > 1)
            parts += _tolerated(report, width)
            continue
        parts += _run(report, width, detail, bars=bars)
        parts += _result(report, width)
    if len(reports) > 1:
        parts += _suite(reports)
    return Group(*parts)


def _run(report: Report, width: int, detail: Detail, *, bars: bool) -> Iterator[RenderableType]:
    yield Text()
    yield _line((printable(report.title), "head"), ("  ", ""), (printable(report.target), "muted"))
    for load, ledger in report.ledgers.items():
        charts = report.charts
        if load:
            yield _line((f" {load}", "head"))
            charts = tuple(c for c in charts if c.section == load_section(load))
        yield from (_wrapped(line, width, 1, 11) for line in request_lines(ledger))
        yield from (Text(f" {line}") for line in (shape_lines(charts) if bars else ()))
    total = 0 if detail is Detail.MUCH else len(report.verdicts)
    for section, verdicts in sections(report).items():
        yield from _section(section, verdicts, width, detail, total)


# A table per endpoint


def _section(
    section: str, verdicts: list[Verdict], width: int, detail: Detail, total: int
) -> Iterator[RenderableType]:
    passed = sum(v.status is Status.PASS for v in verdicts)
    style = "passed" if not any(v.bad for v in verdicts) else "failed"
    if style == "failed" and not any(v.bad and v.severity is Severity.CRITICAL for v in verdicts):
        style = "warned"
    yield Text()
    yield _line(
        (place(section), "head"),
        (f"  {passed} of {len(verdicts)} passed ({100 * passed / len(verdicts):.0f} %)", style),
    )
    shown, hidden = verdicts, 0
    if total > MOST_ROWS:
        shown = [v for v in verdicts if v.status is not Status.PASS][:MOST_BAD]
        hidden = len(verdicts) - len(shown)
    if shown:
        yield _table(shown, width, detail)
    if hidden:
        yield Text(f" … and {hidden} more, not listed; --report json or csv has all", "muted")


def _table(verdicts: list[Verdict], width: int, detail: Detail) -> Table:
    wide = width >= _WIDE
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, expand=False)
    # Fixed widths spare rich from measuring every cell, which costs more than printing them.
    room = max(width, 40) - (9 if wide else 7)  # the mark, and what stands between columns
    shares = (0.3, 0.22, 0.2, 0.28) if wide else (0.42, 0.3, 0.28)
    grid.add_column("", width=1)
    widths = [int(room * share) for share in shares]
    for heading, each in zip(("assertion", "expected", "actual", "note"), widths, strict=False):
        grid.add_column(heading, width=each, overflow="fold")
    for verdict in verdicts:
        style = _style(verdict)
        texts = (verdict.name, verdict.expected, verdict.actual)
        more = _more(verdict, wide=wide) if detail is Detail.MUCH else ((), (), ())
        cells = [Text(mark(verdict), style)]
        for text, others, width_of, coloured in zip(
            texts, more, widths, ("", "", style), strict=False
        ):
            cell = Text(_folded(printable(text), width_of), coloured)
            for line in filter(None, others):
                cell.append(f"\n{_folded(printable(line), width_of)}", "muted")
            cells.append(cell)
        if wide:
            told = "\n".join(_folded(line, widths[-1]) for line in notes(verdict))
            cells.append(Text(told, "muted"))
        grid.add_row(*cells)
    return grid


def _folded(text: str, width: int) -> str:
    """Return *text* in lines of at most *width*; a longer word ends where a part of it does."""
    lines = [""]
    for whole in text.split(" "):
        left = whole
        while len(left) > width:
            room = width - len(lines[-1]) - 1 if lines[-1] else width
            part = _PART.match(left[: max(room, 0)])
            if part is None and lines[-1]:
                lines.append("")
                continue
            end = width if part is None else part.end()
            lines[-1] = f"{lines[-1]} {left[:end]}".lstrip()
            lines.append("")
            left = left[end:]
        if lines[-1] and len(lines[-1]) + 1 + len(left) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {left}" if lines[-1] else left
    return "\n".join(lines)


def _more(verdict: Verdict, *, wide: bool) -> tuple[Sequence[str], ...]:
    """Return what else there is to say under the name, the expected and the actual."""
    values = [f"before {verdict.before}"] if verdict.before else []
    values += [f"after {verdict.after}"] if verdict.after else []
    told = () if wide else notes(verdict)
    return (verdict.path or "", where(verdict)), (verdict.why,), (*values, *told)


def _style(verdict: Verdict) -> str:
    match verdict.status:
        case Status.PASS:
            return "muted" if verdict.vacuous else "passed"
        case Status.SKIP | Status.XFAIL:
            return "muted"
        case Status.FAIL | Status.ERROR:
            return _STYLES[verdict.severity]


def _note(verdict: Verdict) -> str:
    return "\n".join(notes(verdict))


# The result, with its reasons


def _result(report: Report, width: int) -> Iterator[RenderableType]:
    bad = sorted(
        report.speaking(v for v in report.verdicts if v.bad), key=lambda v: -v.severity.rank
    )
    if bad:
        yield Text()
        yield _line(("What is wrong", "head"))
        for verdict in bad[:MOST_BAD]:
            yield from _problem(verdict, width)
            if lost := silent(report, verdict):
                yield Text(f"   {lost}")
        if len(bad) > MOST_BAD:
            yield Text(f" … and {len(bad) - MOST_BAD} more", "muted")
    for verdict in [v for v in report.verdicts if v.status in (Status.XFAIL, Status.SKIP)][
        :MOST_BAD
    ]:
        text = f"{mark(verdict)} {verdict.status}: {full_name(verdict)}: {_note(verdict)}"
        yield _wrapped(text, width, 1, 3, "muted")
    if report.remarks:
        yield Text()
        yield from (_wrapped(printable(remark), width, 0, 2, "warned") for remark in report.remarks)
    yield Text()
    if report.vacuous:
        yield Text("○ vacuous: passed, and could not have failed", "muted")
    yield _rates(report, width)
    yield from _outcome(report, width)


def _problem(verdict: Verdict, width: int) -> Iterator[RenderableType]:
    """At most four lines: what failed, claimed against expected, the likely cause, where and why.

    What is merely good to know gets one.
    """
    style = _style(verdict)
    named = f"{mark(verdict)} {full_name(verdict)}"
    if verdict.severity is Severity.INFO:
        text = f"{named}: {_claimed(verdict)}"
        first, *others = f"{text}: {note}".split("\n") if (note := _note(verdict)) else [text]
        yield _wrapped(first, width, 1, 3, style)
        yield from (_wrapped(line, width, 3, 5, style) for line in others)
        return
    became = f"{verdict.severity} {verdict.status}"
    if len(named) + len(became) + 3 <= width:
        yield _line((f" {named}", style), (f"  {became}", "muted"))
    else:
        yield _wrapped(named, width, 1, 3, style)
        yield Text(f"   {became}", "muted")
    yield _wrapped(found(verdict), width, 3, 5)
    for line in filter(None, _note(verdict).split("\n")):
        yield _wrapped(line, width, 3, 5)
    path = f" {printable(verdict.path)}" if verdict.path else ""
    why = f": {printable(verdict.why)}" if verdict.why else ""
    yield _wrapped(where(verdict) + path + why, width, 3, 5, "muted")


def _claimed(verdict: Verdict) -> str:
    return f"{printable(verdict.actual)}, expected {printable(verdict.expected)}"


def _rates(report: Report, width: int) -> Text:
    parts = []
    for section, verdicts in sections(report).items():
        passed = sum(v.status is Status.PASS for v in verdicts)
        parts.append(f"{place(section)} {passed}/{len(verdicts)}")
    return _wrapped("Pass rates  " + ", ".join(parts), width, 0, 12)


def _outcome(report: Report, width: int, *, several: bool = False) -> Iterator[RenderableType]:
    style = "passed" if report.passed else "failed"
    named = f"  {printable(report.title)}:" if several else ""
    told = f"{named}  {counts(report)} in {report.elapsed:.1f} s"
    yield _line((word(report), style), (told, ""))
    # What shows its cause comes first: that is what a reader wants to know.
    breaking = sorted(
        report.speaking(report.breaking),
        key=lambda v: (v.section.split(" ")[0] != LOAD, v.name != REACHABLE, not v.note),
    )
    for verdict in breaking[:_MOST_REASONS]:
        cause = f": {_note(verdict)}" if _note(verdict) else ""
        text = f"because {full_name(verdict)}: {_claimed(verdict)}{cause}"
        yield _wrapped(text, width, 2, 4)
    if len(breaking) > _MOST_REASONS:
        yield Text(f"  and {_more_of(len(breaking) - _MOST_REASONS, 'reason')}")


def _tolerated(report: Report, width: int) -> Iterator[RenderableType]:
    """What is wrong in a run that passed, each in one line."""
    if not report.passed:
        return
    wrong = worst_first(report)
    for verdict in wrong[:_MOST_REASONS]:
        text = f"{verdict.severity}: {full_name(verdict)}: {_claimed(verdict)}"
        yield _wrapped(text, width, 2, 4)
    if len(wrong) > _MOST_REASONS:
        yield Text(f"  and {len(wrong) - _MOST_REASONS} more")


def _more_of(number: int, noun: str) -> str:
    return f"{number} more {noun}{'' if number == 1 else 's'}"


def _suite(reports: Sequence[Report]) -> Iterator[RenderableType]:
    yield Text()
    yield _line((f"{len(reports)} specs", "head"))
    for report in reports:
        style = "passed" if report.passed else "failed"
        result = "passed" if report.passed else "FAILED"
        yield _line((f" {result}  ", style), (printable(report.title), ""))


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts)


def _wrapped(text: str, width: int, indent: int, deeper: int, style: str = "") -> Text:
    """Return *text* broken at *width*: its first line indented, the others a bit more."""
    lines = textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=" " * indent,
        subsequent_indent=" " * deeper,
        break_on_hyphens=False,
    )
    return Text("\n".join(lines), style)
