"""What a reading of the traffic looks like on each page: CSV, Prometheus, health, WebSocket."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

from validator.demo.cache import Router
from validator.demo.families import Families, Labels
from validator.demo.reading import MAPS, MEASURES, Document, Reading
from validator.demo.traffic import PathAccount

CSV_COLUMNS = ("metric_type", "endpoint", "rate", *(f"{name}_latency" for name in MEASURES))
DEGRADED, UNHEALTHY = 5, 10
"""Percent of errors above which the server says so."""


def table(reading: Reading) -> str:
    """Write the page `/metrics/csv`: a row for each path of each map."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for name in MAPS:
        for path, row in reading.maps[name].items():
            writer.writerow([name, path, row["rate"], *(row[measure] for measure in MEASURES)])
    return page.getvalue()


def exposition(reading: Reading) -> str:
    """Write the page `/metrics/prometheus`: the rates of the maps, and counters since the start."""
    page = Families()
    for name in ("requests", "responses", "tokens", "errors"):
        rates = (({"endpoint": p}, row["rate"]) for p, row in reading.maps[name].items())
        says = f"{name.capitalize()} a second, over the last minute."
        page.add(f"fakeai_{name}_per_second", "gauge", says, rates)

    def counts(of: Callable[[PathAccount], float]) -> Iterator[tuple[Labels, float]]:
        return (({"endpoint": path}, of(one)) for path, one in reading.totals.items())

    for name, says, of in (
        ("requests", "Requests that came.", lambda one: one.requests),
        ("responses", "Requests answered in full.", lambda one: one.responses),
    ):
        page.add(f"fakeai_{name}_total", "counter", says, counts(of))
    page.add(
        "fakeai_errors_total",
        "counter",
        "Requests refused, broken or cancelled.",
        (
            ({"endpoint": path, "reason": reason}, count)
            for path, one in reading.totals.items()
            for reason, count in one.errors.items()
        ),
    )
    page.add(
        "fakeai_tokens_total",
        "counter",
        "Tokens received and sent.",
        (
            ({"endpoint": path, "type": kind}, count)
            for path, one in reading.totals.items()
            for kind, count in (
                ("prompt", one.prompt_tokens),
                ("completion", one.completion_tokens),
            )
        ),
    )
    page.head("fakeai_latency_seconds", "histogram", "Time to the last byte of an answer.")
    for path, one in reading.totals.items():
        _histogram(page, "fakeai_latency_seconds", path, one)
    page.head("fakeai_ttft_seconds", "histogram", "Time to the first token of a stream.")
    for path, one in reading.totals.items():
        if sum(one.ttft.apart):
            _histogram(page, "fakeai_ttft_seconds", path, one)
    stats = reading.streaming_stats
    page.add("fakeai_active_streams", "gauge", "Streams in hand.", [({}, stats["active_streams"])])
    for name in ("completed", "failed"):
        says = f"Streams that {name}."
        samples: list[tuple[Labels, float]] = [({}, stats[f"{name}_streams"])]
        page.add(f"fakeai_{name}_streams_total", "counter", says, samples)
    return str(page)


def _histogram(page: Families, name: str, path: str, account: PathAccount) -> None:
    buckets = account.ttft if "ttft" in name else account.latency
    page.histogram(name, {"endpoint": path}, buckets.bounds, buckets.apart, buckets.sum)


def health(reading: Reading) -> Document:
    """Write the page `/health/detailed`."""
    share = reading.error_share
    maps = reading.maps
    answered = {path: len(group.good) for path, group in reading.groups.items()}
    seconds = sum(row["avg"] * answered.get(path, 0) for path, row in maps["responses"].items())
    status = "unhealthy" if share > UNHEALTHY else "degraded" if share > DEGRADED else "healthy"
    return {
        "status": status,
        "timestamp": reading.timestamp,
        "uptime_seconds": round(reading.uptime, 6),
        "metrics_summary": {
            "total_requests_per_second": _total(maps["requests"]),
            "total_errors_per_second": _total(maps["errors"]),
            "error_rate_percentage": round(share, 4),
            "average_latency_seconds": round(seconds / max(1, sum(answered.values())), 6),
            "active_streams": reading.streaming_stats["active_streams"],
        },
        "endpoints": {
            path: {
                "requests_per_second": row["rate"],
                "latency_p50_ms": _ms(maps["responses"].get(path, {}).get("p50", 0.0)),
                "latency_p99_ms": _ms(maps["responses"].get(path, {}).get("p99", 0.0)),
            }
            for path, row in maps["requests"].items()
            if path in reading.groups
        },
    }


def live(reading: Reading, router: Router, queued: int) -> Document:
    """Write what the WebSocket sends as `data`; latency is in ms here."""
    maps, stats = reading.maps, reading.streaming_stats

    def rates(name: str) -> dict[str, Any]:
        return {path: row["rate"] for path, row in maps[name].items()}

    streams = {name: stats[name] for name in ("active_streams", "completed_streams")}
    return {
        "throughput": {
            "requests_per_sec": rates("requests"),
            "responses_per_sec": rates("responses"),
            "tokens_per_sec": rates("tokens"),
            "total_requests_per_sec": _total(maps["requests"]),
            "total_tokens_per_sec": _total(maps["tokens"]),
        },
        "latency": {
            path: {name: _ms(row[name]) for name in MEASURES}
            for path, row in maps["responses"].items()
        },
        "cache": {
            "hit_rate": round(router.hit_rate, 4),
            "total_hits": router.hits,
            "total_misses": router.misses,
            "cached_tokens": router.cached_tokens,
        },
        "queue": {"active_streams": stats["active_streams"], "queue_depth": queued},
        "streaming": {**streams, "failed_streams": stats["failed_streams"]},
        "error": {
            "errors_per_sec": rates("errors"),
            "total_errors_per_sec": _total(maps["errors"]),
        },
    }


def _total(rows: Document) -> float:
    return round(math.fsum(row["rate"] for row in rows.values()), 6)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)
