"""What assertions may look up: the snapshots of a run, and the ledger of its load. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from validator.ledger import look, lost
from validator.nearby import NOTHING, nearby
from validator.query import Match, Query, compiled
from validator.records.observation import Observations, Snapshot
from validator.reference import Reference, UnresolvedError
from validator.selector import Selector, is_counter, is_page
from validator.subject import Answer, Facts, Holding, Missing
from validator.values import Json, brief, is_number, same


@dataclass(slots=True)
class Sight:
    """What was seen, remembering what each query selected from each document."""

    seen: Observations
    ledger: Json
    """What references to the load read."""
    duration: float | None
    """Seconds that the load took."""
    _selected: dict[tuple[int, Query | Selector], tuple[Match, ...]] = field(default_factory=dict)
    _facts: Facts | None = None
    _hints_left: int = 30
    """To look for what is near costs time, and thirty hints tell enough."""

    def at(self, sample: Snapshot) -> Sight:
        """Return the same, as if *sample* were all that was seen after the load."""
        return replace(self, seen=replace(self.seen, after={sample.endpoint: sample}))

    @property
    def facts(self) -> Facts:
        """What measures and references need."""
        if self._facts is None:
            self._facts = Facts(self._resolved, self.duration)
        return self._facts

    def _resolved(self, reference: Reference) -> Json:
        """Return what the ledger says; one with a part missing says nothing."""
        for query in reference.queries:
            if missing := lost(self.ledger, query):
                raise UnresolvedError(f"the ledger is incomplete: {missing}")
        return reference.resolved(self.ledger, look)

    def select(self, query: Query | Selector, document: Json) -> tuple[Match, ...]:
        """Return what *query* selects from *document*."""
        if query.definite:
            return query.select(document)
        key = (id(document), query)
        if key not in self._selected:
            self._selected[key] = query.select(document)
        return self._selected[key]

    def hint(self, query: Query | Selector, document: Json) -> str:
        """Say why *query* selects nothing from *document*, or nothing."""
        if not self._hints_left:
            return ""
        self._hints_left -= 1
        return nearby(query, document)

    def before(self, endpoint: str, query: Query | Selector) -> tuple[Match, ...] | Missing:
        """Return what *query* selected before the load, or why nobody knows."""
        snapshot = self.seen.before.get(endpoint)
        if snapshot is None:
            return Missing("not looked at before the load")
        if snapshot.error is not None:
            return Missing(f"unreadable before the load: {snapshot.error}")
        return self.select(query, snapshot.document)

    def has_moved(self, endpoint: str, query: Query | Selector) -> bool:
        """Say whether a sample shows another value than the look before the load."""
        before = self.before(endpoint, query)
        if isinstance(before, Missing):
            return False
        start = {match.path: match.value for match in before}
        return any(
            match.path in start and not same(match.value, start[match.path])
            for sample in self.seen.during.get(endpoint, ())
            if sample.error is None
            for match in self.select(query, sample.document)
        )

    def ledger_value(self, text: str) -> Json:
        """Return what an expression calls *text*, such as `load.ok`; raise ValueError."""
        query = compiled("$" + text.removeprefix("load"))
        return self._resolved(Reference(f"${{{text}}}", (query,)))

    def after(self, endpoint: str, query: Query | Selector) -> tuple[Match, ...]:
        """Return what *query* selected after the load, never nothing; raise ValueError."""
        snapshot = self.seen.after.get(endpoint)
        if snapshot is None or snapshot.error is not None:
            why = "never looked at" if snapshot is None else f"could not look: {snapshot.error}"
            raise UnresolvedError(f"{endpoint}: {why}")
        matches = self.select(query, snapshot.document)
        if unasked := unaskable(query, matches, snapshot.document):
            raise UnresolvedError(f"{endpoint}: {unasked.note}")
        if not matches:
            hint = self.hint(query, snapshot.document).removeprefix(NOTHING)
            raise UnresolvedError(f"{endpoint}: nothing at {query}{hint}")
        return matches


def unaskable(query: Query | Selector, matches: tuple[Match, ...], document: Json) -> Answer | None:
    """Return the answer about what no condition may be asked about, whatever it is."""
    if isinstance(query, Selector):
        if not is_page(document):  # a recording that was made when the endpoint had another format
            return Answer(Holding.UNDECIDABLE, brief(document), "not a Prometheus page")
        for match in matches:
            if not is_number(match.value):  # a decoder's text for NaN or an infinity
                return Answer(Holding.UNFIT, str(match.value), f"no finite number, at {match.path}")
    elif not matches and query.presumes and not compiled(query.presumes).select(document):
        note = f"nothing at {query.presumes}, whose members are asked about"
        return Answer(Holding.UNFIT, "absent", note)
    return None


def unaskable_before(matches: tuple[Match, ...] | Missing) -> Answer | None:
    """Return the answer about a change since what was no finite number."""
    for match in () if isinstance(matches, Missing) else matches:
        if not is_number(match.value):  # a decoder's text for NaN or an infinity
            note = f"no finite number before the load, at {match.path}"
            return Answer(Holding.UNFIT, str(match.value), note)
    return None


def reset_of(
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


def gone_counter(
    matches: tuple[Match, ...], before: tuple[Match, ...] | Missing, document: Json
) -> Answer | None:
    """Return the answer about a counter of which one series is gone, as by a restart."""
    later = {match.path for match in matches}
    for match in () if isinstance(before, Missing) else before:
        if match.path not in later and is_counter(match.path.partition("{")[0], document):
            note = f"gone after the load: {match.path} was {brief(match.value)}"
            return Answer(Holding.UNFIT, "absent", note)
    return None
