"""Spec, observations and ledger to verdicts. Pure: no clock, no network, no printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import assert_never

from validator.decidability import excuse
from validator.expressions import ExpressionError, Term
from validator.judgement import answer, asks_change, first_bad
from validator.ledger import look
from validator.query import Match, Query, compiled
from validator.records.observation import Observations, Unreadable
from validator.records.verdict import ACROSS, LOAD, REACHABLE, Severity, Status, Verdict
from validator.reference import Reference, UnresolvedError
from validator.selector import Selector, family_of, is_counter
from validator.spec.model import (
    About,
    Assertion,
    Endpoint,
    ExprAssertion,
    Over,
    PathAssertion,
    Spec,
)
from validator.subject import Answer, Facts, Holding, Missing, Subject, series, subject
from validator.values import Json, brief, is_number, kind
from validator.wording import expected

_UNASKED = Missing("nothing asked what was before")

_STATUS = {
    Holding.YES: Status.PASS,
    Holding.NO: Status.FAIL,
    Holding.UNFIT: Status.FAIL,
    Holding.UNDECIDABLE: Status.ERROR,
}


def evaluate(
    spec: Spec, seen: Observations, ledger: Json, today: date, *, interrupted: bool = False
) -> tuple[Verdict, ...]:
    """Judge every assertion of *spec*, in spec order: the load, the endpoints, then across.

    Of an *interrupted* load what fails is undecided: the requests we cancelled are not its fault.
    """
    judge = Judge(spec, seen, ledger, today, interrupted)
    verdicts: list[Verdict] = []
    if spec.load is not None:
        verdicts += [judge.about_load(a) for a in spec.load.assertions]
    for endpoint in spec.endpoints:
        verdicts.append(judge.reachable(endpoint))
        verdicts += [judge.about(a) for a in endpoint.assertions]
    verdicts += [judge.about(a) for a in spec.assertions]
    return tuple(verdicts)


class _FallenError(Exception):
    """A counter that an expression asks about has fallen."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.note)
        self.answer = answer


