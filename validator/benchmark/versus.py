"""Two sweeps, metric by metric and level by level: better, the same or worse. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from validator.benchmark.doubts import client_bound, lost_shares
from validator.benchmark.records import METRICS, Axis, Bench, Level, Metric, figure, spread
from validator.errors import UsageError
from validator.values import Number, brief, show

SAMPLES: Final = 100
"""Of fewer, a p99 is the slowest of them or nearly so, and chance."""


class Verdict(StrEnum):
    """How the later sweep stands to the earlier one."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    GONE = "gone"
    """The earlier sweep has the figure, and the later has not: counted as worse."""
    NEW = "new"
    UNDECIDED = "undecided"
    """It looks better or worse, and cannot be told to be."""


@dataclass(frozen=True, slots=True)
class Change:
    """One metric at one level in two sweeps."""

    level: Number
    metric: Metric
    verdict: Verdict
    was: float | None
    """The median of the runs."""
    now: float | None
    noise: float | None
    """How far the runs of the noisier sweep are apart, as a share of their median; None if neither
    sweep has more than one run, so that nobody knows."""
    reason: str = ""
    """Why it is undecided."""

    @property
    def ratio(self) -> float | None:
        """By what share the figure has grown."""
        if self.was is None or self.now is None or not self.was:
            return None
        return self.now / self.was - 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """What lies between two sweeps."""

    earlier: Bench
    later: Bench
    tolerance: float
    changes: tuple[Change, ...]
    lost: tuple[Number, ...]
    """Levels that the later sweep wanted and did not reach, and the earlier one did."""

    @property
    def worse(self) -> bool:
        """Whether anything is worse, or gone."""
        bad = any(c.verdict in (Verdict.WORSE, Verdict.GONE) for c in self.changes)
        return bad or bool(self.lost)

    @property
    def others(self) -> tuple[str, ...]:
        """What a person should know before they trust the comparison."""
        return tuple(_others(self.earlier, self.later))


def check_comparable(earlier: Bench, axis: Axis, levels: Collection[Number]) -> None:
    """Raise `UsageError` when a sweep of *levels* has nothing in common with an earlier one."""
    if earlier.axis is not axis:
        axes = f"one sweeps {earlier.axis.value}, the other {axis.value}"
        raise UsageError(f"nothing to compare: {axes}")
    was = [level.at for level in earlier.levels]
    if not set(was) & set(levels):
        told = [", ".join(map(show, each)) or "none" for each in (was, levels)]
        raise UsageError(
            f"nothing to compare: one has the levels {told[0]}, and the other {told[1]}"
        )


def compare(earlier: Bench, later: Bench, tolerance: float) -> Comparison:
    """Compare two sweeps; raise `UsageError` when they have no level in common.

    A metric is better or worse when its medians differ by more than *tolerance* (a share) and by
    more than the noise, *and* every run of the one sweep is on the same side of every run of the
    other. If nothing had changed, k runs against k would be apart like that, on the bad side, once
    in C(2k, k) times: the smallest p-value of the rank-sum test (Mann and Whitney 1947), 1/20 for
    three runs. Of too few samples for its percentile, of a client that was the bottleneck, and of
    less than the lag of its event loop, a difference is undecided.
    """
    was, now = ({level.at: level for level in bench.levels} for bench in (earlier, later))
    lost = tuple(at for at in was if at not in now and at in later.planned)
    stopped = lost if later.stopped else ()
    check_comparable(earlier, later.axis, (*now, *stopped))
    metrics = METRICS
    if earlier.load.get("slo_ms") != later.load.get("slo_ms"):
        metrics = tuple(m for m in METRICS if not m.path.startswith("goodput"))
    changes = tuple(
        change
        for at in sorted(was.keys() & now.keys())
        for metric in metrics
        if (change := _change(metric, was[at], now[at], tolerance))
    )
    return Comparison(earlier, later, tolerance, changes, lost if later.stopped else ())


