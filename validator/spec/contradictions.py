"""What can never hold, whatever the server says: as far as what is written tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from math import inf
from typing import Final

from validator.predicates import Predicate, Subject
from validator.predicates.compare import (
    Between,
    Equal,
    GreaterOrEqual,
    GreaterThan,
    In,
    LessOrEqual,
    LessThan,
    NotEqual,
    NotIn,
)
from validator.predicates.kinds import Type
from validator.reference import Reference
from validator.spec.references import UNKNOWN
from validator.values import KINDS, Json, Kind, Number, kind

_BESIDE_ABSENT = ("absent", "count")
"""What may be asked of what is not there."""
_LEAST: Final[Mapping[type[Predicate], tuple[str, bool]]] = {
    GreaterThan: ("bound", True),
    GreaterOrEqual: ("bound", False),
    Between: ("low", False),
}
"""Where a predicate has its lower bound, and whether a value must be above it."""
_MOST: Final[Mapping[type[Predicate], tuple[str, bool]]] = {
    LessThan: ("bound", False),
    LessOrEqual: ("bound", True),
    Between: ("high", True),
}
"""Where a predicate has its upper bound, and whether a value may be equal to it."""


def contradictions(
    asked: Iterable[str], predicates: Iterable[tuple[str, Predicate]]
) -> Iterator[tuple[str, str]]:
    """Yield pairs of the words *asked* of the same values that can never both hold.

    *predicates* are those among them; what they refer to is not known yet.
    """
    words = list(asked)
    if "absent" in words:
        yield from (("absent", word) for word in words if word not in _BESIDE_ABSENT)
        return
    of_value = [(word, p) for word, p in predicates if p.subject is Subject.VALUE]
    for (word, one), (other_word, other) in combinations(of_value, 2):
        if _exclude(one, other):
            yield word, other_word


def kinds(predicate: Predicate) -> frozenset[Kind]:
    """Return the kinds of the values that *predicate* may hold of."""
    match predicate:
        case Equal(value=value) | NotEqual(value=value):
            return kinds_of(value)
        case In(choices=choices) | NotIn(choices=choices):
            return frozenset[Kind]().union(*map(kinds_of, choices))
        case Type(names=names):
            return KINDS & {"number" if name == "integer" else name for name in names}
    return predicate.accepts


def kinds_of(value: Json | Reference) -> frozenset[Kind]:
    """Return what *value* may be once its references are known: inside a text they make a text."""
    if isinstance(value, Reference):
        return KINDS if value.whole else frozenset({"string"})
    return KINDS if value is UNKNOWN else frozenset({kind(value)})


def _exclude(one: Predicate, other: Predicate) -> bool:
    if kinds(one).isdisjoint(kinds(other)):
        return True
    if any(one.references()) or any(other.references()):
        return False
    for some, rest in ((one, other), (other, one)):
        match some:
            case Equal(value=value):
                return not _meets(value, rest)
            case In(choices=choices):
                return not any(_meets(choice, rest) for choice in choices)
    low, above = max(_least(one), _least(other))
    high, at_most = min(_most(one), _most(other))
    return low > high or (low == high and (above or not at_most))


def _meets(value: Json, predicate: Predicate) -> bool:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # `eq: 2.0` also holds of an integer
    return value is UNKNOWN or (predicate.fits(value) and predicate.holds(value))


def _least(predicate: Predicate) -> tuple[Number, bool]:
    """Return the lower bound, and whether a value must be above it."""
    name, above = _LEAST.get(type(predicate), ("", False))
    return (getattr(predicate, name), above) if name else (-inf, False)


def _most(predicate: Predicate) -> tuple[Number, bool]:
    """Return the upper bound, and whether a value may be equal to it."""
    name, equal = _MOST.get(type(predicate), ("", True))
    return (getattr(predicate, name), equal) if name else (inf, True)