@dataclass(slots=True)
class Judge:
    """Judges assertions one by one, remembering what each query selected from each document."""

    spec: Spec
    seen: Observations
    ledger: Json
    today: date
    interrupted: bool = False
    excusing: bool = True
    """Whether a failure that the client's own lag explains is undecided."""
    _selected: dict[tuple[int, Query | Selector], tuple[Match, ...]] = field(default_factory=dict)
    _facts: Facts | None = None

    # One kind of assertion each

    def reachable(self, endpoint: Endpoint) -> Verdict:
        """Decide whether the endpoint could be read, whenever that was tried."""
        about = About(REACHABLE, endpoint.severity, span=endpoint.span)
        wanted = _readable(endpoint)
        looks = {
            "before the load": self.seen.before.get(endpoint.id),
            "after the load": self.seen.after.get(endpoint.id),
        }
        taken = {when: snapshot for when, snapshot in looks.items() if snapshot is not None}
        failed = {w: s.error for w, s in taken.items() if s.error is not None}
        if not taken:
            return _verdict(about, endpoint.id, Status.ERROR, wanted, "never looked at")
        if not failed:
            last = taken.get("after the load") or next(iter(taken.values()))
            return _verdict(about, endpoint.id, Status.PASS, wanted, f"HTTP {last.status}")
        # What was seen at all is a failure; not getting to see anything is an error.
        when, error = next(
            ((w, e) for w, e in failed.items() if e.cause in ("status", "decode")),
            next(iter(failed.items())),
        )
        looked = error.cause in ("status", "decode")
        note = when if len(failed) < len(taken) or (len(taken) == 1 and len(looks) > 1) else ""
        if self.spec.load is None:
            note = ""
        status = Status.FAIL if looked else Status.ERROR
        return _verdict(about, endpoint.id, status, wanted, str(error), note=note)

    def about_load(self, assertion: PathAssertion) -> Verdict:
        """Decide an assertion about the ledger."""
        if self.ledger is None:
            found = Answer(Holding.UNDECIDABLE, "no ledger", "the load was not sent")
            return self._concluded(assertion, found)
        assert isinstance(assertion.query, Query)  # the ledger is no Prometheus page
        matches = look(assertion.query, self.ledger)
        asked = subject(
            matches, Missing("the ledger has no before"), single=assertion.query.definite
        )
        found = answer(assertion.condition, asked, self.facts)
        if found.holding is not Holding.YES:
            notes = [found.note, self._failures()]
            if self.interrupted:
                notes.insert(0, "the load was interrupted")
                found = replace(found, holding=Holding.UNDECIDABLE)
            found = replace(found, note="; ".join(note for note in notes if note))
        return self._concluded(assertion, found)

    def _failures(self) -> str:
        """Say how requests failed: the classes, and of each the first that was said."""
        if not isinstance(self.ledger, dict):
            return ""
        outcomes, errors = self.ledger.get("outcomes"), self.ledger.get("errors")
        if not isinstance(outcomes, dict) or not isinstance(errors, dict):
            return ""
        said = []
        for outcome, count in outcomes.items():
            examples = errors.get(outcome)
            if outcome != "ok" and count:
                example = f" ({examples[0]})" if isinstance(examples, list) and examples else ""
                said.append(f"{count} × {outcome}{example}")
        return ", ".join(said)

    def about(self, assertion: Assertion) -> Verdict:
        """Decide an assertion about an endpoint or several."""
        match assertion:
            case PathAssertion():
                return self._path(assertion)
            case ExprAssertion():
                return self._expr(assertion)
        assert_never(assertion)

    def _path(self, assertion: PathAssertion) -> Verdict:
        assert assertion.endpoint is not None
        if assertion.over is Over.DURING:
            return self._during(assertion, assertion.endpoint)
        looked = self.seen.before if assertion.over is Over.BEFORE else self.seen.after
        snapshot = looked.get(assertion.endpoint)
        if snapshot is None or snapshot.error is not None:
            reason = "never looked at" if snapshot is None else _why(snapshot.error)
            return self._concluded(assertion, Answer(Holding.UNDECIDABLE, reason))
        matches = self._select(assertion.query, snapshot.document)
        before: tuple[Match, ...] | Missing = _UNASKED
        if asks_change(assertion.condition):
            before = self._before(assertion.endpoint, assertion.query)
        asked = subject(matches, before, single=assertion.query.definite)
        if unasked := _unaskable(assertion.query, matches, snapshot.document):
            return self._concluded(assertion, unasked)
        if isinstance(assertion.query, Selector):
            if not matches and assertion.query.name:
                hint = family_of(assertion.query.name, snapshot.document)
                asked = replace(asked, absence=hint)
            asked = replace(asked, born_at=0)
            if reset := _reset(matches, before, snapshot.document):
                return self._concluded(assertion, reset)
        return self._answered(assertion, asked)

    def _during(self, assertion: PathAssertion, endpoint: str) -> Verdict:
        """Decide an assertion about the samples taken while the load ran, path by path."""
        samples = self.seen.during.get(endpoint, ())
        readable = [s for s in samples if s.error is None]
        if not readable:
            why = f"no sample could be read: {samples[0].error}" if samples else "no sample taken"
            return self._concluded(assertion, Answer(Holding.UNDECIDABLE, why))
        found: dict[str, list[tuple[float, Json]]] = {}
        for earlier, snapshot in zip((None, *readable), readable, strict=False):
            matches = self._select(assertion.query, snapshot.document)
            if unasked := _unaskable(assertion.query, matches, snapshot.document):
                return self._concluded(assertion, unasked)
            if earlier is not None and isinstance(assertion.query, Selector):
                before = self._select(assertion.query, earlier.document)
                if reset := _reset(matches, before, snapshot.document):
                    return self._concluded(assertion, reset)
            for match in matches:
                found.setdefault(match.path, []).append((snapshot.taken, match.value))
        blind = len(samples) - len(readable)
        notes = (f"{blind} of {len(samples)} samples unreadable",) if blind else ()
        answers = [
            answer(assertion.condition, asked, self.facts)
            for asked in (_series(path, seen, len(readable), notes) for path, seen in found.items())
        ] or [answer(assertion.condition, series("", (), notes), self.facts)]
        return self._concluded(assertion, first_bad(answers))

    def _answered(self, assertion: PathAssertion, asked: Subject) -> Verdict:
        try:
            found = answer(assertion.condition, asked, self.facts)
        except OverflowError:  # an integer of hundreds of digits, which no float can hold
            found = Answer(Holding.UNDECIDABLE, "unknown", "a number grew out of bounds")
        return self._concluded(assertion, found)

    def _expr(self, assertion: ExprAssertion) -> Verdict:
        values: dict[str, Json] = {}
        bound = dict(assertion.bindings)
        for term in assertion.expression.terms:
            try:
                if term.name == "load":
                    values[term.text] = self._ledger_value(term.text)
                else:
                    binding = bound[term.name]
                    values[term.text] = self._term(term, binding.endpoint, binding.query)
            except _FallenError as fallen:
                return self._concluded(assertion, fallen.answer)
            except (ValueError, OverflowError) as error:
                found = Answer(Holding.UNDECIDABLE, _values(values) or "undecided", str(error))
                return self._concluded(assertion, found)
        try:
            holds = assertion.expression.holds(values)
        except ExpressionError as error:
            found = Answer(Holding.UNDECIDABLE, _values(values), str(error))
        else:
            found = Answer(
                Holding.YES if holds else Holding.NO,
                _values(values),
                vacuous=holds and _all_zero(values),
            )
        return self._concluded(assertion, found)

    # What assertions look up

    @property
    def facts(self) -> Facts:
        """What measures and references need."""
        if self._facts is None:
            self._facts = Facts(lambda r: r.resolved(self.ledger, look), self._duration())
        return self._facts

    def _duration(self) -> float | None:
        if isinstance(self.ledger, dict):
            found = self.ledger.get("duration_s")
            return float(found) if is_number(found) else None
        return None

    def _select(self, query: Query | Selector, document: Json) -> tuple[Match, ...]:
        if query.definite:
            return query.select(document)
        key = (id(document), query)
        if key not in self._selected:
            self._selected[key] = query.select(document)
        return self._selected[key]

    def _before(self, endpoint: str, query: Query | Selector) -> tuple[Match, ...] | Missing:
        snapshot = self.seen.before.get(endpoint)
        if snapshot is None:
            return Missing("not looked at before the load")
        if snapshot.error is not None:
            return Missing(f"unreadable before the load: {snapshot.error}")
        return self._select(query, snapshot.document)

    def _ledger_value(self, text: str) -> Json:
        query = compiled("$" + text.removeprefix("load"))
        return Reference(f"${{{text}}}", (query,)).resolved(self.ledger, look)

    def _term(self, term: Term, endpoint: str, query: Query | Selector) -> Json:
        """Return the value of a term: one of a definite path, else a list; raise ValueError."""
        match term.phase:
            case "before":
                earlier = _one(query, self._at_before(term, endpoint, query))
                if earlier is None:
                    raise UnresolvedError(f"{endpoint}: {query} was null before the load")
                return earlier
            case "delta":
                after = self._at_after(endpoint, query)
                before = {m.path: m.value for m in self._at_before(term, endpoint, query)}
                if isinstance(query, Selector):
                    before = {**{m.path: 0 for m in after}, **before}
                    earlier_matches = tuple(Match(path, v) for path, v in before.items())
                    document = self.seen.after[endpoint].document
                    if reset := _reset(after, earlier_matches, document):
                        raise _FallenError(reset)
                if gone := before.keys() - {m.path for m in after}:
                    raise UnresolvedError(f"{endpoint}: gone after the load: {min(gone)}")
                return _one(query, tuple(_difference(m, before) for m in after))
        found = _one(query, self._at_after(endpoint, query))
        if found is None:
            raise UnresolvedError(f"{endpoint}: {query} is null")
        return found

    def _at_after(self, endpoint: str, query: Query | Selector) -> tuple[Match, ...]:
        snapshot = self.seen.after.get(endpoint)
        if snapshot is None or snapshot.error is not None:
            why = "never looked at" if snapshot is None else _why(snapshot.error)
            raise UnresolvedError(f"{endpoint}: {why}")
        matches = self._select(query, snapshot.document)
        if unasked := _unaskable(query, matches, snapshot.document):
            raise UnresolvedError(f"{endpoint}: {unasked.note}")
        if not matches:
            raise UnresolvedError(f"{endpoint}: nothing at {query}")
        return matches

    def _at_before(self, term: Term, endpoint: str, query: Query | Selector) -> tuple[Match, ...]:
        before = self._before(endpoint, query)
        if isinstance(before, Missing):
            raise UnresolvedError(f"{endpoint}: {before.reason}")
        if not before and not (isinstance(query, Selector) and term.phase == "delta"):
            raise UnresolvedError(f"{endpoint}: {term.name} was absent before the load, at {query}")
        return before

    # From an answer to a verdict

    def _concluded(self, assertion: Assertion, found: Answer) -> Verdict:
        about = assertion.about
        wanted = self._wanted(assertion)
        if about.skip:
            section, endpoint = _section(assertion)
            return replace(
                _verdict(about, endpoint, Status.SKIP, wanted, "not judged", note=about.skip),
                section=section,
                path=_path_text(assertion),
            )
        excused = self._excused(assertion) if found.holding is Holding.NO else ""
        status = Status.ERROR if excused else _STATUS[found.holding]
        notes = [n for n in (excused, self._cause(found), found.note) if n]
        section, endpoint = _section(assertion)
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
            before="" if found.change is None else brief(found.change.before),
            after="" if found.change is None else brief(found.change.after),
            vacuous=found.vacuous and status is Status.PASS,
            span=about.span,
        )
        return self._announced(verdict, about)

    def _excused(self, assertion: Assertion) -> str:
        """Say why a failure may be the client's own; nothing when it cannot be."""
        if not self.excusing:
            return ""
        bare = replace(assertion, about=replace(assertion.about, skip="", xfail=None))

        def holds(ledger: Json) -> bool:
            judge = replace(self, ledger=ledger, excusing=False, _facts=None)
            match bare:
                case PathAssertion(endpoint=None):
                    again = judge.about_load(bare)
                case _:
                    again = judge.about(bare)
            return again.status is Status.PASS

        return excuse(bare, self.ledger, holds)

    def _wanted(self, assertion: Assertion) -> str:
        """Write what *assertion* expects, with the values that its references have."""
        match assertion:
            case ExprAssertion(expression=expression):
                return " ".join(expression.text.split())
            case PathAssertion(condition=condition, over=over):
                resolve = None if self.ledger is None else self.facts.resolve
                when = "" if over is Over.AFTER else f", {over} the load"
                return expected(condition, resolve) + when
        assert_never(assertion)

    def _cause(self, found: Answer) -> str:
        """Say the likely cause of a failure when the data show it."""
        moved = found.change
        if found.holding is not Holding.NO or moved is None or moved.before != moved.after:
            return ""
        succeeded = self.ledger.get("ok") if isinstance(self.ledger, dict) else None
        if not is_number(succeeded) or not succeeded:
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