def _change(metric: Metric, earlier: Level, later: Level, tolerance: float) -> Change | None:
    was, now = earlier.values(metric), later.values(metric)
    if not was and not now:
        return None
    verdict = judged(was, now, tolerance, more_is_better=metric.more_is_better)
    reason = ""
    before = statistics.median(was) if was else None
    after = statistics.median(now) if now else None
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        assert before is not None
        assert after is not None
        if reason := _unsure(metric, abs(after - before), earlier, later):
            verdict = Verdict.UNDECIDED
    return Change(earlier.at, metric, verdict, before, after, noise(was, now), reason)


def noise(was: Sequence[float], now: Sequence[float]) -> float | None:
    """Return the greater spread of two sets of runs; None if neither has one."""
    return max((s for s in (spread(was), spread(now)) if s is not None), default=None)


def _unsure(metric: Metric, difference: float, *levels: Level) -> str:
    """Say why a *difference* means nothing; nothing if it may."""
    ledgers = [ledger for level in levels for ledger in level.ledgers]
    if any(map(lost_shares, ledgers)):
        return "shares lost"
    if metric.path != "success_rate" and any(map(client_bound, ledgers)):
        return "client late"
    name, _, quantile = metric.path.partition(".")
    if quantile == "p99" and any((figure(one, f"{name}.count") or 0) < SAMPLES for one in ledgers):
        return "few samples"
    lags = [figure(one, f"client.lag_ms.{quantile}") or 0.0 for one in ledgers]
    if name.endswith("_ms") and difference <= max(lags):
        return "within lag"
    return ""


def judged(
    was: Sequence[float], now: Sequence[float], tolerance: float, *, more_is_better: bool
) -> Verdict:
    """Say how the runs of a later sweep stand to those of an earlier one, by one metric."""
    if not was:
        return Verdict.NEW
    if not now:
        return Verdict.GONE
    before, after = statistics.median(was), statistics.median(now)
    apart = min(now) > max(was) or max(now) < min(was)
    least = max(tolerance, noise(was, now) or 0.0) * abs(before)
    if not apart or abs(after - before) <= least:
        return Verdict.SAME
    return Verdict.BETTER if (after > before) == more_is_better else Verdict.WORSE


def _others(earlier: Bench, later: Bench) -> Iterator[str]:
    """Yield what else is different, and so may explain what is found."""
    if earlier.title != later.title:
        yield f"other specs: {brief(earlier.title)} → {brief(later.title)}"
    if earlier.target != later.target:
        yield f"other targets: {earlier.target} → {later.target}"
    for name in dict.fromkeys((*earlier.load, *later.load)):
        was, now = earlier.load.get(name), later.load.get(name)
        if was != now:
            yield f"other loads: {name} {brief(was)} → {brief(now)}"
    processes = [sorted(_processes(bench)) for bench in (earlier, later)]
    if processes[0] != processes[1]:
        was, now = (", ".join(map(show, found)) or "?" for found in processes)
        yield f"other clients: processes {was} → {now}"
    was_levels, now_levels = ({level.at for level in b.levels} for b in (earlier, later))
    yield from _of_one("earlier", earlier, was_levels - now_levels)
    yield from _of_one("later", later, now_levels - was_levels)


def _processes(bench: Bench) -> set[float]:
    ledgers = [ledger for level in bench.levels for ledger in level.ledgers]
    return {n for one in ledgers if (n := figure(one, "client.processes")) is not None}


def _of_one(which: str, bench: Bench, only: set[Number]) -> Iterator[str]:
    if only:
        yield f"only in the {which} sweep: {', '.join(map(show, sorted(only)))}"
    if bench.interrupted:
        yield f"the {which} sweep was interrupted"
    if bench.stopped:
        yield f"the {which} sweep stopped at {bench.stopped}"
    if bench.repeat == 1:
        yield f"the {which} sweep ran each level once, so its noise is unknown: --repeat 3 shows it"
