"""A sweep as people read it: what there is to say, and lines for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from validator import duration
from validator.benchmark.findings import Findings
from validator.benchmark.knee import mean_latency
from validator.benchmark.records import BY_PATH, METRICS, Bench, Level, Metric, failed, figure
from validator.benchmark.versus import Change, Comparison, Verdict
from validator.records.load import CANCELLED
from validator.values import printable, show

Line: TypeAlias = tuple[str, str]
"""A text and its style."""
Row: TypeAlias = tuple[str, ...]

_STYLES: Final = {
    Verdict.BETTER: "passed",
    Verdict.SAME: "muted",
    Verdict.WORSE: "failed",
    Verdict.GONE: "failed",
    Verdict.NEW: "informed",
    Verdict.UNDECIDED: "warned",
}
_DOUBTFUL: Final = " !"


# What both forms say


def _number(value: float | None) -> str:
    """Write a figure with three digits or so: more say nothing."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _percent(value: float | None, sign: str = "") -> str:
    if value is None:
        return "–"
    shown = round(100 * value, 1)
    if value < 1 and shown == 100:  # noqa: PLR2004 - percent
        shown = 99.9  # one failure in a million is not none
    return f"{sign}{show(shown)} %"


def _told(metric: Metric, value: float | None) -> str:
    return _percent(value) if metric.share else _number(value)


def amounts(found: Findings) -> Iterator[Row]:
    """Yield the table of how much was sent and came back."""
    bench = found.bench
    good = any(level.values(BY_PATH["goodput.share"]) for level in bench.levels)
    head = ["level", "sent", "ok", "req/s", "noise", "tokens/s"]
    yield (*head, *(["good/s", "in SLO"] if good else []), "CPU", "lag p99")
    for level in bench.levels:
        rate = BY_PATH["requests_per_s"]
        row = [
            show(level.at),
            str(level.total("sent")),
            _percent(level.succeeded),
            _number(level.median(rate)),
            _percent(level.noise(rate)),
            _number(level.median(BY_PATH["tokens_per_s"])),
        ]
        if good:
            row.append(_number(level.median(BY_PATH["goodput.requests_per_s"])))
            row.append(_percent(level.median(BY_PATH["goodput.share"])))
        row.append(_percent(_greatest(level, "client.cpu_share")))
        row.append(_number(_greatest(level, "client.lag_ms.p99")))
        row[0] += _DOUBTFUL if level.at in found.doubts else ""
        yield tuple(row)


def times(found: Findings) -> Iterator[Row]:
    """Yield the table of latencies, in ms."""
    metrics = [m for m in METRICS if "_ms." in m.path]
    shown = [m for m in metrics if any(level.values(m) for level in found.bench.levels)]
    if not shown:
        return
    # 80 columns hold eight figures when the name stands over the first of each pair only.
    heads = [m.label.removesuffix(" ms") for m in shown]
    yield ("level", *(head.split()[-1] if head.endswith("p99") else head for head in heads))
    for level in found.bench.levels:
        mark = _DOUBTFUL if level.at in found.doubts else ""
        yield (show(level.at) + mark, *(_number(level.median(m)) for m in shown))


def _greatest(level: Level, path: str) -> float | None:
    return max((v for one in level.ledgers if (v := figure(one, path)) is not None), default=None)


