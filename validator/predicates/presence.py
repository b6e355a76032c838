"""Predicates about being there: `exists absent empty has_keys`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from validator.arguments import BOOLEAN, TEXT, TRUE, Form, given, list_of
from validator.predicates.base import OBJECTS, SIZED, Predicate, Subject, predicate
from validator.reference import shown
from validator.values import Json


def _instead(opposite: str) -> Form:
    def read(value: Json) -> Json:
        if value is False:
            raise ValueError(f"expected true, found false; write `{opposite}: true`")
        found: Json = TRUE.read(value)
        return found

    return Form("true", read, TRUE.schema, fixed=True)


@predicate("exists")
@dataclass(frozen=True, slots=True)
class Exists(Predicate):
    """Something is there, and is not null. Zero, an empty text and an empty array are there.

    ```yaml
    - {path: $.latency.itl.avg, exists: true}
    ```
    """

    also = ("present", "defined", "required", "not_null")
    subject = Subject.PRESENCE
    weighs = False
    yes: bool = given(_instead("absent"))

    def holds(self, value: list[Json]) -> bool:
        return bool(value) and all(v is not None for v in value)

    def explain(self, value: list[Json]) -> str:
        return "present but null" if value else ""

    def __str__(self) -> str:
        return "present"


@predicate("absent")
@dataclass(frozen=True, slots=True)
class Absent(Predicate):
    """Nothing is there, in a document that could be read; a null is something.

    ```yaml
    - {path: $.error, absent: true}
    ```
    """

    also = ("missing", "undefined", "not_exists")
    subject = Subject.PRESENCE
    yes: bool = given(_instead("exists"))

    def holds(self, value: list[Json]) -> bool:
        return not value

    def explain(self, value: list[Json]) -> str:
        return "present but null" if all(v is None for v in value) else ""

    def __str__(self) -> str:
        return "absent"


@predicate("empty")
@dataclass(frozen=True, slots=True)
class Empty(Predicate):
    """The text, array or object has nothing in it; with `false`, it has something.

    ```yaml
    - {path: $.errors, empty: true}
    - {path: $.workers, empty: false}
    ```
    """

    also = ("is_empty",)
    accepts = SIZED
    yes: bool = given(BOOLEAN)

    def holds(self, value: Any) -> bool:
        return (len(value) == 0) == self.yes

    def __str__(self) -> str:
        return "empty" if self.yes else "not empty"


@predicate("has_keys")
@dataclass(frozen=True, slots=True)
class HasKeys(Predicate):
    """The object has all of these keys; their values may be anything but null.

    ```yaml
    - {path: $.latency.ttft, has_keys: [avg, p50, p99]}
    ```
    """

    also = ("keys", "has_key", "required_keys")
    accepts = OBJECTS
    keys: tuple[str, ...] = given(list_of(TEXT))

    def holds(self, value: dict[str, Json]) -> bool:
        return all(value.get(key) is not None for key in self.keys)

    def explain(self, value: dict[str, Json]) -> str:
        lacking = [k for k in self.keys if k not in value]
        null = [k for k in self.keys if k in value and value[k] is None]
        found = ([f"no {', '.join(lacking)}"] if lacking else []) + (
            [f"null: {', '.join(null)}"] if null else []
        )
        return "; ".join(found)

    def __str__(self) -> str:
        return f"has {shown(self.keys)}"
