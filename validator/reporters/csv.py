"""The verdicts as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Sequence

from validator.records.verdict import Report
from validator.reporters.base import reporter
from validator.span import Span
from validator.values import printable

COLUMNS = (
    "spec", "endpoint", "name", "path", "status", "severity", "expected", "actual",
    "before", "after", "note", "why", "vacuous", "file", "line", "column",
    "load",
)  # fmt: skip


_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What begins a formula, also in the full width that some spreadsheets read alike."""
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
"""What may begin with a sign all the same: a number stays one that can be added up."""


@reporter("csv")
def render(reports: Sequence[Report]) -> str:
    """One row per verdict, for spreadsheets; no cell can be taken for a formula.

    A cell that would be one begins with an apostrophe; a negative number stays a number.

    ```yaml
    # validator run SPEC --report csv=verdicts.csv
    ```
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")  # as RFC 4180 has it
    rows.writerow(COLUMNS)
    harmless = functools.cache(_harmless)  # most cells of a column say the same
    for report in reports:
        for v in report.verdicts:
            cells = (
                report.title, v.endpoint or "", v.name, v.path or "", v.status.value,
                v.severity.value, v.expected, v.actual, v.before, v.after, v.note, v.why,
                "true" if v.vacuous else "false",
                *_place(v.span), v.load,
            )  # fmt: skip
            rows.writerow([harmless(cell) for cell in cells])
    return text.getvalue()


def _place(span: Span) -> tuple[str, str, str]:
    """Return file, line and column; nothing of what no line of a spec asks."""
    return (span.file, str(span.line), str(span.column)) if span.file else ("", "", "")


def _harmless(cell: str) -> str:
    """Return *cell* so that no spreadsheet computes it: `=HYPERLINK(…)` came from the wire."""
    cell = printable(cell)
    if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell
