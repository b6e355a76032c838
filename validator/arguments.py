"""What a predicate may be given: one place for checking an argument and for its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from validator import duration
from validator.reference import Reference, did_you_mean
from validator.registry import near
from validator.values import Json, brief, is_number, kind


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of argument: how it is called, read and described to an editor."""

    noun: str
    read: Callable[[Json], Any]
    schema: dict[str, Any]
    help: str = ""
    """What it is for, where that is not plain from its name."""
    fixed: bool = False
    """Whether it must be known when the spec is read."""

    @property
    def description(self) -> str:
        """What an editor says about it."""
        return self.help or f"{self.noun[:1].upper()}{self.noun[1:]}."

    def __call__(self, value: Any) -> Any:
        """Return *value* read, a reference untouched; raise ValueError."""
        if not isinstance(value, Reference):
            return self.read(value)
        if self.fixed:
            raise ValueError(f"expected {self.noun}, which must be known before the load")
        return value


_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "true": "true"} | {
    "no": "false", "off": "false", "n": "false", "false": "false"
}  # fmt: skip
"""What YAML 1.1 took for a boolean, and what is one in quotes."""
_TYPES = {
    "float": "number", "double": "number", "int": "integer", "str": "string", "text": "string",
    "bool": "boolean", "list": "array", "dict": "object", "map": "object", "mapping": "object",
    "none": "null", "nil": "null",
}  # fmt: skip
"""What the types of JSON are called elsewhere."""
_PLAIN = re.compile(r"(?:[A-Za-z/]|[0-9]+[a-z])(?:[:. ]?[\w/-]){0,60}")
"""A text of one line that needs no quotes, whatever it stands in."""


def given(form: Form, default: Any = ...) -> Any:
    """Declare a dataclass field that is an argument of *form*."""
    if default is ...:
        return field(metadata={"form": form})
    return field(default=default, metadata={"form": form})


class FromFile(str):
    """A path in the spec, together with what the file holds."""

    __slots__ = ("contents",)
    contents: Json

    def __new__(cls, path: str, contents: Json) -> Self:
        """Return *path* with *contents*."""
        made = super().__new__(cls, path)
        made.contents = contents
        return made


REFERENCE_SCHEMA = {"type": "string", "pattern": r"\$\{[^}]+\}"}


