"""The contract every predicate keeps."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar

from validator.arguments import REFERENCE_SCHEMA, ArgumentError, Form, wrong
from validator.reference import Reference, Resolve
from validator.registry import Registry
from validator.values import KINDS, Json, Kind, kind

P = TypeVar("P", bound="type[Predicate]")
P_ = TypeVar("P_", bound="Predicate")

NUMBERS: frozenset[Kind] = frozenset({"number"})
STRINGS: frozenset[Kind] = frozenset({"string"})
ARRAYS: frozenset[Kind] = frozenset({"array"})
OBJECTS: frozenset[Kind] = frozenset({"object"})
SIZED: frozenset[Kind] = frozenset({"string", "array", "object"})
ANYTHING: frozenset[Kind] = KINDS
NOT_NULL: frozenset[Kind] = KINDS - {"null"}


class Subject(Enum):
    """What a predicate is asked about."""

    VALUE = "each matched value"
    PRESENCE = "whether anything matched"
    ELEMENTS = "the elements of an array, or several matches together"
    CURVE = "the samples of a counter, beside what the client had done by then"


class Predicate(ABC):
    """A question with a yes-or-no answer.

    Predicates are immutable and compare by value. They never raise on data: the engine checks
    *accepts* first and reports any other kind as a mismatch. The dataclass fields are the
    arguments: one field is given plainly, several as a list (*listed*) or as a mapping.
    """

    also: ClassVar[tuple[str, ...]] = ()
    """What others call it, for those who look for it under another name."""
    accepts: ClassVar[frozenset[Kind]] = ANYTHING
    """JSON kinds this predicate has an opinion on."""
    subject: ClassVar[Subject] = Subject.VALUE
    listed: ClassVar[bool] = False
    admits_none: ClassVar[bool] = False
    """Whether a count of nothing may satisfy it: only who asks for exactly 0 asks for nothing."""
    rises: ClassVar[bool] = False
    """Whether what holds of a number goes on to hold when it grows."""
    weighs: ClassVar[bool] = True
    """Whether it says something about the value, and not only that one is there."""

    @abstractmethod
    def holds(self, value: Any) -> bool:
        """Return whether *value* satisfies this predicate."""

    @abstractmethod
    def __str__(self) -> str:
        """Complete the sentence "expected the value to be ..."."""

    @property
    def of_curve(self) -> bool:
        """Whether it is asked about a counter's samples and the client's progress."""
        return self.subject is Subject.CURVE

    def fits(self, value: Json) -> bool:
        """Say whether *value* is of a kind that this predicate has an opinion on."""
        return kind(value) in self.accepts

    @property
    def wanted(self) -> str:
        """The kinds it accepts, for the note on a value of another kind."""
        return " or ".join(sorted(self.accepts))

    def explain(self, value: Any) -> str:  # noqa: ARG002 - for those that know more than "no"
        """Say what about *value* is wrong, when that is not plain from the value."""
        return ""

    def shows(self, value: Any) -> str:  # noqa: ARG002 - for those that sum it up
        """Return what a verdict shows of *value*, when that is not the value itself."""
        return ""

    def idle(self, value: Any, *, referred: bool) -> bool:  # noqa: ARG002 - most never are
        """Say whether this holds of *value* and yet says nothing: it could not have failed.

        *referred* says that the bound is a measured value and not one the author chose.
        """
        return False

    @classmethod
    def read(cls, argument: Any) -> Self:
        """Build the predicate from what stands in the spec; raise ValueError."""
        arguments = _arguments(cls)
        if len(arguments) == 1:
            return cls._fitting(cls(arguments[0][1](argument)))  # type: ignore[call-arg]  # its one
        forms = dict(cls.forms())
        if cls.listed:
            if not isinstance(argument, list) or len(argument) != len(forms):
                raise wrong(f"a list [{', '.join(forms)}]", argument)
            return cls._checked(dict(zip(forms, argument, strict=True)))
        if not isinstance(argument, dict):
            raise wrong(f"a mapping with {', '.join(forms)}", argument)
        if unknown := sorted(argument.keys() - forms.keys()):
            raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(forms)}")
        return cls._checked(argument)

    @classmethod
    def _checked(cls, arguments: dict[str, Any]) -> Self:
        forms = dict(cls.forms())
        for name, _, default in _arguments(cls):
            if default is dataclasses.MISSING and name not in arguments:
                raise ValueError(f"{name!r} is missing")
        return cls._fitting(cls(**{n: _read(n, forms[n], v) for n, v in arguments.items()}))

    @staticmethod
    def _fitting(built: P_) -> P_:
        """Return *built* if its arguments fit together, as far as that can be said already."""
        if type(built).check is not Predicate.check and not any(built.references()):
            built.check()
        return built

    def check(self) -> None:  # noqa: B027 - most have nothing to add
        """Raise ValueError when the arguments, each well formed, do not fit together."""

    @classmethod
    def forms(cls) -> Iterator[tuple[str, Form]]:
        """Yield the name and form of each argument."""
        for name, form, _ in _arguments(cls):
            yield name, form

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the argument."""
        forms = dict(cls.forms())
        schemas = {name: _or_reference(form.schema) for name, form in forms.items()}
        if len(forms) == 1:
            return next(iter(schemas.values()))
        if cls.listed:
            size = len(forms)
            return {
                "type": "array",
                "prefixItems": list(schemas.values()),
                "minItems": size,
                "maxItems": size,
            }
        described = {
            name: {"description": forms[name].description, **schema}
            for name, schema in schemas.items()
        }
        return {"type": "object", "properties": described, "additionalProperties": False}

    def references(self) -> Iterator[Reference]:
        """Yield what only the load can answer."""
        for name, _, _ in _arguments(type(self)):
            value = getattr(self, name)
            if isinstance(value, _MAY_REFER):
                yield from _references(value)

    def resolved(self, resolve: Resolve) -> Self:
        """Return this predicate with its references looked up; raise ValueError."""
        return self._checked(
            {
                name: _replaced(getattr(self, name), resolve)
                for name, _, default in _arguments(type(self))
                if getattr(self, name) is not default or isinstance(default, Reference)
            }
        )


