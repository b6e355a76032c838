"""What a sweep has seen: one ledger for each run of each level, and the figures taken of them."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from validator.records.load import failures
from validator.values import Json, Number, is_number, show

Ledger: TypeAlias = "Mapping[str, Json]"


class Axis(StrEnum):
    """What differs from level to level."""

    CONCURRENCY = "concurrency"
    RATE = "rate"

    def named(self, level: Number) -> str:
        """Return a level as people say it."""
        return f"{self.value} {show(level)}{'/s' if self is Axis.RATE else ''}"

    def brief(self, level: Number) -> str:
        """Return a level as it fits beside a progress bar."""
        return f"{show(level)}/s" if self is Axis.RATE else f"c={show(level)}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the ledger that levels are judged by."""

    path: str
    label: str
    more_is_better: bool = False
    share: bool = False
    """Shown in percent."""

    def of(self, ledger: Ledger) -> float | None:
        """Return the figure of one ledger; None where it is absent."""
        return figure(ledger, self.path)


METRICS: Final = (
    Metric("success_rate", "success rate", more_is_better=True, share=True),
    Metric("requests_per_s", "requests/s", more_is_better=True),
    Metric("tokens_per_s", "tokens/s", more_is_better=True),
    Metric("goodput.requests_per_s", "goodput/s", more_is_better=True),
    Metric("goodput.share", "goodput", more_is_better=True, share=True),
    *(
        Metric(f"{name}_ms.{quantile}", f"{label} {quantile} ms")
        for name, label in (
            ("ttft", "TTFT"), ("itl", "ITL"), ("tpot", "TPOT"), ("latency", "latency"),
        )
        for quantile in ("p50", "p99")
    ),
)  # fmt: skip
BY_PATH: Final = {metric.path: metric for metric in METRICS}


def figure(ledger: Ledger, path: str) -> float | None:
    """Return the number at the dotted *path* of a ledger; None where there is none."""
    here: Json = {**ledger}
    for key in path.split("."):
        here = here.get(key) if isinstance(here, dict) else None
    return here if is_number(here) else None


@dataclass(frozen=True, slots=True)
class Level:
    """One level, and the ledger of each of its runs."""

    at: Number
    ledgers: tuple[Ledger, ...]

    def values(self, metric: Metric) -> tuple[float, ...]:
        """Return what each run showed of *metric*; absent ones left out."""
        return tuple(v for ledger in self.ledgers if (v := metric.of(ledger)) is not None)

    def median(self, metric: Metric) -> float | None:
        """Return the median of the runs; None where no run has the figure."""
        values = self.values(metric)
        return statistics.median(values) if values else None

    def noise(self, metric: Metric) -> float | None:
        """Return how far the runs are apart, as a share of their median."""
        return spread(self.values(metric))

    def total(self, field: str) -> int:
        """Return a count of all runs together."""
        return sum(int(figure(ledger, field) or 0) for ledger in self.ledgers)

    @property
    def succeeded(self) -> float:
        """The share of all requests of all runs that were ok; those the client cut short apart."""
        ok = self.total("ok")
        return ok / (ok + self.total("failed")) if ok else 0.0


def failed(ledgers: Sequence[Ledger]) -> dict[str, tuple[int, str]]:
    """Return how often requests failed in which way, the most frequent one first, and an example.

    Those that were cut off on purpose are among them.
    """
    counts: Counter[str] = Counter()
    details: dict[str, str] = {}
    for ledger in ledgers:
        for name, count, said in failures(ledger):
            counts[name] += int(count)
            details[name] = details.get(name) or (said and f" ({said})")
    return {name: (n, f"{name}{details[name]}") for name, n in counts.most_common()}


def spread(values: Sequence[float]) -> float | None:
    """Return (greatest - least) ÷ median; None when one value, or none, cannot tell."""
    if len(values) < 2:  # noqa: PLR2004 - noise needs two
        return None
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else None


@dataclass(frozen=True, slots=True)
class Bench:
    """A sweep: what was asked for, and what each level showed."""

    title: str
    spec: str
    target: str
    axis: Axis
    planned: tuple[Number, ...]
    """All levels that were asked for, in rising order."""
    repeat: int
    levels: tuple[Level, ...]
    """Those that were run, in rising order."""
    load: Mapping[str, Json]
    """What each request was, and how many; two sweeps that differ here measured different loads."""
    started: str = ""
    elapsed: float = 0.0
    stopped: str = ""
    """Why not all levels were run, as far as the target is to blame; nothing if all were."""
    interrupted: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the sweep had to stop, or a level had not one good answer."""
        dead = any(not level.total("ok") for level in self.levels)
        return bool(self.stopped) or dead or not self.levels
