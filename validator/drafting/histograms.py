"""Histograms in JSON: which numbers are its buckets, and what holds of all of them. Pure.

Where an answer falls may differ next time, so no single bucket is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from validator.drafting import words
from validator.drafting.claims import Claim, Heading
from validator.drafting.deciding import Decider
from validator.drafting.places import encodable, escaped
from validator.drafting.spots import Look, Spot
from validator.query import child
from validator.values import Json

_APART = "if each bucket counts its own"
_CUMULATIVE = "if each bucket counts those below it too"
_INFINITE = float("inf")
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram, or several alike, look by look."""

    within: Spot
    """The array or the object that it is."""
    counts: str
    """The path of all its counts."""
    last: str
    """The path of its last one."""
    looks: tuple[tuple[Mapping[str, int], ...], ...]
    """Of each look and each histogram the counts by their paths, in the order of the bounds."""
    order: tuple[str, Mapping[str, Any]]
    """Where it is asked, and how, whether counts rise."""
    open: bool = False
    """Whether more buckets may come."""

    def covers(self, spot: Spot) -> bool:
        """Say whether all is said about *spot*, with what is said about the histogram."""
        whole = self.counts.removesuffix(".*")
        if whole == self.counts:
            return spot.path == whole
        return spot.path == whole or spot.path.startswith((f"{whole}.", f"{whole}["))

    def claims(self, decider: Decider) -> Iterator[Claim]:
        """Yield what holds of all buckets, however answers fall into them."""
        every, last = self._every(), self._last()
        kind = Claim(Heading.KINDS, {"path": escaped(self.counts)}, {"type": "integer"})
        if decider.restless(every):
            yield kind
            return
        if not decider.evidence.loads:
            yield kind
            wanted = words.counted(" ".join((*self.within.within, self.within.name)))
            yield decider.changes(every, wanted, born=self.open).doubted(f"{_APART}; needs a load")
            if self._rises():
                yield decider.changes(last, wanted).doubted(f"{_CUMULATIVE}; needs a load")
            return
        apart = decider.counted(every, born=self.open)
        cumulative = decider.counted(last) if self._rises() else None
        if cumulative is None:
            grew = decider.grew(every)
            yield apart or (decider.changes(every, {"gt": 0}, born=self.open) if grew else kind)
        elif apart is None:
            yield cumulative
            yield kind if self.within.several else self._sorted()
        else:
            yield kind
            yield apart.doubted(_APART)
            yield cumulative.doubted(_CUMULATIVE)

    def _sorted(self) -> Claim:
        path, asks = self.order
        return Claim(Heading.ORDERED, {"path": escaped(path)}, asks)

    def _every(self) -> Spot:
        looks: list[Look] = [{p: v for one in look for p, v in one.items()} for look in self.looks]
        return self._spot(self.counts, looks, several=True)

    def _last(self) -> Spot:
        several = self.within.several
        ends = [[list(one.items())[-1] for one in look if one] for look in self.looks]
        looks: list[Look] = [
            {(path if several else self.last): v for path, v in end} for end in ends
        ]
        return self._spot(self.last, looks, several=several)

    def _spot(self, path: str, looks: list[Look], *, several: bool) -> Spot:
        here = self.within
        return Spot(path, here.name, looks, several, within=here.within)

    def _rises(self) -> bool:
        """Say whether no bucket ever held less than the one below it, and some held anything."""
        numbers = [list(one.values()) for look in self.looks for one in look]
        return any(map(any, numbers)) and all(n == sorted(n) for n in numbers)


def histograms(places: Sequence[Spot]) -> Iterator[Histogram]:
    """Yield the histograms among the places of a page."""
    for spot in places:
        found = None
        if spot.kinds == {"array"}:
            found = _of_rows(spot)
        elif spot.kinds == {"object"}:
            found = _of_keys(spot) or _of_arrays(spot)
        if found is not None and encodable(found.counts + found.last):
            yield found


