"""The accounts as documents: what the two JSON pages show when nothing lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from validator.demo.books import Books, Entry, Histogram, latencies
from validator.demo.cache import (
    BLOCK_SIZE,
    LOAD_WEIGHT,
    OVERLAP_WEIGHT,
    WORKERS,
    Router,
)

CHAT = "/v1/chat/completions"
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}

Document = dict[str, Any]


@dataclass(slots=True)
class Figures:
    """One reading of the accounts, from which the JSON and the Prometheus page are both written."""

    document: Document
    ttft: Histogram
    total_sum: float
    total_count: int


def spread(seconds: Sequence[float]) -> Document:
    """Return count, avg, min, max and percentiles in milliseconds; zeros when there is nothing.

    Percentiles interpolate between the two closest ranks.
    """
    if not seconds:
        return {"count": 0, "avg": 0.0, "min": 0.0, "max": 0.0, **dict.fromkeys(QUANTILES, 0.0)}
    ordered = sorted(seconds)

    def at(quantile: float) -> float:
        rank = quantile * (len(ordered) - 1)
        low = int(rank)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (rank - low) * (ordered[high] - ordered[low])

    return {
        "count": len(ordered),
        "avg": _ms(math.fsum(ordered) / len(ordered)),
        "min": _ms(ordered[0]),
        "max": _ms(ordered[-1]),
        **{name: _ms(at(quantile)) for name, quantile in QUANTILES.items()},
    }


def dynamo(books: Books, router: Router, *, now: float, started: float) -> Figures:
    """Read the request accounts at the instant *now*; lifecycles count from *started*."""
    window = books.window(now)
    document: Document = {
        "summary": {
            "total_requests": books.total,
            "successful_requests": books.successful,
            "failed_requests": books.failed,
            "active_requests": len(books.active),
        },
        "latency": _latency(window),
        "throughput": _throughput(window),
        "queue": {
            "current_depth": books.queue.current,
            "max_depth": books.queue.max,
            "avg_depth": round(books.queue.mean, 4),
        },
        "batch": {
            "current_size": books.batch.current,
            "avg_size": round(books.batch.mean, 4),
            "max_size": books.batch.max,
        },
        "cache": {
            "hit_rate": round(router.hit_rate, 4),
            "total_cached_tokens": router.cached_tokens,
            "avg_overlap_score": round(router.overlap.value, 4),
            "avg_blocks_matched": round(router.matched.value, 4),
        },
        "disaggregation": _disaggregation(books),
        "latency_breakdown": [_breakdown(e) for e in books.recent if e.status == "completed"],
        "request_lifecycles": [_lifecycle(entry, started) for entry in books.recent],
        "per_model": {
            name: {
                "requests": account.requests,
                "total_tokens": account.prompt_tokens + account.completion_tokens,
                "prompt_tokens": account.prompt_tokens,
                "completion_tokens": account.completion_tokens,
                "avg_ttft_ms": _ms(account.ttft_sum / max(1, account.ttft_count)),
                "avg_itl_ms": _ms(account.gap_sum / max(1, account.gap_count)),
            }
            for name, account in books.models.items()
        },
        "worker_stats": {
            "total_workers": WORKERS,
            "workers": [worker.figures() for worker in router.workers],
        },
    }
    ttft = replace(books.ttft, buckets=[*books.ttft.buckets])
    return Figures(document, ttft, books.total_sum, books.total_count)


def kv_cache(router: Router) -> Document:
    """Read the cache and the router.

    `total_tokens_processed` is prompt tokens; `average_prefix_length` is cached tokens per hit;
    a worker's `tokens_processed` is prompt and completion tokens.
    """
    reuse = 100 * router.cached_tokens / router.prompt_tokens if router.prompt_tokens else 0.0
    blocks = [worker.cache.blocks for worker in router.workers]
    return {
        "cache_performance": {
            "cache_hit_rate": round(router.hit_rate, 4),
            "token_reuse_rate": round(reuse, 4),
            "total_cache_hits": router.hits,
            "total_cache_misses": router.misses,
            "cache_misses": router.misses,
            "total_requests": router.routed,
            "tokens_saved": router.cached_tokens,
            "total_tokens_processed": router.prompt_tokens,
            "cached_tokens_reused": router.cached_tokens,
            "average_prefix_length": round(router.cached_tokens / max(1, router.hits), 4),
            "endpoint_stats": {
                path: {"hits": hits, "misses": misses}
                for path, (hits, misses) in {CHAT: (0, 0), **router.by_path}.items()
            },
            "speedup_stats": _speedup(router),
        },
        "smart_router": {
            "total_routed": router.routed,
            "workers": [worker.figures() for worker in router.workers],
            "radix_tree": {
                "total_nodes": len(set().union(*blocks)),
                "total_cached_blocks": sum(map(len, blocks)),
            },
            "config": {
                "kv_overlap_weight": OVERLAP_WEIGHT,
                "load_balance_weight": LOAD_WEIGHT,
                "block_size": BLOCK_SIZE,
                "num_workers": WORKERS,
            },
        },
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)


def _latency(window: Sequence[Entry]) -> Document:
    spent = [latencies(entry) for entry in window]
    return {
        "ttft": spread([one.ttft for one in spent]),
        "itl": spread([gap for entry in window for gap in entry.gaps]),
        "total": spread([one.total for one in spent]),
        "queue": spread([one.queue for one in spent]),
        "prefill": spread([one.prefill for one in spent]),
        "decode": spread([one.decode for one in spent]),
    }


def _throughput(window: Sequence[Entry]) -> Document:
    """Divide what succeeded in the last 60 s by the span from first arrival to last end.

    Idle time after the last request does not dilute it; `tokens_per_second` is the sum of the
    input and the output rate.
    """
    ends = [entry.ended for entry in window if entry.ended is not None]
    span = max(ends) - min(entry.arrived for entry in window) if ends else 0.0
    per = 1 / span if span > 0 else 0.0
    given = sum(entry.prompt_tokens for entry in window)
    made = sum(entry.completion_tokens for entry in window)
    return {
        "requests_per_second": round(len(window) * per, 4),
        "tokens_per_second": round((given + made) * per, 4),
        "input_tokens_per_second": round(given * per, 4),
        "output_tokens_per_second": round(made * per, 4),
    }


def _disaggregation(books: Books) -> Document:
    phases = max(1, books.prefills + books.decodes)
    return {
        "prefill_requests": books.prefills,
        "decode_requests": books.decodes,
        "prefill_ratio": round(books.prefills / phases, 4),
        "decode_ratio": round(books.decodes / phases, 4),
        "kv_transfer_bytes": 0,  # prefill and decode share a worker here
        "kv_transfer_time_ms": 0.0,
    }


def _breakdown(entry: Entry) -> Document:
    spent = latencies(entry)
    return {
        "request_id": entry.request_id,
        "model": entry.model,
        "ttft_ms": _ms(spent.ttft),
        "queue_ms": _ms(spent.queue),
        "prefill_ms": _ms(spent.prefill),
        "decode_ms": _ms(spent.decode),
        "total_ms": _ms(spent.total),
        "avg_itl_ms": _ms(sum(entry.gaps) / len(entry.gaps)) if entry.gaps else None,
        "completion_tokens": entry.completion_tokens,
    }


def _lifecycle(entry: Entry, started: float) -> Document:
    def since(instant: float | None) -> float | None:
        return None if instant is None else round(instant - started, 6)

    return {
        "request_id": entry.request_id,
        "model": entry.model,
        "status": entry.status,
        "stream": entry.streaming,
        "worker": entry.worker,
        "arrival": since(entry.arrived),
        "first_token": since(entry.first_token),
        "completed": since(entry.ended),
        "tokens": entry.prompt_tokens + entry.completion_tokens,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "cached_tokens": entry.cached_tokens,
    }


def _speedup(router: Router) -> Document:
    """Compare measured times to first token without and with a hit; empty until both exist."""
    cold, warm = router.cold, router.warm
    if not cold.count or not warm.count:
        return {}
    return {
        "avg_baseline_ttft_ms": _ms(cold.value),
        "avg_actual_ttft_ms": _ms(warm.value),
        "avg_speedup_ratio": round(cold.value / warm.value, 4) if warm.value else None,
        "avg_cache_hit_ratio": round(100 * router.overlap.value, 4),
        "total_speedup_records": cold.count + warm.count,
    }
