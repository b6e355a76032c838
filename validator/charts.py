"""What was seen, as charts: what people would rather look at than read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from validator.beside import SINCE, Beside
from validator.ladders import ladders
from validator.records.chart import Chart, Form, Series
from validator.records.observation import Observations
from validator.records.trace import Trace
from validator.records.verdict import LOAD, load_section
from validator.span import Span
from validator.spec.model import PathAssertion, Spec
from validator.values import Json, Number, is_number, show

MOST: Final = 12
"""Charts of one sort: counters, gauges, ladders."""
_DISTRIBUTIONS: Final = {
    "ttft_ms": ("TTFT", "requests"),
    "itl_ms": ("ITL", "gaps"),
    "latency_ms": ("latency", "requests"),
}
_INSTANTS: Final = {"ttft_ms": "TTFT", "latency_ms": "latency", "failed_ms": "failed"}


def charts(  # noqa: PLR0913, PLR0917 - what was asked, seen, sent, and how it was judged
    spec: Spec,
    seen: Observations,
    ledger: Json,
    trace: Trace | None,
    load: str = "",
    bad: Collection[Span] = (),
) -> tuple[Chart, ...]:
    """Return the charts of one load and what was seen around it; none of what nobody asks about.

    *load* is its name, if it is one of several. Those of assertions at a place that went *bad*
    come first.
    """
    if trace is None:
        return ()
    beside = Beside(seen, ledger, trace, load)
    listed = [*(a for e in spec.endpoints for a in e.assertions), *spec.assertions]
    asked = [a for a in listed if a.about.load == load]
    asked.sort(key=lambda a: a.about.span not in bad)
    alone = [a for a in asked if isinstance(a, PathAssertion)]
    sorts = (beside.counters(asked), beside.gauges(alone), ladders(beside, alone))
    found = [one for sort in sorts for one in islice(sort, MOST)]
    own = (*_histograms(trace, ledger), *_instants(trace), *_in_flight(trace))
    return (
        *(one.chart for one in found if one.span in bad),
        *(replace(chart, section=load_section(load)) for chart in own),
        *(one.chart for one in found if one.span not in bad),
    )


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
        yield Chart("request by request", Form.SCATTER, series, LOAD, SINCE, "ms")


def _in_flight(trace: Trace) -> Iterator[Chart]:
    if points := trace.curves.get("in_flight"):
        series = (Series("by the client", points),)
        yield Chart("in flight", Form.STEPS, series, LOAD, SINCE, "requests", _thinning(trace))


def _thinning(trace: Trace) -> str:
    return f"from every {trace.every}th request" if trace.every > 1 else ""
