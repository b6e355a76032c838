"""Pages about rate limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from validator.demo.limits import TIER, KeyAccount, Limits
from validator.demo.reading import percentile

BUCKETS_MS = (100, 500, 1000, 5000, 10_000, 30_000, 60_000)
ABUSE_SHARE, ABUSE_REQUESTS = 0.5, 10
"""A key that is throttled more often than this, over so many requests, is reported."""
SEVERE_SHARE = 0.8

Document = dict[str, Any]


def key(name: str, account: KeyAccount, now: float) -> Document:
    """Write the page of one key.

    Tokens asked for are those consumed, and of throttled requests a quarter of their bytes.
    """
    rate = account.throttle_rate
    requested = account.consumed_tokens + account.refused_tokens
    return {
        "api_key": name,
        "tier": TIER,
        "time_in_service_seconds": round(now - account.first, 6),
        "requests": {
            "total_attempted": account.attempted,
            "total_allowed": account.allowed,
            "total_throttled": account.throttled,
            "throttle_rate": round(rate, 6),
            "success_rate": round(1 - rate, 6) if account.attempted else 0.0,
        },
        "tokens": {
            "total_requested": requested,
            "total_consumed": account.consumed_tokens,
            "efficiency": round(account.consumed_tokens / requested, 6) if requested else 0.0,
        },
        "usage_patterns": {"peak_rpm": account.rpm.most, "peak_tpm": account.tpm.most},
    }


def tiers(limits: Limits) -> Document:
    """Write the page of tiers: every key is of the one tier there is."""
    accounts = limits.keys.values()
    if not accounts:
        return {}
    return {
        TIER: {
            "key_count": len(accounts),
            "total_requests_attempted": sum(one.attempted for one in accounts),
            "total_requests_allowed": sum(one.allowed for one in accounts),
            "total_requests_throttled": sum(one.throttled for one in accounts),
            "total_tokens_consumed": sum(one.consumed_tokens for one in accounts),
            "avg_throttle_rate": round(
                sum(one.throttle_rate for one in accounts) / len(accounts), 6
            ),
        }
    }


def throttling(limits: Limits) -> Document:
    """Write the page about waits; the distribution is of the latest 1000, in ms."""
    waits = sorted(1000 * seconds for seconds in limits.waits)
    return {
        "total_throttle_events": limits.throttled,
        "duration_histogram": _histogram(waits) if waits else {},
        "retry_after_distribution": _distribution(waits) if waits else {},
        "rpm_vs_tpm_exceeded": {"rpm_only": limits.throttled, "tpm_only": 0, "both": 0},
    }


def abuse(limits: Limits) -> list[Document]:
    """Write the page of keys that are throttled most of the time."""
    return [
        {
            "api_key": name,
            "tier": TIER,
            "issues": [f"{account.throttle_rate:.0%} of its requests are throttled"],
            "total_requests": account.attempted,
            "throttle_rate": round(account.throttle_rate, 6),
            "severity": "high" if account.throttle_rate > SEVERE_SHARE else "medium",
        }
        for name, account in limits.keys.items()
        if account.attempted >= ABUSE_REQUESTS and account.throttle_rate > ABUSE_SHARE
    ]


def overview(limits: Limits) -> Document:
    """Write the page `/metrics/rate-limits`: all of the others."""
    return {
        "summary": {
            "total_keys": len(limits.keys),
            "total_throttle_events": limits.throttled,
            "tiers": [*tiers(limits)],
        },
        "tier_stats": tiers(limits),
        "throttle_analytics": throttling(limits),
        "abuse_patterns": abuse(limits),
    }


def _histogram(waits: Sequence[float]) -> Document:
    """Count the waits below each bound, and those above the last."""
    last = BUCKETS_MS[-1]
    counts = {f"<{bound}ms": sum(wait < bound for wait in waits) for bound in BUCKETS_MS}
    return {**counts, f">={last}ms": sum(wait >= last for wait in waits)}


def _distribution(waits: Sequence[float]) -> Document:
    return {
        "min": waits[0],
        "max": waits[-1],
        "avg": sum(waits) / len(waits),
        "median": percentile(waits, 0.5),
        "p90": percentile(waits, 0.9),
        "p95": percentile(waits, 0.95),
        "p99": percentile(waits, 0.99),
    }
