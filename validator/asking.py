"""What the assertions of a spec ask, as far as charts can show it. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from validator.measures import Reach
from validator.predicates.order import Ordered
from validator.predicates.tracks import Tracks
from validator.query import Query
from validator.reference import Reference
from validator.selector import Selector
from validator.spec.model import (
    Ask,
    Assertion,
    Condition,
    Derive,
    ExprAssertion,
    PathAssertion,
    Quantify,
)

Field: TypeAlias = "tuple[str, ...]"
"""The keys of a field of the ledger."""

_SCALING: Final = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


@dataclass(frozen=True, slots=True)
class Counter:
    """A value of which an assertion asks how far it has come since before the load."""

    endpoint: str
    query: Query | Selector
    term: str = ""
    """What an expression calls how far it has come: `delta(x)`."""
    summed: bool = False
    born: bool = False
    """Whether what was absent before counts from 0."""

    @property
    def called(self) -> str:
        """What an expression calls what is drawn of it."""
        return f"sum({self.term})" if self.summed else self.term

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands, however it is asked about."""
        return self.endpoint, str(self.query)


@dataclass(frozen=True, slots=True)
class Movement:
    """What an assertion asks of how far something has come: one counter, or those it relates."""

    counters: tuple[Counter, ...]
    fields: frozenset[Field] = frozenset()
    """The counts of the ledger that they are compared with."""
    tracked: Field = ()
    """The count, of the load it is about, that it is to keep up with."""
    totals: tuple[tuple[str, ...], ...] = ()
    """The terms of an expression that are added up before they are compared."""


def movements(assertion: Assertion) -> Iterator[Movement]:
    """Yield what *assertion* asks about changes."""
    match assertion:
        case PathAssertion(endpoint=str() as endpoint, query=query, condition=condition):
            yield from _moved(Counter(endpoint, query), condition)
        case ExprAssertion():
            yield from _related(assertion)


def _moved(counter: Counter, condition: Condition) -> Iterator[Movement]:
    """Yield what *condition* asks about how far *counter* has come, or the sum of several."""
    for part in condition:
        match part:
            case Ask(predicate=Tracks() as tracks):
                field = tuple(tracks.load.split("."))
                born = tracks.absent_before is not None
                yield Movement((replace(counter, summed=True, born=born),), tracked=field)
            case Derive(measure=measure, inner=inner) if measure.reach is Reach.CHANGE:
                if counter.summed or all(not isinstance(p, Derive) or _sums(p) for p in inner):
                    born = getattr(measure, "absent_before", None) is not None
                    sums = counter.summed or any(isinstance(p, Derive) for p in inner)
                    asked = replace(counter, summed=sums, born=born)
                    yield Movement((asked,), frozenset(fields(inner)))
            case Derive(inner=inner) if _sums(part):
                yield from _moved(replace(counter, summed=True), inner)
            case Quantify(inner=inner):
                yield from _moved(counter, inner)


def _related(assertion: ExprAssertion) -> Iterator[Movement]:
    """Yield what a relation asks about changes, if it does.

    What is multiplied or divided may be of another unit than what it is compared with: the
    client's number of requests beside the server's seconds would say nothing.
    """
    bound = dict(assertion.bindings)
    nodes = [*ast.walk(assertion.expression.tree)]
    summed = {side[0] for n in nodes if isinstance(n, ast.Call) and (side := _addends(n))}
    counters = tuple(
        Counter(b.endpoint, b.query, t.text, t.text in summed, b.absent_before is not None)
        for t in assertion.expression.terms
        if t.phase == "delta" and (b := bound[t.name])
    )
    compared: set[Field] = set()
    totals: list[tuple[str, ...]] = []
    for node in nodes:
        if isinstance(node, ast.Compare) and not any(
            isinstance(n, _SCALING) for n in ast.walk(node)
        ):
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            if not names.isdisjoint(c.term for c in counters):
                compared |= {tuple(n.split(".")[1:]) for n in names if n.startswith("load.")}
                sides = map(_addends, (node.left, *node.comparators))
                totals += [side for side in sides if len(side) > 1]
    if counters:
        yield Movement(counters, frozenset(compared), totals=tuple(dict.fromkeys(totals)))


def _addends(node: ast.AST) -> tuple[str, ...]:
    """Return the terms of which *node* is the sum; none if it is anything else."""
    match node:
        case ast.Name(id=term):
            return (term,)
        case ast.Call(func=ast.Name(id="sum"), args=[ast.Name(id=term)]):
            return (term,)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, rest = _addends(left), _addends(right)
            return (*first, *rest) if first and rest else ()
    return ()


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