def _section(assertion: Assertion) -> tuple[str, str | None]:
    match assertion:
        case PathAssertion(endpoint=None):
            return LOAD, None
        case PathAssertion(endpoint=endpoint) | ExprAssertion(endpoint=endpoint):
            return endpoint or ACROSS, endpoint
    assert_never(assertion)


def _path_text(assertion: Assertion) -> str | None:
    return assertion.query.text if isinstance(assertion, PathAssertion) else None


def _verdict(  # noqa: PLR0913 - the parts of a verdict
    about: About,
    endpoint: str | None,
    status: Status,
    expected: str,
    actual: str,
    *,
    note: str = "",
) -> Verdict:
    return Verdict(
        name=about.name,
        status=status,
        severity=about.severity,
        expected=expected,
        actual=actual,
        endpoint=endpoint,
        section=endpoint or ACROSS,
        note=note,
        why=about.why,
        span=about.span,
    )


def _readable(endpoint: Endpoint) -> str:
    statuses = " or ".join(map(str, endpoint.statuses))
    return f"HTTP {statuses}, {endpoint.decoder}"


def _why(error: Unreadable | None) -> str:
    return f"could not look: {error}"


def _unaskable(
    query: Query | Selector, matches: tuple[Match, ...], document: Json
) -> Answer | None:
    """Return the answer about what no condition may be asked about, whatever it is."""
    if isinstance(query, Selector):
        for match in matches:
            if not is_number(match.value):  # a decoder's text for NaN or an infinity
                return Answer(Holding.UNFIT, str(match.value), f"no finite number, at {match.path}")
    elif not matches and query.presumes and not compiled(query.presumes).select(document):
        note = f"nothing at {query.presumes}, whose members are asked about"
        return Answer(Holding.UNFIT, "absent", note)
    return None


