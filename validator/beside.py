"""The server's numbers beside the client's own, as charts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from validator.asking import Field, Movement, fields, movements, orders
from validator.percentiles import fits, is_pair, is_percentile, ladder, ordered, percentile
from validator.query import Query
from validator.records.chart import By, Chart, Form, Series
from validator.records.observation import Observations, Snapshot
from validator.records.trace import Point, Trace
from validator.selector import Selector
from validator.span import Span
from validator.spec.model import Over, PathAssertion
from validator.values import Json, Number

SINCE: Final = "s since the load began"
_MOST_SERIES: Final = 8
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

    def counters(self, asked: Iterable[PathAssertion]) -> Iterator[Found]:
        """Yield how far each counter came, and what the client itself counted meanwhile."""
        moved = [(a, m) for a in asked for m in movements(a.condition)]
        compared = {_place(a) for a, m in moved if self._curves(m)}
        drawn: set[tuple[str, str, frozenset[Field]]] = set()
        for assertion, movement in moved:
            client = self._curves(movement)
            place = _place(assertion)
            question = (*place, frozenset(client))
            if question in drawn or (not client and place in compared):
                continue
            if server := self._since_before(assertion, movement):
                drawn.add(question)
                own = tuple(
                    Series(f"{self._ledger_name}.{'.'.join(f)}, by the client", points)
                    for f, points in client.items()
                )
                yield self._steps(assertion, (*own, *_without_rest(own, server)), "change")

    def gauges(self, asked: Iterable[PathAssertion]) -> Iterator[Found]:
        """Yield what was asked over the whole load, as it was sampled."""
        drawn: set[tuple[str, str, bool]] = set()
        for assertion in asked:
            if assertion.over is not Over.DURING or any(movements(assertion.condition)):
                continue
            compared = ("in_flight_max",) in self._own(fields(assertion.condition))
            question = (*_place(assertion), compared)
            if question in drawn:
                continue
            looks = self._looks(self.seen.during.get(str(assertion.endpoint), ()))
            values: dict[str, list[Point]] = {}
            for at, found in self._numbers(assertion, looks):
                for path, value in found.items():
                    values.setdefault(path, []).append((at, value))
            if server := _by_path(values):
                drawn.add(question)
                own = self.trace.curves.get("in_flight") if compared else None
                client = (Series("in flight, by the client", own),) if own else ()
                yield self._steps(assertion, (*client, *server), "")

    def ladders(self, asked: Iterable[PathAssertion]) -> Iterator[Found]:
        """Yield percentiles: beside the client's own where they are compared with them."""
        drawn: set[tuple[str, str]] = set()
        for assertion in asked:
            for name, unit, series in self._ladders(assertion):
                question = (str(assertion.endpoint), name)
                if question not in drawn:
                    drawn.add(question)
                    yield Found(
                        Chart(
                            assertion.about.name, Form.LADDER, series, str(assertion.endpoint),
                            "percentile", unit,
                        ),
                        assertion.about.span,
                    )  # fmt: skip

    def _ladders(self, assertion: PathAssertion) -> Iterator[tuple[str, str, tuple[Series, ...]]]:
        """Yield a name, a unit and a ladder of each family of percentiles that is asked about."""
        after = self.seen.after.get(str(assertion.endpoint))
        if after is None or after.error is not None:
            return
        for distribution, rung in filter(is_pair, self._own(fields(assertion.condition))):
            book = self.ledger.get(distribution) if isinstance(self.ledger, dict) else None
            client, server = ladder(book), _family(assertion, rung, after)
            if client and server:
                name = _short(assertion, 1)
                own = Series(f"{self._ledger_name}.{distribution}, by the client", client)
                yield name, "ms", (own, Series(f"{name}, by the server", server, By.SERVER))
        for keys in orders(assertion.condition):
            matches = assertion.query.select(after.document)
            found = [(m.path, rungs) for m in matches if (rungs := ordered(m.value, keys))]
            if found:
                yield (
                    _short(assertion),
                    "",
                    tuple(Series(path, rungs, By.SERVER) for path, rungs in found[:_MOST_SERIES]),
                )

    def _steps(self, assertion: PathAssertion, series: tuple[Series, ...], y: str) -> Found:
        """Draw *series* over time; what the client counted holds until the last look."""
        end = max(points[-1][0] for s in series if (points := s.points))
        held = tuple(_held(s, end) if s.by is By.CLIENT else s for s in series)
        note = f"from every {self.trace.every}th request" if self.trace.every > 1 else ""
        name, span = assertion.about.name, assertion.about.span
        return Found(Chart(name, Form.STEPS, held, str(assertion.endpoint), SINCE, y, note), span)

    @property
    def _ledger_name(self) -> str:
        return f"load.{self.load}" if self.load else "load"

    def _own(self, asked: Iterable[Field]) -> list[Field]:
        """Return the fields *asked* for that are of this load's ledger, by their names in it."""
        if not self.load:
            return sorted(asked)
        return sorted(field[1:] for field in asked if field[:1] == (self.load,))

    def _curves(self, movement: Movement) -> dict[Field, tuple[Point, ...]]:
        counts = (movement.tracked, *self._own(movement.fields))
        curves = {count: self.trace.curves.get(".".join(count)) for count in counts}
        return {field: points for field, points in curves.items() if points}

    def _looks(self, looks: Iterable[Snapshot]) -> list[tuple[float, Snapshot]]:
        """Return those of *looks* that found something, each with when that was on the chart."""
        began = self.trace.began
        if began is None:
            return []
        return [(max(s.taken - began, 0.0), s) for s in looks if s.error is None]

    @staticmethod
    def _numbers(
        assertion: PathAssertion, looks: Iterable[tuple[float, Snapshot]]
    ) -> Iterator[tuple[float, dict[str, Number]]]:
        for at, look in looks:
            matches = assertion.query.select(look.document)
            yield at, {m.path: m.value for m in matches if fits(m.value)}

    def _since_before(self, assertion: PathAssertion, movement: Movement) -> list[Series]:
        """Return how far a value has come at each look: of several the sum, if that is asked."""
        name = str(assertion.endpoint)
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
        ((began, start),) = self._numbers(assertion, first)
        born = movement.born or isinstance(assertion.query, Selector)
        values: dict[str, list[Point]] = {}
        for at, found in self._numbers(assertion, looks):
            changes = {p: v - start.get(p, 0) for p, v in found.items() if born or p in start}
            if movement.summed and changes:
                changes = {_short(assertion): sum(changes.values())}
            for path, change in changes.items():
                values.setdefault(path, [(began, 0)]).append((at, change))
        if len(values) == 1:
            values = {f"{_short(assertion)}, by the server": v for v in values.values()}
        return _by_path(values)


