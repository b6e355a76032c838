"""Small, exact statistics. Nothing here invents a value for nothing: no samples, no number."""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
FIGURES = ("mean", "min", "max", *QUANTILES)

SORTED = 1_000_000
"""More samples than these are not sorted at once: as objects, each would take 32 bytes."""
SKETCH_ERROR = 0.001
"""By how much of its value a percentile may be off that was not taken of all samples: of the
exact one, between the samples at the ranks below and above it."""
_BLOCK = 4096
_SAMPLED = 2**18
_DEVIATIONS = 8
"""How many standard deviations of a sample's percentile the bounds around it are apart from it."""


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; raise ValueError on no values."""
    if not values:
        raise ValueError("no values")
    return math.fsum(values) / len(values)


def percentile(ordered: Sequence[float], quantile: float) -> float:
    """Return the *quantile* (0 to 1) of an already sorted sequence.

    Linear interpolation between closest ranks: definition 7 of Hyndman and Fan,
    "Sample Quantiles in Statistical Packages" (1996), which NumPy and R use by default.
    """
    if not ordered:
        raise ValueError("no values")
    return at_quantile(len(ordered), quantile, ordered.__getitem__)


def at_quantile(count: int, quantile: float, at: Callable[[int], float]) -> float:
    """Return the *quantile* of *count* values, of which *at* returns the one of a rank."""
    rank = (count - 1) * quantile
    low = math.floor(rank)
    return _between(at(low), at(math.ceil(rank)), rank - low)


def _between(below: float, above: float, share: float) -> float:
    # Rounding must not put a percentile above the next one, or above the maximum.
    return min(above, below + (above - below) * share)


def summary(
    values: Iterable[float], missing: int = 0, *, scale: float = 1
) -> dict[str, float | int | None]:
    """Return count, missing, mean, min, max and p50 to p99 of *values*; None where undefined.

    All of it is exact. Each figure is multiplied by *scale*, which costs less than scaling every
    value.
    """
    found: Sequence[float]
    if isinstance(values, array) and len(values) > SORTED:
        count, found = len(values), values
        low, high = min(values), max(values)
        percentiles = _percentiles_of_many(values, tuple(QUANTILES.values()))
    else:
        found = ordered = sorted(values)
        if not ordered:
            return {"count": 0, "missing": missing, **dict.fromkeys(FIGURES)}
        count, low, high = len(ordered), ordered[0], ordered[-1]
        percentiles = [percentile(ordered, quantile) for quantile in QUANTILES.values()]
    middle = min(max(mean(found), low), high)  # rounding must not carry it outside
    scaled = dict(zip(FIGURES, (n * scale for n in (middle, low, high, *percentiles)), strict=True))
    return {"count": count, "missing": missing, **scaled}


def _percentiles_of_many(values: array[float], quantiles: Sequence[float]) -> list[float]:
    """Return exact percentiles with little memory: only what is near to one is sorted whole.

    A random sample tells between which two bounds each percentile almost surely lies. Should one
    not lie there, everything is sorted after all.
    """
    chance = random.Random(len(values))  # noqa: S311 - a sample, and no secret
    sample = sorted(chance.choices(values, k=_SAMPLED))
    windows = [_Window.around(sample, quantile) for quantile in quantiles]
    for start in range(0, len(values), _BLOCK):
        block = sorted(values[start : start + _BLOCK])
        for window in windows:
            window.take(block)
    found = []
    for window, quantile in zip(windows, quantiles, strict=True):
        rank = (len(values) - 1) * quantile
        ends = [window.at(math.floor(rank)), window.at(math.ceil(rank))]
        if None in ends:
            ordered = sorted(values)
            return [percentile(ordered, each) for each in quantiles]
        below, above = (end for end in ends if end is not None)
        found.append(_between(below, above, rank % 1))
    return found


class _Window:
    """The values between two bounds, and how many there are below and at each bound."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self._below = self._at_low = self._at_high = 0
        self._inside = array("d")
        self._ordered: list[float] = []

    @classmethod
    def around(cls, sample: Sequence[float], quantile: float) -> _Window:
        """Return the window in which a percentile almost surely is, going by *sample*."""
        middle = (len(sample) - 1) * quantile
        margin = _DEVIATIONS / 2 * math.sqrt(len(sample))
        first, last = math.floor(middle - margin), math.ceil(middle + margin)
        low = sample[first] if first >= 0 else -math.inf
        return cls(low, sample[last] if last < len(sample) else math.inf)

    def take(self, block: Sequence[float]) -> None:
        """Take in a sorted block."""
        first, after = bisect_left(block, self._low), bisect_right(block, self._low)
        self._below += first
        self._at_low += after - first
        if self._low < self._high:
            last = bisect_left(block, self._high)
            self._inside.extend(block[after:last])
            self._at_high += bisect_right(block, self._high) - last

    def at(self, rank: int) -> float | None:
        """Return the value of this rank among all values, if it is in the window."""
        rank -= self._below
        if rank < 0:
            return None
        if rank < self._at_low:
            return self._low
        rank -= self._at_low
        if rank < len(self._inside):
            self._ordered = self._ordered or sorted(self._inside)
            return self._ordered[rank]
        return self._high if rank < len(self._inside) + self._at_high else None
