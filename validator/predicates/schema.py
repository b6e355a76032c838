"""The predicate about a value's shape: `schema`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from validator.arguments import ArgumentError, Form, FromFile, given, wrong
from validator.predicates.base import NOT_NULL, Predicate, predicate
from validator.reference import Reference
from validator.values import Json, brief, kind, printable

_MOST = 5
_SHOWN = 160
_PLAIN = re.compile(r"[^\W\d]\w*")
_EXTRA = "needs an extra: pip install 'metrics-validator[schema]'"
_SAID = {
    "required", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
    "dependentRequired", "contains", "minContains", "maxContains", "propertyNames",
}  # fmt: skip
"""Keywords whose violations only jsonschema's own sentence explains: it has the names in it."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON Schema that has been checked, and the file it came from, if any."""

    contents: dict[str, Any]
    file: str = ""
    violations: Callable[[Any], Iterator[Any]] = field(
        default=lambda _: iter(()), compare=False, repr=False
    )


def _read(value: Any) -> Schema:
    if isinstance(value, Schema):  # read already, and now again with references resolved
        return value
    contents = value.contents if isinstance(value, FromFile) else value
    if not isinstance(contents, dict):
        raise wrong("a JSON Schema: a file, or a mapping", contents)
    if not contents:
        raise ValueError("an empty schema judges nothing")
    if _refers(contents):
        raise ValueError("expected a JSON Schema, which must be known before the load")
    file = str(value) if isinstance(value, FromFile) else ""
    return Schema(contents, file, _compiled(contents))


def _refers(value: Any) -> bool:
    """Say whether *value* holds what only the load can answer."""
    match value:
        case dict():
            return any(map(_refers, value.values()))
        case list():
            return any(map(_refers, value))
    return isinstance(value, Reference)


def _compiled(contents: dict[str, Any]) -> Callable[[Any], Iterator[Any]]:
    """Return what finds the violations of a schema; raise ValueError when it is none."""
    try:
        from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - an extra
        from jsonschema.validators import validator_for  # noqa: PLC0415 - an extra
        from jsonschema_specifications import REGISTRY  # noqa: PLC0415 - an extra
        from referencing import Resource  # noqa: PLC0415 - an extra
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - an extra
        from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - an extra
    except ImportError:
        raise ValueError(_EXTRA) from None
    dialect = contents.get("$schema", "")
    known: Any = validator_for
    judge = Draft202012Validator
    if dialect and isinstance(dialect, str):
        judge = known(contents, default=None)
    if judge is None:
        raise ValueError(f"unknown $schema {brief(dialect)}; leave it out for Draft 2020-12")
    try:
        judge.check_schema(contents)
    except SchemaError as error:
        place, broken = _place(error.absolute_path) or "the top", cast("Json", error.instance)
        raise ValueError(f"not a JSON Schema at {place}: {brief(broken)}") from None
    except RecursionError:
        raise ValueError("a JSON Schema nested too deep to be read") from None
    # All there is to refer to: nothing is ever fetched.
    resource = Resource.from_contents(contents, default_specification=DRAFT202012)
    base = resource.id() or ""
    registry: Any = REGISTRY.with_resource(base, resource)
    for reference, resolver in _references(resource, registry.resolver(base)):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            hint = "only what stands in the same schema can be referred to, as in #/$defs/name"
            raise ArgumentError(f"$ref {brief(reference)} leads nowhere", hint) from None
    found: Callable[[Any], Iterator[Any]] = judge(contents, registry=registry).iter_errors
    return found


def _references(resource: Any, resolver: Any) -> Iterator[tuple[str, Any]]:
    """Yield every reference of a schema, and what it is to be looked up with."""
    for key in ("$ref", "$dynamicRef"):
        if isinstance(resource.contents, dict) and isinstance(resource.contents.get(key), str):
            yield resource.contents[key], resolver
    for inner in resource.subresources():
        yield from _references(inner, resolver.in_subresource(inner))


_SCHEMA = Form(
    "a JSON Schema: a file, or a mapping",
    _read,
    {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1}]},
    fixed=True,
)


@predicate("schema")
@dataclass(frozen=True, slots=True)
class FitsSchema(Predicate):
    """The value fits a JSON Schema (Draft 2020-12): a mapping, or a file of JSON or YAML.

    The path of a file is relative to the spec. The first violations are named with their paths
    inside the value. `$ref` leads to places of the same schema only; nothing is ever fetched.
    It needs the extra `schema`: `pip install 'metrics-validator[schema]'`.

    ```yaml
    - path: "$.workers[*]"
      schema:
        type: object
        required: [id, total_requests]
        properties:
          id: {type: string}
          total_requests: {type: integer, minimum: 0}
    ```
    """

    also = ("json_schema", "jsonschema")
    accepts = NOT_NULL
    shape: Schema = given(_SCHEMA)

    def holds(self, value: Json) -> bool:
        return not self._found(value, 1)

    def explain(self, value: Json) -> str:
        found = self._found(value, _MOST + 1)
        more = ["and more"] if len(found) > _MOST else []
        return "\n".join([*found[:_MOST], *more])

    def _found(self, value: Json, most: int) -> list[str]:
        try:
            found = map(_told, islice(self.shape.violations(value), most))
            return [*dict.fromkeys(found)]
        except RecursionError:
            return ["nested too deep for this schema, or the schema refers to itself without end"]

    def __str__(self) -> str:
        return f"fits the schema {self.shape.file}".rstrip()


def _told(error: Any) -> str:
    """Say in one line where a value breaks a schema, and how."""
    place = _place(error.absolute_path)
    return f"{place}: {_what(error)}" if place else _what(error)


def _what(error: Any) -> str:
    wanted, found = error.validator_value, brief(error.instance)
    match error.validator:
        case "type":
            names = " or ".join(wanted if isinstance(wanted, list) else [wanted])
            what = f"expected {names}, found {kind(error.instance)} {found}"
        case "anyOf" | "oneOf" as word:
            what = f"{found} fits {'none' if error.context else 'several'} of {word}"
        case None:  # the schema `false`
            what = f"nothing is allowed here, found {found}"
        case word if word in _SAID:
            what = error.message
        case word:
            what = f"{word} {brief(wanted)}, found {found}"
    what = printable(what[: _SHOWN + 1])
    return what if len(what) <= _SHOWN else f"{what[: _SHOWN - 1]}…"


def _place(keys: Any) -> str:
    """Write where in the value it is: `workers[0].id`."""
    parts = []
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        elif _PLAIN.fullmatch(key):
            parts.append(f".{key}")
        else:
            parts.append(f"[{brief(key)}]")
    return "".join(parts).removeprefix(".")
