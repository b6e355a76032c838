"""What a number is, as far as its name, its place and its values tell. Pure."""

from __future__ import annotations

from typing import Any, Final

from validator.drafting import words
from validator.drafting.shapes import quantiles_beside
from validator.drafting.spots import Spot
from validator.values import is_number

_AN_INTEGER: Final = 2
"""From here on an integer is no 0 or 1 that will be a fraction next time."""


def is_counter(spot: Spot) -> bool:
    """Say whether it counts, by its declared type, else by its name."""
    if spot.metric and spot.type in ("counter", "histogram", "summary"):
        return not (spot.type == "summary" and not spot.name.endswith(("_sum", "_count")))
    if spot.metric and spot.type == "gauge":
        return False
    found = words.words(spot.name)
    integral = all(isinstance(value, int) for value in spot.values)
    return integral and bool(found & words.COUNTS) and not found & words.IN_FLIGHT


def looks_counted(spot: Spot) -> bool:
    """Say whether it counts, by anything that tells."""
    return is_counter(spot) or may_count(spot)


def is_lasting(spot: Spot) -> bool:
    """Say whether it is how long something took."""
    named = words.words(spot.name)
    if spot.type == "summary":
        return not named & words.COUNTS
    above = words.words(" ".join(spot.within))
    counts = named & (words.COUNTS - {"sum", "total"})
    return bool((named | above) & words.DURATIONS) and not (counts or words.is_instant(spot.name))


def is_configured(spot: Spot) -> bool:
    """Say whether it is a setting, by the words of its name and of its object."""
    named = words.words(spot.name)
    above = words.words(spot.within[-1]) if spot.within else frozenset[str]()
    whole = all(isinstance(value, int) for value in spot.values)
    integral = whole or is_among_settings(spot)
    counts = named & words.COUNTS - {"total", "num", "number", "count", "tokens"}
    moving = counts or named & words.IN_FLIGHT or words.is_instant(spot.name)
    if spot.metric and spot.type in ("counter", "histogram", "summary"):
        return False
    about = named | above
    # The largest or smallest of what was measured is no setting.
    measured = about & words.DURATIONS or quantiles_beside(spot)
    return integral and not moving and not measured and bool(about & words.CONFIGURED)


def is_among_settings(spot: Spot) -> bool:
    """Say whether the object it is in is one of settings."""
    above = words.words(spot.within[-1]) if spot.within else frozenset[str]()
    return bool(above & {"config", "configuration", "settings", "limits"})


def may_count(spot: Spot) -> bool:
    """Say whether it counts, by the name of the object it is in too."""
    named = words.words(full_name(spot))
    integral = all(isinstance(value, int) for value in spot.values)
    quiet = not (named & words.IN_FLIGHT or named & words.CONFIGURED - {"num"})
    counts = bool(named & words.COUNTS) and not spot.name.endswith("_bucket")
    return integral and quiet and counts


def type_of(spot: Spot) -> dict[str, Any]:
    """Return the kind of number that it is, as a spec asks for it."""
    values = [value for value in spot.values if is_number(value)]
    integral = all(isinstance(value, int) for value in values)
    sure = max(values, default=0) >= _AN_INTEGER or words.words(spot.name) & words.COUNTS
    return {"type": "integer" if integral and sure and not spot.metric else "number"}


def full_name(spot: Spot) -> str:
    """Return the name with that of the object it is in: `requests ok`."""
    return " ".join((*spot.within[-1:], spot.name))
