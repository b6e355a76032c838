"""Joining the parts of a load that several workers ran, into what one would have brought home."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from validator import stats
from validator.columns import Columns
from validator.executors.local import Collector, OnExchange, ignore
from validator.plan import LoadPlan, Share
from validator.records.load import Exchange

NAMED: Final = 6
"""Lost requests that are named one by one."""


@dataclass(slots=True)
class Part:
    """One share of a load, and how it fared."""

    name: str
    share: Share
    came: array[int] = field(default_factory=lambda: array("q"))
    """The requests whose exchanges have come."""
    lags: array[float] = field(default_factory=lambda: array("d"))
    cpu_share: float | None = None
    held_back: int = 0
    unsent: int = 0
    lost: str = ""
    """Why not all of it came, if so."""


def take(found: Collector, plan: LoadPlan, part: Part, exchanges: Columns[Exchange]) -> bool:
    """Keep exchanges of *part*; say whether the load has just become hopeless by them."""
    part.came.extend(exchanges.column("index"))
    limits = plan.abort_on
    if limits is None or found.aborted:
        found.keep_all(exchanges)
        return False
    for exchange in exchanges:
        found.keep(exchange)
        if not found.aborted:
            found.aborted = limits.reason(found.failed, found.count, found.failed_in_a_row)
    return bool(found.aborted)


def tell(on_exchange: OnExchange, exchanges: Columns[Exchange], in_flight: int) -> None:
    """Tell of each exchange, if anybody listens: to make an object of each takes its time."""
    if on_exchange is not ignore:
        for exchange in exchanges:
            on_exchange(exchange, in_flight)


def conclude(found: Collector, plan: LoadPlan, parts: Sequence[Part]) -> None:
    """Write into *found*, which has the exchanges of all *parts*, what else they come to.

    Of the workers the one counts that fared worst: latencies are no better than their worst clock.
    """
    shares = [part.cpu_share for part in parts if part.cpu_share is not None]
    found.cpu_share = max(shares, default=None)
    found.cpu_total = sum(shares) if shares else None
    found.lags = max((part.lags for part in parts), key=_late, default=array("d"))
    found.held_back = sum(part.held_back for part in parts)
    found.unsent = sum(part.unsent for part in parts)
    found.lost = [_lost(part, plan) for part in parts if part.lost]
    found.in_flight = 0
    found.in_flight_max = most_at_once(
        found.exchanges.column("sent"), found.exchanges.column("done")
    )


def _late(lags: array[float]) -> float:
    return stats.percentile(sorted(lags), 0.99) if lags else 0.0


def most_at_once(starts: Iterable[float], ends: Iterable[float]) -> int:
    """Return how many of these spans overlapped at most; one that ends as another starts does not.

    The instants of all workers are on one clock, so this is what one counter would have shown.
    """
    over = iter(sorted(ends))
    end = next(over, None)
    now = most = 0
    for start in sorted(starts):
        now += 1
        while end is not None and end <= start:
            now -= 1
            end = next(over, None)
        most = max(most, now)
    return most


def _lost(part: Part, plan: LoadPlan) -> str:
    """Say which requests of a lost share nothing is known of."""
    who = f"{part.name} was lost ({part.lost})"
    if plan.requests is None:
        return f"{who}: what it sent after its first {len(part.came)} requests is not known"
    came = set(part.came)
    all_of_it = [*plan.indices(part.share)]
    missing = [index for index in all_of_it if index not in came]
    named = [str(index) for index in missing[:NAMED]]
    if len(missing) > NAMED:
        named[-1] = f"… {missing[-1]}"
    if not missing:
        return f"{who} after its last request"
    of = f"{len(missing)} of its {len(all_of_it)} requests"
    return f"{who}: nothing is known of {of}: {', '.join(named)}"
