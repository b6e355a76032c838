"""How far what is at one place moved with a load, and how a spec asks that. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from validator.drafting import words
from validator.drafting.claims import Load
from validator.drafting.spots import Look, Spot
from validator.page import series
from validator.values import is_number

_LABEL = re.compile(r'([a-zA-Z_]\w*)="([^"\\]*)"')


def change_at(spot: Spot, path: str, load: Load) -> float | None:
    """Return by how much one path of *spot* moved with a load; None when nobody can say."""
    before, after = spot.looks[load.before].get(path, 0), spot.looks[load.after].get(path)
    return after - before if is_number(before) and is_number(after) else None


def total_change(spot: Spot, load: Load, *, born: bool = False) -> float | None:
    """Return by how much all of *spot* moved with a load; None when nobody can say.

    What was *born* during a load counts from 0.
    """
    before, after = spot.looks[load.before], spot.looks[load.after]
    if not after or not before.keys() <= after.keys():
        return None
    if not (spot.metric or born) and spot.several and before.keys() != after.keys():
        return None  # elements that come and go are not counted in place
    changes = [change_at(spot, path, load) for path in after]
    return None if None in changes else sum(c for c in changes if c is not None)


def asked_change(spot: Spot, wanted: dict[str, Any], kind: Mapping[str, Any]) -> dict[str, Any]:
    """Return what asks that all of *spot* is of a *kind*, and moved as *wanted*."""
    kept = {} if spot.metric else dict(kind)
    return {**kept, **measured(wanted, spot, sum_up=spot.several)}


def measured(
    wanted: Mapping[str, Any], spot: Spot, *, sum_up: bool, born: bool = False
) -> dict[str, Any]:
    """Return what asks that *spot*, or the sum of it, moved as *wanted*."""
    asks: dict[str, Any] = {"sum": wanted} if sum_up and is_many(spot) else dict(wanted)
    return {"delta": {**asks, "absent_before": 0} if born or comes_later(spot) else asks}


def comes_later(spot: Spot) -> bool:
    """Say whether a server that was just started may not show it yet.

    So it is with what is kept by a name, such as that of a model, and often with an object within
    others, which is made when there is something to put into it.
    """
    by_name = words.keeps_by_name(" ".join(spot.within[-1:]))
    return not spot.metric and (".*" in spot.path or len(spot.within) > 1 or by_name)


def told_apart(spot: Spot) -> Iterator[tuple[str, str, Spot]]:
    """Yield what tells requests apart, a label or the key of an object, its values and parts."""
    if not spot.several:
        yield " ".join(spot.within[-1:]), spot.name, spot
        return
    pairs = dict.fromkeys(pair for look in spot.looks for path in look for pair in _labels(path))
    for label, value in pairs if spot.metric else ():
        looks: list[Look] = [
            {path: v for path, v in look.items() if (label, value) in _labels(path)}
            for look in spot.looks
        ]
        path = series(spot.name, {label: value})
        yield label, value, replace(spot, path=path, looks=looks)


def _labels(path: str) -> list[tuple[str, str]]:
    return _LABEL.findall(path)


def is_apart(spot: Spot) -> bool:
    """Say whether it was several values at a time."""
    return spot.several and (not spot.metric or any(len(look) > 1 for look in spot.looks))


def is_many(spot: Spot) -> bool:
    """Say whether it is several values, or will be: a reason is shown once it was one."""
    if not spot.metric or is_apart(spot):
        return True
    labels = {label for look in spot.looks for path in look for label, _ in _labels(path)}
    return any(
        words.is_reason(label) or words.is_outcome(label) or words.is_of_request(label)
        for label in labels
    )
