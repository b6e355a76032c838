"""What every reporter says of a verdict, in the same words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from validator.records.verdict import ACROSS, LOAD, REACHABLE, Report, Severity, Status, Verdict
from validator.values import printable

_PLACES = {LOAD: "Load", ACROSS: "Across endpoints"}


def place(section: str) -> str:
    """Return the heading of a section: an endpoint's id, or what else it is about."""
    word, space, load = section.partition(" ")  # only `load NAME` has a space
    return printable(f"{_PLACES.get(word, word)}{space}{load}")


def full_name(verdict: Verdict) -> str:
    """Return the section and the name of an assertion."""
    return f"{place(verdict.section)}: {printable(verdict.name)}"


def notes(verdict: Verdict) -> list[str]:
    """Return the lines of a verdict's note: one, or one per violation of a page."""
    said = "" if verdict.note == "nothing at that path" else verdict.note  # as "absent" says
    marks = ("vacuous" if verdict.vacuous else "", "as in the baseline" if verdict.known else "")
    text = "; ".join(part for part in (said, *marks) if part)
    return [printable(line) for line in text.split("\n")] if text else []


def found(verdict: Verdict) -> str:
    """Say what was found and what was expected."""
    return f"found {printable(verdict.actual)}; expected {printable(verdict.expected)}"


def message(verdict: Verdict) -> str:
    """Return all there is to say in plain lines: found, expected, the likely cause and why."""
    lines = [found(verdict), *notes(verdict)]
    if verdict.why:
        lines.append(f"why: {printable(verdict.why)}")
    return "\n".join(lines)


def worst_first(report: Report) -> list[Verdict]:
    """Return what is wrong and says something of its own: what broke the run comes first."""
    broken = set(map(id, report.breaking))
    return sorted(
        report.speaking(v for v in report.verdicts if v.bad or id(v) in broken),
        key=lambda v: (id(v) not in broken, -v.severity.rank, v.name != REACHABLE),
    )


def word(report: Report) -> str:
    """Return the result in one word."""
    if report.interrupted:
        return report.interrupted.upper()
    return "PASSED" if report.passed else "FAILED"


def where(verdict: Verdict) -> str:
    """Return the place in the spec that asks it; what no line asks is implied."""
    return printable(str(verdict.span)) if verdict.span.file else "implied"


def counts(report: Report) -> str:
    """Return how many verdicts have each status: `23 pass, 2 fail`.

    Of a run that passed it says why that is so in spite of what is wrong.
    """
    tally = report.tally
    vacuous = f" ({report.vacuous} of them vacuous)" if report.vacuous else ""
    told = [f"{tally[s]} {s}{vacuous if s is Status.PASS else ''}" for s in Status if tally[s]]
    bad = [verdict for verdict in report.verdicts if verdict.bad]
    if bad and report.passed:
        worst = max((v.severity for v in bad), key=lambda severity: severity.rank)
        told.append("all of it as in the baseline" if _breaks(worst, report) else _at_most(worst))
    return ", ".join(told) or "nothing was judged"


def _breaks(severity: Severity, report: Report) -> bool:
    return severity.rank >= report.fail_on.rank


def _at_most(severity: Severity) -> str:
    return "none of it worse than a warning" if severity is Severity.WARNING else "all of it info"


def unexplained(report: Report) -> str:
    """Say why a run failed though no verdict broke it; nothing if one did, or it passed."""
    if report.interrupted:
        return f"the run ended early: {printable(report.interrupted)}"
    return "" if report.verdicts else "nothing was judged"


def sections(report: Report) -> dict[str, list[Verdict]]:
    """Return the verdicts by section, in the order of the spec."""
    by_section: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts:
        by_section.setdefault(verdict.section, []).append(verdict)
    return by_section


def silent(report: Report, verdict: Verdict) -> str:
    """Say how many assertions an unreadable endpoint took with it; nothing for other verdicts."""
    count = report.consequences[verdict.section] if verdict.name == REACHABLE else 0
    if not verdict.bad or not count:
        return ""
    noun = "assertion" if count == 1 else f"{count} assertions"
    return f"its {noun} could not be judged"


def relative(file: str) -> str:
    """Return *file* as a path from the working folder, if it lies inside.

    What shows a place in a repository knows nothing of the machine that the run was on.
    """
    here = Path(os.path.normpath(file)) if file else None
    if here is not None and here.is_absolute() and here.is_relative_to(Path.cwd()):
        here = here.relative_to(Path.cwd())
    return here.as_posix() if here is not None else ""


def mark(verdict: Verdict) -> str:
    """Return the sign of a verdict; colour is never the only signal."""
    match verdict.status:
        case Status.PASS:
            return "○" if verdict.vacuous else "✓"
        case Status.SKIP:
            return "-"
        case Status.XFAIL:
            return "x"
        case Status.FAIL | Status.ERROR:
            return {Severity.CRITICAL: "✗", Severity.WARNING: "⚠", Severity.INFO: "ℹ"}[
                verdict.severity
            ]


def labels(reports: Sequence[Report]) -> list[str]:
    """Return a name for each report that no other of them has."""
    seen: dict[str, int] = {}
    names = []
    for report in reports:
        title = printable(report.title)
        seen[title] = seen.get(title, 0) + 1
        names.append(title if seen[title] == 1 else f"{title} ({seen[title]})")
    return names
