"""The report as Markdown, for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from validator.records.verdict import Report, Verdict
from validator.reporters.base import reporter
from validator.reporters.figures import request_lines
from validator.reporters.wording import (
    counts,
    labels,
    mark,
    notes,
    place,
    relative,
    sections,
    silent,
    unexplained,
    word,
    worst_first,
)
from validator.values import printable

MOST: Final = 600_000
"""Characters, shared by all runs: GitHub refuses a summary of more than 1 MiB."""
_ACTIVE = re.compile(r"[&<>`*_\[\]#|~\\$@]|:(?=\S)")
"""Whatever Markdown, HTML, a table or GitHub's own links could take for a sign of theirs."""


@reporter("markdown")
def render(reports: Sequence[Report]) -> str:
    """The result first, what is wrong with its place, and all assertions in a folded table.

    Made for the summary of a GitHub job; GitLab and others show it as well. Text from the wire
    stays text.

    ```yaml
    # validator run SPEC --report markdown=summary.md
    # validator report report.json --report markdown >> "$GITHUB_STEP_SUMMARY"
    ```
    """
    parts: list[str] = []
    if len(reports) > 1:
        parts += _suite(reports)
    for label, report in zip(labels(reports), reports, strict=True):
        parts += _run(label, report, MOST // len(reports))
    return "\n".join(parts).rstrip() + "\n"


def _suite(reports: Sequence[Report]) -> Iterator[str]:
    failed = sum(not r.passed for r in reports)
    text = f"{failed} of {len(reports)} specs failed" if failed else f"{len(reports)} specs passed"
    yield f"# {_sign(failed == 0)} {text}"
    yield ""


def _run(label: str, report: Report, room: int) -> Iterator[str]:
    yield f"## {_sign(report.passed)} {word(report)} – {_text(label)}"
    yield ""
    yield f"{counts(report)} in {report.elapsed:.1f} s · {_code(report.target)}"
    yield ""
    if why := unexplained(report):
        yield f"**{_text(why)}**"
        yield ""
    yield from _remarks(report)
    used = 0
    wrong = worst_first(report)
    if wrong:
        yield "### What is wrong"
        yield ""
    for listed, verdict in enumerate(wrong):
        block = "\n".join(_problem(report, verdict))
        used += len(block)
        if used > room // 2:
            yield f"- … and {len(wrong) - listed} more"
            break
        yield block
    yield ""
    for name, ledger in report.ledgers.items():
        yield f"### Requests of {_text(name)}" if name else "### Requests"
        yield ""
        yield from (f"- {_line(line)}" for line in request_lines(ledger))
        yield ""
    yield from _everything(report, room // 2)


def _remarks(report: Report) -> Iterator[str]:
    if report.remarks:
        yield from (f"> {_line(remark)}  " for remark in report.remarks)
        yield ""


def _problem(report: Report, verdict: Verdict) -> Iterator[str]:
    span = verdict.span
    where = f"{relative(span.file)}:{span.line}" if span.file else "implied"
    name = f"{_text(place(verdict.section))}: {_text(verdict.name)}"
    yield f"- {mark(verdict)} **{name}** · {verdict.severity} {verdict.status} · {_code(where)}  "
    yield f"  found {_code(verdict.actual)}; expected {_code(verdict.expected)}  "
    more = [*notes(verdict), silent(report, verdict)]
    yield from (f"  {_line(line)}  " for line in more if line)
    if verdict.why:
        yield f"  *{_text(verdict.why)}*  "


def _everything(report: Report, room: int) -> Iterator[str]:
    if not report.verdicts:
        return
    noun = "assertion" if len(report.verdicts) == 1 else "assertions"
    yield "<details>"
    yield f"<summary>All {len(report.verdicts)} {noun}</summary>"
    yield ""
    yield "| | about | assertion | severity | status | expected | actual |"
    yield "|---|---|---|---|---|---|---|"
    used = listed = 0
    for section, verdicts in sections(report).items():
        for v in verdicts:
            row = " | ".join(
                (
                    mark(v), _text(place(section)), _text(v.name), v.severity.value,
                    v.status.value + (" (vacuous)" if v.vacuous else ""),
                    _code(v.expected), _code(v.actual),
                )
            )  # fmt: skip
            used += len(row)
            if used <= room:
                listed += 1
                yield f"| {row} |"
    yield ""
    if listed < len(report.verdicts):
        yield f"… and {len(report.verdicts) - listed} more, not listed."
        yield ""
    yield "</details>"
    yield ""


def _sign(passed: bool) -> str:  # noqa: FBT001 - the one thing it says
    return "✅" if passed else "❌"


def _text(text: str) -> str:
    """Return *text* so that it stays text, whatever stands in it."""
    return _ACTIVE.sub(lambda c: f"&#{ord(c[0])};", printable(text))


def _line(text: str) -> str:
    """Return *text* for the beginning of a line, where `1.`, `-` and `=` are signs, too."""
    text = _text(text)
    return f"&#{ord(text[0])};{text[1:]}" if text[:1] in "-+=0123456789" and text else text


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>" if text else ""
