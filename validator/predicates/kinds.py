"""The predicate about a value's kind: `type`."""

from __future__ import annotations

from dataclasses import dataclass

from validator.arguments import Form, given, one_of
from validator.predicates.base import ANYTHING, Predicate, predicate
from validator.values import Json, brief, kind

_NAMES = ("array", "boolean", "integer", "null", "number", "object", "string")
_WORDS = one_of(_NAMES, "a type")


def _read(value: Json) -> tuple[str, ...]:
    if value is None:
        raise ValueError('expected a type, found null; the type is written "null", in quotes')
    found: tuple[str, ...] = _WORDS.read(value)
    return found


_TYPE = Form("a type", _read, _WORDS.schema, fixed=True)


@predicate("type")
@dataclass(frozen=True, slots=True)
class Type(Predicate):
    """The value is of this JSON type, or of one of several.

    `true` is no number and `"22"` neither. `2.0` is a number but no integer, except in Prometheus
    text, where every value is a float and an integral one counts as an integer.

    ```yaml
    - {path: $.summary.total_requests, type: integer}
    - {path: $.error, type: [string, "null"]}
    ```
    """

    also = ("kind", "is_a", "instance_of", "datatype")
    accepts = ANYTHING
    rises = True  # a counter changes its value, and not its kind
    weighs = False
    names: tuple[str, ...] = given(_TYPE)

    def holds(self, value: Json) -> bool:
        found = kind(value)
        return found in self.names or (
            "integer" in self.names and isinstance(value, int) and found == "number"
        )

    def explain(self, value: Json) -> str:
        if self.names == ("integer",) and isinstance(value, float):
            return f"{brief(value)} is written {value!r}: a number, not an integer"
        return f"{kind(value)}, not {self}"

    def __str__(self) -> str:
        return " or ".join(self.names)
