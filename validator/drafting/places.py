"""How a draft names a place of a page."""

from __future__ import annotations

from typing import Any

from validator.drafting.claims import HERE
from validator.drafting.spots import Spot
from validator.query import child


def escaped(text: str) -> str:
    """Return *text* so that a spec takes nothing in it for a reference."""
    return text.replace("${", "$${")


def encodable(text: str) -> bool:
    """Say whether *text* can stand in a file: JSON can hold half a character, UTF-8 cannot."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def whole_of(spot: Spot) -> str:
    """Return the path of the object in which *spot* is."""
    return spot.path.removesuffix(child("", spot.name))


def bound_to(spot: Spot) -> Any:
    """Return what a `let:` binds for *spot*."""
    where = escaped(spot.path)
    return {"endpoint": HERE, "metric": where} if spot.metric else where


def place_of(spot: Spot) -> dict[str, str]:
    """Return where an assertion looks for *spot*."""
    return {"metric" if spot.metric else "path": escaped(spot.path)}
