"""Measures of several numbers: `sum mean min max p50 p90 p95 p99`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from validator.measures.base import Measure, Reach, measure
from validator.stats import QUANTILES, mean, percentile
from validator.values import Number


@dataclass(frozen=True, slots=True)
class _OfNumbers(Measure):
    """A number derived from the elements of an array, or from several matches together."""

    reach = Reach.NUMBERS


@measure("sum")
@dataclass(frozen=True, slots=True)
class Sum(_OfNumbers):
    """The sum of an array's numbers, or of all matches.

    ```yaml
    - {path: "$.workers[*].total_requests", sum: {eq: "${load.sent}"}}
    ```
    """

    also = ("total",)
    noun = "sum"

    def of(self, subject: Sequence[Number]) -> Number:
        return sum(subject) if all(isinstance(n, int) for n in subject) else math.fsum(subject)


@measure("mean")
@dataclass(frozen=True, slots=True)
class Mean(_OfNumbers):
    """The arithmetic mean of an array's numbers, or of all matches.

    ```yaml
    - {path: "$.latency_breakdown[*].ttft_ms", mean: {gt: 0}}
    ```
    """

    also = ("average", "avg")
    noun = "mean"

    def of(self, subject: Sequence[Number]) -> Number:
        return mean(subject)


@measure("min")
@dataclass(frozen=True, slots=True)
class Least(_OfNumbers):
    """The least of an array's numbers, or of all matches.

    ```yaml
    - {path: "$.workers[*].tokens_processed", min: {gt: 0}}
    ```
    """

    noun = "min"

    def of(self, subject: Sequence[Number]) -> Number:
        return min(subject)


@measure("max")
@dataclass(frozen=True, slots=True)
class Greatest(_OfNumbers):
    """The greatest of an array's numbers, or of all matches.

    ```yaml
    - {path: "$.workers[*].active_requests", max: {eq: 0}}
    ```
    """

    noun = "max"

    def of(self, subject: Sequence[Number]) -> Number:
        return max(subject)


@dataclass(frozen=True, slots=True)
class _Percentile(_OfNumbers):
    """A percentile by linear interpolation between closest ranks."""

    noun: ClassVar[str]

    def of(self, subject: Sequence[Number]) -> Number:
        return percentile(sorted(subject), QUANTILES[self.noun])


@measure("p50")
@dataclass(frozen=True, slots=True)
class P50(_Percentile):
    """The median of an array's numbers, or of all matches (linear interpolation).

    ```yaml
    - {path: "$.latency_breakdown[*].ttft_ms", p50: {le: "${load.ttft_ms.p50}"}}
    ```
    """

    also = ("median",)
    noun = "p50"


@measure("p90")
@dataclass(frozen=True, slots=True)
class P90(_Percentile):
    """The 90th percentile of an array's numbers, or of all matches (linear interpolation).

    ```yaml
    - {path: "$.latency_breakdown[*].total_ms", p90: {lt: 2000}}
    ```
    """

    noun = "p90"


@measure("p95")
@dataclass(frozen=True, slots=True)
class P95(_Percentile):
    """The 95th percentile of an array's numbers, or of all matches (linear interpolation).

    ```yaml
    - {path: "$.latency_breakdown[*].total_ms", p95: {lt: 2500}}
    ```
    """

    noun = "p95"


@measure("p99")
@dataclass(frozen=True, slots=True)
class P99(_Percentile):
    """The 99th percentile of an array's numbers, or of all matches (linear interpolation).

    ```yaml
    - {path: "$.latency_breakdown[*].total_ms", p99: {lt: 5000}}
    ```
    """

    noun = "p99"
