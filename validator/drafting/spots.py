"""Several looks at one page, put together: what stood at each place, and when. Pure.

Alike members of an array, or of a mapping whose keys are data, are one place: `$.workers[*].done`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from validator.page import series
from validator.query import child
from validator.values import Json, kind, same

Look: TypeAlias = "Mapping[str, Json]"
"""What one look saw at a place: the values by their own paths."""

_ALIKE = 0.8
_MOST_ELEMENTS = 1000
"""Elements of one array that are looked at for what they have in common; all are judged later."""
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(slots=True)
class Spot:
    """One place of a page over all looks."""

    path: str
    """A JSONPath, or the name of a metric."""
    name: str
    """The key that says what it is."""
    looks: list[Look]
    several: bool = False
    """Whether the path may select several values."""
    metric: bool = False
    type: str = ""
    """Of a metric: what its family says it is."""
    help: str = ""
    """Of a metric: what its family says about it."""
    within: tuple[str, ...] = field(default=())
    """The keys above it."""

    @property
    def values(self) -> list[Json]:
        """Every value of every look."""
        return [value for look in self.looks for value in look.values()]

    @property
    def kinds(self) -> set[str]:
        """Of which kinds they are."""
        return {kind(value) for value in self.values}

    @property
    def holds_more(self) -> bool:
        """Whether there are places within it."""
        return bool(self.kinds & {"object", "array"})

    def restless(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """Say whether it moved between the looks of any of *pairs*."""
        return any(not _same(self.looks[earlier], self.looks[later]) for earlier, later in pairs)


def _same(earlier: Look, later: Look) -> bool:
    return earlier.keys() == later.keys() and all(
        same(value, later[path]) for path, value in earlier.items()
    )


def spots(documents: list[Json]) -> Iterator[Spot]:
    """Yield the places of a page of JSON or CSV, objects before what is in them."""
    yield from _within(Spot("$", "", [{"$": document} for document in documents]))


def _within(here: Spot) -> Iterator[Spot]:
    yield here
    kinds = here.kinds
    if kinds == {"object"}:
        yield from _of_object(here)
    elif kinds == {"array"}:
        elements = _elements(here)
        if elements.kinds == {"object"}:
            yield from _within(elements)


def _of_object(here: Spot) -> Iterator[Spot]:
    keys = list(dict.fromkeys(key for value in here.values for key in _dict(value)))
    if _is_map(here, keys):
        path = f"{here.path}.*"
        members: list[Look] = [
            {child(p, k): v for p, value in look.items() for k, v in _dict(value).items()}
            for look in here.looks
        ]
        yield from _within(
            Spot(path, here.name, members, several=True, within=(*here.within, here.name))
        )
        return
    for key in keys:
        looks: list[Look] = [
            {child(p, key): _dict(value)[key] for p, value in look.items() if key in _dict(value)}
            for look in here.looks
        ]
        within = (*here.within, here.name) if here.name else here.within
        yield from _within(Spot(child(here.path, key), key, looks, here.several, within=within))


def _is_map(here: Spot, keys: list[str]) -> bool:
    """Say whether the keys of an object are data, so that its members are alike."""
    members = [value for whole in here.values for value in _dict(whole).values()]
    if not members:
        return False
    odd = not any(_WORD.fullmatch(key) for key in keys)
    if {kind(m) for m in members} == {"object"}:
        if here.path == "$" and not odd:
            return False
        shapes = [frozenset(_dict(m)) for m in members]
        every, shared = frozenset.union(*shapes), frozenset.intersection(*shapes)
        alike = bool(every) and len(shared) >= _ALIKE * len(every)
        return alike and ((len(keys) > 1 and len(shared) > 1) or odd)
    scalars = {kind(m) for m in members} == {"number"}
    return scalars and odd and len(keys) > 1


def _elements(here: Spot) -> Spot:
    looks: list[Look] = [
        {
            f"{p}[{i}]": v
            for p, value in look.items()
            for i, v in enumerate(_list(value)[:_MOST_ELEMENTS])
        }
        for look in here.looks
    ]
    return Spot(f"{here.path}[*]", here.name, looks, several=True, within=here.within)


def metrics(documents: list[Json]) -> Iterator[Spot]:
    """Yield the metrics of a Prometheus page: all series of one name are one place."""
    found: dict[str, Spot] = {}
    for index, document in enumerate(documents):
        for family in _dict(_dict(document).get("families")).values():
            about = _dict(family)
            for sample in map(_dict, _list(about.get("samples"))):
                name = str(sample.get("name"))
                if name not in found:
                    found[name] = Spot(
                        series(name, {}),
                        name,
                        [{} for _ in documents],
                        several=True,
                        metric=True,
                        type=str(about.get("type")),
                        help=str(about.get("help") or ""),
                    )
                labels = {k: str(v) for k, v in _dict(sample.get("labels")).items()}
                look = found[name].looks[index]
                assert isinstance(look, dict)
                look[series(name, labels)] = sample.get("value")
    yield from found.values()


def still(places: Iterable[Spot]) -> Iterator[Spot]:
    """Yield the largest of *places* in which nothing moved from look to look."""
    inside: tuple[str, ...] = ()
    for spot in places:
        if spot.path.startswith(inside) or spot.restless(pairwise(range(len(spot.looks)))):
            continue
        if spot.holds_more:
            inside = (f"{spot.path}.", f"{spot.path}[")
        yield spot


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
