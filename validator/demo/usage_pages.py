"""Pages of the organization: usage by kind of request, and what it is charged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from validator.demo.tally import Minutes, Spent

WIDTHS = {"1m": 60, "1h": 3600, "1d": 86_400}
USAGES = ("completions", "embeddings", "images", "audio_speeches", "audio_transcriptions")

Document = dict[str, Any]


def usage(minutes: Minutes, kind: str, span: tuple[int, int], width: int) -> Document:
    """Write a page of `/v1/organization/usage`: requests of its own kind, and no others."""

    def results(kinds: dict[str, Spent]) -> list[Document]:
        spent = kinds.get(kind, Spent())
        result: Document = {
            "object": f"organization.usage.{kind}.result",
            "input_tokens": spent.prompt_tokens,
            "output_tokens": spent.completion_tokens,
            "input_cached_tokens": spent.cached_tokens,
            "num_model_requests": spent.requests,
        }
        if kind == "images":
            result["images"] = spent.units
        if kind == "audio_speeches":
            result["characters"] = spent.units
        return [result]

    return _buckets(minutes, span, width, results)


def costs(minutes: Minutes, span: tuple[int, int], width: int) -> Document:
    """Write the page `/v1/organization/costs`: a line for each kind of request."""

    def results(kinds: dict[str, Spent]) -> list[Document]:
        return [
            {
                "object": "organization.costs.result",
                "amount": {"value": spent.usd, "currency": "usd"},
                "line_item": kind,
                "project_id": None,
            }
            for kind, spent in kinds.items()
        ]

    return _buckets(minutes, span, width, results)


def _buckets(
    minutes: Minutes,
    span: tuple[int, int],
    width: int,
    results: Callable[[dict[str, Spent]], list[Document]],
) -> Document:
    """Collect the minutes that lie in *span* into buckets that start at multiples of *width*."""
    first, last = span
    buckets: dict[int, dict[str, Spent]] = {}
    for minute, kinds in sorted(minutes.items()):
        if minute + 60 <= first or minute >= last:
            continue
        bucket = buckets.setdefault(minute // width * width, {})
        for kind, spent in kinds.items():
            _join(bucket.setdefault(kind, Spent()), spent)
    data = [
        {"object": "bucket", "start_time": at, "end_time": at + width, "results": results(kinds)}
        for at, kinds in buckets.items()
    ]
    return {"object": "page", "data": data, "has_more": False, "next_page": None}


def _join(into: Spent, more: Spent) -> None:
    into.requests += more.requests
    into.prompt_tokens += more.prompt_tokens
    into.cached_tokens += more.cached_tokens
    into.completion_tokens += more.completion_tokens
    into.units += more.units
    into.nanos += more.nanos
