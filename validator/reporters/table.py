"""Tables for people at a terminal, in a pipe or in a log."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from validator.records.verdict import ACROSS, LOAD, REACHABLE, Report, Severity, Status, Verdict
from validator.reporters.base import reporter
from validator.values import is_number, printable

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
_NAMES = {LOAD: "Load", ACROSS: "Across endpoints"}


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
    return console.file.getvalue()


def tables(reports: Sequence[Report], width: int, *, quiet: bool = False) -> RenderableType:
    """Return everything a person reads, for a console *width* columns wide."""
    parts: list[RenderableType] = []
    for report in reports:
        parts += [] if quiet else _run(report, width)
        parts += _result(report, width)
    if len(reports) > 1:
        parts += _suite(reports)
    return Group(*parts)


def _run(report: Report, width: int) -> Iterator[RenderableType]:
    yield Text()
    yield _line((printable(report.title), "head"), ("  ", ""), (printable(report.target), "muted"))
    if isinstance(report.load, dict):
        yield from _requests(report.load, width)
    for section, verdicts in _sections(report).items():
        yield from _section(section, verdicts, width, len(report.verdicts))


def _sections(report: Report) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        found.setdefault(verdict.section, []).append(verdict)
    return found


# The request summary


def _requests(ledger: dict[str, Any], width: int) -> Iterator[RenderableType]:
    sent, ok = ledger.get("sent", 0), ledger.get("ok", 0)
    rate = f" ({100 * ok / sent:.3g} %)" if sent else ""
    first = (
        f"Requests  {ok} of {sent} succeeded{rate}"
        f" in {_seconds(ledger.get('duration_s'))}"
        f", {_unit(ledger.get('requests_per_s'), 'requests/s')}"
        f", {_unit(ledger.get('tokens_per_s'), 'tokens/s')}"
    )
    tokens = ledger.get("tokens", {})
    each = tokens.get("completion") / ok if ok and is_number(tokens.get("completion")) else None
    averages = (
        f"Average   duration {_ms(_at(ledger, 'wall_ms', 'mean'))}"
        f", TTFT {_ms(_at(ledger, 'ttft_ms', 'mean'))}"
        f", {_unit(each, 'tokens a request')}"
    )
    spread = [
        f"{label} p50 {_ms(_at(ledger, key, 'p50'))} p99 {_ms(_at(ledger, key, 'p99'))}"
        for label, key in (("TTFT", "ttft_ms"), ("ITL", "itl_ms"), ("latency", "latency_ms"))
        if _at(ledger, key, "p50") is not None
    ]
    lines = [first, averages, *([f"Spread    {', '.join(spread)}"] if spread else [])]
    for outcome, count in ledger.get("outcomes", {}).items():
        if outcome != "ok":
            examples = ledger.get("errors", {}).get(outcome, [])
            example = f": {printable(examples[0])}" if examples else ""
            lines.append(f"Failed    {count} × {printable(outcome)}{example}")
    yield from (_wrapped(line, width, 1, 11) for line in lines)


def _at(ledger: dict[str, Any], key: str, name: str) -> Any:
    return ledger.get(key, {}).get(name)


def _seconds(value: Any) -> str:
    return f"{value:.2f} s" if is_number(value) else "unknown time"


def _ms(value: Any) -> str:
    if not is_number(value):
        return "unknown"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - ms in a second


def _unit(value: Any, unit: str) -> str:
    return f"{value:.1f} {unit}" if is_number(value) else f"unknown {unit}"


# A table per endpoint


def _section(
    section: str, verdicts: list[Verdict], width: int, total: int
) -> Iterator[RenderableType]:
    passed = sum(v.status is Status.PASS for v in verdicts)
    heading = _NAMES.get(section, printable(section))
    style = "passed" if not any(v.bad for v in verdicts) else "failed"
    if style == "failed" and not any(v.bad and v.severity is Severity.CRITICAL for v in verdicts):
        style = "warned"
    yield Text()
    yield _line(
        (heading, "head"),
        (f"  {passed} of {len(verdicts)} passed ({100 * passed / len(verdicts):.0f} %)", style),
    )
    shown, hidden = verdicts, 0
    if total > MOST_ROWS:
        shown = [v for v in verdicts if v.status is not Status.PASS][:MOST_BAD]
        hidden = len(verdicts) - len(shown)
    if shown:
        yield _table(shown, width)
    if hidden:
        yield Text(f" … and {hidden} more, not listed; --report json or csv has all", "muted")


def _table(verdicts: list[Verdict], width: int) -> Table:
    wide = width >= _WIDE
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, expand=False)
    # Fixed widths spare rich from measuring every cell, which costs more than printing them.
    room = max(width, 40) - (6 if wide else 5)
    shares = (0.3, 0.22, 0.2, 0.28) if wide else (0.42, 0.3, 0.28)
    grid.add_column("", width=1)
    for heading, share in zip(("assertion", "expected", "actual", "note"), shares, strict=False):
        grid.add_column(heading, width=int(room * share), overflow="fold")
    for verdict in verdicts:
        mark, style = _mark(verdict)
        cells = [
            Text(mark, style),
            Text(printable(verdict.name)),
            Text(printable(verdict.expected)),
            Text(printable(verdict.actual), style),
        ]
        if wide:
            cells.append(Text(_note(verdict), "muted"))
        grid.add_row(*cells)
    return grid


def _mark(verdict: Verdict) -> tuple[str, str]:
    match verdict.status:
        case Status.PASS:
            return ("○", "muted") if verdict.vacuous else ("✓", "passed")
        case Status.SKIP:
            return "-", "muted"
        case Status.XFAIL:
            return "x", "muted"
        case Status.FAIL | Status.ERROR:
            return {
                Severity.CRITICAL: ("✗", "failed"),
                Severity.WARNING: ("⚠", "warned"),
                Severity.INFO: ("ℹ", "informed"),
            }[verdict.severity]


def _note(verdict: Verdict) -> str:
    said = "" if verdict.note == "nothing at that path" else verdict.note  # as "absent" says
    text = "; ".join(part for part in (said, "vacuous" if verdict.vacuous else "") if part)
    return "\n".join(map(printable, text.split("\n")))  # one line per violation of a page


# The result, with its reasons


def _result(report: Report, width: int) -> Iterator[RenderableType]:
    bad = sorted(
        report.speaking(v for v in report.verdicts if v.bad), key=lambda v: -v.severity.rank
    )
    silent = report.consequences
    if bad:
        yield Text()
        yield _line(("What is wrong", "head"))
        for verdict in bad[:MOST_BAD]:
            yield from _problem(verdict, width)
            if verdict.name == REACHABLE and silent[verdict.section]:
                count = silent[verdict.section]
                noun = "assertion" if count == 1 else f"{count} assertions"
                yield Text(f"   its {noun} could not be judged")
        if len(bad) > MOST_BAD:
            yield Text(f" … and {len(bad) - MOST_BAD} more", "muted")
    for verdict in [v for v in report.verdicts if v.status in (Status.XFAIL, Status.SKIP)][
        :MOST_BAD
    ]:
        text = f"{_mark(verdict)[0]} {verdict.status}: {_name(verdict)}: {_note(verdict)}"
        yield _wrapped(text, width, 1, 3, "muted")
    if report.remarks:
        yield Text()
        yield from (_wrapped(printable(remark), width, 0, 2, "warned") for remark in report.remarks)
    yield Text()
    yield _rates(report, width)
    yield from _outcome(report, width)


def _problem(verdict: Verdict, width: int) -> Iterator[RenderableType]:
    """At most four lines: what failed, claimed against expected, the likely cause, where and why.

    What is merely good to know gets one.
    """
    mark, style = _mark(verdict)
    found, expected = printable(verdict.actual), printable(verdict.expected)
    if verdict.severity is Severity.INFO:
        text = f"{mark} {_name(verdict)}: {found}, expected {expected}"
        first, *others = f"{text}: {note}".split("\n") if (note := _note(verdict)) else [text]
        yield _wrapped(first, width, 1, 3, style)
        yield from (_wrapped(line, width, 3, 5, style) for line in others)
        return
    yield _line(
        (f" {mark} {_name(verdict)}", style), (f"  {verdict.severity} {verdict.status}", "muted")
    )
    yield _wrapped(f"found {found}; expected {expected}", width, 3, 5)
    for line in filter(None, _note(verdict).split("\n")):
        yield _wrapped(line, width, 3, 5)
    where = str(verdict.span) if verdict.span.file else "implied"
    path = f" {verdict.path}" if verdict.path else ""
    why = f": {verdict.why}" if verdict.why else ""
    yield _wrapped(printable(where + path + why), width, 3, 5, "muted")


def _name(verdict: Verdict) -> str:
    place = _NAMES.get(verdict.section, verdict.section)
    return printable(f"{place}: {verdict.name}")


def _rates(report: Report, width: int) -> Text:
    parts = []
    for section, verdicts in _sections(report).items():
        passed = sum(v.status is Status.PASS for v in verdicts)
        parts.append(f"{_NAMES.get(section, printable(section))} {passed}/{len(verdicts)}")
    return _wrapped("Passed  " + ", ".join(parts), width, 0, 8)


def _outcome(report: Report, width: int) -> Iterator[RenderableType]:
    tally = report.tally
    vacuous = f" ({report.vacuous} of them vacuous)" if report.vacuous else ""
    counts = ", ".join(
        f"{tally[s]} {s}{vacuous if s is Status.PASS else ''}" for s in Status if tally[s]
    )
    if report.interrupted:
        word, style = report.interrupted.upper(), "failed"
    else:
        word, style = ("PASSED", "passed") if report.passed else ("FAILED", "failed")
    yield _line(
        (word, style), (f"  {counts or 'nothing was judged'} in {report.elapsed:.1f} s", "")
    )
    # What shows its cause comes first: that is what a reader wants to know.
    breaking = sorted(
        report.speaking(report.breaking),
        key=lambda v: (v.section != LOAD, v.name != REACHABLE, not v.note),
    )
    for verdict in breaking[:_MOST_REASONS]:
        cause = f": {_note(verdict)}" if _note(verdict) else ""
        text = (
            f"{_name(verdict)}: {printable(verdict.actual)}, expected {printable(verdict.expected)}"
        )
        yield _wrapped(f"because {text}{cause}", width, 2, 4)
    if len(breaking) > _MOST_REASONS:
        yield Text(f"  and {len(breaking) - _MOST_REASONS} more reasons")


def _suite(reports: Sequence[Report]) -> Iterator[RenderableType]:
    yield Text()
    yield _line((f"{len(reports)} specs", "head"))
    for report in reports:
        style = "passed" if report.passed else "failed"
        word = "passed" if report.passed else "FAILED"
        yield _line((f" {word}  ", style), (printable(report.title), ""))


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
