"""Measures of movement: `delta`, and `rate` per second of load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from validator.arguments import NUMBER, given
from validator.measures.base import Measure, Reach, measure
from validator.values import Number

_START = replace(NUMBER, help="What a path that was absent before the load counts from.")


@measure("delta")
@dataclass(frozen=True, slots=True)
class Delta(Measure):
    """The value after the load less the value before it, paired by concrete path.

    A path that was absent before the load cannot be compared, unless `absent_before: 0` says
    what it counts from. A path that is gone after the load fails.

    ```yaml
    - {path: $.summary.total_requests, delta: {eq: "${load.sent}"}}
    - {path: "$.per_model[*].requests", delta: {sum: {eq: "${load.sent}"}, absent_before: 0}}
    ```
    """

    also = ("change", "changes", "diff", "increase", "increases")
    reach = Reach.CHANGE
    noun = "change"
    absent_before: Number | None = given(_START, None)

    def of(self, subject: Any) -> Number:
        before, after, _ = subject
        return after - before  # type: ignore[no-any-return]  # numbers, as the engine checked


@measure("rate")
@dataclass(frozen=True, slots=True)
class Rate(Measure):
    """The change of a value per second of load: its delta ÷ the load's duration.

    ```yaml
    - {path: $.summary.total_requests, rate: {approx: {value: "${load.requests_per_s}", rel: 0.1}}}
    ```
    """

    also = ("per_second",)
    reach = Reach.CHANGE
    noun = "rate per second"
    absent_before: Number | None = given(_START, None)

    def of(self, subject: Any) -> Number:
        before, after, duration = subject
        return (after - before) / duration  # type: ignore[no-any-return]  # as the engine checked
