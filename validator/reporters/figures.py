"""The figures of a load, as lines that people read."""

from __future__ import annotations

from typing import Any

from validator.values import is_number, printable


def request_lines(ledger: dict[str, Any]) -> list[str]:
    """Return what a person wants to know of a load: how many, how fast, what failed how."""
    sent, ok = ledger.get("sent", 0), ledger.get("ok", 0)
    rate = f" ({100 * ok / sent:.3g} %)" if sent else ""
    first = (
        f"Requests  {ok} of {sent} succeeded{rate}"
        f" in {_seconds(ledger.get('duration_s'))}"
        f", {_unit(ledger.get('requests_per_s'), 'requests/s')}"
        f", {_unit(ledger.get('tokens_per_s'), 'tokens/s')}"
    )
    tokens = ledger.get("tokens", {})
    each = tokens.get("completion") / ok if ok and is_number(tokens.get("completion")) else None
    averages = (
        f"Average   duration {_ms(_at(ledger, 'wall_ms', 'mean'))}"
        f", TTFT {_ms(_at(ledger, 'ttft_ms', 'mean'))}"
        f", {_unit(each, 'tokens a request')}"
    )
    spread = [
        f"{label} p50 {_ms(_at(ledger, key, 'p50'))} p99 {_ms(_at(ledger, key, 'p99'))}"
        for label, key in (("TTFT", "ttft_ms"), ("ITL", "itl_ms"), ("latency", "latency_ms"))
        if _at(ledger, key, "p50") is not None
    ]
    lines = [first, averages, *([f"Spread    {', '.join(spread)}"] if spread else [])]
    for outcome, count in ledger.get("outcomes", {}).items():
        if outcome != "ok":
            examples = ledger.get("errors", {}).get(outcome, [])
            example = f": {printable(examples[0])}" if examples else ""
            lines.append(f"Failed    {count} × {printable(outcome)}{example}")
    return lines


def _at(ledger: dict[str, Any], key: str, name: str) -> Any:
    return ledger.get(key, {}).get(name)


def _seconds(value: Any) -> str:
    return f"{value:.2f} s" if is_number(value) else "unknown time"


def _ms(value: Any) -> str:
    if not is_number(value):
        return "unknown"
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - ms in a second


def _unit(value: Any, unit: str) -> str:
    return f"{value:.1f} {unit}" if is_number(value) else f"unknown {unit}"
