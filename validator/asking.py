"""What the conditions of a spec ask, as far as charts can show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from validator.measures import Reach
from validator.predicates.order import Ordered
from validator.predicates.tracks import Tracks
from validator.reference import Reference
from validator.spec.model import Ask, Condition, Derive, Quantify

Field: TypeAlias = "tuple[str, ...]"
"""The keys of a field of the ledger."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What an assertion asks of how far a value has come since before the load."""

    fields: frozenset[Field] = frozenset()
    """The counts of the ledger that it is compared with."""
    tracked: Field = ()
    """The count, of the load it is about, that it is to keep up with."""
    summed: bool = False
    born: bool = False
    """Whether what was absent before counts from 0."""


def movements(condition: Condition, *, summed: bool = False) -> Iterator[Movement]:
    """Yield what *condition* asks about a change, of one value or of a sum."""
    for part in condition:
        match part:
            case Ask(predicate=Tracks() as tracks):
                field = tuple(tracks.load.split("."))
                born = tracks.absent_before is not None
                yield Movement(tracked=field, summed=True, born=born)
            case Derive(measure=measure, inner=inner) if measure.reach is Reach.CHANGE:
                if summed or all(not isinstance(p, Derive) or _sums(p) for p in inner):
                    born = getattr(measure, "absent_before", None) is not None
                    sums = summed or any(isinstance(p, Derive) for p in inner)
                    yield Movement(frozenset(fields(inner)), summed=sums, born=born)
            case Derive(inner=inner) if _sums(part):
                yield from movements(inner, summed=True)
            case Quantify(inner=inner):
                yield from movements(inner, summed=summed)


def _sums(part: Derive) -> bool:
    return part.measure.reach is Reach.NUMBERS and part.measure.noun == "sum"


def fields(condition: Condition) -> set[Field]:
    """Return the fields of the ledger that *condition* compares with."""
    found: set[Field] = set()
    for part in condition:
        match part:
            case Ask(references=references):
                found |= {keys for r in references for keys in _keys(r)}
            case Derive(inner=inner) | Quantify(inner=inner):
                found |= fields(inner)
    return found


def orders(condition: Condition) -> Iterator[tuple[str, ...]]:
    """Yield the keys that *condition* wants in order."""
    for part in condition:
        match part:
            case Ask(predicate=Ordered(keys=tuple() as keys)):
                yield tuple(key for key in keys if isinstance(key, str))
            case Quantify(inner=inner):
                yield from orders(inner)


def _keys(reference: Reference) -> Iterator[Field]:
    for query in reference.queries:
        if query.definite:
            yield tuple(map(str, query.keys))