class ArgumentError(ValueError):
    """An argument is wrong, and *hint* may say what was meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def wrong(noun: str, value: Json) -> ValueError:
    """Return the error for an argument of the wrong kind."""
    if isinstance(value, Reference):
        return ValueError(f"expected {noun}, which must be known before the load")
    found = "nothing" if value is None else f"{kind(value)} {brief(value)}"
    return ArgumentError(f"expected {noun}, found {found}", advice(noun, value))


def advice(noun: str, value: Json) -> str:
    """Say how *value*, which is not *noun* as it stands, is to be written; nothing if unknown."""
    if noun.startswith("true") and isinstance(value, str):
        word = _BOOLEANS.get(value.lower(), "")
        return f"write {word}" if word and word in noun else ""
    if noun.startswith("a list [") and (pair := _two_numbers(value)):
        return f"write [{pair[0]}, {pair[1]}]"
    if noun.startswith("a list of") and isinstance(value, bool | int | float | str):
        return f"write [{as_yaml(value)}{', …' if 'items' in noun else ''}]"
    if noun.startswith("a mapping with ") and isinstance(value, int | float | str):
        return f"such as {{{noun.split()[3].rstrip(',')}: {as_yaml(value)}, …}}"
    if noun.startswith(("a number", "a share", "a whole number")):
        return _number_meant(noun, value)
    return did_you_mean(value) if isinstance(value, str) else ""


def _two_numbers(value: Json) -> list[str]:
    """Return the two numbers that are all there is in *value*, as they were written."""
    if isinstance(value, dict):
        numbers = [brief(v) for v in value.values() if is_number(v)]
    else:
        numbers = re.findall(r"-?\d+(?:\.\d+)?", value) if isinstance(value, str) else []
    return numbers if len(numbers) == 2 else []  # noqa: PLR2004 - a range has two ends


def _number_meant(noun: str, value: Json) -> str:
    """Say how the number is written that *value* was likely meant to be."""
    if isinstance(value, float) and value.is_integer() and noun == "a whole number":
        return f"write {int(value)}"
    if not isinstance(value, str):
        return ""
    if re.fullmatch(r"-?\d+(?:\.\d+)?", value):
        return "the quotes make it a text"
    if re.fullmatch(r"-?\d{1,3}(?:[_ ]\d{3})+", value):
        return f"write {re.sub('[_ ]', '', value)}"
    if percent := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value):
        share = f"{float(percent[1]) / 100:g}"
        other = "" if "share" in noun else f" or {percent[1]}, as the page counts"
        return f"write {share}{other}"
    if unit := re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-zµ]+|/ ?\w+)", value, re.IGNORECASE):
        return f"write {unit[1]}: a number has no unit"
    return did_you_mean(value)


def as_yaml(value: Json) -> str:
    """Write a scalar as people write it in YAML: without quotes where it needs none."""
    if isinstance(value, str) and value not in _BOOLEANS and _PLAIN.fullmatch(value):
        return value
    return brief(value)


def _number(value: Json) -> Json:
    if not is_number(value):
        raise wrong("a number", value)
    return value


def _text(value: Json) -> Json:
    if not isinstance(value, str):
        raise wrong("a text", value)
    return value


def _true(value: Json) -> Json:
    if value is not True:
        raise wrong("true", value)
    return value


def _boolean(value: Json) -> Json:
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def _any(value: Json) -> Json:
    return value


def _list(noun: str, form: Form, least: int) -> Callable[[Json], tuple[Any, ...]]:
    def read(value: Json) -> tuple[Any, ...]:
        if isinstance(value, tuple):  # read once already, and now again with references resolved
            value = list(value)
        if not isinstance(value, list):
            raise wrong(noun, value)
        if len(value) < least:
            raise ValueError(f"expected {noun}, found {len(value) or 'none'}")
        return tuple(form(item) for item in value)

    return read


def list_of(form: Form, least: int = 1) -> Form:
    """Return the form of a list with at least *least* items."""
    noun = f"a list of at least {least} item{'s' if least > 1 else ''}"
    items = {"anyOf": [form.schema, REFERENCE_SCHEMA]} if form.schema else {}
    return Form(
        noun, _list(noun, form, least), {"type": "array", "items": items, "minItems": least}
    )


def word_of(choices: tuple[str, ...], noun: str) -> Form:
    """Return the form of a word out of *choices*."""

    def read(word: Json) -> str:
        if word not in choices or not isinstance(word, str):
            hint = _word_meant(word, choices) if isinstance(word, str) else ""
            raise ArgumentError(f"{wrong(noun, word)}; known: {', '.join(choices)}", hint)
        return str(word)

    return Form(noun, read, {"enum": list(choices)}, fixed=True)


def _word_meant(word: str, choices: tuple[str, ...]) -> str:
    several = [part.strip() for part in word.split("|")]
    if len(several) > 1 and all(part in choices for part in several):
        return f"write [{', '.join(brief(w) if w == 'null' else w for w in several)}]"
    return near(word, choices, _TYPES)  # which there are is said already


def one_of(choices: tuple[str, ...], noun: str) -> Form:
    """Return the form of a word out of *choices*, or of a list of such words."""
    each = word_of(choices, noun)

    def read(value: Json) -> tuple[str, ...]:
        words = list(value) if isinstance(value, list | tuple) else [value]
        if not words:
            raise ValueError(f"expected {noun}, found an empty list")
        return tuple(each.read(word) for word in words)

    word = {"enum": list(choices)}
    listed = {"type": "array", "items": word, "minItems": 1}
    return Form(noun, read, {"anyOf": [word, listed]}, fixed=True)


def _pattern(value: Json) -> Json:
    if not isinstance(value, str):
        raise wrong("a regular expression", value)
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


class Seconds(float):
    """A duration once it is read, so that it is not taken for a number without a unit."""

    __slots__ = ()


def _duration(value: Json) -> Seconds:
    if isinstance(value, Seconds):
        return value
    if not isinstance(value, str):
        raise wrong("a duration with its unit, such as 250ms, 5s or 1m", value)
    return Seconds(duration.seconds(value))


NUMBER = Form("a number", _number, {"type": "number"})
TEXT = Form("a text", _text, {"type": "string"})
TRUE = Form("true", _true, {"const": True}, fixed=True)
BOOLEAN = Form("true or false", _boolean, {"type": "boolean"}, fixed=True)
DURATION = Form(
    "a duration",
    _duration,
    {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"},
    fixed=True,
)
ANY = Form("a value", _any, {})
PATTERN = Form("a regular expression", _pattern, {"type": "string", "format": "regex"})
