"""Joining the parts of a load that several workers ran, into what one would have brought home."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from validator import stats
from validator.columns import Columns
from validator.executors.local import Collector, Count, OnExchange, ignore
from validator.plan import AbortOn, LoadPlan, Share
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
    until: float = 0.0
    """Seconds from the beginning of the load: all that ended before has come."""
    lags: array[float] = field(default_factory=lambda: array("d"))
    cpu_share: float | None = None
    held_back: int = 0
    unsent: int = 0
    lost: str = ""
    """Why not all of it came, if so."""


@dataclass(slots=True)
class Hope:
    """Whether there is any for a load that several workers send.

    Their reports come in turns, and all requests of one of them may be of one kind. So failures are
    counted in the order in which requests ended, as far as all workers have told of them. A worker
    that is the only one decides by itself.
    """

    plan: LoadPlan
    found: Collector
    parts: Sequence[Part]
    _to_count: list[tuple[float, int, str]] = field(default_factory=list)
    _counted: Count = field(default_factory=Count)

    def take(self, part: Part, exchanges: Columns[Exchange], until: float) -> None:
        """Keep exchanges of *part*, of which all have come that ended until then."""
        part.came.extend(exchanges.column("index"))
        self.found.keep_all(exchanges)
        if self._limits is not None:
            for ended in zip(*map(exchanges.column, ("done", "index", "outcome")), strict=True):
                heappush(self._to_count, ended)
        self.reaches(part, until)

    def reaches(self, part: Part, until: float) -> None:
        """Know that all of *part* has come that ended until then."""
        part.until = until
        if self._limits is not None and not self.found.aborted:
            self.found.aborted = self._reason(self._limits)

    @property
    def _limits(self) -> AbortOn | None:
        return self.plan.abort_on if len(self.parts) > 1 else None

    def _reason(self, limits: AbortOn) -> str:
        """Return why to give up; nothing if there is hope."""
        if why := limits.already(self.found.counted.failed, self.found.counted.ended):
            return why
        known = min(part.until for part in self.parts)
        while self._to_count and self._to_count[0][0] <= known:
            _, _, outcome = heappop(self._to_count)
            so_far = self._counted
            so_far.add(outcome)
            if why := limits.reason(so_far.failed, so_far.ended, so_far.failed_in_a_row):
                return why
        return ""


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
