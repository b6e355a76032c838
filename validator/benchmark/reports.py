"""A sweep as a file: JSON, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from validator.benchmark import saved
from validator.benchmark.findings import Findings
from validator.benchmark.records import METRICS, figure
from validator.benchmark.showing import (
    Row,
    amounts,
    changed,
    heading,
    results,
    summary,
    times,
)
from validator.benchmark.versus import Comparison
from validator.values import printable, show


def markdown(found: Findings) -> str:
    """Return a sweep as Markdown, for the summary of a CI job."""
    bench = found.bench
    parts = [f"# {_plain(bench.title)}", "", f"{_plain(bench.target)}: {heading(bench)}", ""]
    for table in (tuple(amounts(found)), tuple(times(found))):
        if len(table) > 1:
            parts += [*_grid(table), ""]
    parts += [f"- **{_plain(name)}**: {_plain(text)}" for name, text in results(found)]
    parts += [f"- {_plain(text)}" for text in bench.remarks]
    if found.comparison is not None:
        parts += ["", *_against(found.comparison)]
    return "\n".join(parts).rstrip() + "\n"


def _against(comparison: Comparison) -> Iterator[str]:
    axis = comparison.later.axis
    verdict = "worse" if comparison.worse else "not worse"
    yield f"## Against the sweep of {_plain(comparison.earlier.started)}: {verdict}"
    yield ""
    yield f"{summary(comparison)}."
    yield ""
    yield from (f"- {_plain(text)}" for text in comparison.others)
    yield ""
    rows = [(axis.named(change.level), *changed(change)) for change in comparison.changes]
    if rows:
        yield from _grid([(axis.value, "", "was", "now", "change", "noise", ""), *rows])


def _grid(rows: Sequence[Row]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"| {' | '.join(map(_plain, row))} |"
        if number == 0:
            yield f"|{' --- |' * len(row)}"


def _plain(text: str) -> str:
    """Return *text* so that nothing in it is taken for Markdown or HTML."""
    return "".join(f"&#{ord(c)};" if c in "&<>`*_[]#|~\\$@" else c for c in printable(text))


def table(found: Findings) -> str:
    """Return a sweep as CSV: one row for each run of each level, plain numbers only."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")  # as RFC 4180 has it
    counts = ("sent", "ok", "failed", "duration_s", "in_flight_max")
    client = ("client.cpu_share", "client.lag_ms.p50", "client.lag_ms.p99")
    paths = (*counts, *(metric.path for metric in METRICS), *client)
    rows.writerow((found.bench.axis.value, "run", *paths, "doubtful"))
    for level in found.bench.levels:
        for run, ledger in enumerate(level.ledgers, 1):
            cells = ["" if (v := figure(ledger, p)) is None else repr(v) for p in paths]
            rows.writerow(
                (show(level.at), run, *cells, "true" if level.at in found.doubts else "false")
            )
    return text.getvalue()


FORMATS: Final[Mapping[str, Callable[[Findings], str]]] = {
    "json": saved.written,
    "csv": table,
    "markdown": markdown,
}
"""What `--report` of a sweep may be."""
