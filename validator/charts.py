"""What was seen, as charts: what people would rather look at than read. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from validator.measures import Reach
from validator.query import Query
from validator.records.chart import MOST_POINTS, By, Chart, Form, Series
from validator.records.observation import Observations, Snapshot
from validator.records.trace import Trace
from validator.records.verdict import LOAD, load_section
from validator.reference import Reference
from validator.selector import Selector
from validator.spec.model import Ask, Condition, Derive, Over, PathAssertion, Quantify, Spec
from validator.values import Json, Number, is_number, show

MOST: Final = 12
"""Charts of one sort: counters, gauges, ladders."""
_MOST_SERIES: Final = 8
_MOST: Final = 1e300
_SINCE: Final = "s since the load began"
_DISTRIBUTIONS: Final = {
    "ttft_ms": ("TTFT", "requests"),
    "itl_ms": ("ITL", "gaps"),
    "latency_ms": ("latency", "requests"),
}
_INSTANTS: Final = {"ttft_ms": "TTFT", "latency_ms": "latency", "failed_ms": "failed"}
_PERCENTILE = re.compile(r"p(\d\d?(?:\.\d+)?)$")


def charts(
    spec: Spec, seen: Observations, ledger: Json, trace: Trace | None, load: str = ""
) -> tuple[Chart, ...]:
    """Return the charts of one load and what was seen around it; none of what nobody asks about.

    *load* is its name, if it is one of several.
    """
    if trace is None:
        return ()
    about = _About(seen, ledger, trace, load)
    listed = [a for e in spec.endpoints for a in e.assertions if isinstance(a, PathAssertion)]
    asked = [a for a in listed if a.about.load == load]
    own = (*_histograms(trace, ledger), *_instants(trace), *_in_flight(trace))
    return (
        *(replace(chart, section=load_section(load)) for chart in own),
        *_first(about.counters(asked)),
        *_first(about.gauges(asked)),
        *_first(about.ladders(asked)),
    )


def _first(found: Iterable[Chart]) -> Iterator[Chart]:
    """Yield so many charts, and of the same question one."""
    titles: set[tuple[str, str]] = set()
    for chart in found:
        if len(titles) < MOST and (chart.section, chart.title) not in titles:
            titles.add((chart.section, chart.title))
            yield chart


# The load by itself


def _histograms(trace: Trace, ledger: Json) -> Iterator[Chart]:
    for name, bins in trace.histograms.items():
        title, counted = _DISTRIBUTIONS[name]
        most = _figure(ledger, name, "max")
        notes = [f"the last bar has all up to {show(round(most, 1))} ms"] * (most > bins[-1][1])
        notes += filter(None, [_thinning(trace)])
        series = Series(title, bins)
        yield Chart(title, Form.HISTOGRAM, (series,), LOAD, "ms", counted, "; ".join(notes))


def _figure(ledger: Json, distribution: str, name: str) -> Number:
    part = ledger.get(distribution) if isinstance(ledger, dict) else None
    value = part.get(name) if isinstance(part, dict) else None
    return value if is_number(value) else 0


def _instants(trace: Trace) -> Iterator[Chart]:
    series = tuple(Series(_INSTANTS[n], points) for n, points in trace.instants.items())
    if series:
        yield Chart("request by request", Form.SCATTER, series, LOAD, _SINCE, "ms")


def _in_flight(trace: Trace) -> Iterator[Chart]:
    if points := trace.curves.get("in_flight"):
        series = (Series("by the client", points),)
        yield Chart("in flight", Form.STEPS, series, LOAD, _SINCE, "requests", _thinning(trace))


def _thinning(trace: Trace) -> str:
    return f"from every {trace.every}th request" if trace.every > 1 else ""


# The server beside the client


@dataclass(frozen=True, slots=True)
class _About:
    """What the charts of one load are drawn from."""

    seen: Observations
    ledger: Json
    trace: Trace
    load: str

    def counters(self, asked: Iterable[PathAssertion]) -> Iterator[Chart]:
        """Yield, for what must change as the client's own count, both over the load."""
        for assertion in asked:
            for field in self._fields(assertion, change=True):
                name = ".".join(field)
                client = self.trace.curves.get(name)
                server = self._since_before(assertion)
                if client and server:
                    series = (
                        Series(f"{self._ledger_name}.{name}, by the client", client),
                        Series(f"{_short(assertion)}, by the server", server, By.SERVER),
                    )
                    yield self._chart(assertion, series, "change")

    def gauges(self, asked: Iterable[PathAssertion]) -> Iterator[Chart]:
        """Yield what was asked over the whole load, as it was sampled."""
        for assertion in asked:
            if assertion.over is not Over.DURING or assertion.endpoint is None:
                continue
            paths: dict[str, list[tuple[float, float]]] = {}
            for snapshot in self._samples(assertion.endpoint):
                for path, value in _numbers(assertion, snapshot):
                    paths.setdefault(path, []).append((self._at(snapshot), value))
            series = tuple(
                Series(path, tuple(points[:MOST_POINTS]), By.SERVER)
                for path, points in list(paths.items())[:_MOST_SERIES]
            )
            own = self.trace.curves.get("in_flight")
            if own and ("in_flight_max",) in self._fields(assertion):
                series = (Series("in flight, by the client", own), *series)
            if paths:
                yield self._chart(assertion, series, "")

    def ladders(self, asked: Iterable[PathAssertion]) -> Iterator[Chart]:
        """Yield, for percentiles that are compared with the client's own, both whole ladders."""
        for assertion in asked:
            for field in self._fields(assertion):
                if len(field) != 2 or not _PERCENTILE.fullmatch(field[-1]):  # noqa: PLR2004 - ttft_ms, p50
                    continue
                client = _ladder(self._own(field[0]))
                server = self._family(assertion, _PERCENTILE.fullmatch(field[-1]))
                if client and server:
                    series = (
                        Series(f"{self._ledger_name}.{field[0]}, by the client", client),
                        Series(f"{_short(assertion, 1)}, by the server", server, By.SERVER),
                    )
                    title = f"percentiles: {_short(assertion, 1)}"
                    yield Chart(
                        title,
                        Form.LADDER,
                        series,
                        str(assertion.endpoint),
                        "percentile",
                        "ms",
                    )

    def _chart(self, assertion: PathAssertion, series: tuple[Series, ...], y: str) -> Chart:
        return Chart(
            assertion.about.name, Form.STEPS, series, str(assertion.endpoint), _SINCE, y,
            _thinning(self.trace),
        )  # fmt: skip

    @property
    def _ledger_name(self) -> str:
        return f"load.{self.load}" if self.load else "load"

    def _fields(self, assertion: PathAssertion, *, change: bool = False) -> list[tuple[str, ...]]:
        """Return the fields of this load's ledger that an assertion compares with."""
        found = sorted(_fields(assertion.condition, change=change))
        if not self.load:
            return found
        return [field[1:] for field in found if field[:1] == (self.load,)]

    def _at(self, snapshot: Snapshot) -> float:
        return snapshot.taken - (self.trace.began or 0.0)

    def _samples(self, endpoint: str) -> list[Snapshot]:
        if self.trace.began is None:
            return []
        return [s for s in self.seen.during.get(endpoint, ()) if s.error is None]

    def _since_before(self, assertion: PathAssertion) -> tuple[tuple[float, float], ...]:
        """Return how far a value has come at each sample; nothing without samples."""
        assert assertion.endpoint is not None
        before = self.seen.before.get(assertion.endpoint)
        during = self._samples(assertion.endpoint)
        after = self.seen.after.get(assertion.endpoint)
        if before is None or before.error is not None or not during:
            return ()
        start = _sum(_numbers(assertion, before))
        looks = [*during, *([after] if after is not None and after.error is None else [])]
        return tuple(
            (self._at(s), _sum(found) - start)
            for s in looks[:MOST_POINTS]
            if (found := _numbers(assertion, s))
        )

    def _own(self, distribution: str) -> Json:
        return self.ledger.get(distribution) if isinstance(self.ledger, dict) else None

    def _family(
        self, assertion: PathAssertion, asked: re.Match[str] | None
    ) -> tuple[tuple[float, float], ...]:
        """Return the percentiles that stand beside the one that is asked about."""
        after = self.seen.after.get(str(assertion.endpoint))
        if after is None or after.error is not None or asked is None:
            return ()
        query = assertion.query
        if isinstance(query, Query) and query.definite and _is_percentile(query.keys[-1:]):
            beside = after.document
            for key in query.keys[:-1]:
                beside = beside.get(str(key)) if isinstance(beside, dict) else None
            return _ladder(beside)
        found = _numbers(assertion, after)
        return ((float(asked[1]), found[0][1]),) if len(found) == 1 else ()


