"""The server's numbers beside the client's own, as charts. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from validator.asking import Counter, Field, Movement, fields, movements
from validator.percentiles import fits, is_percentile
from validator.query import Query
from validator.records.chart import By, Chart, Form, Series
from validator.records.observation import Observations, Snapshot
from validator.records.trace import Point, Trace
from validator.records.verdict import ACROSS
from validator.selector import Selector
from validator.span import Span
from validator.spec.model import Assertion, Over, PathAssertion
from validator.values import Json, Number

SINCE: Final = "s since the load began"
MOST_SERIES: Final = 8
"""Of one chart."""
_MOST_LOOKS: Final = 200
"""Of one series, however long the load was."""
_NOTHING: Final = (0.0, math.nan)


@dataclass(frozen=True, slots=True)
class Found:
    """A chart, and the assertion that it is about."""

    chart: Chart
    span: Span


@dataclass(frozen=True, slots=True)
class Beside:
    """What the charts of one load are drawn from."""

    seen: Observations
    ledger: Json
    trace: Trace
    load: str

    def counters(self, asked: Iterable[Assertion]) -> Iterator[Found]:
        """Yield how far each counter came, and what the client itself counted meanwhile.

        Those that an expression relates share a chart, with the sums that it compares.
        """
        moved = [(a, m, self._counts(m)) for a in asked for m in movements(a)]
        compared = {c.place for _, m, client in moved if client for c in m.counters}
        drawn: set[tuple[frozenset[tuple[str, str]], frozenset[str]]] = set()
        for assertion, movement, client in moved:
            places = frozenset(c.place for c in movement.counters)
            question = (places, frozenset(client))
            if question in drawn or (not client and places <= compared):
                continue
            server = {c.term: self._since_before(c) for c in movement.counters}
            if any(server.values()):
                drawn.add(question)
                yield self._steps(assertion, _together(movement, client, server), "change")

    def gauges(self, asked: Iterable[PathAssertion]) -> Iterator[Found]:
        """Yield what was asked over the whole load, as it was sampled."""
        drawn: set[tuple[str, str, bool]] = set()
        for assertion in asked:
            if assertion.over is not Over.DURING or any(movements(assertion)):
                continue
            compared = ("in_flight_max",) in self.own(fields(assertion.condition))
            question = (str(assertion.endpoint), str(assertion.query), compared)
            if question in drawn:
                continue
            looks = self._looks(self.seen.during.get(str(assertion.endpoint), ()))
            values: dict[str, list[Point]] = {}
            for at, found in _numbers(assertion.query, looks):
                for path, value in found.items():
                    values.setdefault(path, []).append((at, value))
            if server := _by_path(values):
                drawn.add(question)
                own = self.trace.curves.get("in_flight") if compared else None
                client = (Series("in flight, by the client", own),) if own else ()
                yield self._steps(assertion, (*client, *server), "")

    def _steps(self, assertion: Assertion, series: Sequence[Series], y: str) -> Found:
        """Draw *series* over time; what the client counted holds until the last look."""
        end = max(points[-1][0] for s in series if (points := s.points))
        held = tuple(_held(s, end) if s.by is By.CLIENT else s for s in series)
        note = f"from every {self.trace.every}th request" if self.trace.every > 1 else ""
        name, span = assertion.about.name, assertion.about.span
        section = assertion.endpoint or ACROSS
        return Found(Chart(name, Form.STEPS, held, section, SINCE, y, note), span)

    @property
    def ledger_name(self) -> str:
        """What a spec calls the ledger of this load."""
        return f"load.{self.load}" if self.load else "load"

    def own(self, asked: Iterable[Field]) -> list[Field]:
        """Return the fields *asked* for that are of this load's ledger, by their names in it."""
        if not self.load:
            return sorted(asked)
        return sorted(field[1:] for field in asked if field[:1] == (self.load,))

    def _counts(self, movement: Movement) -> dict[str, Series]:
        """Return what the client counted that counters are compared with, by what specs call it."""
        found: dict[str, Series] = {}
        for field in (movement.tracked, *self.own(movement.fields)):
            if points := self.trace.curves.get(".".join(field)):
                name = ".".join((self.ledger_name, *field))
                found[name] = Series(f"{name}, by the client", points)
        return found

    def _looks(self, looks: Iterable[Snapshot]) -> list[tuple[float, Snapshot]]:
        """Return those of *looks* that found something, each with when that was on the chart."""
        began = self.trace.began
        if began is None:
            return []
        return [(max(s.taken - began, 0.0), s) for s in looks if s.error is None]

    def _since_before(self, counter: Counter) -> list[Series]:
        """Return how far a value has come at each look: of several the sum, if that is asked."""
        name = counter.endpoint
        after = self.seen.after.get(name)
        looks = self._looks(
            [
                *self.seen.during.get(name, ()),
                *self.seen.settling.get(name, ()),
                *([after] if after is not None else []),
            ]
        )
        before = self.seen.before.get(name)
        if before is None or not looks or not (first := self._looks([before])):
            return []
        ((began, start),) = _numbers(counter.query, first)
        born = counter.born or isinstance(counter.query, Selector)
        values: dict[str, list[Point]] = {}
        for at, found in _numbers(counter.query, looks):
            changes = {p: v - start.get(p, 0) for p, v in found.items() if born or p in start}
            if counter.summed and changes:
                changes = {short(counter.query): sum(changes.values())}
            for path, change in changes.items():
                values.setdefault(path, [(began, 0)]).append((at, change))
        if len(values) == 1:
            values = {f"{short(counter.query)}, by the server": v for v in values.values()}
        return _by_path(values)


