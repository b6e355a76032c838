"""The figures of a load, as lines that people read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from validator.records.chart import Chart, Form
from validator.records.load import CANCELLED, failures
from validator.values import Number, brief, is_number, printable, show

_BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 16
_FIGURES = ("mean", "min", "p50", "p90", "p95", "p99", "max")
_DISTRIBUTIONS = {
    "ttft_ms": "TTFT",
    "itl_ms": "ITL",
    "tpot_ms": "TPOT",
    "latency_ms": "latency",
    "wall_ms": "to the end",
}


def request_lines(ledger: dict[str, Any]) -> list[str]:
    """Return what a person wants to know of a load: how many, how fast, what failed how."""
    # Those cut off on purpose had no chance to succeed, and have a line of their own.
    sent, ok = _count(ledger, "sent") - _count(ledger, "cancelled"), _count(ledger, "ok")
    rate = f" ({100 * ok / sent:.3g} %)" if sent else ""
    # What a server without usage has sent is known in chunks only, and a chunk is no token.
    unit = "chunks" if _at(ledger, "tokens", "source") == "chunks" else "tokens"
    first = (
        f"Requests  {ok} of {sent} succeeded{rate}"
        f" in {_seconds(ledger.get('duration_s'))}"
        f", {_unit(ledger.get('requests_per_s'), 'requests/s')}"
        f", {_unit(ledger.get('tokens_per_s'), f'{unit}/s')}"
    )
    tokens = _at(ledger, "tokens", "completion")
    each = tokens / ok if ok and is_number(tokens) else None
    averages = (
        f"Average   duration {_ms(_at(ledger, 'wall_ms', 'mean'))}"
        f", TTFT {_ms(_at(ledger, 'ttft_ms', 'mean'))}"
        f", {_unit(each, f'{unit} a request')}"
    )
    spread = [
        f"{label} p50 {_ms(_at(ledger, key, 'p50'))} p99 {_ms(_at(ledger, key, 'p99'))}"
        for label, key in (("TTFT", "ttft_ms"), ("ITL", "itl_ms"), ("latency", "latency_ms"))
        if _at(ledger, key, "p50") is not None
    ]
    lines = [first, averages, *([f"Spread    {', '.join(spread)}"] if spread else [])]
    if goodput := _part(ledger, "goodput"):
        lines.append(f"Goodput   {_goodput(goodput, sent)}")
    for outcome, count, said in failures(ledger):
        if outcome == CANCELLED:
            lines.append(f"Cancelled {brief(count)} in the middle, as the spec says")
        else:
            example = said and f": {printable(said)}"
            lines.append(f"Failed    {brief(count)} × {printable(outcome)}{example}")
    return lines


def distributions(ledger: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """Return the figures of each distribution that has samples, as texts, in milliseconds."""
    found = []
    for key, label in _DISTRIBUTIONS.items():
        part = _part(ledger, key)
        if is_number(part.get("mean")):
            figures = {
                f: show(round(part[f], 2)) if is_number(part.get(f)) else "–" for f in _FIGURES
            }
            found.append((label, {**figures, "samples": show(_count(part, "count"))}))
    return found


def shape_lines(charts: Iterable[Chart]) -> list[str]:
    """Draw the distributions of a load as bars, one character each, in a line."""
    drawn = [
        f"{chart.title:8}{''.join(bars)}  {_ms(low)} – {_ms(high)}"
        for chart in charts
        if chart.form is Form.HISTOGRAM and chart.series
        for bars, low, high in [_bars(chart.series[0].points)]
        if bars
    ]
    return [f"{'' if at else 'Shape':10}{line}" for at, line in enumerate(drawn)]


def _bars(points: Sequence[Sequence[float]]) -> tuple[list[str], float, float]:
    most = max((count for _, _, count in points), default=0)
    if not most:
        return [], 0, 0
    counts = [0.0] * min(_COLUMNS, len(points))
    for index, (_, _, count) in enumerate(points):
        counts[index * len(counts) // len(points)] += count
    most = max(counts)
    # What is there at all is seen: one sample among thousands is a bar, too.
    bars = [_BARS[math.ceil(count / most * (len(_BARS) - 1))] for count in counts]
    return bars, points[0][0], points[-1][1]


def _count(ledger: dict[str, Any], key: str) -> Number:
    found = ledger.get(key)
    return found if is_number(found) else 0


def _part(ledger: dict[str, Any], key: str) -> dict[str, Any]:
    found = ledger.get(key)
    return found if isinstance(found, dict) else {}


def _goodput(found: dict[str, Any], sent: Number) -> str:
    share = found.get("share")
    text = f"{_count(found, 'met')} of {sent} requests met the SLO"
    if is_number(share):
        text += f" ({100 * share:.3g} %)"
    text += f", {_unit(found.get('requests_per_s'), 'requests/s')}"
    if undetermined := _count(found, "undetermined"):
        text += f", {undetermined} undetermined"
    return text


def _at(ledger: dict[str, Any], key: str, name: str) -> Any:
    return _part(ledger, key).get(name)


def _seconds(value: Any) -> str:
    return f"{value:.2f} s" if is_number(value) else "unknown time"


def _ms(value: Any) -> str:
    if not is_number(value):
        return "unknown"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - ms in a second


def _unit(value: Any, unit: str) -> str:
    return f"{value:.1f} {unit}" if is_number(value) else f"unknown {unit}"