def _numbers(assertion: PathAssertion, snapshot: Snapshot) -> list[tuple[str, Number]]:
    matches = assertion.query.select(snapshot.document)
    return [(m.path, m.value) for m in matches if _fits(m.value)]


def _fits(value: Json) -> TypeGuard[Number]:
    """Say whether *value* is a number that a sum of floats can hold."""
    return is_number(value) and abs(value) < _MOST


def _sum(found: list[tuple[str, Number]]) -> Number:
    return sum(value for _, value in found)


def _ladder(document: Json) -> tuple[tuple[float, float], ...]:
    """Return the percentiles among the members of an object, in order."""
    if not isinstance(document, dict):
        return ()
    found = [
        (float(named[1]), value)
        for key, value in document.items()
        if (named := _PERCENTILE.fullmatch(key)) and _fits(value)
    ]
    return tuple(sorted(found))


def _is_percentile(keys: tuple[str | int, ...]) -> bool:
    return bool(keys) and _PERCENTILE.fullmatch(str(keys[0])) is not None


def _short(assertion: PathAssertion, without: int = 0) -> str:
    query = assertion.query
    if isinstance(query, Selector) or not query.definite:
        return str(query)
    keys = (
        query.keys[: len(query.keys) - without] if _is_percentile(query.keys[-1:]) else query.keys
    )
    return ".".join(map(str, keys))


def _fields(condition: Condition, *, change: bool = False) -> set[tuple[str, ...]]:
    """Return the fields of the ledger that *condition* compares with, or a change in it."""
    found: set[tuple[str, ...]] = set()
    for part in condition:
        match part:
            case Ask(references=references) if not change:
                found |= {keys for r in references for keys in _keys(r)}
            case Derive(measure=measure, inner=inner):
                found |= _fields(inner, change=change and measure.reach is not Reach.CHANGE)
            case Quantify(inner=inner):
                found |= _fields(inner, change=change)
    return found


def _keys(reference: Reference) -> Iterator[tuple[str, ...]]:
    for query in reference.queries:
        if query.definite:
            yield tuple(map(str, query.keys))
