"""What was expected, in words."""

from __future__ import annotations

from typing import assert_never

from validator.reference import Resolve
from validator.spec.model import Ask, Condition, Derive, Quantify


def expected(condition: Condition, resolve: Resolve | None, noun: str = "") -> str:
    """Write *condition* the way a verdict quotes it; *resolve* gives references their values."""
    return ", ".join(_part(part, resolve, noun) for part in condition)


def _part(part: Ask | Derive | Quantify, resolve: Resolve | None, noun: str) -> str:
    match part:
        case Ask():
            text = _with_references(part, resolve)
            return f"{noun} {text}" if noun else text
        case Derive(measure=measure, inner=inner):
            deeper = f"{measure.noun} of {noun}" if noun else measure.noun
            return expected(inner, resolve, deeper)
        case Quantify(quantifier=quantifier, inner=inner):
            return f"{quantifier} {expected(inner, resolve, noun)}"
    assert_never(part)


def _with_references(part: Ask, resolve: Resolve | None) -> str:
    """Write a predicate with the values its references had, and their names behind."""
    if not part.references or resolve is None:
        return str(part.predicate)
    names = ", ".join(reference.names for reference in part.references)
    try:
        return f"{part.predicate.resolved(resolve)} ({names})"
    except ValueError:
        return str(part.predicate)
