"""Where more load stops paying, and how much load still meets the SLO. Pure.

The knee is where the *power* of the target is greatest: its throughput divided by its mean latency
(Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer
communications", ICC 1979). Below it, more load brings more throughput than it costs latency; above
it, more latency than throughput. For a server that works on n requests at once and no more, it is
at a concurrency of n. Unlike the greatest distance from a chord (Satopää et al., "Finding a
'Kneedle' in a Haystack", 2011), it does not move when the ladder is made longer.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Final

from validator.benchmark.records import BY_PATH, Bench, Ledger, Level, figure
from validator.values import Number, show

FEWEST: Final = 3
"""Levels that it takes to have one between two others."""
SUCCEEDED: Final = 0.9
"""A level with a lesser share of good answers is not considered: what is refused is fast."""
_RATE: Final = BY_PATH["requests_per_s"]
_GOOD: Final = BY_PATH["goodput.requests_per_s"]
_SHARE: Final = BY_PATH["goodput.share"]


@dataclass(frozen=True, slots=True)
class Knee:
    """The level of the greatest power, or why none is shown."""

    level: Number | None
    why: str
    alike: tuple[Number, ...] = ()
    """Other levels whose runs reach into those of this one: the noise does not tell them apart."""


@dataclass(frozen=True, slots=True)
class Best:
    """The level of the greatest goodput that meets the SLO, or why there is none."""

    level: Number | None
    why: str


def power(ledger: Ledger) -> float | None:
    """Return requests a second for each second of mean latency; None where that is undefined."""
    rate, latency = figure(ledger, "requests_per_s"), mean_latency(ledger)
    return None if rate is None or not latency else 1000 * rate / latency


def mean_latency(ledger: Ledger) -> float | None:
    """Return the mean time to the last token in ms, or to the end of what has no tokens."""
    found = figure(ledger, "latency_ms.mean")
    return figure(ledger, "wall_ms.mean") if found is None else found


def powers(level: Level) -> tuple[float, ...]:
    """Return the power that each run of a level shows."""
    return tuple(p for ledger in level.ledgers if (p := power(ledger)) is not None)


def knee(bench: Bench) -> Knee:
    """Name the level of the greatest power, if it stands between two others."""
    found = [(level, powers(level)) for level in bench.levels if level.succeeded >= SUCCEEDED]
    measured = [(level, values) for level, values in found if values]
    if len(measured) < FEWEST:
        least = f"{100 * SUCCEEDED:.0f} %"
        many = f"{len(measured)} level{'' if len(measured) == 1 else 's'}"
        why = f"{many} with at least {least} success, and it takes {FEWEST}"
        return Knee(None, why)
    top, reached = max(measured, key=lambda one: statistics.median(one[1]))
    if top is measured[-1][0]:
        why = f"throughput ÷ latency is greatest at the last level, {bench.axis.named(top.at)}"
        return Knee(None, f"{why}: sweep higher")
    if top is measured[0][0] and top.at > 1:
        why = f"throughput ÷ latency is greatest at the first level, {bench.axis.named(top.at)}"
        return Knee(None, f"{why}: sweep lower")
    alike = tuple(
        level.at
        for level, values in measured
        if level is not top and len(values) > 1 and max(values) >= min(reached)
    )
    return Knee(top.at, "the greatest throughput ÷ mean latency", alike)


def best(bench: Bench, attainment: float) -> Best | None:
    """Name the level with the greatest goodput of those in which enough requests met the SLO.

    None where the spec has no SLO. *attainment* is the share of all requests that must meet it.
    """
    if not any(level.values(_SHARE) for level in bench.levels):
        return None if not bench.load.get("slo_ms") else Best(None, "no level has a goodput")
    wanted = f"{show(round(100 * attainment, 6))} %"
    meeting = [level for level in bench.levels if (level.median(_SHARE) or 0.0) >= attainment]
    if not meeting:
        top = max(bench.levels, key=lambda level: level.median(_SHARE) or 0.0)
        reached = 100 * (top.median(_SHARE) or 0.0)
        most = f"the most is {reached:.3g} % at {bench.axis.named(top.at)}"
        return Best(None, f"in no level {wanted} of the requests met it: {most}")
    top = max(meeting, key=lambda level: level.median(_GOOD) or 0.0)
    good, share = top.median(_GOOD) or 0.0, 100 * (top.median(_SHARE) or 0.0)
    return Best(top.at, f"{good:.4g} good requests/s, {share:.3g} % within it ({wanted} wanted)")
