"""What settling waits for: the values that assertions about change ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from validator.evaluate import Judge
from validator.judgement import asks_change
from validator.ledger import lost
from validator.measures.base import Reach
from validator.query import Query, compiled
from validator.records.observation import Snapshot
from validator.records.recording import Round
from validator.selector import Selector
from validator.spec.model import (
    Ask,
    Assertion,
    Condition,
    Derive,
    ExprAssertion,
    Over,
    PathAssertion,
    Quantifier,
    Quantify,
    Spec,
    references,
)
from validator.values import Json, is_number, kind
from validator.views import ALL, views


def moving(spec: Spec, rounds: Sequence[Round]) -> dict[str, tuple[Assertion, ...]]:
    """Return the assertions about change, by the endpoints whose values they ask for.

    They are those that the last of *rounds* decides: about its load, and after the last load of
    all also about all together. Those that ask for an endpoint that could not be read before
    are left out: nothing decides them.
    """
    load = rounds[-1].load
    asking = {load, ALL} if load == spec.loads[-1].name else {load}
    readable = {
        name: {e for e, snapshot in view.seen.before.items() if snapshot.error is None}
        for name, view in views(rounds).items()
    }
    found: dict[str, list[Assertion]] = {}
    listed = [a for e in spec.endpoints for a in e.assertions]
    for assertion in (*listed, *spec.assertions):
        asked = _asked_for_change(assertion)
        if assertion.about.load in asking and asked <= readable[assertion.about.load]:
            for endpoint in asked:
                found.setdefault(endpoint, []).append(assertion)
    return {endpoint: tuple(assertions) for endpoint, assertions in found.items()}


def selected(assertions: tuple[Assertion, ...], endpoint: str, document: Json) -> tuple[str, ...]:
    """Return what the queries of *assertions* select from *endpoint*, as texts to compare.

    In an order of their own: there are servers whose pages have another one at each look.
    """
    queries: dict[Query | Selector, None] = {}
    for assertion in assertions:
        match assertion:
            case PathAssertion(query=query):
                queries[query] = None
            case ExprAssertion(bindings=bindings):
                queries.update({b.query: None for _, b in bindings if b.endpoint == endpoint})
    return tuple(
        sorted(
            f"{m.path}={m.value!r}" if is_number(m.value) else f"{m.path}: {kind(m.value)}"
            for query in queries
            for m in query.select(document)
        )
    )


def fingerprint(
    asked: Mapping[str, tuple[Assertion, ...]], snapshots: Mapping[str, Snapshot]
) -> dict[str, tuple[str, ...]]:
    """Return what the assertions *asked* of each endpoint select from its snapshot."""
    return {
        name: selected(asked[name], name, snapshot.document) for name, snapshot in snapshots.items()
    }


def waited_for(asked: Mapping[str, tuple[Assertion, ...]]) -> dict[str, tuple[Assertion, ...]]:
    """Return those of *asked* that more movement could decide otherwise: they want a value at rest.

    What is announced to fail, or is not judged, may come to hold without anybody waiting for that.
    """
    return {
        name: tuple(a for a in found if not _holds_for_good(a)) for name, found in asked.items()
    }


def _holds_for_good(assertion: Assertion) -> bool:
    """Say whether it is waited for until it holds, and then does for good, as that a clock runs."""
    if assertion.about.xfail is not None or assertion.about.skip:
        return False
    return isinstance(assertion, PathAssertion) and _holds_of_more(assertion.condition)


def _holds_of_more(condition: Condition) -> bool:
    for part in condition:
        match part:
            case Ask(predicate=predicate):
                if not predicate.rises:
                    return False
            case Derive(measure=measure, inner=inner):
                if measure.reach is not Reach.CHANGE or not _holds_of_more(inner):
                    return False
            case Quantify(quantifier=quantifier, inner=inner):
                if quantifier is Quantifier.NONE or not _holds_of_more(inner):
                    return False
    return True


def held(spec: Spec, assertions: Iterable[Assertion], rounds: Sequence[Round], today: date) -> bool:
    """Say whether *assertions* hold with what was seen so far; announced failures need not.

    Nor need those that compare with a load still to come, or with one of which a part was lost: no
    waiting makes them true.
    """
    seen = views(rounds)
    judges = {load: Judge(spec, view, today) for load, view in seen.items()}
    to_come = {plan.name for plan in spec.loads} - seen.keys()

    def in_vain(assertion: Assertion) -> bool:
        ledger = judges[assertion.about.load].view.ledger
        queries = _asked_of_loads(assertion)
        return any(
            (query.keys and query.keys[0] in to_come) or lost(ledger, query) for query in queries
        )

    return not any(
        judges[a.about.load].about(a).bad
        for a in assertions
        if a.about.xfail is None and not a.about.skip and not in_vain(a)
    )


def _asked_of_loads(assertion: Assertion) -> list[Query]:
    """Return what *assertion* asks the ledgers for."""
    match assertion:
        case PathAssertion(condition=condition):
            return [query for r in references(condition) for query in r.queries]
        case ExprAssertion(expression=expression):
            asked = [t.text.removeprefix("load") for t in expression.terms if t.name == "load"]
            return [compiled(f"${text}") for text in asked]


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