def _of_rows(spot: Spot) -> Histogram | None:
    """Find `[{"le": 0.1, "count": 3}, {"le": "+Inf", "count": 4}]`."""
    arrays: list[list[Any]] = [value for value in spot.values if isinstance(value, list)]
    rows = [row for array in arrays for row in array if isinstance(row, dict)]
    if not rows or any(len(a) < _PAIR for a in arrays) or len(rows) < sum(map(len, arrays)):
        return None
    shared = [key for key in rows[0] if all(key in row for row in rows)]
    bounds = [k for k in shared if words.is_bound(k) and all(_climbs(a, k) for a in arrays)]
    numbers = [
        k for k in shared if not words.is_bound(k) and all(_is_count(row[k]) for row in rows)
    ]
    counts = numbers if len(numbers) == 1 else [k for k in numbers if words.is_tally(k)]
    if not bounds or len(counts) != 1:
        return None
    key = counts[0]
    return Histogram(
        spot,
        counts=child(f"{spot.path}[*]", key),
        last=child(f"{spot.path}[-1]", key),
        looks=tuple(
            tuple(
                {child(f"{path}[{i}]", key): row[key] for i, row in enumerate(array)}
                for path, array in look.items()
            )
            for look in _wholes(spot)
        ),
        order=(child(f"{spot.path}[*]", key), {"sorted": True}),
    )


def _climbs(rows: list[Any], key: str) -> bool:
    return _rising([row[key] for row in rows])


def _rising(bounds: Sequence[Json]) -> bool:
    """Say whether they are bounds in their order; the last one may be null, for none."""
    given = [*bounds[:-1], _INFINITE if bounds[-1] is None else bounds[-1]]
    found = [bound for value in given if (bound := _bound(value)) is not None]
    return len(found) == len(given) and all(a < b for a, b in pairwise(found))


def _of_keys(spot: Spot) -> Histogram | None:
    """Find `{"0.1": 3, "1": 5, "+Inf": 6}`."""
    objects = [value for value in spot.values if isinstance(value, dict)]
    bounds = {key: _bound(key) for one in objects for key in one}
    if len(bounds) < _PAIR or None in bounds.values():
        return None
    ends = _INFINITE in bounds.values()
    if not ends and not words.is_histogram(" ".join((*spot.within, spot.name))):
        return None
    if not all(_is_count(count) for one in objects for count in one.values()):
        return None
    keys = sorted(bounds, key=lambda key: bounds[key] or 0)
    return Histogram(
        spot,
        counts=f"{spot.path}.*",
        last=child(spot.path, keys[-1]),
        looks=tuple(
            tuple(
                {child(path, key): one[key] for key in keys if key in one}
                for path, one in look.items()
            )
            for look in _wholes(spot)
        ),
        order=(spot.path, {"ordered": list(map(escaped, keys))}),
        open=not ends or any(len(one) < len(keys) for one in objects),
    )


def _of_arrays(spot: Spot) -> Histogram | None:
    """Find `{"bounds": [0.1, 1], "counts": [3, 5, 6]}`."""
    objects: list[dict[str, Any]] = [one for one in spot.values if isinstance(one, dict)]
    lists = [
        key
        for key in (objects[0] if objects else ())
        if all(isinstance(one.get(key), list) and len(one[key]) >= _PAIR for one in objects)
    ]
    bounds = [k for k in lists if words.is_bound(k) and all(_rising(one[k]) for one in objects)]
    counts = [
        k
        for k in lists
        if k not in bounds
        and words.is_tally(k)
        and all(_is_count(count) for one in objects for count in one[k])
    ]
    if len(bounds) != 1 or len(counts) != 1:
        return None
    (bound,), (key,) = bounds, counts
    if any(len(one[key]) - len(one[bound]) not in (0, 1) for one in objects):
        return None
    where = child(spot.path, key)
    return Histogram(
        spot,
        counts=f"{where}[*]",
        last=f"{where}[-1]",
        looks=tuple(
            tuple(
                {f"{child(path, key)}[{i}]": count for i, count in enumerate(one[key])}
                for path, one in look.items()
            )
            for look in _wholes(spot)
        ),
        order=(where, {"sorted": True}),
    )


def _wholes(spot: Spot) -> Sequence[Mapping[str, Any]]:
    """Return the looks at arrays or objects, of which it is known that they are such."""
    return spot.looks


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _bound(value: Json) -> float | None:
    """Return a bound as it is written: a number, `"0.5"`, `"le_100ms"`, `"+Inf"`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return words.bound(value) if isinstance(value, str) else None
