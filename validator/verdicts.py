"""From answers to verdicts: what a report says of each assertion. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final, assert_never

from validator.records.verdict import ACROSS, Severity, Status, Verdict, load_section
from validator.reference import Resolve
from validator.spec.model import About, Assertion, ExprAssertion, Over, PathAssertion
from validator.subject import Answer, Holding
from validator.values import brief
from validator.views import View
from validator.wording import expected

_STATUS: Final = {
    Holding.YES: Status.PASS,
    Holding.NO: Status.FAIL,
    Holding.UNFIT: Status.FAIL,
    Holding.UNDECIDABLE: Status.ERROR,
}


@dataclass(frozen=True, slots=True)
class Clerk:
    """Writes down what was decided about assertions."""

    view: View
    resolve: Resolve
    """Gives references their values."""
    today: date

    def verdict(self, assertion: Assertion, found: Answer, excused: str = "") -> Verdict:
        """Return what is said of *assertion*, of which *excused* says why it may hold after all."""
        about = assertion.about
        wanted = self._wanted(assertion)
        section, endpoint = _section(assertion)
        if about.skip:
            return replace(
                implied(about, endpoint, Status.SKIP, wanted, "not judged", note=about.skip),
                section=section,
                path=_path_text(assertion),
            )
        status = Status.ERROR if excused else _STATUS[found.holding]
        notes = [n for n in (excused, self._cause(found), found.note) if n]
        verdict = Verdict(
            name=about.name,
            status=status,
            severity=about.severity,
            expected=wanted,
            actual=found.actual,
            endpoint=endpoint,
            section=section,
            path=_path_text(assertion),
            note="; ".join(notes),
            why=about.why,
            load=about.load,
            before="" if found.change is None else brief(found.change.before),
            after="" if found.change is None else brief(found.change.after),
            vacuous=found.vacuous and status is Status.PASS,
            span=about.span,
        )
        return self._announced(verdict, about)

    def _wanted(self, assertion: Assertion) -> str:
        """Write what *assertion* expects, with the values that its references have."""
        match assertion:
            case ExprAssertion(expression=expression, over=over):
                when = "" if over is Over.AFTER else f", {over} the load"
                return " ".join(expression.text.split()) + when
            case PathAssertion(condition=condition, over=over):
                resolve = None if self.view.load is None else self.resolve
                when = "" if over is Over.AFTER else f", {over} the load"
                return expected(condition, resolve) + when
        assert_never(assertion)

    def _cause(self, found: Answer) -> str:
        """Say the likely cause of a failure when the data show it."""
        moved = found.change
        if found.holding is not Holding.NO or moved is None or moved.before != moved.after:
            return ""
        succeeded = self.view.ok
        if not succeeded:
            return ""
        many = "1 request" if succeeded == 1 else f"{succeeded} requests"
        return f"unchanged while {many} succeeded"

    def _announced(self, verdict: Verdict, about: About) -> Verdict:
        """Apply an `xfail:` to a verdict."""
        xfail = about.xfail
        if xfail is None:
            return verdict
        late = xfail.until is not None and self.today > xfail.until
        if verdict.bad and not late:
            note = "; ".join(n for n in (f"announced: {xfail.reason}", verdict.note) if n)
            return replace(verdict, status=Status.XFAIL, note=note)
        if verdict.bad:
            note = f"announced only until {xfail.until}: {xfail.reason}"
            note = "; ".join(n for n in (note, verdict.note) if n)
            return replace(verdict, status=Status.FAIL, severity=Severity.WARNING, note=note)
        note = f"passes, though a failure was announced: {xfail.reason}"
        return replace(verdict, status=Status.FAIL, severity=Severity.WARNING, note=note)


def implied(  # noqa: PLR0913 - the parts of a verdict
    about: About,
    endpoint: str | None,
    status: Status,
    expected: str,
    actual: str,
    *,
    note: str = "",
) -> Verdict:
    """Return a verdict that no assertion asks for, or that none was asked about."""
    return Verdict(
        name=about.name,
        status=status,
        severity=about.severity,
        expected=expected,
        actual=actual,
        endpoint=endpoint,
        section=endpoint or ACROSS,
        load=about.load,
        note=note,
        why=about.why,
        span=about.span,
    )


def _section(assertion: Assertion) -> tuple[str, str | None]:
    match assertion:
        case PathAssertion(endpoint=None):
            return load_section(assertion.about.load), None
        case PathAssertion(endpoint=endpoint) | ExprAssertion(endpoint=endpoint):
            return endpoint or ACROSS, endpoint
    assert_never(assertion)


def _path_text(assertion: Assertion) -> str | None:
    return assertion.query.text if isinstance(assertion, PathAssertion) else None