def _place(assertion: PathAssertion) -> tuple[str, str]:
    return str(assertion.endpoint), str(assertion.query)


def _held(series: Series, end: float) -> Series:
    at, value = series.points[-1]
    return Series(series.name, (*series.points, (end, value))) if at < end else series


def _without_rest(client: Sequence[Series], server: Sequence[Series]) -> list[Series]:
    """Leave out how long a counter stood still that had come as far as the client.

    After a load of a second that may be ten, which would press all that moved to the left.
    """
    due = {series.points[-1][1] for series in client}
    if due and any(series.points[-1][1] not in due for series in server):
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
    first = list(values.items())[:_MOST_SERIES]
    return [Series(path, _thinned(points), By.SERVER) for path, points in first]


def _thinned(points: list[Point]) -> tuple[Point, ...]:
    """Return so many of *points*: the first, the last, and the highest of those that are near."""
    size = math.ceil(len(points) / _MOST_LOOKS)
    if size <= 1:
        return tuple(points)
    chunks = [points[at : at + size] for at in range(1, len(points) - 1, size)]
    tops = [max(chunk, key=lambda point: point[1]) for chunk in chunks]
    return (points[0], *tops, points[-1])


def _family(assertion: PathAssertion, asked: str, after: Snapshot) -> tuple[Point, ...]:
    """Return the percentiles that stand beside the one that is *asked* about."""
    query = assertion.query
    if isinstance(query, Query) and query.definite and is_percentile(query):
        beside = after.document
        for key in query.keys[:-1]:
            beside = beside.get(str(key)) if isinstance(beside, dict) else None
        return ladder(beside)
    found = [m.value for m in query.select(after.document) if fits(m.value)]
    at = percentile(asked)
    return ((at, found[0]),) if len(found) == 1 and at is not None else ()


def _short(assertion: PathAssertion, without: int = 0) -> str:
    """Return what is asked about without the `$`, and *without* the key of a percentile."""
    query = assertion.query
    if isinstance(query, Selector) or not query.definite:
        return str(query)
    keys = query.keys[: len(query.keys) - without] if is_percentile(query) else query.keys
    return ".".join(map(str, keys)) or str(query)