_MAY_REFER = (Reference, tuple, list, dict)


@functools.cache
def _arguments(cls: type[Predicate]) -> tuple[tuple[str, Form, Any], ...]:
    """Return the name, form and default of each argument; asked for each of 10,000 assertions."""
    listed = dataclasses.fields(cls)  # type: ignore[arg-type]  # predicates are dataclasses
    return tuple((field.name, field.metadata["form"], field.default) for field in listed)


def _read(name: str, form: Form, value: Any) -> Any:
    """Return the argument *name* read; raise ValueError that names it."""
    try:
        return form(value)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}", getattr(error, "hint", "")) from error


def _references(value: Any) -> Iterator[Reference]:
    match value:
        case Reference():
            yield value
        case tuple() | list():
            for item in value:
                yield from _references(item)
        case dict():
            for item in value.values():
                yield from _references(item)


def _replaced(value: Any, resolve: Resolve) -> Any:
    match value:
        case Reference():
            return resolve(value)
        case tuple():
            return tuple(_replaced(item, resolve) for item in value)
        case list():
            return [_replaced(item, resolve) for item in value]
        case dict():
            return {key: _replaced(item, resolve) for key, item in value.items()}
    return value


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema or schema.get("const") is True or schema.get("type") == "string":
        return schema
    return {"anyOf": [schema, REFERENCE_SCHEMA]}


PREDICATES: Registry[type[Predicate]] = Registry("predicate")


def predicate(name: str) -> Callable[[P], P]:
    """Make a predicate available in specs as *name*."""
    return PREDICATES.register(name)  # type: ignore[return-value]  # the registry hands back what it got