def _reset(
    matches: tuple[Match, ...], before: tuple[Match, ...] | Missing, document: Json
) -> Answer | None:
    """Return the answer about a counter that fell: what it counted before is lost."""
    earlier = {} if isinstance(before, Missing) else {m.path: m.value for m in before}
    for match in matches:
        start, value = earlier.get(match.path), match.value
        if is_number(start) and is_number(value) and value < start:
            name = match.path.partition("{")[0]
            if is_counter(name, document):
                moved = f"{brief(start)} → {brief(value)}"
                note = f"counter reset: {match.path} fell, and a counter never does"
                return Answer(Holding.NO, moved, note)
    return None


def _series(
    path: str, seen: list[tuple[float, Json]], looks: int, notes: tuple[str, ...]
) -> Subject:
    if len(seen) < looks:
        notes = (*notes, f"absent in {looks - len(seen)} of {looks} samples")
    return series(path, seen, notes)


def _one(query: Query | Selector, matches: tuple[Match, ...]) -> Json:
    # A path says by itself whether it selects one value; a selector does when it has.
    alone = query.definite or (isinstance(query, Selector) and len(matches) == 1)
    return matches[0].value if alone else [m.value for m in matches]


def _difference(match: Match, before: Mapping[str, Json]) -> Match:
    if match.path not in before:
        raise UnresolvedError(f"{match.path} was absent before the load")
    start = before[match.path]
    for value, when in ((match.value, "after"), (start, "before")):
        if not is_number(value):
            raise UnresolvedError(f"{match.path} is a {kind(value)} {when} the load, not a number")
    return Match(match.path, match.value - start)  # type: ignore[operator]  # numbers, as checked


def _values(values: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {brief(value)}" for name, value in values.items())


def _all_zero(values: Mapping[str, Json]) -> bool:
    """Say whether a relation was between zeros only."""
    flat = [v for value in values.values() for v in (value if isinstance(value, list) else [value])]
    return all(is_number(v) and v == 0 for v in flat)
