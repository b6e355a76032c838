"""How single values of a spec are read, and what their JSON Schema is."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import CoreSchema, core_schema

from validator import duration
from validator.arguments import NUMBER, ArgumentError, wrong
from validator.query import Query, compiled
from validator.registry import near
from validator.selector import Selector, compiled_selector
from validator.size import size
from validator.source import Node
from validator.spec.foreign import WORDS
from validator.values import brief, is_number, kind


class Written(BaseModel):
    """A mapping of the spec: unknown keys are mistakes, and `"5"` is not 5."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)

    noun: typing.ClassVar[str] = "key"
    """What an unknown key of this mapping is called."""
    alone: typing.ClassVar[str] = ""
    """The key that is meant when one value stands where the mapping should."""

    @classmethod
    def of(cls, node: Node | None) -> Self | None:
        """Return *node* as this, None when it is not one; what is wrong is said elsewhere."""
        if node is None:
            return None
        try:
            return cls.model_validate(node.plain(), by_alias=True)
        except ValidationError:
            return None

    def given(self) -> dict[str, Any]:
        """Return what was written, by the names of its keys."""
        return self.model_dump(exclude_none=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """How a value is read (raising ValueError), and its JSON Schema."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return dict(self.schema)


@dataclasses.dataclass(frozen=True, slots=True)
class Short:
    """A mapping that may be written as one value: that of its key *key*, of the form *schema*."""

    key: str
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._long, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [dict(self.schema), handler(core["schema"])]}

    def _long(self, value: Any) -> Any:
        return value if value is None or isinstance(value, dict) else {self.key: value}


class OneOrMore:
    """A list that may be written as its only item, a mapping."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._list, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        several = handler(core["schema"])
        return {"anyOf": [several["items"], {**several, "minItems": 1}]}

    @staticmethod
    def _list(value: Any) -> Any:
        if value == []:
            raise ValueError("expected at least one, found an empty list")
        return [value] if isinstance(value, dict) else value


UNSET: Any = None
"""The default of a key that was not given. A key given as null is a mistake of its own."""
_HOST = r"(\[[0-9a-fA-F:.]+\]|[^\s/:?#@]+)(?::(\d+))?"
"""The host of a URL and its port, as groups."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("a text", value)
    return value


def _reason(value: Any) -> str:
    if isinstance(value, bool):
        raise ArgumentError(f"expected a reason, found boolean {brief(value)}", "say why, in words")
    text = _text(value)
    if not text.strip():
        raise ValueError("expected a reason, found an empty text")
    return text


def _key(value: Any) -> str:
    # A key of digits alone comes out of the environment as a number.
    if not isinstance(value, str) and type(value) is not int:
        raise ValueError(f"expected a text, found {kind(value)}; put it in quotes")
    if not str(value).isascii() or not str(value).isprintable():
        raise ValueError("a key has printable ASCII characters only: it is sent in a header")
    return str(value)


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        number = value if is_number(value) and value > 0 else None
        hint = f"write {value}s, or {value}ms if that is meant" if number else ""
        raise ArgumentError("expected a duration with its unit, such as 250ms, 5s or 1m", hint)
    try:
        return duration.seconds(value)
    except ValueError as error:
        meant = duration.meant(value)
        raise ArgumentError(str(error), f"write {meant}" if meant else "") from error


def _positive_duration(value: Any) -> float:
    found = _duration(value)
    if found <= 0:
        raise ValueError("expected a duration longer than 0")
    return found


def _size(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("expected a size with its unit, such as 512KiB or 64MiB")
    return size(value)


def _route(value: Any) -> str:
    text = _text(value)
    if not text.startswith("/") or text.startswith("//") or any(c.isspace() for c in text):
        found = re.fullmatch(r"(?:https?://[^/\s]+)?/*([\w][\w./-]*)", text)
        hint = f"write /{found[1]}" if found else ""
        raise ArgumentError(
            "expected a path on the target that starts with /, such as /metrics", hint
        )
    return text


def _place(value: Any) -> str:
    text = _text(value)
    if not re.match("https?://", text):
        try:
            return _route(text)
        except ArgumentError as problem:
            bare = re.fullmatch(r"[\w.-]+:\d+(/\S*)?", text)
            hint = f"write http://{text}" if bare else problem.hint
            raise ArgumentError(f"{problem}, or a whole URL", hint) from None
    found = re.fullmatch(rf"https?://{_HOST}(?:[/?][^\s#]*)?", text)
    if found is None or not _is_port(found[2]):
        raise ValueError("expected the URL of a page, such as http://localhost:9090/metrics")
    return text


def _url(value: Any) -> str:
    text = _text(value).rstrip("/")
    found = re.fullmatch(rf"https?://(?:[^\s/@]*@)?{_HOST}(/[^\s?#]*)?", text)
    if found is None or not _is_port(found[2]):
        bare = re.fullmatch(r"[\w.-]+(:\d+)?(/[^\s?#]*)?", text)
        hint = f"write http://{text}" if bare else ""
        message = "expected the base URL of the target, such as http://localhost:8000"
        raise ArgumentError(message, hint)
    return text


def _is_port(digits: str | None) -> bool:
    return digits is None or 0 < int(digits) < 65536  # noqa: PLR2004 - the ports that there are


def _query(value: Any) -> Query:
    return compiled(_text(value))


def _selector(value: Any) -> Selector:
    return compiled_selector(_text(value))


def _scalar_texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong("a mapping of names to texts", value)
    for name, text in value.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ValueError(f"{name}: expected a text")
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or re.search(
            r"[\r\n\0]", str(text)
        ):
            raise ValueError(f"{name}: not a name and text that can be sent")
    return {name: str(text) for name, text in value.items()}


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError("expected a date such as 2027-01-31") from None


def _statuses(value: Any) -> tuple[int, ...]:
    found = value if isinstance(value, list) else [value]
    good = all(isinstance(s, int) and not isinstance(s, bool) and 100 <= s <= 599 for s in found)  # noqa: PLR2004 - HTTP
    if not found or not good:
        raise ValueError("expected an HTTP status such as 200, or a list of them")
    return tuple(found)


def _command(value: Any) -> tuple[str, ...]:
    import shlex  # noqa: PLC0415 - few specs start a server

    if isinstance(value, list) and value and all(isinstance(v, str | int | float) for v in value):
        return tuple(str(v) for v in value)
    words = tuple(shlex.split(_text(value)))
    if not words:
        raise ValueError("expected a command")
    return words


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong("a whole number", value)
    if not 1 <= value <= 10**9:
        raise ValueError(f"expected a whole number from 1 to {10**9}, found {value}")
    return value


def _natural(value: Any) -> int:
    if type(value) is int and value <= 0:
        if value < 0:
            raise ValueError(f"expected a whole number that is not below 0, found {value}")
        return value
    return _count(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("a number", value)
    if not (math.isfinite(value) and 0 <= value <= _MOST):
        raise ValueError(f"expected a number from 0 to {_MOST}, found {value}")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("a share, such as 0.1", value)
    if not 0 < value <= 1:
        raise ValueError(f"expected a share above 0 and up to 1, such as 0.1, found {value}")
    return value


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong("a whole number", value)
    return value


_MOST = 10**6
_DURATION_SCHEMA = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"}

Text: TypeAlias = Annotated[Any, Read(_text, {"type": "string"})]
Reason: TypeAlias = Annotated[Any, Read(_reason, {"type": "string", "minLength": 1})]
Key: TypeAlias = Annotated[Any, Read(_key, {"type": "string"})]
Duration: TypeAlias = Annotated[Any, Read(_positive_duration, _DURATION_SCHEMA)]
ZeroDuration: TypeAlias = Annotated[Any, Read(_duration, _DURATION_SCHEMA)]
Size: TypeAlias = Annotated[
    Any, Read(_size, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s?([kKMG]i?B|B)$"})
]
Route: TypeAlias = Annotated[Any, Read(_route, {"type": "string", "pattern": r"^(/|\$\{)"})]
Place: TypeAlias = Annotated[
    Any, Read(_place, {"type": "string", "pattern": r"^(/|https?://|\$\{)"})
]
Url: TypeAlias = Annotated[Any, Read(_url, {"type": "string", "pattern": r"^(https?://|\$\{)"})]
Path: TypeAlias = Annotated[Any, Read(_query, {"type": "string", "pattern": r"^\$"})]
Metric: TypeAlias = Annotated[Any, Read(_selector, {"type": "string"})]
Texts: TypeAlias = Annotated[
    Any,
    Read(_scalar_texts, {"type": "object", "additionalProperties": {"type": ["string", "number"]}}),
]
Day: TypeAlias = Annotated[Any, Read(_date, {"type": "string", "format": "date"})]
Count: TypeAlias = Annotated[Any, Read(_count, {"type": "integer", "minimum": 1})]
Missing: TypeAlias = Annotated[Any, Read(_natural, {"type": "integer", "minimum": 0})]
Start: TypeAlias = Annotated[Any, Read(NUMBER, NUMBER.schema)]
Number: TypeAlias = Annotated[Any, Read(_number, {"type": "number", "minimum": 0})]
PartOf: TypeAlias = Annotated[
    Any, Read(_share, {"type": "number", "exclusiveMinimum": 0, "maximum": 1})
]
Seed: TypeAlias = Annotated[Any, Read(_seed, {"type": "integer"})]
Statuses: TypeAlias = Annotated[
    Any,
    Read(
        _statuses,
        {
            "anyOf": [
                {"type": "integer"},
                {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            ]
        },
    ),
]
Command: TypeAlias = Annotated[
    Any,
    Read(_command, {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _word(value: Any, words: tuple[str, ...]) -> str:
    if value not in words or not isinstance(value, str):
        hint = near(value, words, WORDS) if isinstance(value, str) else ""
        known = f"one of {', '.join(words)}" if len(words) > 1 else words[0]
        found = "nothing" if value is None else f"{kind(value)} {brief(value)}"
        raise ArgumentError(f"expected {known}; found {found}", hint)
    return value


def one_of(*keys: str) -> ConfigDict:
    """Return what tells an editor that a mapping needs at least one of *keys*."""
    return ConfigDict(json_schema_extra={"anyOf": [{"required": [key]} for key in keys]})


def words(*known: str) -> Read:
    """Return how a word out of *known* is read."""
    return Read(lambda value: _word(value, known), {"enum": list(known)})
