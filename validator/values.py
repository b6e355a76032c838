"""What a decoded payload is made of, and how to name, compare and quote it."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal, TypeAlias, TypeGuard

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Number: TypeAlias = int | float
Kind: TypeAlias = Literal["null", "boolean", "number", "string", "array", "object"]

KINDS: frozenset[Kind] = frozenset({"null", "boolean", "number", "string", "array", "object"})


def kind(value: Json) -> Kind:
    """Return JSON's own name for the type of *value*."""
    match value:
        case None:
            return "null"
        case bool():  # before int: True is an int to Python, never to JSON
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def is_number(value: object) -> TypeGuard[Number]:
    """Say whether *value* is a finite number; a boolean is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def same(left: Json, right: Json) -> bool:
    """Say whether two values are equal as JSON: `1` is `1.0` but never `true` or `"1"`."""
    match left, right:
        case list(), list():
            return len(left) == len(right) and all(map(same, left, right))
        case dict(), dict():
            return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
        case _:
            return kind(left) == kind(right) and left == right


def printable(text: str) -> str:
    r"""Spell out every character a terminal or a log might act on (`\x1b`, bidi marks)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# Made once: json.dumps makes an encoder each time.
_encode = json.JSONEncoder(ensure_ascii=False).encode
_write_out = json.JSONEncoder(ensure_ascii=False, default=str).encode


def json_text(value: Any) -> str:
    """Write *value* as JSON in one line, without what a terminal acts on or UTF-8 cannot hold."""
    text = _encode(value)
    if text.isprintable():
        return text
    # Outside its strings JSON of one line is printable, so every escape stands inside one.
    return re.sub(r"[^ -~]", lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)


def show(number: float) -> str:
    """Write a number as a person would: no trailing zeros, no digits that say nothing."""
    if isinstance(number, int):
        if abs(number) < 10**21:
            return str(number)
        try:
            return f"{number:.6g}"
        except OverflowError:  # no float can hold it; its digits are more than a line, too
            return f"{'-' if number < 0 else ''}1e308 and more"
    if number.is_integer() and abs(number) < 10**15:
        return str(int(number))
    return f"{number:.6g}" if not 10**6 <= abs(number) < 10**15 else f"{number:.2f}"


def brief(value: Json, limit: int = 60) -> str:
    """Return *value* as one printable line of at most *limit* characters."""
    if is_number(value):
        return show(value)
    # Big values are cut before they are written out: a 10 MB array costs nothing here.
    match value:
        case list() if len(value) > limit:
            text = _write_out(value[:limit])
        case dict() if len(value) > limit:
            text = _write_out(dict(list(value.items())[:limit]))
        case str() if len(value) > limit:
            text = _write_out(value[: limit + 1])
        case _:
            text = _write_out(value)
    text = printable(text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def glimpse(value: Json) -> str:
    """Return scalars as they are, and of an array or object only how big it is."""
    match value:
        case list():
            return f"array of {len(value)}"
        case dict():
            return f"object of {len(value)}"
    return brief(value)
