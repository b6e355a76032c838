"""Predicates about points in time, as numbers or as ISO 8601 texts: `spaced dated`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from validator.arguments import DURATION, Form, given, word_of, wrong
from validator.predicates.base import Predicate, Subject, predicate
from validator.reference import Reference, reference, shown
from validator.values import Json, brief, is_number, kind, show

_SCALES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ROUNDING = 1e-6
"""Seconds that a float may be off; no metric is that fine."""
_UNIT = replace(
    word_of(tuple(_SCALES), "s, ms, us or ns"),
    help="What numbers count: `s` unless given. Texts are ISO 8601, in UTC if they name no zone.",
)
_SECONDS = "s"


def seconds(value: Json, unit: str) -> float | None:
    """Return *value* as seconds since 1970, None if it is no point in time."""
    if is_number(value):
        try:
            return float(value) * _SCALES[unit]
        except OverflowError:
            return None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # no date, or one beyond the calendar in UTC
        return None


def _span(length: float) -> str:
    """Write a span of time as a person would."""
    if abs(length) >= 1:
        return f"{show(round(length, 6))} s"
    return f"{show(round(length * 1000, 3))} ms"


@predicate("spaced")
@dataclass(frozen=True, slots=True)
class Spaced(Predicate):
    """The points in time of an array, or of several matches, follow each other evenly.

    `every` with its `tolerance` says how far apart neighbours are; `at_least` and `at_most` bound
    the steps where they may vary. A gap, a duplicate and a step back each fail, and the first is
    named with its place. One point has no spacing, and fails.

    ```yaml
    - {path: "$.history[*].timestamp", spaced: {every: 1s, tolerance: 100ms}}
    - {path: "$.points[*][0]", spaced: {at_most: 5s, unit: ms}}
    ```
    """

    subject = Subject.ELEMENTS
    every: float | None = given(replace(DURATION, help="From each point to the next."), None)
    tolerance: float | None = given(
        replace(DURATION, help="How far a step may be off `every`; 0 unless given."), None
    )
    at_least: float | None = given(replace(DURATION, help="Of the shortest step."), None)
    at_most: float | None = given(replace(DURATION, help="Of the longest step."), None)
    unit: str = given(_UNIT, _SECONDS)

    def check(self) -> None:
        if self.every is None and self.at_least is None and self.at_most is None:
            raise ValueError("needs every, at_least or at_most, such as {every: 1s}")
        if self.every is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("every and at_least or at_most exclude each other")
        if self.every is not None and self.every <= 0:
            raise ValueError("every must be longer than 0")
        if self.tolerance is not None and self.every is None:
            raise ValueError("a tolerance goes with every")
        if self.tolerance is not None and self.every is not None and self.tolerance >= self.every:
            raise ValueError("the tolerance must be shorter than every, or it allows anything")
        if None not in (self.at_least, self.at_most) and self._longest < self._shortest:
            raise ValueError("at_most is shorter than at_least")

    def fits(self, value: Json) -> bool:
        return (
            isinstance(value, list)
            and len(value) > 1
            and all(seconds(v, self.unit) is not None for v in value)
        )

    def holds(self, value: list[Json]) -> bool:
        return self.fits(value) and not any(self._wrong(value))

    def explain(self, value: list[Json]) -> str:
        for index, element in enumerate(value):
            if seconds(element, self.unit) is None:
                return f"{kind(element)} {brief(element)} at element {index} is no point in time"
        if len(value) < 2:  # noqa: PLR2004 - a step needs two
            return "one point has no spacing"
        wrong = list(self._wrong(value))
        steps = len(value) - 1
        return f"{wrong[0]}; {len(wrong)} of {steps} step{'s' if steps > 1 else ''} wrong"

    @property
    def _shortest(self) -> float:
        return self.at_least or 0.0 if self.every is None else self.every - (self.tolerance or 0.0)

    @property
    def _longest(self) -> float:
        if self.every is not None:
            return self.every + (self.tolerance or 0.0)
        return math.inf if self.at_most is None else self.at_most

    def _wrong(self, value: list[Json]) -> Iterator[str]:
        instants = [seconds(v, self.unit) or 0.0 for v in value]
        for index, (earlier, later) in enumerate(pairwise(instants)):
            step = later - earlier
            pair = f"{brief(value[index])} then {brief(value[index + 1])}"
            at = f"at element {index + 1}: {pair}"
            if step == 0:
                yield f"duplicate {at}"
            elif step < 0:
                yield f"{_span(-step)} back {at}"
            elif step > self._longest + _ROUNDING:
                yield f"gap of {_span(step)} {at}"
            elif step < self._shortest - _ROUNDING:
                yield f"only {_span(step)} {at}"

    def __str__(self) -> str:
        if self.every is not None:
            off = f" ± {_span(self.tolerance)}" if self.tolerance else ""
            return f"spaced every {_span(self.every)}{off}"
        bounds = [
            f"{word} {_span(bound)}"
            for word, bound in (("at least", self.at_least), ("at most", self.at_most))
            if bound is not None
        ]
        return f"spaced {' and '.join(bounds)}"


def _moment(value: Json) -> Json:
    if isinstance(value, bool) or seconds(value, _SECONDS) is None:
        raise wrong("a point in time: epoch seconds, or a text such as 2027-01-31T12:00:00Z", value)
    return value


def _written(moment: Any) -> str:
    if is_number(moment):
        try:
            found = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
        except (ValueError, OverflowError, OSError):
            return show(moment)
        return found.replace("+00:00", "Z")
    return shown(moment) if isinstance(moment, Reference) else str(moment)


_MOMENT = Form("a point in time", _moment, {"type": ["number", "string"]})


@predicate("dated")
@dataclass(frozen=True, slots=True)
class Dated(Predicate):
    """The value is a point in time within the load, give or take the tolerance.

    It is a number since 1970 in `unit`, or an ISO 8601 text. `since` and `until` set other bounds
    than the start and the end of the load, by the client's clock.

    ```yaml
    - {path: "$.history[*].timestamp", dated: {unit: ms, tolerance: 2s}}
    - {path: $.last_request, dated: {until: "${load.ended_at}", since: 2026-01-01T00:00:00Z}}
    ```
    """

    accepts = frozenset({"number", "string"})
    unit: str = given(_UNIT, _SECONDS)
    tolerance: float = given(
        replace(DURATION, help="How far outside it may lie; 1s unless given."), 1.0
    )
    since: Any = given(
        replace(_MOMENT, help="The start of the load unless given."),
        reference("${load.started_at}"),
    )
    until: Any = given(
        replace(_MOMENT, help="The end of the load unless given."), reference("${load.ended_at}")
    )

    def check(self) -> None:
        if self._at(self.until) < self._at(self.since):
            raise ValueError(f"until {_written(self.until)} is before since {_written(self.since)}")

    @staticmethod
    def _at(moment: Json) -> float:
        found = seconds(moment, _SECONDS)
        assert found is not None  # _moment lets nothing else in
        return found

    def fits(self, value: Json) -> bool:
        return seconds(value, self.unit) is not None

    def holds(self, value: Json) -> bool:
        found = seconds(value, self.unit)
        return found is not None and not self._off(found)

    def explain(self, value: Json) -> str:
        found = seconds(value, self.unit)
        if found is None:
            return f"{brief(value)} is no point in time"
        off = self._off(found)
        side = "before" if off < 0 else "after"
        return f"{_written(found)}, {_span(abs(off))} {side} that" if off else ""

    def _off(self, found: float) -> float:
        """Return by how much *found* lies outside; 0 inside."""
        since, until = self._at(self.since) - self.tolerance, self._at(self.until) + self.tolerance
        return min(0.0, found - since + _ROUNDING) or max(0.0, found - until - _ROUNDING)

    def __str__(self) -> str:
        give = f" ± {_span(self.tolerance)}" if self.tolerance else ""
        return f"dated {_written(self.since)} to {_written(self.until)}{give}"
