"""The contract every decoder keeps, and what text decoders share."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.registry import Registry
from validator.values import Json, printable

Decoder: TypeAlias = Callable[[Payload, int], Json]
"""Payload and greatest nesting depth to plain data; raises `DecodeError`."""

DECODERS: Registry[Decoder] = Registry("format")

ACCEPT: dict[str, str] = {}
"""The media types each format asks a server for."""

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


def decoder(name: str, *, accept: str = "*/*") -> Callable[[Decoder], Decoder]:
    """Register a decoder as format *name*, for which *accept* is asked of the server."""
    ACCEPT[name] = accept
    return DECODERS.register(name)


def text_of(payload: Payload) -> str:
    """Return the body as text, in the charset its content type names, else in UTF-8."""
    named = _CHARSET.search(payload.content_type)
    charset = named[1] if named else "utf-8"
    if charset.lower() in {"utf-8", "utf8"}:
        charset = "utf-8-sig"  # a byte order mark is allowed, and is not text
    return decoded(payload.body, charset)


def decoded(body: bytes, charset: str) -> str:
    """Return *body* as text; raise `DecodeError` at the first byte that does not fit."""
    try:
        return body.decode(charset)
    except LookupError:
        raise DecodeError(f"unknown charset {printable(charset[:40])!r}") from None
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(charset, "ignore")
        name = charset.removesuffix("-sig").upper()
        raise DecodeError(
            f"not {name}: byte 0x{body[error.start]:02x} at {place(before, len(before))}"
        ) from None
    except ValueError as error:  # codecs are free to raise more than UnicodeDecodeError
        raise DecodeError(f"not {printable(charset[:40])}: {printable(str(error))}") from None


def place(text: str, index: int) -> str:
    """Say in which line and column *index* stands; both count from 1."""
    line = text.count("\n", 0, index) + 1
    return f"line {line}, column {index - text.rfind(chr(10), 0, index)}"


def near(text: str, index: int, reach: int = 20) -> str:
    """Quote a little of the line around *index*, printable."""
    start = max(text.rfind("\n", 0, index) + 1, index - reach)
    return f"near {text[start : index + reach].rstrip()!r}"


def json_or_text(text: str, depth: int) -> Json:
    """Return what *text* says if it is strict JSON, else the text itself.

    Raises `DecodeError`, without a place, when it nests deeper than *depth*, and when it is an
    object or an array with a number that JSON has not: a field in it must not seem absent.
    """
    try:
        value: Json = _STRICT.decode(text)
    except RecursionError:
        raise DecodeError("nested too deep to be read") from None
    except ValueError:  # not JSON, or a number that JSON has not: then it is text
        if _is_container(text):
            raise DecodeError("not JSON: NaN, or a number too large") from None
        return text
    level = _containers([value])
    for _ in range(depth):
        level = _containers(inner for outer in level for inner in _members(outer))
    if level:
        raise DecodeError(f"nested deeper than {depth} levels")
    return value


def _is_container(text: str) -> bool:
    """Say whether *text* is an object or an array but for its numbers."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _containers(values: Iterable[Json]) -> list[dict[str, Json] | list[Json]]:
    return [value for value in values if isinstance(value, dict | list)]


def _members(container: dict[str, Json] | list[Json]) -> Iterable[Json]:
    return container.values() if isinstance(container, dict) else container


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(literal)
    return number


_STRICT = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)
