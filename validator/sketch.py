"""Percentiles of more samples than are kept, with a stated error."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate, filterfalse
from math import fsum
from typing import Final

from ddsketch.mapping import LogarithmicMapping

from validator.stats import QUANTILES, SKETCH_ERROR, at_quantile

_MAPPING: Final = LogarithmicMapping(0.99 * SKETCH_ERROR)  # rounding takes it no further than said


class Sketch:
    """A DDSketch: values are counted by bucket, and all of a bucket are taken for one value.

    Unlike the library's own it is fast to fill, and a percentile between two values is between what
    stands for them, as in `stats.percentile`.

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
        weights = {_MAPPING.value(key): weight for key, weight in self._buckets.items()}
        ordered = sorted((weights | self._rest).items())
        ranks = [*accumulate(weight for _, weight in ordered)]

        def at(rank: int) -> float:
            return ordered[bisect_right(ranks, rank)][0]

        low, high = self._low, self._high
        found = (at_quantile(self.count, quantile, at) for quantile in QUANTILES.values())
        return [
            min(max(figure, low), high) for figure in (self._total / self.count, low, high, *found)
        ]


def _has_bucket(value: float) -> bool:
    return value > _MAPPING.min_possible
