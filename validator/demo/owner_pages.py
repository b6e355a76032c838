"""Pages about models: what each was asked, gave and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from validator.demo.families import Families
from validator.demo.reading import percentile
from validator.demo.tally import NANO, ModelTally, Owners

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
COMPARED = {
    "request_count": ("request_count",),
    "avg_latency_ms": ("latency", "avg_ms"),
    "error_rate_percent": ("errors", "rate_percent"),
    "total_cost_usd": ("cost", "total_usd"),
    "cost_per_request_usd": ("cost", "per_request_usd"),
    "total_tokens": ("tokens", "total"),
}

Document = dict[str, Any]


def model(name: str, tally: ModelTally) -> Document:
    """Write what `/metrics/by-model` says about one model.

    A request counts when it comes, whatever becomes of it; latency is that of the answered ones,
    its percentiles those of the latest 1000.
    """
    ordered = sorted(tally.latencies)
    spent = tally.spent
    return {
        "model": name,
        "request_count": tally.requests,
        "tokens": {
            "prompt": spent.prompt_tokens,
            "completion": spent.completion_tokens,
            "total": spent.prompt_tokens + spent.completion_tokens,
        },
        "latency": {
            "avg_ms": _ms(tally.latency_sum / max(1, tally.latency_count)),
            **{
                key: _ms(percentile(ordered, share)) if ordered else 0.0
                for key, share in QUANTILES.items()
            },
        },
        "errors": {
            "count": tally.errors,
            "rate_percent": round(100 * tally.errors / tally.requests, 4),
        },
        "cost": {"total_usd": spent.usd, "per_request_usd": spent.usd / tally.requests},
        "endpoints": dict(tally.endpoints),
        "users": dict(tally.users),
        "uptime_seconds": round(tally.last - tally.first, 6),
        "first_request": tally.first,
        "last_request": tally.last,
    }


def by_model(owners: Owners) -> Document:
    """Write the page `/metrics/by-model`."""
    return {name: model(name, tally) for name, tally in owners.models.items()}


def exposition(owners: Owners) -> str:
    """Write the page `/metrics/by-model/prometheus`."""
    page, models = Families(), by_model(owners)

    def each(of: Callable[[Document], float]) -> Iterable[tuple[dict[str, str], float]]:
        return (({"model": name}, of(one)) for name, one in models.items())

    page.add(
        "fakeai_model_requests_total",
        "counter",
        "Requests for a model.",
        each(lambda one: one["request_count"]),
    )
    page.add(
        "fakeai_model_tokens_total",
        "counter",
        "Tokens of a model.",
        (
            ({"model": name, "type": kind}, one["tokens"][kind])
            for name, one in models.items()
            for kind in ("prompt", "completion")
        ),
    )
    name = "fakeai_model_latency_milliseconds"
    page.head(name, "summary", "Time to the last byte of an answer.")
    for key, one in models.items():
        quantiles = {f"{share}": one["latency"][p] for p, share in QUANTILES.items()}
        tally = owners.models[key]
        total = _ms(tally.latency_sum)
        page.summary(name, {"model": key}, quantiles, total, tally.latency_count)
    page.add(
        "fakeai_model_errors_total",
        "counter",
        "Requests of a model that failed.",
        each(lambda one: one["errors"]["count"]),
    )
    page.add(
        "fakeai_model_cost_usd_total",
        "counter",
        "What a model cost, in US dollars.",
        each(lambda one: one["cost"]["total_usd"]),
    )
    page.add(
        "fakeai_model_endpoint_requests_total",
        "counter",
        "Requests for a model on a path.",
        (
            ({"model": name, "endpoint": path}, count)
            for name, one in models.items()
            for path, count in one["endpoints"].items()
        ),
    )
    return str(page)


def compared(one: Document, two: Document) -> Document:
    """Write the page `/metrics/compare`."""

    def values(keys: tuple[str, ...]) -> Document:
        first, second = one, two
        for key in keys:
            first, second = first[key], second[key]
        before, after = float(str(first)), float(str(second))
        return {
            "model1": first,
            "model2": second,
            "delta": after - before,
            "percent_change": 100 * (after - before) / before if before else 0.0,
        }

    comparison = {name: values(keys) for name, keys in COMPARED.items()}
    ranked = {
        "latency": "avg_latency_ms",
        "error_rate": "error_rate_percent",
        "cost_efficiency": "cost_per_request_usd",
    }
    return {
        "model1": one["model"],
        "model2": two["model"],
        "comparison": comparison,
        "winner": {
            title: (one if comparison[key]["delta"] >= 0 else two)["model"]
            for title, key in ranked.items()
        },
    }


RANKINGS: dict[str, Callable[[Document], float]] = {
    "request_count": lambda one: float(one["request_count"]),
    "latency": lambda one: float(one["latency"]["avg_ms"]),
    "error_rate": lambda one: float(one["errors"]["rate_percent"]),
    "cost": lambda one: float(one["cost"]["total_usd"]),
    "tokens": lambda one: float(one["tokens"]["total"]),
}


def ranking(owners: Owners, metric: str, limit: int) -> list[Document]:
    """Write the page `/metrics/ranking`: the models with the most of *metric* first."""
    return sorted(by_model(owners).values(), key=RANKINGS[metric], reverse=True)[:limit]


def costs(owners: Owners) -> Document:
    """Write the page `/metrics/costs`; sums are taken before they are made floating."""
    return {
        "costs_by_model": {name: tally.spent.usd for name, tally in owners.models.items()},
        "total_cost_usd": sum(tally.spent.nanos for tally in owners.models.values()) / NANO,
    }


def dimensions(owners: Owners) -> Document:
    """Write the page `/metrics/multi-dimensional`."""
    models = owners.models.items()
    return {
        "model_by_endpoint": {name: dict(tally.endpoints) for name, tally in models},
        "model_by_user": {name: dict(tally.users) for name, tally in models},
        "model_by_time_24h": {
            name: [{"timestamp": at, "count": n} for at, n in sorted(tally.hours.items())]
            for name, tally in models
        },
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 4)
