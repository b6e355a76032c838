"""Predicates about order and repetition: `ordered sorted unique`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from validator.arguments import TEXT, TRUE, ArgumentError, Form, given, list_of, one_of, wrong
from validator.errors import QueryError
from validator.predicates.base import OBJECTS, Predicate, Subject, predicate
from validator.query import compiled
from validator.reference import Reference, shown
from validator.values import Json, brief, is_number, kind

_RELATIVE = ("@.", "@[")


def _key(value: Json) -> Json:
    """Read a key, or a path from the match that begins with @."""
    text: str = TEXT.read(value)
    if text.startswith(("$.", "$[")):
        hint = f"write @{text[1:]}, and `path: $` to begin at the root"
        raise ArgumentError("a path begins at what was matched, as @", hint)
    if text.startswith(_RELATIVE):
        try:
            query = compiled(f"${text[1:]}")
        except QueryError as error:
            raise ArgumentError(f"{text}: {error}", error.hint) from error
        if not query.definite:
            raise ValueError(f"{text} may select several values, and one is compared")
    return text


_KEYS = list_of(replace(TEXT, read=_key), least=2)
_DIRECTIONS = one_of(("ascending", "descending"), "ascending or descending")


@predicate("ordered")
@dataclass(frozen=True, slots=True)
class Ordered(Predicate):
    """The numbers under these keys never fall, in this order; equal neighbours are fine.

    A missing or null key fails and is named. A key that begins with `@.` or `@[` is a path from
    the match, for numbers that stand in different places under different names.

    ```yaml
    - {path: $.latency.ttft, ordered: [min, p50, p90, p99, max]}
    - {path: $, ordered: ["@.latency.p50_ms", "@.percentiles['90']", p99]}
    ```
    """

    also = ("order",)
    accepts = OBJECTS
    keys: tuple[str, ...] = given(_KEYS)

    def fits(self, value: Json) -> bool:
        return isinstance(value, dict) and all(is_number(_at(key, value)) for key in self.keys)

    def holds(self, value: dict[str, Json]) -> bool:
        return not self.explain(value)

    def explain(self, value: dict[str, Json]) -> str:
        found = {key: _at(key, value) for key in self.keys}
        for key, number in found.items():
            if number is _ABSENT:
                as_path = "." in key or "[" in key
                hint = f" (a path is written @.{key})" if as_path and key[0] != "@" else ""
                return f"no {key}{hint}"
            if not is_number(number):
                return f"{key} is {_odd(number)}"
        fallen = [
            f"{low} {brief(found[low])} > {high} {brief(found[high])}"
            for low, high in pairwise(self.keys)
            if found[low] > found[high]
        ]
        return ", ".join(fallen)

    def idle(self, value: dict[str, Json], *, referred: bool) -> bool:  # noqa: ARG002
        return all(_at(key, value) == 0 for key in self.keys)

    def __str__(self) -> str:
        if isinstance(self.keys, Reference):
            return f"ordered as {shown(self.keys)}"
        return " ≤ ".join(k if isinstance(k, str) else shown(k) for k in self.keys)


_ABSENT = object()


def _at(key: str, value: dict[str, Json]) -> Any:
    """Return what *key* leads to; a key that is there as it is written means just that."""
    if key in value or not key.startswith(_RELATIVE):
        return value.get(key, _ABSENT)
    matches = compiled(f"${key[1:]}").select(value)
    return matches[0].value if matches else _ABSENT


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

    also = ("monotonic", "increasing")
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

    also = ("distinct",)
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
