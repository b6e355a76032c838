"""Quantiles out of the buckets of a histogram, as Prometheus estimates them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

Bucket = tuple[float, float]
"""An upper bound and how many observations were not above it."""


def histogram_quantile(q: float, buckets: Iterable[Bucket]) -> float | None:
    """Estimate the value that the share *q* of all observations does not exceed.

    Linear interpolation within the bucket that holds the rank, as `bucketQuantile` in
    prometheus/promql/quantile.go does it: the first bucket begins at 0 unless its bound is not
    positive, and a rank in the `+Inf` bucket gives the highest finite bound. Buckets with the
    same bound are added up; a count below its predecessor's is raised to it.

    Where Prometheus says NaN this says None: nothing was observed, or `+Inf` is the only bucket.
    One deviation: `q = 0` with empty first buckets gives where the first filled one begins.
    Raises ValueError when *q* is not within 0 and 1, a number is NaN or there is no `+Inf` bucket.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile is between 0 and 1, not {q}")
    bounds, counts = _cumulative(buckets)
    total = counts[-1]
    if total <= 0 or len(bounds) == 1:
        return None
    rank = q * total
    index = next(i for i, count in enumerate(counts) if count >= rank and count > 0)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return start + (bounds[index] - start) * ((rank - below) / (counts[index] - below))


def is_beyond(q: float, buckets: Iterable[Bucket]) -> bool:
    """Say whether the quantile lies above every finite bound, nobody knows how far."""
    _, counts = _cumulative(buckets)
    return len(counts) == 1 or counts[-2] < q * counts[-1] or counts[-2] <= 0


def check_cumulative(buckets: Iterable[Bucket]) -> None:
    """Raise ValueError when a bucket holds less than the one below it."""
    for (low, below), (high, count) in itertools.pairwise(sorted(_added(buckets).items())):
        if count < below:
            at = "+Inf" if math.isinf(high) else f"{high:g}"
            raise ValueError(f"not cumulative: {count:g} at le={at}, {below:g} at le={low:g}")


def _cumulative(buckets: Iterable[Bucket]) -> tuple[list[float], list[float]]:
    added = _added(buckets)
    bounds = sorted(added)
    if not bounds or not math.isinf(bounds[-1]):
        raise ValueError("no +Inf bucket")
    return bounds, list(itertools.accumulate((added[bound] for bound in bounds), max))


def _added(buckets: Iterable[Bucket]) -> dict[float, float]:
    added: dict[float, float] = {}
    for bound, count in buckets:
        if not math.isfinite(count) or math.isnan(bound):
            raise ValueError("a bucket's bound or count is not a number")
        added[bound] = added.get(bound, 0.0) + count
    return added
