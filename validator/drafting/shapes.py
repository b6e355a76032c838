"""What may be claimed of objects, arrays, texts and booleans, by what they look like. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from validator.drafting import words
from validator.drafting.claims import Claim, Evidence, Heading
from validator.drafting.places import encodable, escaped, place_of, whole_of
from validator.drafting.spots import Spot
from validator.values import Json, is_number

_FIRST = ("min", "minimum")
_LAST = ("max", "maximum")
_PATTERNS = (
    (r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.DOTALL)),
    (
        "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    ),
    (r"^v?\d+\.\d+", re.compile(r"v?\d+\.\d+.*", re.DOTALL)),
)
_LONGEST_CONSTANT = 80

Claims: TypeAlias = Callable[[Spot, Evidence], Iterator[Claim]]


def identity(spot: Spot) -> Iterator[Claim]:
    """Yield that no two elements have the same id."""
    whole = whole_of(spot).removesuffix("[*]")
    holder = spot.within[-1] if spot.within else ""
    if "*" in whole or whole == whole_of(spot) or not words.is_identity(spot.name, holder):
        return
    looks = [list(map(str, look.values())) for look in spot.looks]
    if all(len(ids) > 1 and len({*ids}) == len(ids) for ids in looks):
        yield Claim(Heading.KINDS, place_of(spot), {"unique": True})


def quantiles_beside(spot: Spot) -> bool:
    """Say whether *spot* is one of a ladder: beside `p50`, a `max` was measured."""
    return spot.name in (*_FIRST, *_LAST) or words.quantile(spot.name) is not None


def not_finite(place: Mapping[str, Json]) -> Claim:
    """Return the claim about a number that is none."""
    remark = "did not hold: NaN or infinite"
    return Claim(Heading.SUGGESTED, place, {"type": "number"}, remark=remark)


def _object(spot: Spot, evidence: Evidence) -> Iterator[Claim]:
    place = place_of(spot)
    finals = [v for i in evidence.final for v in spot.looks[i].values()]
    objects = [v for v in finals if isinstance(v, dict)]
    yield from _alike(spot, objects)
    if not any(objects):
        yield Claim(Heading.KINDS, place, {"type": "object"})
        return
    shared = [key for key in objects[0] if all(key in one for one in objects)]
    ladders = list(_ladders(shared))
    known = [{*keys} for keys in ladders]
    ladders += [k for k in _middles(shared) if not any({*k} <= keys for keys in known)]
    for keys in ladders:
        if all(_rises(one, keys) for one in objects):
            idle = all(one[key] == 0 for one in objects for key in keys)
            claim = Claim(Heading.ORDERED, place, {"ordered": list(map(escaped, keys))})
            yield claim.doubted("all 0 when looked at") if idle else claim


def _alike(spot: Spot, objects: list[dict[str, Json]]) -> Iterator[Claim]:
    """Yield that the elements of an array have the same keys."""
    keys = [key for key in objects[0] if encodable(key)]
    alike = all(one.keys() == objects[0].keys() for one in objects)
    if spot.path.endswith("[*]") and keys and alike:
        yield Claim(Heading.KINDS, place_of(spot), {"has_keys": list(map(escaped, keys))})


def _array(spot: Spot, evidence: Evidence) -> Iterator[Claim]:
    finals = [v for i in evidence.final for v in spot.looks[i].values()]
    lengths = [len(v) for look in spot.looks for v in look.values() if isinstance(v, list)]
    if all(finals) and len(set(lengths)) == 1 and words.words(spot.name) & words.CONFIGURED:
        yield Claim(Heading.CONSTANT, place_of(spot), {"length": {"eq": lengths[0]}})
    elif all(finals):
        yield Claim(Heading.KINDS, place_of(spot), {"type": "array", "length": {"gt": 0}})
        if len(set(lengths)) == 1 and len(spot.looks) > 1:
            asks = {"length": {"eq": lengths[0]}}
            yield Claim(Heading.SUGGESTED, place_of(spot), asks, remark="always so many?")
    else:
        yield Claim(Heading.KINDS, place_of(spot), {"type": "array"})


def _text(spot: Spot, _: Evidence) -> Iterator[Claim]:
    place = place_of(spot)
    values = [value for value in spot.values if isinstance(value, str)]
    if spot.metric:
        yield not_finite(place)
        return
    for text, pattern in _PATTERNS:
        if all(pattern.fullmatch(value) for value in values):
            yield Claim(Heading.KINDS, place, {"matches": escaped(text)})
            return
    constant = len(set(values)) == 1 and len(values[0]) <= _LONGEST_CONSTANT
    named = words.words(spot.name)
    fixed = named & (words.CONFIGURED | {"status", "state", "object", "kind", "type", "unit"})
    if constant and not spot.several and fixed and values[0] and encodable(values[0]):
        yield Claim(Heading.CONSTANT, place, {"eq": escaped(values[0])})
    elif all(values):
        yield Claim(Heading.KINDS, place, {"type": "string", "empty": False})
    else:
        yield Claim(Heading.KINDS, place, {"type": "string"})


def _boolean(spot: Spot, _: Evidence) -> Iterator[Claim]:
    values = set(map(bool, spot.values))
    named = words.words(spot.name)
    if values == {True} and named & {"ok", "healthy", "ready", "alive", "enabled", "success"}:
        yield Claim(Heading.CONSTANT, place_of(spot), {"eq": True})
    else:
        yield Claim(Heading.KINDS, place_of(spot), {"type": "boolean"})


def _ladders(shared: list[str]) -> Iterator[list[str]]:
    """Yield the keys of each family of percentiles, in their order, with `min` and `max`."""
    families: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for key in shared:
        if (found := words.quantile(key)) is not None and encodable(key):
            before, after, height = found
            families.setdefault((before, after), []).append((height, key))
    for (before, after), steps in families.items():
        if after == "bare" and len(steps) < len(shared):
            continue  # numbers for keys are percentiles only among their like
        ordered = [key for _, key in sorted(steps)]
        ends = "" if after == "bare" else after
        first = [k for k in shared if k in {f"{before}{end}{ends}" for end in _FIRST}]
        last = [k for k in shared if k in {f"{before}{end}{ends}" for end in _LAST}]
        ladder = [*first[:1], *ordered, *last[:1]]
        if len(ladder) > 1:
            yield ladder


def _middles(shared: list[str]) -> Iterator[list[str]]:
    """Yield the keys of each least, mean and greatest that are of one family."""
    families: dict[str, dict[int, str]] = {}
    for key in shared:
        if (found := words.extent(key)) is not None and encodable(key):
            rest, height = found
            families.setdefault(rest, {}).setdefault(height, key)
    for family in families.values():
        if len(family) > 1:
            yield [family[height] for height in sorted(family)]


def _rises(one: dict[str, Json], keys: list[str]) -> bool:
    values = [one[key] for key in keys]
    numbers = [value for value in values if is_number(value)]
    return len(numbers) == len(values) and numbers == sorted(numbers)


SHAPES: Final[Mapping[str, Claims]] = MappingProxyType(
    {"object": _object, "array": _array, "string": _text, "boolean": _boolean}
)
"""By kind, what yields the claims about a spot."""
