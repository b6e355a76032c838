"""What settling waits for: the values that assertions about change ask for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from validator.evaluate import Judge
from validator.judgement import asks_change
from validator.query import Query
from validator.records.observation import Observations, Snapshot
from validator.selector import Selector
from validator.spec.model import Assertion, ExprAssertion, Over, PathAssertion, Spec
from validator.values import Json, is_number, kind


def moving(spec: Spec, readable: Collection[str]) -> dict[str, tuple[Assertion, ...]]:
    """Return the assertions about change, by the endpoints whose values they ask for.

    Those that ask for an endpoint that is not *readable* are left out: nothing decides them.
    """
    found: dict[str, list[Assertion]] = {}
    listed = [a for e in spec.endpoints for a in e.assertions]
    for assertion in (*listed, *spec.assertions):
        asked = _asked_for_change(assertion)
        if asked <= set(readable):
            for endpoint in asked:
                found.setdefault(endpoint, []).append(assertion)
    return {endpoint: tuple(assertions) for endpoint, assertions in found.items()}


def selected(assertions: tuple[Assertion, ...], endpoint: str, document: Json) -> tuple[str, ...]:
    """Return what the queries of *assertions* select from *endpoint*, as texts to compare."""
    queries: dict[Query | Selector, None] = {}
    for assertion in assertions:
        match assertion:
            case PathAssertion(query=query):
                queries[query] = None
            case ExprAssertion(bindings=bindings):
                queries.update({b.query: None for _, b in bindings if b.endpoint == endpoint})
    return tuple(
        f"{m.path}={m.value!r}" if is_number(m.value) else f"{m.path}: {kind(m.value)}"
        for query in queries
        for m in query.select(document)
    )


def fingerprint(
    asked: Mapping[str, tuple[Assertion, ...]], snapshots: Mapping[str, Snapshot]
) -> dict[str, tuple[str, ...]]:
    """Return what the assertions *asked* of each endpoint select from its snapshot."""
    return {
        name: selected(asked[name], name, snapshot.document) for name, snapshot in snapshots.items()
    }


def held(
    spec: Spec, assertions: tuple[Assertion, ...], seen: Observations, ledger: Json, today: date
) -> bool:
    """Say whether *assertions* hold with what was seen so far; announced failures need not."""
    judge = Judge(spec, seen, ledger, today)
    return not any(
        judge.about(a).bad for a in assertions if a.about.xfail is None and not a.about.skip
    )


def _asked_for_change(assertion: Assertion) -> set[str]:
    match assertion:
        case PathAssertion(over=Over.DURING):
            return set()  # over by the time that settling begins
        case PathAssertion(endpoint=str() as endpoint, condition=condition):
            return {endpoint} if asks_change(condition) else set()
        case ExprAssertion(expression=expression, bindings=bindings):
            if any(term.phase == "delta" for term in expression.terms):
                return {binding.endpoint for _, binding in bindings}
    return set()
