"""The values that a spec names, and all others of its pages: what can be broken. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from validator.judgement import asks_change
from validator.measures import Reach
from validator.mutation.changes import is_sample
from validator.mutation.edits import GONE, Keys, at
from validator.page import series
from validator.predicates import Subject
from validator.predicates.compare import Between
from validator.predicates.order import Ordered
from validator.query import Match, Query, child, compiled
from validator.records.observation import Observations, Phase, Snapshot
from validator.selector import Selector
from validator.spec.model import (
    Ask,
    Assertion,
    Condition,
    Derive,
    ExprAssertion,
    Over,
    PathAssertion,
    Quantify,
    Spec,
)
from validator.values import Json

_PHASES = {Over.AFTER: Phase.AFTER, Over.BEFORE: Phase.BEFORE, Over.DURING: Phase.DURING}


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a page, at one phase of the run."""

    endpoint: str
    phase: Phase
    keys: Keys
    path: str
    """As a person would ask for it: a JSONPath, or a series."""
    load: str = ""
    """The load around which it was seen; empty for the only one, or all together."""


def named(spec: Spec, seen: Observations, load: str = "") -> Iterator[Field]:
    """Yield the values that assertions about *load* select from what was *seen* around it.

    Some come several times. Of an object that is asked about some of its keys, these are its
    values; of an array whose numbers are measured, its elements.
    """
    for found in _selections(spec, seen, load):
        yield replace(found, load=load) if load else found


def _selections(spec: Spec, seen: Observations, load: str) -> Iterator[Field]:
    listed = (*(a for e in spec.endpoints for a in e.assertions), *spec.assertions)
    for assertion in (a for a in listed if a.about.load == load):
        match assertion:
            case PathAssertion():
                yield from _of_path(assertion, seen)
            case ExprAssertion(expression=expression, bindings=bindings):
                terms = {(term.name, term.phase) for term in expression.terms}
                for name, binding in bindings:
                    # What is only asked before(x) sets a condition; it is not what is claimed.
                    changes = (name, "delta") in terms
                    phases = [Phase.AFTER] if changes or (name, "after") in terms else []
                    phases += [Phase.BEFORE] if changes else []
                    for phase in phases:
                        for snapshot in looks(seen, binding.endpoint, phase):
                            yield from _selected(snapshot, phase, binding.query)


def ranged(assertion: PathAssertion, seen: Observations) -> Iterator[Field]:
    """Yield the values of which *assertion* says that each in a range is as good as another.

    `between` says so, and `ordered` of all keys but the first and the last.
    """
    asked = [ask.predicate for ask in _asks(assertion.condition)]
    if any(isinstance(predicate, Between) for predicate in asked):
        yield from _of_path(assertion, seen)
    inner = tuple(key for p in asked if isinstance(p, Ordered) for key in p.keys[1:-1])
    for snapshot in looks(seen, assertion.endpoint or "", _PHASES[assertion.over]) if inner else ():
        for one in _selected(snapshot, _PHASES[assertion.over], assertion.query, inner):
            if one.keys[-1:] and one.keys[-1] in inner:
                yield one


def range_words(assertion: Assertion) -> set[str]:
    """Return the words by which *assertion* declares a range."""
    condition = assertion.condition if isinstance(assertion, PathAssertion) else ()
    asked = [ask.predicate for ask in _asks(condition)]
    words = {"between" for one in asked if isinstance(one, Between)}
    return words | {"ordered" for one in asked if isinstance(one, Ordered) and one.keys[1:-1]}


def _of_path(assertion: PathAssertion, seen: Observations) -> Iterator[Field]:
    condition = assertion.condition
    phases = [_PHASES[assertion.over]]
    if asks_change(condition) and assertion.over is Over.AFTER:
        phases.append(Phase.BEFORE)
    members = tuple(_members(condition))
    elements = _asks_elements(condition)
    for phase in phases:
        for snapshot in looks(seen, assertion.endpoint or "", phase):
            yield from _selected(snapshot, phase, assertion.query, members, elements=elements)


