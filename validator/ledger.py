"""The ledger: what the client itself saw of a load, as the document that assertions read."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from validator import stats
from validator.columns import Columns
from validator.query import Match, Query, child, compiled
from validator.records.load import OK, OUTCOMES, Exchange, LoadResult, Slo, Zero
from validator.records.tally import MS, TIMES, Samples, Tally, Tokens
from validator.registry import suggest
from validator.values import Json

_BY_NAME: Final = {"outcomes", "models", "errors", "finish_reasons"}
"""Fields whose own fields depend on the load."""
_STATUS = re.compile(r"status_[1-5]\d\d")
FINISH_REASONS: Final = ("stop", "length", "tool_calls", "content_filter", "function_call")
"""The finish reasons of the OpenAI API."""


def ledger(result: LoadResult) -> dict[str, Json]:
    """Return the document that assertions read: times in ms, absent samples counted, never zeros.

    Latencies, tokens and rates are those of ok exchanges; a failed one has none to compare.
    """
    tally = _tally(result)
    duration = tally.duration
    times = {f"{name}_ms": _summary(samples) for name, samples in tally.times.items()}
    return {
        "sent": tally.sent,
        "ok": tally.ok,
        "failed": tally.judged - tally.ok,
        "cancelled": tally.cancelled,
        "success_rate": tally.ok / tally.judged if tally.judged else None,
        "duration_s": duration,
        **_wall_clock(result.zero, tally),
        "outcomes": {OK: tally.ok, **dict(sorted(tally.outcomes.items()))},
        "errors": {name: [*details] for name, details in tally.errors.items()},
        "finish_reasons": {**dict(sorted(tally.reasons.items()))},
        "requests_per_s": _rate(tally.ok, duration),
        "tokens_per_s": _rate(tally.tokens.completion.value, duration),
        "tokens": {**_tokens(tally.tokens), "source": _source(tally.sources)},
        "chunks": tally.chunks,
        "models": _models(tally),
        "in_flight_max": result.in_flight_max,
        "ttft_ms": times["ttft_ms"],
        "ttfc_ms": times["ttfc_ms"],
        "itl_ms": _summary(tally.gaps),
        "tpot_ms": times["tpot_ms"],
        "latency_ms": times["latency_ms"],
        "wall_ms": times["wall_ms"],
        "percentiles": {"exact": not tally.sketched, "relative_error": tally.error},
        "aborted": result.aborted or False,
        "client": {
            "lag_ms": _lag(result.lags),
            "prepare_ms": _few(times["prepared_ms"]),
            "cpu_share": result.cpu_share,
            "cpu_total": result.cpu_total,
            "processes": result.processes,
            "lost": [*result.lost],
            "late_ms": _few(tally.late.summary()),
            "held_back": result.held_back,
            "unsent": result.unsent,
        },
        "goodput": None if tally.slo is None else _goodput(tally, tally.slo),
    }


def _lag(lags: Sequence[float]) -> dict[str, Json]:
    """Return how late the event loop woke up, and by how much in all."""
    return {
        **_few(stats.summary(lags, scale=MS)),
        "total": math.fsum(lags) * MS if lags else None,
    }


def _goodput(tally: Tally, slo: Slo) -> dict[str, Json]:
    """Return how many ok requests met every limit; a failed one meets none."""
    met = tally.good[True]
    return {
        "met": met,
        "missed": tally.good[False],
        "undetermined": tally.good[None],
        "share": met / tally.judged if tally.judged else None,
        "requests_per_s": _rate(met, tally.duration),
        "slo_ms": {name: limit * MS for name, limit in slo.limits.items()},
    }


def _tally(result: LoadResult) -> Tally:
    sent = result.exchanges
    exchanges = sent if isinstance(sent, Columns) else Columns(Exchange, sent)
    tally = Tally(exchanges.where("outcome", OK).joined("gaps"), slo=result.slo)
    for exchange in exchanges:
        tally.add(exchange)
    if result.beyond is not None:
        tally.merge(result.beyond)
    return tally


def _wall_clock(zero: Zero | None, tally: Tally) -> dict[str, Json]:
    """Return when the load began and ended, in seconds since 1970."""
    if zero is None or not tally.sent:
        return {"started_at": None, "ended_at": None}
    return {
        "started_at": zero.epoch + tally.first_sent,
        "ended_at": zero.epoch + tally.last_done,
    }


def _rate(amount: int | None, duration: float) -> float | None:
    return amount / duration if amount is not None and duration > 0 else None


def _tokens(tokens: Tokens) -> dict[str, Json]:
    return {
        "prompt": tokens.prompt.value,
        "completion": tokens.completion.value,
        "cached": tokens.cached.value,
    }


def _source(sources: set[str]) -> str | None:
    return "mixed" if len(sources) > 1 else next(iter(sources), None)


def _models(tally: Tally) -> dict[str, Json]:
    return {
        name: {"sent": model.sent, "ok": model.ok, "tokens": _tokens(model.tokens)}
        for name, model in tally.models.items()
    }


def _summary(samples: Samples) -> dict[str, Json]:
    return {**samples.summary()}


def _few(summary: Mapping[str, Json]) -> dict[str, Json]:
    return {name: summary[name] for name in ("p50", "p99", "max")}


def lost(document: Json, query: Query | None = None) -> str:
    """Say which shares of a load are missing from its ledger; nothing when it is whole.

    Of several ledgers by name, that one counts which *query* asks.
    """
    ledgers = document if isinstance(document, dict) else {}
    named = ledgers.get(str(query.keys[0])) if query is not None and query.keys else None
    asked = named if isinstance(named, dict) and "client" in named else ledgers
    client = asked.get("client")
    shares = client.get("lost") if isinstance(client, dict) else None
    return "; ".join(map(str, shares)) if isinstance(shares, list) else ""


def look(query: Query, document: Json) -> tuple[Match, ...]:
    """Return what *query* selects from a ledger; a class that never happened counts 0."""
    found = query.select(document)
    if found or not query.definite or len(query.keys) < 2:  # noqa: PLR2004 - a field and a class
        return found
    *way, field, name = query.keys
    counted = (field == "outcomes" and _is_outcome(name)) or (
        field == "finish_reasons" and name in FINISH_REASONS
    )
    if not counted or not compiled(functools.reduce(child, (*way, field), "$")).select(document):
        return ()
    return (Match(functools.reduce(child, query.keys, "$"), 0),)


def _is_outcome(name: str | int) -> bool:
    return name in OUTCOMES or _STATUS.fullmatch(str(name)) is not None


_ELSEWHERE: Final = {
    "requests": "sent", "total": "sent", "count": "sent", "success": "ok", "successes": "ok",
    "succeeded": "ok", "passed": "ok", "failures": "failed", "rps": "requests_per_s",
    "throughput": "requests_per_s", "duration": "duration_s", "e2e": "latency_ms",
    "concurrency": "in_flight_max",
}  # fmt: skip
"""What others call the fields of a ledger."""


def fields() -> list[str]:
    """Return the fields that every ledger has."""
    return list(_example())


def unknown_field(keys: Sequence[str | int]) -> tuple[str, str] | None:
    """Return the first of *keys*, one inside the other, that no ledger has, and a hint.

    None if all are known.

    A misspelt field is then found when the spec is read, and not after a load.
    """
    here: Json = _example()
    for at, key in enumerate(keys):
        if not isinstance(here, dict):
            return str(key), "that is a number, and has no fields"
        if key not in here:
            return str(key), suggest(str(key), here, "fields", {} if at else _ELSEWHERE)
        if key in _BY_NAME:
            return _unknown_class(keys[at + 1 :]) if key == "outcomes" else None
        here = here[str(key)]
    return None


def figures_at(keys: Sequence[str | int]) -> list[str]:
    """Return the names of what *keys* lead to, in a ledger or in one of several; none of a value.

    Of fields whose names the server decides, such as `models`, they are not known.
    """
    here: Json = _example()
    for key in keys[1:] if len(keys) > 1 and keys[0] not in _example() else keys:
        if key in _BY_NAME or not isinstance(here, dict) or key not in here:
            return []
        here = here[str(key)]
    return list(here) if isinstance(here, dict) else []


def _unknown_class(rest: Sequence[str | int]) -> tuple[str, str] | None:
    """Return the outcome that *rest* begins with if no request ever has it, and a hint."""
    name = rest[0] if rest else OK
    if _is_outcome(name):
        return None
    return f"outcomes.{name}", suggest(str(name), (*OUTCOMES, "status_429"), "outcomes")


@functools.cache
def _example() -> dict[str, Json]:
    return ledger(LoadResult((), slo=Slo(dict.fromkeys((*TIMES, "itl"), 0.0))))
