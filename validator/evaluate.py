"""Spec, observations and ledger to verdicts. Pure: no clock, no network, no printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import assert_never

from validator.decidability import excuse
from validator.judgement import answer, asks_change, first_bad
from validator.ledger import look, lost
from validator.query import Match, Query
from validator.records.load import failures
from validator.records.observation import Observations, Snapshot, Unreadable
from validator.records.recording import Round
from validator.records.verdict import (
    COMPLETE,
    REACHABLE,
    Status,
    Verdict,
    load_section,
)
from validator.relation import relation, relation_during
from validator.samples import Samples, Select, curve, subjects
from validator.selector import Selector
from validator.sight import Sight, gone_counter, reset_of, unaskable, unaskable_before
from validator.spec.model import (
    About,
    Ask,
    Assertion,
    Endpoint,
    ExprAssertion,
    Load,
    Over,
    PathAssertion,
    Spec,
)
from validator.subject import Answer, Holding, Missing, Subject, subject
from validator.values import Json
from validator.verdicts import Clerk, implied
from validator.views import View, views

_UNASKED = Missing("nothing asked what was before")


def evaluate(spec: Spec, rounds: Sequence[Round], today: date) -> tuple[Verdict, ...]:
    """Judge every assertion of *spec*, in spec order: the loads, the endpoints, then across.

    Each is judged by what was seen around the load that it names, or around all of them. Of an
    interrupted load what fails is undecided: the requests we cancelled are not its fault.
    """
    judges = {load: Judge(spec, view, today) for load, view in views(rounds).items()}
    verdicts: list[Verdict] = []
    for plan in spec.loads:
        verdicts += judges[plan.name].complete(plan)
        verdicts += [judges[plan.name].about_load(a) for a in plan.assertions]
    for endpoint in spec.endpoints:
        verdicts.append(judges[endpoint.load].reachable(endpoint))
        verdicts += [judges[a.about.load].about(a) for a in endpoint.assertions]
    verdicts += [judges[a.about.load].about(a) for a in spec.assertions]
    return tuple(verdicts)


@dataclass(slots=True)
class Judge:
    """Judges assertions one by one."""

    spec: Spec
    view: View
    today: date
    excusing: bool = True
    """Whether a failure that the client's own lag explains is undecided."""
    sight: Sight = field(init=False)
    clerk: Clerk = field(init=False)

    def __post_init__(self) -> None:
        self.sight = Sight(self.seen, self.view.load, self.view.duration)
        self.clerk = Clerk(self.view, self.sight.facts.resolve, self.today)

    @property
    def seen(self) -> Observations:
        """What was seen around the load."""
        return self.view.seen

    # One kind of assertion each

    def reachable(self, endpoint: Endpoint) -> Verdict:
        """Decide whether the endpoint could be read, whenever that was tried."""
        about = About(REACHABLE, endpoint.severity, load=endpoint.load, span=endpoint.span)
        wanted = _readable(endpoint)
        looks = self.view.looks
        taken = {when: seen[endpoint.id] for when, seen in looks if endpoint.id in seen}
        failed = {w: s.error for w, s in taken.items() if s.error is not None}
        if not taken:
            return implied(about, endpoint.id, Status.ERROR, wanted, "never looked at")
        if not failed:
            *_, last = taken.values()
            return implied(about, endpoint.id, Status.PASS, wanted, f"HTTP {last.status}")
        # What was seen at all is a failure; not getting to see anything is an error.
        when, error = next(
            ((w, e) for w, e in failed.items() if e.cause in ("status", "decode")),
            next(iter(failed.items())),
        )
        looked = error.cause in ("status", "decode")
        note = when if len(failed) < len(taken) or (len(taken) == 1 and len(looks) > 1) else ""
        if not self.spec.loads:
            note = ""
        status = Status.FAIL if looked else Status.ERROR
        return implied(about, endpoint.id, status, wanted, str(error), note=note)

    def complete(self, load: Load) -> list[Verdict]:
        """Say that a part of *load* was lost, if so; of a whole one there is nothing to say."""
        if not (missing := lost(self.view.ledger)):
            return []
        about = About(COMPLETE, span=load.span)
        found = implied(about, None, Status.ERROR, "every share of the load", "lost", note=missing)
        return [replace(found, section=load_section(load.name))]

    def about_load(self, assertion: PathAssertion) -> Verdict:
        """Decide an assertion about the ledger."""
        if self.view.ledger is None:
            found = Answer(Holding.UNDECIDABLE, "no ledger", "the load was not sent")
            return self._concluded(assertion, found)
        if missing := lost(self.view.ledger):
            found = Answer(Holding.UNDECIDABLE, "an incomplete ledger", missing)
            return self._concluded(assertion, found)
        assert isinstance(assertion.query, Query)  # the ledger is no Prometheus page
        matches = look(assertion.query, self.view.ledger)
        asked = subject(
            matches, Missing("the ledger has no before"), single=assertion.query.definite
        )
        found = answer(assertion.condition, asked, self.sight.facts)
        if found.holding is not Holding.YES:
            notes = [found.note, self._failures()]
            if self.view.interrupted:
                notes.insert(0, "the load was interrupted")
                found = replace(found, holding=Holding.UNDECIDABLE)
            found = replace(found, note="; ".join(note for note in notes if note))
        return self._concluded(assertion, found)

    def _failures(self) -> str:
        """Say how requests failed: the classes, and of each the first that was said."""
        return ", ".join(
            f"{count} × {outcome}{said and f' ({said})'}"
            for outcome, count, said in failures(self.view.ledger)
        )

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
        matches = self.sight.select(assertion.query, snapshot.document)
        before: tuple[Match, ...] | Missing = _UNASKED
        if asks_change(assertion.condition):
            before = self.sight.before(assertion.endpoint, assertion.query)
        asked = subject(matches, before, single=assertion.query.definite)
        if unasked := unaskable(assertion.query, matches, snapshot.document):
            return self._concluded(assertion, unasked)
        if not matches:
            asked = replace(asked, absence=self.sight.hint(assertion.query, snapshot.document))
        if isinstance(assertion.query, Selector):
            asked = replace(asked, born_at=0)
            if unasked := unaskable_before(before):
                return self._concluded(assertion, unasked)
            looks = matches, before, snapshot.document
            if reset := reset_of(*looks) or gone_counter(*looks):
                return self._concluded(assertion, reset)
        return self._answered(assertion, asked)

    def _during(self, assertion: PathAssertion, endpoint: str) -> Verdict:
        """Decide an assertion about the samples taken while the load ran, path by path."""
        samples, query = self._samples(endpoint), assertion.query
        if unseen := samples.unseen or self._unaskable_during(query, samples.readable):
            return self._concluded(assertion, unseen)

        def select(snapshot: Snapshot) -> tuple[Match, ...]:
            return self.sight.select(query, snapshot.document)

        curves = [p for p in assertion.condition if isinstance(p, Ask) and p.predicate.of_curve]
        answers = [self._curve(p, samples, select, endpoint, query) for p in curves]
        absent: list[Snapshot] = []
        if rest := tuple(p for p in assertion.condition if p not in curves):
            values = samples.by_path(select)
            if query.definite and values:
                absent = [s for s in samples.readable if not select(s)]
            asked = subjects(values, 0 if query.definite else len(samples.readable))
            answers += [answer(rest, about, self.sight.facts) for about in asked]
        return self._concluded(assertion, samples.weighed(first_bad(answers), absent))

    def _curve(
        self, part: Ask, samples: Samples, select: Select, endpoint: str, query: Query | Selector
    ) -> Answer:
        born_at = getattr(part.predicate, "absent_before", None)
        if born_at is None and isinstance(query, Selector):
            born_at = 0
        asked = curve(samples, select, self.sight.before(endpoint, query), born_at)
        return asked if isinstance(asked, Answer) else answer((part,), asked, self.sight.facts)

    def _unaskable_during(
        self, query: Query | Selector, samples: tuple[Snapshot, ...]
    ) -> Answer | None:
        """Return the first answer about a sample that no condition may be asked about."""
        before: tuple[Match, ...] = ()
        for sample in samples:
            matches = self.sight.select(query, sample.document)
            if unasked := unaskable(query, matches, sample.document):
                return unasked
            if isinstance(query, Selector) and (
                reset := reset_of(matches, before, sample.document)
            ):
                return reset
            before = matches
        return None

    def _samples(self, endpoint: str) -> Samples:
        may_miss = next((e.may_miss for e in self.spec.endpoints if e.id == endpoint), 0)
        return Samples(tuple(self.seen.during.get(endpoint, ())), may_miss)

    def _answered(self, assertion: PathAssertion, asked: Subject) -> Verdict:
        try:
            found = answer(assertion.condition, asked, self.sight.facts)
        except OverflowError:  # an integer of hundreds of digits, which no float can hold
            found = Answer(Holding.UNDECIDABLE, "unknown", "a number grew out of bounds")
        if found.vacuous and asks_change(assertion.condition) and assertion.endpoint is not None:
            # It was elsewhere meanwhile, and might have stayed there.
            still = not self.sight.has_moved(assertion.endpoint, assertion.query)
            found = replace(found, vacuous=still)
        return self._concluded(assertion, found)

    def _expr(self, assertion: ExprAssertion) -> Verdict:
        if assertion.over is Over.DURING:
            samples = self._samples(assertion.bindings[0][1].endpoint)
            return self._concluded(assertion, relation_during(assertion, self.sight, samples))
        return self._concluded(assertion, relation(assertion, self.sight))

    def _concluded(self, assertion: Assertion, found: Answer) -> Verdict:
        failed = found.holding is Holding.NO and not assertion.about.skip
        return self.clerk.verdict(assertion, found, self._excused(assertion) if failed else "")

    def _excused(self, assertion: Assertion) -> str:
        """Say why a failure may be the client's own; nothing when it cannot be."""
        if not self.excusing:
            return ""
        bare = replace(assertion, about=replace(assertion.about, skip="", xfail=None))

        def holds(ledger: Json) -> bool:
            view = replace(self.view, ledger=ledger, load=ledger)
            judge = replace(self, view=view, excusing=False)
            match bare:
                case PathAssertion(endpoint=None):
                    again = judge.about_load(bare)
                case _:
                    again = judge.about(bare)
            return again.status is Status.PASS

        return excuse(bare, self.view.load, holds)


def _readable(endpoint: Endpoint) -> str:
    statuses = " or ".join(map(str, endpoint.statuses))
    return f"HTTP {statuses}, {endpoint.decoder}"


def _why(error: Unreadable | None) -> str:
    return f"could not look: {error}"
