"""Predicates that compare: `eq ne gt ge lt le between approx in not_in`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from validator.arguments import ANY, NUMBER, given, list_of
from validator.predicates.base import ANYTHING, NUMBERS, Predicate, predicate
from validator.reference import shown
from validator.values import Json, Number, kind, same


@predicate("eq")
@dataclass(frozen=True, slots=True)
class Equal(Predicate):
    """The value is exactly this one, of the same kind: `22` is not `"22"`, `1` is `1.0`.

    ```yaml
    - {path: $.worker_stats.total_workers, eq: 4}
    ```
    """

    also = ("equals", "equal", "equal_to", "is", "==", "=")
    accepts = ANYTHING
    admits_none = True
    value: Json = given(ANY)

    def holds(self, value: Json) -> bool:
        return same(value, self.value)

    def fits(self, value: Json) -> bool:
        # Everything but a null differs from null: that is an answer, and `none` may ask for it.
        return self.value is None or kind(value) == kind(self.value)

    def explain(self, value: Json) -> str:
        if kind(value) == kind(self.value):
            return ""
        return f"{kind(value)}, not {kind(self.value)}"

    def idle(self, value: Json, *, referred: bool) -> bool:
        return referred and same(value, 0) and same(self.value, 0)

    def __str__(self) -> str:
        return f"= {shown(self.value)}"


@predicate("ne")
@dataclass(frozen=True, slots=True)
class NotEqual(Predicate):
    """The value is of this one's kind, and differs: a text does not pass `ne: 0`.

    ```yaml
    - {path: $.status, ne: unhealthy}
    ```
    """

    also = ("not_equals", "not_equal", "is_not", "not", "neq", "!=", "<>")
    accepts = ANYTHING
    value: Json = given(ANY)

    def check(self) -> None:
        if self.value is None:
            raise ValueError("only null is of null's kind; write `exists: true`")

    def holds(self, value: Json) -> bool:
        return not same(value, self.value)

    def fits(self, value: Json) -> bool:
        return kind(value) == kind(self.value)

    def explain(self, value: Json) -> str:
        if kind(value) == kind(self.value):
            return ""
        return f"{kind(value)}, not {kind(self.value)}"

    def __str__(self) -> str:
        return f"≠ {shown(self.value)}"


@dataclass(frozen=True, slots=True)
class _Bound(Predicate):
    """A comparison of a number with one bound."""

    accepts = NUMBERS
    bound: Number = given(NUMBER)


@predicate("gt")
@dataclass(frozen=True, slots=True)
class GreaterThan(_Bound):
    """The number is greater than a bound.

    ```yaml
    - {path: $.latency.ttft.avg, gt: 0}
    ```
    """

    rises = True
    also = (">", "greater", "greater_than", "more_than", "above")

    def holds(self, value: Number) -> bool:
        return value > self.bound

    def idle(self, value: Number, *, referred: bool) -> bool:  # noqa: ARG002
        return self.bound < 0  # what counts or measures is never negative

    def __str__(self) -> str:
        return f"> {shown(self.bound)}"


@predicate("ge")
@dataclass(frozen=True, slots=True)
class GreaterOrEqual(_Bound):
    """The number is at least a bound.

    ```yaml
    - {path: $.summary.total_requests, ge: "${load.sent}"}
    ```
    """

    rises = True
    also = (">=", "≥", "=>", "gte", "at_least", "minimum", "min_value")

    def holds(self, value: Number) -> bool:
        return value >= self.bound

    def idle(self, value: Number, *, referred: bool) -> bool:  # noqa: ARG002
        return self.bound <= 0  # what counts or measures is never negative

    def __str__(self) -> str:
        return f"≥ {shown(self.bound)}"


@predicate("lt")
@dataclass(frozen=True, slots=True)
class LessThan(_Bound):
    """The number is less than a bound.

    ```yaml
    - {path: $.error_rate, lt: 0.01}
    ```
    """

    also = ("<", "less", "less_than", "below")

    def holds(self, value: Number) -> bool:
        return value < self.bound

    def idle(self, value: Number, *, referred: bool) -> bool:
        return referred and value == 0

    def __str__(self) -> str:
        return f"< {shown(self.bound)}"


@predicate("le")
@dataclass(frozen=True, slots=True)
class LessOrEqual(_Bound):
    """The number is at most a bound.

    ```yaml
    - {path: $.latency.ttft.p50, le: "${load.ttft_ms.p50}"}
    ```
    """

    also = ("<=", "≤", "=<", "lte", "at_most", "maximum", "max_value")

    def holds(self, value: Number) -> bool:
        return value <= self.bound

    def idle(self, value: Number, *, referred: bool) -> bool:
        return referred and value == 0

    def __str__(self) -> str:
        return f"≤ {shown(self.bound)}"


@predicate("between")
@dataclass(frozen=True, slots=True)
class Between(Predicate):
    """The number lies in a closed range.

    ```yaml
    - {path: $.cache.hit_rate, between: [0, 100]}
    ```
    """

    also = ("range", "in_range")
    accepts = NUMBERS
    listed = True
    low: Number = given(NUMBER)
    high: Number = given(NUMBER)

    def check(self) -> None:
        if self.low > self.high:
            raise ValueError(f"nothing lies between {shown(self.low)} and {shown(self.high)}")

    def holds(self, value: Number) -> bool:
        return self.low <= value <= self.high

    def idle(self, value: Number, *, referred: bool) -> bool:
        return referred and value == 0 and self.low <= 0

    def __str__(self) -> str:
        return f"{shown(self.low)} … {shown(self.high)}"


@predicate("approx")
@dataclass(frozen=True, slots=True)
class Approximately(Predicate):
    """The number is within `rel` (a share of the expected value) or `abs` of a value.

    One of the two is needed; with both, meeting either is enough.

    ```yaml
    - {path: $.throughput.requests_per_second, approx: {value: "${load.requests_per_s}", rel: 0.5}}
    ```
    """

    also = ("close_to", "near", "about", "almost", "tolerance")
    accepts = NUMBERS
    value: Number = given(replace(NUMBER, help="What is expected."))
    rel: Number | None = given(
        replace(NUMBER, help="How far off it may be, as a share of what is expected."), None
    )
    abs: Number | None = given(replace(NUMBER, help="How far off it may be."), None)

    def check(self) -> None:
        if self.rel is None and self.abs is None:
            raise ValueError("how near? give rel (such as 0.05), abs, or both")
        if any(margin is not None and margin < 0 for margin in (self.rel, self.abs)):
            raise ValueError("rel and abs cannot be negative")

    def holds(self, value: Number) -> bool:
        off = abs(value - self.value)
        near = self.rel is not None and off <= self.rel * abs(self.value)
        return near or (self.abs is not None and off <= self.abs)

    def idle(self, value: Number, *, referred: bool) -> bool:
        return referred and value == 0 and self.value == 0

    def __str__(self) -> str:
        margins = []
        if self.rel is not None:
            percent = self.rel if not isinstance(self.rel, int | float) else self.rel * 100
            margins.append(f"{shown(percent)} %")
        if self.abs is not None:
            margins.append(shown(self.abs))
        return f"{shown(self.value)} ± {' or '.join(margins)}"


@dataclass(frozen=True, slots=True)
class _Choice(Predicate):
    """A look-up in a list of values."""

    accepts = ANYTHING
    choices: tuple[Json, ...] = given(list_of(ANY))

    def fits(self, value: Json) -> bool:
        return kind(value) in {kind(choice) for choice in self.choices}

    def explain(self, value: Json) -> str:
        kinds = sorted({kind(choice) for choice in self.choices})
        return "" if kind(value) in kinds else f"{kind(value)}, not {' or '.join(kinds)}"


@predicate("in")
@dataclass(frozen=True, slots=True)
class In(_Choice):
    """The value is one of a list.

    ```yaml
    - {path: $.status, in: [healthy, degraded]}
    ```
    """

    also = ("one_of", "any_of", "enum", "is_in")

    def holds(self, value: Json) -> bool:
        return any(same(value, choice) for choice in self.choices)

    def __str__(self) -> str:
        return f"one of {shown(self.choices)}"


@predicate("not_in")
@dataclass(frozen=True, slots=True)
class NotIn(_Choice):
    """The value is of the kind of the listed ones, and none of them.

    ```yaml
    - {path: $.state, not_in: [error, stopped]}
    ```
    """

    also = ("none_of",)

    def check(self) -> None:
        if all(choice is None for choice in self.choices):
            raise ValueError("only null is of null's kind; write `exists: true`")

    def holds(self, value: Json) -> bool:
        return not any(same(value, choice) for choice in self.choices)

    def __str__(self) -> str:
        return f"none of {shown(self.choices)}"