def _numbers(
    query: Query | Selector, looks: Iterable[tuple[float, Snapshot]]
) -> Iterator[tuple[float, dict[str, Number]]]:
    for at, look in looks:
        yield at, {m.path: m.value for m in query.select(look.document) if fits(m.value)}


def _together(
    movement: Movement, client: Mapping[str, Series], server: Mapping[str, list[Series]]
) -> list[Series]:
    """Return the lines of one chart: what the client counted, what the server did, and sums."""
    called = {counter.term: counter.called for counter in movement.counters}
    if len(called) > 1:
        server = {term: _called(called[term], lines) for term, lines in server.items()}
    alone = {term: lines[0] for term, lines in server.items() if len(lines) == 1}
    own, sums = dict(client), []
    for terms in movement.totals:
        if own.keys() >= set(terms):
            own[" + ".join(terms)] = _total(terms, [own.pop(term) for term in terms])
        elif alone.keys() >= set(terms):
            names = [called[term] for term in terms]
            sums.append(_total(names, [alone[term] for term in terms]))
    lines = [line for many in server.values() for line in many][:MOST_SERIES]
    return [*own.values(), *_without_rest([*own.values()], [*sums, *lines], sums or lines)]


def _called(name: str, lines: Sequence[Series]) -> list[Series]:
    """Name the lines of one of several counters."""
    if len(lines) == 1:
        return [replace(lines[0], name=f"{name}, by the server")]
    return [replace(line, name=f"{name}: {line.name}") for line in lines]


def _total(names: Sequence[str], parts: Sequence[Series]) -> Series:
    """Return the sum of *parts*, each of which holds from one point until its next."""
    instants = sorted({at for part in parts for at, _ in part.points})
    points = [(at, sum(_value(part, at) for part in parts)) for at in instants]
    by = parts[0].by
    return Series(f"{' + '.join(names)}, by the {by}", _thinned(points), by)


def _value(series: Series, at: float) -> float:
    place = bisect_right(series.points, (at, math.inf))
    return series.points[place - 1][1] if place else 0


def _held(series: Series, end: float) -> Series:
    at, value = series.points[-1]
    return Series(series.name, (*series.points, (end, value))) if at < end else series


def _without_rest(
    client: Sequence[Series], server: Sequence[Series], compared: Sequence[Series]
) -> list[Series]:
    """Leave out how long counters stood still if what is *compared* had come as far as the client.

    After a load of a second that may be ten, which would press all that moved to the left.
    """
    due = {series.points[-1][1] for series in client}
    if due and any(series.points[-1][1] not in due for series in compared):
        return list(server)
    end = max(map(_came_to_rest, server))
    if not end:
        return list(server)
    return [
        Series(series.name, tuple(p for p in series.points if p[0] <= end), series.by)
        for series in server
    ]


def _came_to_rest(series: Series) -> float:
    """Return from when on a value was what it is in the end."""
    *_, (at, _) = (
        later for earlier, later in pairwise((_NOTHING, *series.points)) if earlier[1] != later[1]
    )
    return at


def _by_path(values: Mapping[str, list[Point]]) -> list[Series]:
    first = list(values.items())[:MOST_SERIES]
    return [Series(path, _thinned(points), By.SERVER) for path, points in first]


def _thinned(points: list[Point]) -> tuple[Point, ...]:
    """Return so many of *points*: the first, the last, and the highest of those that are near."""
    size = math.ceil(len(points) / _MOST_LOOKS)
    if size <= 1:
        return tuple(points)
    chunks = [points[at : at + size] for at in range(1, len(points) - 1, size)]
    tops = [max(chunk, key=lambda point: point[1]) for chunk in chunks]
    return (points[0], *tops, points[-1])


def short(query: Query | Selector, without: int = 0) -> str:
    """Return what is asked about without the `$`, and *without* the key of a percentile."""
    if isinstance(query, Selector) or not query.definite:
        return str(query)
    keys = query.keys[: len(query.keys) - without] if is_percentile(query) else query.keys
    return ".".join(map(str, keys)) or str(query)
