"""What stands near a place where nothing is: for a reader who wonders why. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from itertools import islice

from validator.query import Query, child
from validator.selector import Selector, family_of, names_in, series_named
from validator.values import Json, kind

_MOST_NAMES = 1_000
"""Of more names than this the nearest takes too long to find."""
_ALIKE = 0.75
"""From here on a name is likely another one misspelt."""
NOTHING = "nothing at that path"


def nearby(query: Query | Selector, document: Json) -> str:
    """Say why *query* selects nothing from *document*, as far as that can be told."""
    if isinstance(query, Selector):
        return _series(query, document)
    return _member(query, document) if query.definite else ""


def _series(query: Selector, document: Json) -> str:
    if query.name is None:
        return ""
    if family := family_of(query.name, document):
        return family
    alike, count = series_named(query.name, document)
    if count:
        many = f"{count} series have" if count > 1 else "1 series has"
        return f"{NOTHING}: {many} that name, such as {alike}"
    return _meant(query.name, names_in(document))


def _member(query: Query, document: Json) -> str:
    value, path = document, "$"
    for left, key in zip(range(len(query.keys) - 1, -1, -1), query.keys, strict=True):
        match value, key:
            case dict(), str() if key in value:
                value = value[key]
            case dict(), str():
                above = f"{NOTHING}, nor at {child(path, key)}" if left else ""
                return _meant(key, value, path) or above
            case list(), int() if -len(value) <= key < len(value):
                value = value[key]
            case list(), int():
                return f"{NOTHING}: the array at {path} has a length of {len(value)}"
            case list(), _:
                return f"{NOTHING}: an array is at {path}; {path}[*] selects its elements"
            case _:
                return f"{NOTHING}: {kind(value)} is at {path}"
        path = child(path, key)
    return ""


def _meant(name: str, known: Collection[str], parent: str = "") -> str:
    if len(known) > _MOST_NAMES:
        return ""
    near = difflib.get_close_matches(name, _texts(known), n=1, cutoff=_ALIKE)
    if not near:
        return ""
    return f"{NOTHING}; near it is {child(parent, near[0]) if parent else near[0]}"


def _texts(known: Iterable[str]) -> list[str]:
    return [name for name in islice(known, _MOST_NAMES) if isinstance(name, str)]
