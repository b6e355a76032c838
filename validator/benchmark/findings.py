"""All that is said of a sweep, however it is shown: its knee, its best level, its comparison."""

from __future__ import annotations

from dataclasses import dataclass

from validator.benchmark.doubts import doubts
from validator.benchmark.knee import Best, Knee, best, knee
from validator.benchmark.records import Bench
from validator.benchmark.versus import Comparison
from validator.values import Number


@dataclass(frozen=True, slots=True)
class Findings:
    """A sweep, and what follows from it."""

    bench: Bench
    knee: Knee
    best: Best | None
    doubts: dict[Number, list[str]]
    """Of the levels there are any about."""
    attainment: float
    comparison: Comparison | None = None

    @classmethod
    def of(cls, bench: Bench, attainment: float, comparison: Comparison | None = None) -> Findings:
        """Return what follows from *bench*."""
        found = {level.at: told for level in bench.levels if (told := doubts(bench, level))}
        return cls(bench, knee(bench), best(bench, attainment), found, attainment, comparison)
