"""Predicates about order and repetition: `ordered sorted unique`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from validator.arguments import TEXT, TRUE, Form, given, list_of, one_of, wrong
from validator.predicates.base import OBJECTS, Predicate, Subject, predicate
from validator.reference import Reference, shown
from validator.values import Json, brief, is_number, kind

_KEYS = list_of(TEXT, least=2)
_DIRECTIONS = one_of(("ascending", "descending"), "ascending or descending")


@predicate("ordered")
@dataclass(frozen=True, slots=True)
class Ordered(Predicate):
    """The numbers under these keys never fall, in this order; equal neighbours are fine.

    A missing or null key fails and is named.

    ```yaml
    - {path: $.latency.ttft, ordered: [min, p50, p90, p99, max]}
    ```
    """

    accepts = OBJECTS
    keys: tuple[str, ...] = given(_KEYS)

    def fits(self, value: Json) -> bool:
        return isinstance(value, dict) and all(is_number(value.get(key)) for key in self.keys)

    def holds(self, value: dict[str, Json]) -> bool:
        return not self.explain(value)

    def explain(self, value: dict[str, Json]) -> str:
        for key in self.keys:
            if key not in value:
                return f"no {key}"
            if not is_number(value[key]):
                return f"{key} is {_odd(value[key])}"
        fallen = [
            f"{low} {brief(value[low])} > {high} {brief(value[high])}"
            for low, high in pairwise(self.keys)
            if value[low] > value[high]  # type: ignore[operator]  # numbers, as checked above
        ]
        return ", ".join(fallen)

    def idle(self, value: dict[str, Json], *, referred: bool) -> bool:  # noqa: ARG002
        return all(value[key] == 0 for key in self.keys)

    def __str__(self) -> str:
        if isinstance(self.keys, Reference):
            return f"ordered as {shown(self.keys)}"
        return " ≤ ".join(k if isinstance(k, str) else shown(k) for k in self.keys)


def _odd(value: Json) -> str:
    return "null" if value is None else f"{kind(value)} {brief(value)}"


def _direction(value: Json) -> tuple[str, ...]:
    if value is True:
        return ("ascending",)
    if isinstance(value, list):
        raise wrong("ascending or descending", value)
    found: tuple[str, ...] = _DIRECTIONS.read(value)
    return found


_SORTED = Form(
    "ascending or descending",
    _direction,
    {"enum": [True, "ascending", "descending"]},
    fixed=True,
)


def _comparable(value: list[Json]) -> bool:
    return all(map(is_number, value)) or all(isinstance(v, str) for v in value)


@predicate("sorted")
@dataclass(frozen=True, slots=True)
class Sorted(Predicate):
    """The elements of an array, or several matches together, are in order.

    `true` means ascending; equal neighbours are fine. All are numbers, or all are texts.

    ```yaml
    - {path: "$.history[*].timestamp", sorted: ascending}
    ```
    """

    subject = Subject.ELEMENTS
    direction: tuple[str, ...] = given(_SORTED)

    def fits(self, value: Json) -> bool:
        return isinstance(value, list) and _comparable(value)

    def holds(self, value: list[Any]) -> bool:
        return _comparable(value) and not self._broken(value)

    def explain(self, value: list[Any]) -> str:
        if not _comparable(value):
            return f"not all numbers or all texts: {', '.join(sorted({kind(v) for v in value}))}"
        index = self._broken(value)[0]
        return f"{brief(value[index])} then {brief(value[index + 1])} at element {index + 1}"

    def _broken(self, value: list[Any]) -> list[int]:
        pairs = enumerate(pairwise(value))
        if self.direction == ("descending",):
            return [i for i, (left, right) in pairs if left < right]
        return [i for i, (left, right) in pairs if left > right]

    def __str__(self) -> str:
        return f"sorted {self.direction[0]}"


def _identity(value: Json) -> object:
    """Return a hashable stand-in that is equal exactly when values are the same JSON."""
    match value:
        case list():
            return ("array", tuple(_identity(v) for v in value))
        case dict():
            return ("object", frozenset((k, _identity(v)) for k, v in value.items()))
    return (kind(value), value)


@predicate("unique")
@dataclass(frozen=True, slots=True)
class Unique(Predicate):
    """No element of an array, or no one of several matches, occurs twice.

    ```yaml
    - {path: "$.workers[*].worker_id", unique: true}
    ```
    """

    subject = Subject.ELEMENTS
    yes: bool = given(TRUE)

    def holds(self, value: list[Json]) -> bool:
        return len({_identity(v) for v in value}) == len(value)

    def explain(self, value: list[Json]) -> str:
        seen: set[object] = set()
        for element in value:
            if (identity := _identity(element)) in seen:
                return f"{brief(element)} occurs twice"
            seen.add(identity)
        return ""

    def __str__(self) -> str:
        return "unique"
