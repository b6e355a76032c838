"""Changed documents: the way to what changed is copied, all the rest is shared. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from validator.values import Json

Keys: TypeAlias = "tuple[str | int, ...]"
"""The way to a value from the root of its document."""


class Gone:
    """What stands where a value was taken away, or never was."""

    def __repr__(self) -> str:
        return "GONE"


GONE = Gone()


@dataclass(frozen=True, slots=True)
class Edit:
    """What a document holds at one place, instead of what it held."""

    keys: Keys
    value: Json | Gone


def at(document: Json, keys: Keys) -> Json | Gone:
    """Return what stands at *keys*, if anything does."""
    value: Any = document
    for key in keys:
        fits = isinstance(value, dict if isinstance(key, str) else list)
        there = fits and (key in value if isinstance(key, str) else key < len(value))
        if not there:
            return GONE
        value = value[key]
    found: Json = value
    return found


def edited(document: Json, edits: Iterable[Edit]) -> Json:
    """Return *document* with *edits* made; every place must be there."""
    for edit in edits:
        document = _edited(document, edit.keys, edit.value)
    return document


def _edited(document: Any, keys: Keys, value: Json | Gone) -> Any:
    if not keys:
        return value
    head, rest = keys[0], keys[1:]
    copy = document.copy()
    if rest:
        copy[head] = _edited(document[head], rest, value)
    elif isinstance(value, Gone):
        del copy[head]
    else:
        copy[head] = value
    return copy
