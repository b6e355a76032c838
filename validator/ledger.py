"""The ledger: what the client itself saw of a load, as the document that assertions read."""

from __future__ import annotations

import functools
import re
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Final

from validator import stats
from validator.query import Match, Query, child, compiled
from validator.records.load import OK, OUTCOMES, Exchange, LoadResult
from validator.registry import suggest
from validator.values import Json

MS: Final = 1000
"""Milliseconds in a second: exchanges keep seconds, the ledger says milliseconds."""
DETAILS: Final = 5
"""Different details that are kept for each class of failure."""

REASONS: Final = 20
"""Different finish reasons that are kept; the rest are counted under `other`."""

_BY_NAME = {"outcomes", "models", "errors", "finish_reasons"}
"""Fields whose own fields depend on the load."""
_LONGEST = 60
_STATUS = re.compile(r"status_[1-5]\d\d")
_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
"""The finish reasons of the OpenAI API."""


def ledger(result: LoadResult) -> dict[str, Json]:
    """Return the document that assertions read: times in ms, absent samples counted, never zeros.

    Latencies, tokens and rates are those of ok exchanges; a failed one has none to compare.
    """
    sent, good = result.exchanges, [e for e in result.exchanges if e.ok]
    duration = result.duration
    outcomes = Counter(e.outcome for e in sent)
    tokens = _tokens(good)
    return {
        "sent": len(sent),
        "ok": len(good),
        "failed": len(sent) - len(good),
        "success_rate": len(good) / len(sent) if sent else None,
        "duration_s": duration,
        "outcomes": {OK: len(good), **dict(sorted(outcomes.items()))},
        "errors": _errors(sent),
        "finish_reasons": _reasons(good),
        "requests_per_s": _rate(len(good), duration),
        "tokens_per_s": _rate(tokens["completion"], duration),
        "tokens": {**tokens, "source": _source(good)},
        "chunks": sum(e.chunks for e in good),
        "models": _models(sent),
        "in_flight_max": result.in_flight_max,
        "ttft_ms": _times(e.ttft for e in good),
        "ttfc_ms": _times(e.ttfc for e in good),
        "itl_ms": _gaps(good),
        "tpot_ms": _times(e.tpot for e in good),
        "latency_ms": _times(e.latency for e in good),
        "wall_ms": _times(e.wall for e in good),
        "client": {"lag_ms": _lag(result.lags), "cpu_share": result.cpu_share},
    }


def _rate(amount: int | None, duration: float) -> float | None:
    return amount / duration if amount is not None and duration > 0 else None


def _total(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None of nothing, and None as soon as one summand is unknown."""
    known = list(counts)
    return sum(n for n in known if n is not None) if known and None not in known else None


def _tokens(good: list[Exchange]) -> dict[str, int | None]:
    return {
        "prompt": _total(e.prompt_tokens for e in good),
        "completion": _total(e.completion_tokens for e in good),
        "cached": _total(e.cached_tokens for e in good),
    }


def _source(good: list[Exchange]) -> str | None:
    sources = {e.token_source for e in good} - {None}
    return "mixed" if len(sources) > 1 else next(iter(sources), None)


def _models(sent: Iterable[Exchange]) -> dict[str, Json]:
    by_name: dict[str, list[Exchange]] = {}
    for exchange in sent:
        by_name.setdefault(exchange.model, []).append(exchange)
    models: dict[str, Json] = {}
    for name, exchanges in by_name.items():
        good = [e for e in exchanges if e.ok]
        models[name] = {"sent": len(exchanges), "ok": len(good), "tokens": {**_tokens(good)}}
    return models


def _errors(sent: Iterable[Exchange]) -> dict[str, Json]:
    found: dict[str, list[Json]] = {}
    for exchange in sent:
        if not exchange.ok:
            details = found.setdefault(exchange.outcome, [])
            if len(details) < DETAILS and exchange.detail and exchange.detail not in details:
                details.append(exchange.detail)
    return {**found}


def _reasons(good: Iterable[Exchange]) -> dict[str, Json]:
    """Count why choices ended; what a server says is cut, and kept of so many kinds only."""
    counts: Counter[str] = Counter()
    for exchange in good:
        for said in exchange.finish_reasons:
            reason = said[:_LONGEST]
            counts[reason if reason in counts or len(counts) < REASONS else "other"] += 1
    return {**dict(sorted(counts.items()))}


def _times(seconds: Iterable[float | None]) -> dict[str, Json]:
    every = list(seconds)
    known = [value for value in every if value is not None]
    return {**stats.summary(known, len(every) - len(known), scale=MS)}


def _gaps(good: list[Exchange]) -> dict[str, Json]:
    gaps = array("d")
    for exchange in good:
        gaps.extend(exchange.gaps)
    return {**stats.summary(gaps, sum(not e.gaps for e in good), scale=MS)}


def _lag(lags: tuple[float, ...]) -> dict[str, Json]:
    summary = stats.summary(lags, scale=MS)
    return {name: summary[name] for name in ("p50", "p99", "max")}


def look(query: Query, document: Json) -> tuple[Match, ...]:
    """Return what *query* selects from a ledger; a class that never happened counts 0."""
    found = query.select(document)
    if found or not query.definite or len(query.keys) < 2:  # noqa: PLR2004 - a field and a class
        return found
    *way, field, name = query.keys
    counted = (field == "outcomes" and _is_outcome(name)) or (
        field == "finish_reasons" and name in _REASONS
    )
    if not counted or not compiled(functools.reduce(child, (*way, field), "$")).select(document):
        return ()
    return (Match(functools.reduce(child, query.keys, "$"), 0),)


def _is_outcome(name: str | int) -> bool:
    return name in OUTCOMES or _STATUS.fullmatch(str(name)) is not None


def unknown_field(query: Query) -> tuple[str, str] | None:
    """Return the first key of *query* that no ledger has, and a hint; None if all are known.

    A misspelt field is then found when the spec is read, and not after a load.
    """
    here: Json = _example()
    for at, key in enumerate(query.keys):
        if not isinstance(here, dict):
            return str(key), "that is a number, and has no fields"
        if key not in here:
            return str(key), suggest(str(key), here, "fields")
        if key in _BY_NAME:
            return _unknown_class(query.keys[at + 1 :]) if key == "outcomes" else None
        here = here[str(key)]
    return None


def _unknown_class(rest: tuple[str | int, ...]) -> tuple[str, str] | None:
    """Return the outcome that *rest* begins with if no request ever has it, and a hint."""
    name = rest[0] if rest else OK
    if _is_outcome(name):
        return None
    return f"outcomes.{name}", suggest(str(name), (*OUTCOMES, "status_429"), "outcomes")


@functools.cache
def _example() -> Json:
    return ledger(LoadResult(()))
