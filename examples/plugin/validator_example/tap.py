"""A report of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from validator.records.verdict import Report, Status, Verdict
from validator.reporters.base import reporter
from validator.values import printable

_DIRECTIVES = {Status.SKIP: " # SKIP", Status.XFAIL: " # TODO"}


@reporter("tap")
def render(reports: Sequence[Report]) -> str:
    """One line per verdict, as the Test Anything Protocol has it.

    ```yaml
    # validator run SPEC --report tap=verdicts.tap
    ```
    """
    verdicts = [verdict for report in reports for verdict in report.verdicts]
    lines = ["TAP version 14", f"1..{len(verdicts)}"]
    for number, verdict in enumerate(verdicts, start=1):
        lines += _lines(number, verdict)
    return "\n".join(lines) + "\n"


def _lines(number: int, verdict: Verdict) -> Iterator[str]:
    result = "not ok" if verdict.status not in (Status.PASS, Status.SKIP) else "ok"
    name = printable(f"{verdict.section}: {verdict.name}")
    name = name.replace("\\", "\\\\").replace("#", "\\#")
    yield f"{result} {number} - {name}{_DIRECTIVES.get(verdict.status, '')}"
    if verdict.bad:
        yield "  ---"
        yield f"  expected: {_quoted(verdict.expected)}"
        yield f"  actual: {_quoted(verdict.actual)}"
        yield "  ..."


def _quoted(text: str) -> str:
    return "'" + printable(text).replace("'", "''") + "'"
