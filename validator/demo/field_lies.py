"""Faults in the request and cache accounts that take more than a look at a total to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from validator.demo.books import WINDOW, Books, Entry
from validator.demo.faults import REGISTRY, Fault
from validator.demo.figures import Document, Figures, spread
from validator.demo.shelf import Shelf, Watched

PLANNED_MS = 4.0
"""What the prefill of a fully cached prompt is meant to take."""


@REGISTRY.register("ttft-is-total")
class TtftIsTotal(Fault):
    """The first token is clocked at the last one, so that decode and the gaps last next to nothing."""  # noqa: E501 - one sentence, printed whole

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        latency = figures.document["latency"]
        latency["ttft"] = {**latency["total"]}
        for name in ("decode", "itl"):
            count = latency[name]["count"]
            latency[name] = {**spread([1e-7] * min(count, 1)), "count": count}
        return figures


@REGISTRY.register("output-tokens-only")
class OutputTokensOnly(Fault):
    """The total tokens of a model leave its prompt tokens out."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        for model in figures.document["per_model"].values():
            model["total_tokens"] = model["completion_tokens"]
        return figures


@REGISTRY.register("throughput-over-60")
class ThroughputOver60(Fault):
    """Throughput divides by 60 seconds, however short the load was."""

    def figures(self, figures: Figures, books: Books, now: float) -> Figures:
        window = books.window(now)
        given = sum(entry.prompt_tokens for entry in window) / WINDOW
        made = sum(entry.completion_tokens for entry in window) / WINDOW
        figures.document["throughput"] = {
            "requests_per_second": round(len(window) / WINDOW, 4),
            "tokens_per_second": round(given + made, 4),
            "input_tokens_per_second": round(given, 4),
            "output_tokens_per_second": round(made, 4),
        }
        return figures


@REGISTRY.register("empty-gauges")
class EmptyGauges(Fault):
    """Queue, batch, overlap and the blocks of the radix tree are 0, never filled."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        document = figures.document
        for section in ("queue", "batch"):
            document[section] = dict.fromkeys(document[section], 0)
        document["cache"] |= {"avg_overlap_score": 0.0, "avg_blocks_matched": 0.0}
        return figures

    def kv_cache(self, document: Document, _now: float) -> Document:
        document["smart_router"]["radix_tree"]["total_cached_blocks"] = 0
        return document


@REGISTRY.register("planned-speedup")
class PlannedSpeedup(Fault):
    """The actual time to first token after a cache hit is the planned one, not the measured one."""

    def kv_cache(self, document: Document, _now: float) -> Document:
        speedup = document["cache_performance"]["speedup_stats"]
        if speedup:
            speedup["avg_actual_ttft_ms"] = PLANNED_MS
            ratio = speedup["avg_baseline_ttft_ms"] / PLANNED_MS
            speedup["avg_speedup_ratio"] = round(ratio, 4)
        return document


@REGISTRY.register("leaked-workers")
class LeakedWorkers(Fault):
    """A request that is broken off stays active on its worker for ever."""

    def __init__(self) -> None:
        self._leaks: Counter[str] = Counter()

    def shelf(self, shelf: Shelf, _clock: Callable[[], float]) -> Shelf:
        return Watched(shelf, self._over)

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        self._leak(figures.document["worker_stats"])
        return figures

    def kv_cache(self, document: Document, _now: float) -> Document:
        self._leak(document["smart_router"])
        return document

    def _over(self, entry: Entry) -> None:
        if entry.worker is not None and entry.status == "failed":
            self._leaks[entry.worker] += 1

    def _leak(self, section: Document) -> None:
        for worker in section["workers"]:
            worker["active_requests"] += self._leaks[worker["worker_id"]]


@REGISTRY.register("vanishing-cancellations")
class VanishingCancellations(Fault):
    """A request that is broken off is struck from the totals as if it had never come."""

    def __init__(self) -> None:
        self._struck = 0

    def shelf(self, shelf: Shelf, _clock: Callable[[], float]) -> Shelf:
        return Watched(shelf, self._over)

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        for name in ("total_requests", "failed_requests"):
            figures.document["summary"][name] -= self._struck
        return figures

    def _over(self, entry: Entry) -> None:
        self._struck += entry.worker is not None and entry.status == "failed"


@REGISTRY.register("counted-at-end")
class CountedAtEnd(Fault):
    """The total of requests moves only when a request ends."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = figures.document["summary"]
        summary["total_requests"] -= summary["active_requests"]
        return figures


@REGISTRY.register("counted-at-rest")
class CountedAtRest(Fault):
    """The total of requests moves only while no request is active."""

    def __init__(self) -> None:
        self._total = 0

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        summary = figures.document["summary"]
        if not summary["active_requests"]:
            self._total = summary["total_requests"]
        summary["total_requests"] = self._total
        return figures


@REGISTRY.register("tokens-at-end")
class TokensAtEnd(Fault):
    """The tokens of a request are counted under its model only when it ends."""

    def figures(self, figures: Figures, books: Books, _now: float) -> Figures:
        for entry in books.active.values():
            model = figures.document["per_model"].get(entry.model)
            if model is None:
                continue
            model["prompt_tokens"] -= entry.prompt_tokens
            model["completion_tokens"] -= entry.completion_tokens
            model["total_tokens"] -= entry.prompt_tokens + entry.completion_tokens
        return figures


@REGISTRY.register("empty-histogram")
class EmptyHistogram(Fault):
    """The histogram of the time to first token is all zeros."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        buckets = [0] * len(figures.ttft.buckets)
        return replace(figures, ttft=replace(figures.ttft, buckets=buckets, sum=0.0, count=0))


@REGISTRY.register("histogram-counts-all")
class HistogramCountsAll(Fault):
    """The histogram of the time to first token also counts requests that never had one."""

    def figures(self, figures: Figures, books: Books, _now: float) -> Figures:
        more = books.total - figures.ttft.count
        buckets = [count + more for count in figures.ttft.buckets]
        return replace(figures, ttft=replace(figures.ttft, buckets=buckets, count=books.total))


@REGISTRY.register("buckets-apart")
class BucketsApart(Fault):
    """Each bucket of the histogram holds only its own, not those below it."""

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        together = figures.ttft.buckets
        apart = [now - before for now, before in zip(together, [0, *together], strict=False)]
        return replace(figures, ttft=replace(figures.ttft, buckets=apart))


@REGISTRY.register("inf-is-not-count")
class InfIsNotCount(Fault):
    """The last bucket of the histogram holds one less than its count says."""

    def prometheus(self, text: str) -> str:
        head, mark, rest = text.partition('_bucket{le="+Inf"} ')
        count, _, tail = rest.partition("\n")
        return f"{head}{mark}{max(0, int(count) - 1)}\n{tail}"
