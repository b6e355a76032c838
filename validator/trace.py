"""From the exchanges of a load to the trace that charts are drawn from. Pure."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from validator import stats
from validator.records.load import Exchange, LoadResult
from validator.records.trace import Bin, Point, Trace

BINS: Final = 40
MOST_INSTANTS: Final = 300
"""Requests that are shown one by one, of each series."""
MOST_STEPS: Final = 500
MOST_EXCHANGES: Final = 10_000
"""Of a larger load only every n-th request is looked at."""
_MS: Final = 1000
_TAIL: Final = 1.2
"""Beyond so many p99 one long sample would leave a bar at the left and an empty chart."""


def traced(result: LoadResult, began: float | None = None) -> Trace:
    """Return the trace of a load that began so many seconds after its run."""
    every = max(1, math.ceil(len(result.exchanges) / MOST_EXCHANGES))
    seen = [result.exchanges[at] for at in range(0, len(result.exchanges), every)]
    if not seen:
        return Trace(began)
    good = [e for e in seen if e.ok]
    gaps = array("d")
    for exchange in good:
        gaps.extend(exchange.gaps)
    samples: dict[str, Iterable[float | None]] = {
        "ttft_ms": [e.ttft for e in good],
        "itl_ms": gaps,
        "latency_ms": [e.latency for e in good],
    }
    instants = {
        "ttft_ms": ((e.sent, e.ttft) for e in good),
        "latency_ms": ((e.sent, e.latency) for e in good),
        "failed_ms": ((e.sent, e.wall) for e in seen if not e.ok),
    }
    return Trace(
        began,
        every,
        {name: bins for name, values in samples.items() if (bins := _bins(values))},
        {name: some for name, points in instants.items() if (some := _thinned(points))},
        {name: _steps(rises, every) for name, rises in _rises(seen)},
    )


def _bins(seconds: Iterable[float | None]) -> tuple[Bin, ...]:
    """Count milliseconds in bins of one width; the last also has all that are longer."""
    values = sorted(value * _MS for value in seconds if value is not None)
    if not values:
        return ()
    low, high = values[0], min(values[-1], _TAIL * stats.percentile(values, 0.99))
    width = (high - low) / BINS
    if not width > 0:
        return ((low, high, len(values)),)
    edges = [low + width * n for n in range(BINS)] + [high]
    below = [bisect_right(values, edge) for edge in edges[1:-1]]
    counts = [b - a for a, b in zip([0, *below], [*below, len(values)], strict=True)]
    return tuple(zip(edges, edges[1:], counts, strict=False))


def _thinned(points: Iterable[tuple[float, float | None]]) -> tuple[Point, ...]:
    """Return at most so many points, evenly spread over the requests, in milliseconds."""
    known = [(at, value * _MS) for at, value in points if value is not None]
    step = max(1, math.ceil(len(known) / MOST_INSTANTS))
    return tuple(known[::step])


def _rises(seen: Sequence[Exchange]) -> Iterator[tuple[str, list[tuple[float, int]]]]:
    """Yield each curve as its rises and falls."""
    ended = [(e.done, -1) for e in seen]
    yield "in_flight", [*((e.sent, 1) for e in seen), *ended]
    yield "sent", [(e.sent, 1) for e in seen]
    yield "ok", [(e.done, 1) for e in seen if e.ok]
    yield "failed", [(e.done, 1) for e in seen if not e.ok]
    for kind in ("prompt", "completion", "cached"):
        tokens = [(e.done, getattr(e, f"{kind}_tokens")) for e in seen if e.ok]
        if all(count is not None for _, count in tokens):
            yield f"tokens.{kind}", tokens


def _steps(rises: list[tuple[float, int]], every: int) -> tuple[Point, ...]:
    """Return the running sum; of many steps those that are highest, evenly spread over time."""
    ordered = sorted(rises)
    instants = [0.0, *(at for at, _ in ordered)]
    sums = [*accumulate((by * every for _, by in ordered), initial=0)]
    points = list(zip(instants, sums, strict=True))
    size = math.ceil(len(points) / MOST_STEPS)
    if size <= 1:
        return tuple(points)
    chunks = [points[at : at + size] for at in range(0, len(points), size)]
    tops = [max(chunk, key=lambda point: point[1]) for chunk in chunks]
    return (points[0], *tops, points[-1])
