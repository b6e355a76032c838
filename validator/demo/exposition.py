"""The accounts as Prometheus text, format 0.0.4, in base units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from validator.demo.figures import QUANTILES, Figures

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "fakeai_dynamo_"

Sample = tuple[Mapping[str, str], float]


def exposition(figures: Figures) -> str:
    """Write the page that says the same as the JSON document."""
    document = figures.document
    summary, throughput = document["summary"], document["throughput"]
    models, workers = document["per_model"], document["worker_stats"]["workers"]
    hit_ratio = round(document["cache"]["hit_rate"] / 100, 6)
    kinds = ("prompt", "completion")
    lines = [
        *_plain("requests_total", "Requests received.", summary["total_requests"]),
        *_plain("successful_requests_total", "Requests answered.", summary["successful_requests"]),
        *_plain("failed_requests_total", "Requests not answered.", summary["failed_requests"]),
        *_family(
            ("tokens_total", "counter", "Tokens received and sent."),
            (({"type": t}, sum(m[f"{t}_tokens"] for m in models.values())) for t in kinds),
        ),
        *_plain(
            "cached_tokens_total",
            "Prompt tokens found in a cache.",
            document["cache"]["total_cached_tokens"],
        ),
        *_plain("active_requests", "Requests in hand.", summary["active_requests"]),
        *_plain("queue_depth", "Requests waiting.", document["queue"]["current_depth"]),
        *_plain("batch_size", "Requests in decode.", document["batch"]["current_size"]),
        *_plain("requests_per_second", "Requests answered.", throughput["requests_per_second"]),
        *_plain("tokens_per_second", "Tokens handled.", throughput["tokens_per_second"]),
        *_plain("cache_hit_ratio", "Share of requests with a hit.", hit_ratio),
        *_family(
            ("worker_requests_total", "counter", "Requests routed to a worker."),
            (({"worker": w["worker_id"]}, w["total_requests"]) for w in workers),
        ),
        *_family(
            ("worker_active_requests", "gauge", "Requests a worker has in hand."),
            (({"worker": w["worker_id"]}, w["active_requests"]) for w in workers),
        ),
        *_family(
            ("model_requests_total", "counter", "Requests for a model."),
            (({"model": name}, model["requests"]) for name, model in models.items()),
        ),
        *_family(
            ("model_tokens_total", "counter", "Tokens of a model."),
            (
                ({"model": name, "type": t}, model[f"{t}_tokens"])
                for name, model in models.items()
                for t in kinds
            ),
        ),
        *_ttft(figures),
        *_total_latency(figures),
    ]
    return "\n".join(lines) + "\n"


def escaped(value: str) -> str:
    """Write a label value so that no quote, backslash or newline ends it early."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _plain(name: str, says: str, value: float) -> Iterable[str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    return _family((name, kind, says), [({}, value)])


def _family(head: tuple[str, str, str], samples: Iterable[Sample]) -> Iterable[str]:
    name, kind, says = head
    yield f"# HELP {PREFIX}{name} {says}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    return f"{PREFIX}{name}{{{inside}}} {value!r}" if inside else f"{PREFIX}{name} {value!r}"


def _ttft(figures: Figures) -> Iterable[str]:
    name, ttft = "ttft_seconds", figures.ttft
    yield from _family((name, "histogram", "Time to the first token."), ())
    for bound, count in zip(ttft.bounds, ttft.buckets, strict=True):
        yield _sample(f"{name}_bucket", {"le": repr(bound)}, count)
    yield _sample(f"{name}_bucket", {"le": "+Inf"}, ttft.count)
    yield _sample(f"{name}_sum", {}, ttft.sum)
    yield _sample(f"{name}_count", {}, ttft.count)


def _total_latency(figures: Figures) -> Iterable[str]:
    """Write a summary; the quantiles of nothing are NaN, as the format has it."""
    name, total = "total_latency_seconds", figures.document["latency"]["total"]
    yield from _family((name, "summary", "Time to the last token."), ())
    for key, quantile in QUANTILES.items():
        seconds = f"{round(total[key] / 1000, 7)!r}" if total["count"] else "NaN"
        yield f'{PREFIX}{name}{{quantile="{quantile}"}} {seconds}'
    yield _sample(f"{name}_sum", {}, figures.total_sum)
    yield _sample(f"{name}_count", {}, figures.total_count)
