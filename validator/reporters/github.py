"""The verdicts as annotations of a GitHub workflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from validator.records.verdict import Report, Severity, Verdict
from validator.reporters.base import reporter
from validator.reporters.wording import (
    counts,
    full_name,
    labels,
    message,
    relative,
    silent,
    unexplained,
    word,
    worst_first,
)
from validator.values import printable

_LEVELS = {Severity.CRITICAL: "warning", Severity.WARNING: "warning", Severity.INFO: "notice"}
"""Of what broke nothing: a critical one did not if it was no better in the baseline."""


@reporter("github")
def render(reports: Sequence[Report]) -> str:
    """Annotations of a GitHub workflow, at the lines of the spec; worst first.

    What broke the run is an error; of the rest a warning stays a warning, and info a notice.
    GitHub shows ten of each kind for a step. The last line of a run is its result.

    ```yaml
    # validator run SPEC --report github
    ```
    """
    lines = (
        line
        for label, r in zip(labels(reports), reports, strict=True)
        for line in _annotations(label, r)
    )
    return "\n".join(lines) + "\n"


def _annotations(label: str, report: Report) -> Iterator[str]:
    broken = set(map(id, report.breaking))
    if why := unexplained(report):
        yield _command("error", label, why, {"file": relative(report.spec)})
    for verdict in worst_first(report):
        level = "error" if id(verdict) in broken else _LEVELS[verdict.severity]
        told = "\n".join(filter(None, (message(verdict), silent(report, verdict))))
        yield _command(level, full_name(verdict), told, _where(report, verdict))
    yield f"{word(report)} {label}: {counts(report)}"


def _where(report: Report, verdict: Verdict) -> dict[str, str]:
    span = verdict.span
    if not span.file:
        return {"file": relative(report.spec)}
    where = {"file": relative(span.file), "line": str(span.line), "col": str(span.column)}
    if span.end_line == span.line and span.end_column > span.column:
        where["endColumn"] = str(span.end_column - 1)  # there the end is part of the place
    return where


def _command(level: str, title: str, text: str, where: dict[str, str]) -> str:
    given = {**where, "title": title}
    properties = ",".join(f"{key}={_property(value)}" for key, value in given.items() if value)
    return f"::{level} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Escape a message, so that no line of it is a command of its own."""
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
