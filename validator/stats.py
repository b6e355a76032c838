"""Small, exact statistics. Nothing here invents a value for nothing: no samples, no number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
FIGURES = ("mean", "min", "max", *QUANTILES)


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
    rank = (len(ordered) - 1) * quantile
    low = math.floor(rank)
    high = math.ceil(rank)
    below, above = ordered[low], ordered[high]
    # Rounding must not put a percentile above the next one, or above the maximum.
    return min(above, below + (above - below) * (rank - low))


def summary(
    values: Iterable[float], missing: int = 0, *, scale: float = 1
) -> dict[str, float | int | None]:
    """Return count, missing, mean, min, max and p50 to p99 of *values*; None where undefined.

    Each figure is multiplied by *scale*, which costs less than scaling every value.
    """
    ordered = sorted(values)
    if not ordered:
        return {"count": 0, "missing": missing, **dict.fromkeys(FIGURES)}
    low, high = ordered[0], ordered[-1]
    figures = [
        min(max(mean(ordered), low), high),  # rounding must not carry it outside
        low,
        high,
        *(percentile(ordered, quantile) for quantile in QUANTILES.values()),
    ]
    scaled = dict(zip(FIGURES, (figure * scale for figure in figures), strict=True))
    return {"count": len(ordered), "missing": missing, **scaled}
