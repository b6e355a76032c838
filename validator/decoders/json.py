"""The format `json`."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import NoReturn

from validator.decoders.base import decoded, decoder, near, place
from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.values import Json, brief, printable

# Possessive, so that no text makes it go back over what it has read.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_NUMBERS = re.compile(rf"{_STRING}|(-?(?:[0-9][0-9.eE+-]*+|Infinity)|NaN)", re.DOTALL)
_BRACKETS = re.compile(rf"{_STRING}|([\[{{])|([\]}}])", re.DOTALL)


@decoder("json", accept="application/json, */*;q=0.5")
def decode_json(payload: Payload, depth: int) -> Json:
    """Read the body as one JSON document.

    ```yaml
    endpoints:
      queue:
        get: /metrics/queue
        format: json             # the default
        assert:
          - {path: $.waiting, type: integer, ge: 0}
    ```

    Strict: `NaN`, `Infinity` and numbers too large for a float make the body undecodable, as
    do a key that stands twice in an object, an empty body, text after the document and nesting
    beyond the endpoint's bound.
    UTF-8, UTF-16 and UTF-32 are told apart by the first bytes, whatever the content type says.
    """
    text = decoded(payload.body, json.detect_encoding(payload.body))
    if not text.strip():
        raise DecodeError("not JSON: the body is empty")
    try:
        document: Json = _STRICT.decode(text)
    except _NumberError as error:
        _refuse_number(text, error.literal)
    except _RepeatedKeyError as error:
        raise DecodeError(f"not one JSON document: the key {error} stands twice") from None
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")  # the place follows
        _refuse(text, error.pos, f"not JSON: {what[0].lower()}{what[1:]}")
    except RecursionError:
        _refuse_depth(text, depth)
    except ValueError:  # the only other one: int() declines to read that many digits
        _refuse_long_number(text)
    if _deeper(document, depth):
        _refuse_depth(text, depth)
    return document


class _NumberError(Exception):
    def __init__(self, literal: str) -> None:
        super().__init__(literal)
        self.literal = literal


class _RepeatedKeyError(Exception):
    """Its text is the key, quoted."""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Return the object of *pairs*; which of two values under one key is meant nobody can say."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(brief(key))
            seen.add(key)
    return found


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise _NumberError(literal)
    return number


def _constant(literal: str) -> NoReturn:
    raise _NumberError(literal)


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=_constant)


def _deeper(document: Json, depth: int) -> bool:
    """Say whether *document* nests deeper than *depth*, level by level: no recursion."""
    level = [document] if isinstance(document, list | dict) else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, list | dict)
        ]
    return bool(level)


def _refuse(text: str, index: int, what: str) -> NoReturn:
    if index >= len(text.rstrip()):
        raise DecodeError(f"{what} at {place(text, index)}, where the body ends")
    raise DecodeError(f"{what} at {place(text, index)}, {near(text, index)}")


def _refuse_number(text: str, literal: str) -> NoReturn:
    # The parser meets numbers in order, so the first such literal is the one it refused.
    index = next(m.start() for m in _NUMBERS.finditer(text) if m[1] == literal)
    if literal.endswith(("NaN", "Infinity")):
        _refuse(text, index, f"not JSON: {literal}")
    shown = printable(literal if len(literal) <= 20 else f"{literal[:19]}…")  # noqa: PLR2004 - room in a line
    _refuse(text, index, f"number too large: {shown}")


def _refuse_long_number(text: str) -> NoReturn:
    most = sys.get_int_max_str_digits()
    index = next(m.start() for m in _NUMBERS.finditer(text) if m[1] and len(m[1]) > most)
    _refuse(text, index, f"number of more than {most} digits")


def _refuse_depth(text: str, depth: int) -> NoReturn:
    open_now = 0
    for found in _BRACKETS.finditer(text):
        open_now += bool(found[1]) - bool(found[2])
        if open_now > depth:
            levels = f"{depth} level{'s' if depth != 1 else ''}"
            _refuse(text, found.start(), f"nested deeper than {levels}")
    raise DecodeError("nested too deep to be read")
