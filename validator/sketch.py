"""Percentiles of more samples than are kept, with a stated error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import filterfalse
from math import fsum
from typing import Final

from ddsketch import DDSketch
from ddsketch.mapping import LogarithmicMapping

from validator.stats import QUANTILES, SKETCH_ERROR

_MAPPING: Final = LogarithmicMapping(SKETCH_ERROR)


class Sketch:
    """A DDSketch that is fast to fill: values are counted by bucket, and sketched when asked.

    See Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
    relative-error guarantees" (2019).
    """

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._rest: Counter[float] = Counter()
        """Zeros, and what else a logarithm has no bucket for."""
        self._total = 0.0
        self._low = float("inf")
        self._high = float("-inf")
        self.count = 0

    def extend(self, values: Iterable[float]) -> None:
        """Take in *values*."""
        every = [*values]
        if not every:
            return
        self._rest.update(filterfalse(_has_bucket, every))
        self._buckets.update(map(_MAPPING.key, filter(_has_bucket, every)))
        self._take(len(every), fsum(every), min(every), max(every))

    def merge(self, other: Sketch) -> None:
        """Take in what another sketch has taken in."""
        self._buckets.update(other._buckets)
        self._rest.update(other._rest)
        self._take(other.count, other._total, other._low, other._high)

    def _take(self, count: int, total: float, low: float, high: float) -> None:
        self.count += count
        self._total += total
        self._low, self._high = min(self._low, low), max(self._high, high)

    def figures(self) -> list[float]:
        """Return mean, minimum and maximum, all exact, and the percentiles of one value or more."""
        sketch = DDSketch(SKETCH_ERROR)
        for key, weight in self._buckets.items():
            sketch.add(_MAPPING.value(key), weight)
        for value, weight in self._rest.items():
            sketch.add(value, weight)
        low, high = self._low, self._high
        middle = self._total / self.count
        found = (sketch.get_quantile_value(quantile) for quantile in QUANTILES.values())
        return [
            min(max(figure, low), high)
            for figure in (middle, low, high, *(value or 0.0 for value in found))
        ]


def _has_bucket(value: float) -> bool:
    return value > _MAPPING.min_possible
