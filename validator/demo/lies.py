"""Faults in the numbers: the accounts are kept wrongly, on every page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from validator.demo.books import Books
from validator.demo.faults import REGISTRY, Fault, Mishap
from validator.demo.figures import Document, Figures, spread
from validator.demo.shelf import Late, NoStreams, Shelf, TwoBooks

LATE = 3.0
FAILS_UNSEEN = 20


def _summary(figures: Figures) -> dict[str, Any]:
    summary: dict[str, Any] = figures.document["summary"]
    return summary


@REGISTRY.register("uncounted-streams")
class UncountedStreams(Fault):
    """Streamed requests appear nowhere in the request accounts, as in the real FakeAI."""

    def shelf(self, shelf: Shelf, _clock: Callable[[], float]) -> Shelf:
        return NoStreams(shelf)


@REGISTRY.register("frozen-counter")
class FrozenCounter(Fault):
    """The total of requests keeps the value of its first reading."""

    def __init__(self) -> None:
        self._first: int | None = None

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = _summary(figures)
        if self._first is None:
            self._first = summary["total_requests"]
        summary["total_requests"] = self._first
        return figures


@REGISTRY.register("prefilled-counter")
class PrefilledCounter(Fault):
    """The total of requests is 100000 and never moves."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        _summary(figures)["total_requests"] = 100_000
        return figures


@REGISTRY.register("swapped-percentiles")
class SwappedPercentiles(Fault):
    """The p50 and the p99 of every latency are swapped."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        for one in figures.document["latency"].values():
            one["p50"], one["p99"] = one["p99"], one["p50"]
        return figures


@REGISTRY.register("leaked-active")
class LeakedActive(Fault):
    """The gauge of active requests rises but never falls."""

    def figures(self, figures: Figures, books: Books, _now: float) -> Figures:
        _summary(figures)["active_requests"] = books.active_max
        return figures


@REGISTRY.register("zero-ttft")
class ZeroTtft(Fault):
    """Every time to first token is 0, in the latencies and in the histogram."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        latency = figures.document["latency"]
        latency["ttft"] = {**spread([]), "count": latency["ttft"]["count"]}
        seen = figures.ttft.count
        buckets = [seen] * len(figures.ttft.buckets)
        return replace(figures, ttft=replace(figures.ttft, buckets=buckets, sum=0.0))


@REGISTRY.register("role-chunk-ttft")
class RoleChunkTtft(Fault):
    """The latency of the first token is clocked at the chunk without content before it."""

    def figures(self, figures: Figures, books: Books, now: float) -> Figures:
        figures.document["latency"]["ttft"] = spread(
            [entry.role_sent - entry.arrived for entry in books.window(now) if entry.role_sent]
        )
        return figures


@REGISTRY.register("double-count")
class DoubleCount(Fault):
    """The total counts a request when it arrives and again when it ends."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = _summary(figures)
        summary["total_requests"] += summary["successful_requests"] + summary["failed_requests"]
        return figures


@REGISTRY.register("off-by-one")
class OffByOne(Fault):
    """The first request is missing from the total."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = _summary(figures)
        summary["total_requests"] = max(0, summary["total_requests"] - 1)
        return figures


@REGISTRY.register("backwards-counter")
class BackwardsCounter(Fault):
    """Two processes share the requests and answer for the metrics in turn."""

    def shelf(self, _shelf: Shelf, _clock: Callable[[], float]) -> Shelf:
        return TwoBooks()


@REGISTRY.register("endless-counter")
class EndlessCounter(Fault):
    """The total of requests moves on by ten a second, load or no load."""

    def __init__(self) -> None:
        self._since: float | None = None

    def figures(self, figures: Figures, _books: Books, now: float) -> Figures:
        if self._since is None:
            self._since = now
        _summary(figures)["total_requests"] += int((now - self._since) * 10)
        return figures


@REGISTRY.register("lost-errors")
class LostErrors(Fault):
    """Every 20th request fails with 500, and no counter shows a failure."""

    def mishap(self, number: int) -> Mishap | None:
        return Mishap.FAILED if number % FAILS_UNSEEN == 0 else None

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = _summary(figures)
        summary["total_requests"] -= summary["failed_requests"]
        summary["failed_requests"] = 0
        return figures


@REGISTRY.register("constant-hit-rate")
class ConstantHitRate(Fault):
    """The cache hit rate is 42 percent whatever happens."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        figures.document["cache"]["hit_rate"] = 42.0
        return figures

    def kv_cache(self, document: Document, _now: float) -> Document:
        document["cache_performance"]["cache_hit_rate"] = 42.0
        return document


@REGISTRY.register("hits-miscounted")
class HitsMiscounted(Fault):
    """Every cache hit is counted twice."""

    def kv_cache(self, document: Document, _now: float) -> Document:
        document["cache_performance"]["total_cache_hits"] *= 2
        return document


@REGISTRY.register("late-counters")
class LateCounters(Fault):
    """No lie: the request accounts are published in full, 3 seconds late."""

    def shelf(self, shelf: Shelf, clock: Callable[[], float]) -> Shelf:
        return Late(shelf, LATE, clock)
