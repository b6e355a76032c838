"""Percentiles in a document, found by the names of their keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeGuard

from validator.query import Query
from validator.records.trace import Point
from validator.values import Json, Number, is_number

_MOST: Final = 1e300
_PERCENTILE = re.compile(r"p(\d\d?(?:\.\d+)?)")
_ASKED = re.compile(rf"(?:.*_)?{_PERCENTILE.pattern}(?:_m?s)?")
"""The name of a percentile that a spec gives, such as `temp_p90`."""
_ENDS: Final = {"min": 0.0, "max": 100.0}


def ladder(document: Json) -> tuple[Point, ...]:
    """Return the percentiles among the members of an object, in order."""
    members = document if isinstance(document, dict) else {}
    rungs = {at: v for key, v in members.items() if (at := percentile(key)) is not None}
    return _rungs(rungs)


def ordered(document: Json, keys: Iterable[str]) -> tuple[Point, ...]:
    """Return what stands under those of *keys* that are percentiles, at least two."""
    members = document if isinstance(document, dict) else {}
    named = {_ENDS.get(key, percentile(key, _ASKED)): members.get(key) for key in keys}
    rungs = _rungs({at: value for at, value in named.items() if at is not None})
    return rungs if len(rungs) > 1 else ()


def _rungs(found: Mapping[float, Json]) -> tuple[Point, ...]:
    return tuple(sorted((at, value) for at, value in found.items() if fits(value)))


def percentile(key: str, form: re.Pattern[str] = _PERCENTILE) -> float | None:
    """Return which percentile *key* names: 50 for p50; None if it names none."""
    named = form.fullmatch(key)
    return None if named is None else float(named[1])


def is_pair(field: tuple[str, ...]) -> bool:
    """Say whether *field* is a percentile of a distribution, such as `ttft_ms.p50`."""
    return len(field) == len(("ttft_ms", "p50")) and percentile(field[-1]) is not None


def is_percentile(query: Query) -> bool:
    """Say whether what *query* asks for has the name of a percentile."""
    return bool(query.keys) and percentile(str(query.keys[-1])) is not None


def fits(value: Json) -> TypeGuard[Number]:
    """Say whether *value* is a number that a sum of floats can hold."""
    return is_number(value) and abs(value) < _MOST