def _knee(found: Findings) -> str:
    bench, knee = found.bench, found.knee
    if knee.level is None:
        return f"none shown: {knee.why}"
    level = next(level for level in bench.levels if level.at == knee.level)
    rate = _number(level.median(BY_PATH["requests_per_s"]))
    means = sorted(m for one in level.ledgers if (m := mean_latency(one)) is not None)
    latency = _number(means[len(means) // 2])
    text = f"{bench.axis.named(knee.level)}, {rate} requests/s at a mean latency of {latency} ms:"
    text += f" {knee.why}"
    if knee.alike:
        text += f"; the noise does not tell it from {', '.join(map(show, knee.alike))}"
    doubtful = [at for at in found.doubts if at >= knee.level]
    if doubtful and any("client" in text for at in doubtful for text in found.doubts[at]):
        text += "; it may be the client's own knee, see below"
    return text


def results(found: Findings) -> Iterator[tuple[str, str]]:
    """Yield what follows from the sweep, each with its heading."""
    if found.bench.levels:
        yield "Knee", _knee(found)
    if found.best is not None and found.bench.levels:
        at, why = found.best.level, found.best.why
        yield "SLO", why if at is None else f"best at {found.bench.axis.named(at)}: {why}"
    for level in found.bench.levels:
        ways = failed(level.ledgers)
        ways.pop(CANCELLED, None)
        if told := ", ".join(f"{count} × {said}" for count, said in ways.values()):
            yield "Failed", f"at {found.bench.axis.named(level.at)}: {told}"
    for at, reasons in found.doubts.items():
        for reason in reasons:
            yield f"! {found.bench.axis.named(at)}", reason
    if found.bench.stopped:
        yield "Stopped", f"at {found.bench.stopped}"
    if found.bench.interrupted:
        done = sum(len(level.ledgers) for level in found.bench.levels)
        asked = len(found.bench.planned) * found.bench.repeat
        noun = "levels" if found.bench.repeat == 1 else "runs"
        yield "Interrupted", f"({found.bench.interrupted}) after {done} of {asked} {noun}"


def heading(bench: Bench) -> str:
    """Return how much was swept, in one line."""
    each = f", each {bench.repeat} times, the median shown" if bench.repeat > 1 else ""
    many = f"{len(bench.levels)} level{'' if len(bench.levels) == 1 else 's'} of {bench.axis.value}"
    return f"{many}{each}, in {duration.written(bench.elapsed)}; times in ms"


def summary(comparison: Comparison) -> str:
    """Return how many changes there are of each kind."""
    counts = dict.fromkeys(Verdict, 0)
    for change in comparison.changes:
        counts[change.verdict] += 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    lost = [comparison.later.axis.named(at) for at in comparison.lost]
    if lost:
        told += f"{told and ', '}not reached: {', '.join(lost)}"
    return f"{told}; tolerance {_percent(comparison.tolerance)}"


def changed(change: Change) -> Row:
    """Return the row of one change."""
    ratio = change.ratio
    return (
        change.metric.label.removesuffix(" ms") + (" ms" if "_ms." in change.metric.path else ""),
        _told(change.metric, change.was),
        _told(change.metric, change.now),
        "–" if ratio is None else f"{100 * ratio:+.1f} %",
        "unknown" if change.noise is None else _percent(change.noise, "±"),
        f"{change.verdict}: {change.reason}" if change.reason else change.verdict.value,
    )


# A terminal


def lines(found: Findings, width: int, *, quiet: bool = False) -> Iterator[Line]:
    """Yield what a terminal of *width* shows; with *quiet* only what follows from the sweep."""
    bench = found.bench
    if not quiet:
        yield "", ""
        yield f"{printable(bench.title)}  {printable(bench.target)}", "head"
        yield f" {heading(bench)}", "muted"
        for table in (tuple(amounts(found)), tuple(times(found))):
            if len(table) > 1:
                yield "", ""
                yield from _table(table)
        yield "", ""
    for name, text in results(found):
        style = "failed" if name in ("Failed", "Stopped") else "warned" if name[0] in "!I" else ""
        yield from _wrapped(f"{name}  {printable(text)}", width, style)
    for text in () if quiet else bench.remarks:
        yield from _wrapped(printable(text), width, "muted")
    if found.comparison is not None:
        yield from _compared(found.comparison, width, quiet=quiet)


def _wrapped(text: str, width: int, style: str, ahead: str = "") -> Iterator[Line]:
    for line in textwrap.wrap(
        text, max(width, 40), initial_indent=ahead, subsequent_indent=f"{ahead}  "
    ):
        yield line, style


def _table(rows: Sequence[Row], styles: Sequence[str] = ()) -> Iterator[Line]:
    """Yield the first column to the left, and numbers to the right; a line under the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ragged = not rows[0][-1]  # words, and no numbers
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        if ragged:
            cells[-1] = row[-1].ljust(widths[-1])
        text = " " + "  ".join(cells)
        yield text.rstrip(), styles[number] if styles else "head" if number == 0 else ""
        if number == 0:
            yield " " + "─" * (len(text) - 1), "muted"


def _compared(comparison: Comparison, width: int, *, quiet: bool) -> Iterator[Line]:
    earlier, axis = comparison.earlier, comparison.later.axis
    yield "", ""
    yield f"Against the sweep of {printable(earlier.started)}", "head"
    for text in comparison.others:
        yield from _wrapped(printable(text), width, "warned", " ")
    shown = [c for c in comparison.changes if not quiet or c.verdict is not Verdict.SAME]
    for level in dict.fromkeys(change.level for change in shown):
        changes = [change for change in shown if change.level == level]
        rows = [(axis.named(level), "was", "now", "change", "noise", "")]
        yield "", ""
        yield from _table(
            [*rows, *map(changed, changes)], ["head", *(_STYLES[c.verdict] for c in changes)]
        )
    yield "", ""
    verdict = "worse" if comparison.worse else "not worse"
    yield (
        f"{verdict.capitalize()}  {summary(comparison)}",
        ("failed" if comparison.worse else "passed"),
    )