def _asks(condition: Condition) -> Iterator[Ask]:
    for part in condition:
        match part:
            case Ask():
                yield part
            case Derive(inner=inner) | Quantify(inner=inner):
                yield from _asks(inner)


def reachable(seen: Observations) -> Iterator[Field]:
    """Yield every value of every page as it was after the load: numbers, texts and so on."""
    for endpoint in seen.after:
        for snapshot in looks(seen, endpoint, Phase.AFTER):
            for keys, path in _leaves(snapshot.document):
                yield Field(endpoint, Phase.AFTER, keys, path)


def looks(seen: Observations, endpoint: str, phase: Phase) -> tuple[Snapshot, ...]:
    """Return the readable snapshots of *endpoint* at *phase*."""
    found: Iterable[Snapshot | None]
    match phase:
        case Phase.BEFORE:
            found = (seen.before.get(endpoint),)
        case Phase.AFTER:
            found = (seen.after.get(endpoint),)
        case Phase.DURING:
            found = seen.during.get(endpoint, ())
    return tuple(s for s in found if s is not None and s.error is None)


def _selected(
    snapshot: Snapshot,
    phase: Phase,
    query: Query | Selector,
    members: tuple[str, ...] = (),
    *,
    elements: bool = False,
) -> Iterator[Field]:
    document = snapshot.document
    matches = query.select(document)
    if isinstance(query, Selector):
        wanted = {m.path for m in matches}
        for keys, path in samples(document):
            if path in wanted:
                yield Field(snapshot.endpoint, phase, keys, path)
        return
    for match in matches:
        keys = _keys(match)
        if is_sample(keys):
            path = _series(at(document, keys[:-1]))
            yield Field(snapshot.endpoint, phase, keys, path)
        elif keys or not isinstance(match.value, dict | list):  # a whole page is no value
            yield Field(snapshot.endpoint, phase, keys, match.path)
        inside: list[str | int] = [m for m in members if at(match.value, (m,)) is not GONE]
        if elements and isinstance(match.value, list):
            inside += range(len(match.value))
        for member in inside:
            yield Field(snapshot.endpoint, phase, (*keys, member), child(match.path, member))


def _keys(match: Match) -> Keys:
    return compiled(match.path).keys


def _members(condition: Condition) -> Iterator[str]:
    """Yield the keys of an object that predicates such as `ordered` ask about."""
    for ask in _asks(condition):
        keys = getattr(ask.predicate, "keys", ())
        yield from (k for k in keys if isinstance(k, str)) if isinstance(keys, tuple) else ()


def _asks_elements(condition: Condition) -> bool:
    return any(
        (isinstance(part, Derive) and part.measure.reach is Reach.NUMBERS)
        or (isinstance(part, Ask) and part.predicate.subject is Subject.ELEMENTS)
        for part in condition
    )


def samples(document: Json) -> Iterator[tuple[Keys, str]]:
    """Yield where the value of each sample of a Prometheus document stands, and its series."""
    families = document.get("families") if isinstance(document, dict) else None
    for name, family in families.items() if isinstance(families, dict) else ():
        samples = family.get("samples") if isinstance(family, dict) else None
        for index, sample in enumerate(samples if isinstance(samples, list) else ()):
            yield ("families", name, "samples", index, "value"), _series(sample)


def _series(sample: object) -> str:
    if isinstance(sample, dict) and isinstance(labels := sample.get("labels"), dict):
        return series(str(sample.get("name")), {k: str(v) for k, v in labels.items()})
    return str(sample)


def _leaves(document: Json) -> Iterator[tuple[Keys, str]]:
    """Yield every scalar of a document; of a Prometheus page, its samples."""
    if isinstance(document, dict) and document.keys() == {"families", "violations"}:
        yield from samples(document)
        return
    waiting: list[tuple[Keys, str, Json]] = [((), "$", document)]
    while waiting:
        keys, path, value = waiting.pop()
        members: list[tuple[str | int, Json]]
        match value:
            case dict():
                members = list(value.items())
            case list():
                members = list(enumerate(value))
            case _:
                yield keys, path
                continue
        waiting += [((*keys, k), child(path, k), member) for k, member in reversed(members)]
