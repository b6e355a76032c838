"""What is allowed in a spec, and yet likely not what its author meant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from validator.drivers.transport import doubled
from validator.errors import Problem
from validator.judgement import asks_change
from validator.predicates.base import NUMBERS
from validator.predicates.compare import Equal, GreaterOrEqual, GreaterThan
from validator.predicates.kinds import Type
from validator.query import Query
from validator.records.verdict import Severity
from validator.reference import did_you_mean
from validator.selector import Selector
from validator.span import NOWHERE
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
from validator.values import brief, is_number
from validator.wording import expected

_COUNTER: Final = re.compile(
    r"(?:^|_)(?:total|count|counter)$"
    r"|^(?:total|num|n)_(?:\w+_)?(?:requests|tokens|hits|misses|errors|failures|calls|streams)$"
)
"""Names that counters have by custom: `requests_total`, `request_count`, `total_requests`."""

Moved: TypeAlias = "set[tuple[str | None, str]]"
"""Endpoints and paths whose change somebody asks about."""


def smells(spec: Spec) -> tuple[Problem, ...]:
    """Return what a second look should be taken at, in the order of the spec."""
    every = list(_written(spec))
    moved = {(endpoint, text) for a in every for endpoint, text in _changes(a)}
    found = [
        *_doubled_v1(spec),
        *_never_critical(spec, every),
        *_unasked_samples(spec),
        *(_absolute(spec, every, moved) if spec.loads else ()),
        *_true_of_anything(every, moved),
        *_compared_with_text(every),
        *_twice(every),
        *_namesakes(every),
    ]
    files = [name for name, _ in spec.sources]
    return tuple(
        sorted(
            found,
            key=lambda p: (
                files.index(p.span.file) if p.span.file in files else len(files),
                p.span.line,
                p.span.column,
            ),
        )
    )


def _written(spec: Spec) -> Iterator[Assertion]:
    """Yield the assertions that somebody wrote; those that are skipped ask nothing."""
    implied = {NOWHERE, *(load.span for load in spec.loads)}
    for assertion in _all(spec):
        if not assertion.about.skip and assertion.about.span not in implied:
            yield assertion


def _all(spec: Spec) -> Iterator[Assertion]:
    for load in spec.loads:
        yield from load.assertions
    for endpoint in spec.endpoints:
        yield from endpoint.assertions
    yield from spec.assertions


def _doubled_v1(spec: Spec) -> Iterator[Problem]:
    if spec.loads and (said := doubled(spec.target.url)):
        yield Problem(said, spec.loads[0].span, "leave /v1 out of the target's url")


def _never_critical(spec: Spec, every: list[Assertion]) -> Iterator[Problem]:
    if len(every) > 1 and not any(a.about.severity is Severity.CRITICAL for a in every):
        span = next((e.span for e in spec.endpoints), every[0].about.span)
        yield Problem(
            "no assertion is critical: whatever the values are, the run passes",
            span,
            "critical is the default; leave `severity` out of what must hold",
        )


def _unasked_samples(spec: Spec) -> Iterator[Problem]:
    for endpoint in spec.endpoints:
        asked = any(a.over is Over.DURING for a in endpoint.assertions)
        if endpoint.during is not None and not asked:
            yield Problem(
                f"{endpoint.id} is sampled during the load, and nothing asks about the samples",
                endpoint.span,
                "`over: during` in an assertion asks; without one leave `during` out",
            )


def _absolute(spec: Spec, every: list[Assertion], moved: Moved) -> Iterator[Problem]:
    """Yield counters of which only the value is asked about and not the change.

    Only the change says anything about the load: a server that has counted before passes.
    """
    fresh = spec.server is not None and not spec.server.reuse
    told: set[tuple[str | None, str]] = set()
    for assertion in every:
        if (
            not isinstance(assertion, PathAssertion)
            or assertion.endpoint is None
            or assertion.over is not Over.AFTER
            or (key := (assertion.endpoint, assertion.query.text)) in moved | told
            or not _numeric(assertion.condition)
            or fresh
        ):
            continue
        if _equals_a_count(assertion.condition):
            told.add(key)
            yield Problem(
                f"{assertion.about.name}: true only of a server that had counted nothing before",
                assertion.about.span,
                "`delta:` asks what this load has added",
            )
        elif _only_from_below(assertion.condition) and _refers(assertion.condition):
            told.add(key)
            yield Problem(
                f"{assertion.about.name}: also true of a server that had counted before the load",
                assertion.about.span,
                "`delta:` asks what this load has added",
            )
        elif _is_counter(assertion.query):
            told.add(key)
            yield Problem(
                f"{assertion.about.name} looks like a counter, and nothing asks for its change",
                assertion.about.span,
                "`delta:` asks what this load has added",
            )


def _changes(assertion: Assertion) -> Iterator[tuple[str | None, str]]:
    """Yield what an assertion watches move: endpoint and path."""
    match assertion:
        case PathAssertion():
            if asks_change(assertion.condition) or assertion.over is not Over.AFTER:
                yield assertion.endpoint, assertion.query.text
        case ExprAssertion():
            phases = {term.name for term in assertion.expression.terms if term.phase != "after"}
            for name, binding in assertion.bindings:
                if name in phases:
                    yield binding.endpoint, binding.query.text


def _is_counter(query: Query | Selector) -> bool:
    if isinstance(query, Selector):
        return query.name is not None and query.name.endswith("_total")
    return bool(query.keys) and bool(_COUNTER.search(str(query.keys[-1])))


def _asks(condition: Condition) -> Iterator[Ask]:
    for part in condition:
        match part:
            case Ask():
                yield part
            case Derive() | Quantify():
                yield from _asks(part.inner)


def _numeric(condition: Condition) -> bool:
    """Say whether it compares the value itself, and not its length or kind."""
    if any(
        isinstance(part, Derive) and part.measure.noun in ("length", "count") for part in condition
    ):
        return False
    return any(
        ask.predicate.accepts == NUMBERS
        or (isinstance(ask.predicate, Equal) and (is_number(ask.predicate.value) or ask.references))
        for ask in _asks(condition)
    )


def _only_from_below(condition: Condition) -> bool:
    asked = [a.predicate for a in _asks(condition) if not isinstance(a.predicate, Type)]
    return bool(asked) and all(isinstance(p, GreaterOrEqual | GreaterThan) for p in asked)


def _equals_a_count(condition: Condition) -> bool:
    """Say whether it asks for just as many as there were requests."""
    return any(
        isinstance(ask.predicate, Equal) and query.keys[-1] in ("sent", "ok")
        for ask in _asks(condition)
        for reference in ask.references
        for query in reference.queries
    )


def _refers(condition: Condition) -> bool:
    return any(ask.references for ask in _asks(condition))


def _true_of_anything(every: Iterable[Assertion], moved: Moved) -> Iterator[Problem]:
    """Yield bounds that every count keeps, unless its change is asked about beside them."""
    for assertion in every:
        if (
            not isinstance(assertion, PathAssertion)
            or (assertion.endpoint, assertion.query.text) in moved
        ):
            continue
        for ask in _asks(assertion.condition):
            bound = ask.predicate
            if (isinstance(bound, GreaterOrEqual) and bound.bound == 0) or (
                isinstance(bound, GreaterThan) and _below_zero(bound.bound)
            ):
                yield Problem(
                    f"{assertion.about.name}: {bound} is true of whatever counts or measures",
                    assertion.about.span,
                    "`gt: 0` asks that it was measured, `delta:` that it has moved",
                )
                break


def _compared_with_text(every: Iterable[Assertion]) -> Iterator[Problem]:
    """Yield texts that look like references which somebody wrote as elsewhere."""
    for assertion in every:
        for ask in _asks(assertion.condition) if isinstance(assertion, PathAssertion) else ():
            wanted = getattr(ask.predicate, "value", None)
            if isinstance(wanted, str) and (hint := did_you_mean(wanted)):
                message = f"{assertion.about.name}: {brief(wanted)} is a text, and stays one"
                yield Problem(message, assertion.about.span, hint)


def _below_zero(bound: object) -> bool:
    return isinstance(bound, int | float) and bound < 0


def _twice(every: Iterable[Assertion]) -> Iterator[Problem]:
    seen: dict[object, Assertion] = {}
    for assertion in every:
        first = seen.setdefault(_question(assertion), assertion)
        if first is not assertion:
            yield Problem(
                f"{assertion.about.name}: asked already in line {first.about.span.line}",
                assertion.about.span,
                "one of the two says nothing",
            )


def _question(assertion: Assertion) -> object:
    match assertion:
        case PathAssertion():
            return (
                assertion.about.load,
                assertion.endpoint,
                assertion.query.text,
                assertion.over,
                expected(assertion.condition, None),
            )
        case ExprAssertion():
            bound = tuple((n, b.endpoint, b.query.text) for n, b in assertion.bindings)
            about = (assertion.about.load, assertion.endpoint, assertion.over)
            return *about, assertion.expression.text, bound


def _namesakes(every: Iterable[Assertion]) -> Iterator[Problem]:
    """Yield assertions that no report can tell apart: named alike, and about different things."""
    by_name: dict[tuple[str | None, str], list[Assertion]] = defaultdict(list)
    for assertion in every:
        by_name[assertion.endpoint, assertion.about.name].append(assertion)
    for (_, name), alike in by_name.items():
        first, *others = alike
        for other in others:
            if _subject(first) != _subject(other):
                yield Problem(
                    f"the name {name!r} stands in line {first.about.span.line} already",
                    other.about.span,
                    "a report cannot tell them apart",
                )


def _subject(assertion: Assertion) -> object:
    if isinstance(assertion, PathAssertion):
        return assertion.about.load, assertion.query.text, assertion.over
    return assertion.about.load, assertion.expression.text
