"""The report as JSON: the contract that other programs rely on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from validator.records.chart import Chart
from validator.records.observation import Settled
from validator.records.verdict import Report, Verdict
from validator.reporters.base import reporter
from validator.values import json_text

VERSION = 1


@reporter("json")
def render(reports: Sequence[Report]) -> str:
    """All that was judged and the ledger; `validator schema report` describes it.

    ```yaml
    # validator run SPEC --report json=report.json
    ```
    """
    if len(reports) == 1:
        return _lines(document(reports[0])) + "\n"
    combined = {
        "version": VERSION,
        "title": ", ".join(r.title for r in reports),
        "passed": all(r.passed for r in reports),
        "exit_code": max(r.exit_code for r in reports),
    }
    runs = ",\n".join(_lines(document(r)) for r in reports)
    return f'{_lines(combined)[:-2]},\n"runs": [\n{runs}\n]\n}}\n'


def _lines(fields: dict[str, Any]) -> str:
    """Write one line per field, verdict and chart: quick to make, and fit for `diff`."""
    lines = []
    for key, value in fields.items():
        if key in ("verdicts", "charts"):
            entries = ",\n".join(map(json_text, value))
            lines.append(f'"{key}": [\n{entries}\n]' if value else f'"{key}": []')
        else:
            lines.append(f"{json_text(key)}: {json_text(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def document(report: Report) -> dict[str, Any]:
    """Return one report as plain data."""
    return {
        "version": VERSION,
        "title": report.title,
        "spec": report.spec,
        "passed": report.passed,
        "exit_code": report.exit_code,
        "target": report.target,
        "started": report.started,
        "elapsed_s": round(report.elapsed, 6),
        "fail_on": report.fail_on.value,
        "fail_on_vacuous": report.fail_on_vacuous,
        "fail_on_new": report.fail_on_new,
        "interrupted": report.interrupted or None,
        "remarks": list(report.remarks),
        "load": report.load,
        "loads": dict(report.loads) or None,
        "settle": _settled(report.settled),
        "tally": {status.value: count for status, count in sorted(report.tally.items())},
        "vacuous": report.vacuous,
        "verdicts": [_verdict(v) for v in report.verdicts],
        "charts": [_chart(chart) for chart in report.charts],
    }


def _settled(settled: Settled | None) -> dict[str, Any] | None:
    if settled is None:
        return None
    return {
        "settled": settled.settled,
        "elapsed_s": round(settled.elapsed, 6),
        "polls": settled.polls,
        "waiting_for": list(settled.waiting_for),
        "moving": list(settled.moving),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "endpoint": verdict.endpoint,
        "section": verdict.section,
        "load": verdict.load or None,
        "name": verdict.name,
        "path": verdict.path,
        "status": verdict.status.value,
        "severity": verdict.severity.value,
        "expected": verdict.expected,
        "actual": verdict.actual,
        "before": verdict.before or None,
        "after": verdict.after or None,
        "note": verdict.note,
        "why": verdict.why,
        "vacuous": verdict.vacuous,
        "known": verdict.known,
        "file": verdict.span.file,
        "line": verdict.span.line,
        "column": verdict.span.column,
        "end_line": verdict.span.end_line,
        "end_column": verdict.span.end_column,
        "source": verdict.source or None,
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "form": chart.form.value,
        "section": chart.section,
        "x": chart.x,
        "y": chart.y,
        "note": chart.note,
        "series": [
            {"name": s.name, "by": s.by.value, "points": [list(p) for p in s.points]}
            for s in chart.series
        ],
    }
