"""Relations at work: what an expression is worth with the values that were seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from validator.expressions import ExpressionError, Term
from validator.judgement import first_bad
from validator.query import Match, Query
from validator.reference import UnresolvedError
from validator.samples import Samples
from validator.selector import Selector
from validator.sight import Sight, reset_of
from validator.spec.model import Binding, ExprAssertion
from validator.subject import Answer, Holding, Missing
from validator.values import Json, brief, is_number, kind


class _FallenError(Exception):
    """A counter that an expression asks about has fallen."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.note)
        self.answer = answer


def relation(assertion: ExprAssertion, sight: Sight) -> Answer:
    """Decide a relation between what was seen before and after the load."""
    values: dict[str, Json] = {}
    bound = dict(assertion.bindings)
    for term in assertion.expression.terms:
        try:
            if term.name == "load":
                values[term.text] = sight.ledger_value(term.text)
            else:
                values[term.text] = _term(term, bound[term.name], sight)
        except _FallenError as fallen:
            return fallen.answer
        except (ValueError, OverflowError) as error:
            return Answer(Holding.UNDECIDABLE, _values(values) or "undecided", str(error))
    try:
        holds = assertion.expression.holds(values)
    except ExpressionError as error:
        return Answer(Holding.UNDECIDABLE, _values(values), str(error))
    holding = Holding.YES if holds else Holding.NO
    still = _all_zero(values) or _is_still(assertion, values)
    idle = still and not _has_moved(assertion, sight)
    vacuous = holds and (idle or _is_settled(assertion, values))
    return Answer(holding, _values(values), vacuous=vacuous)


def _is_still(assertion: ExprAssertion, values: Mapping[str, Json]) -> bool:
    """Say whether the relation is about changes, and nothing has changed."""
    asked = [t for t in assertion.expression.terms if t.name != "load"]
    phases = {term.phase for term in asked}
    return phases == {"delta"} and _all_zero({t.text: values[t.text] for t in asked})


def _is_settled(assertion: ExprAssertion, values: Mapping[str, Json]) -> bool:
    """Say whether the relation holds whatever the endpoints show now."""
    terms = assertion.expression.terms
    known = {t.text: values[t.text] for t in terms if t.name == "load" or t.phase == "before"}
    return len(known) < len(terms) and assertion.expression.holds_by(known)


def _has_moved(assertion: ExprAssertion, sight: Sight) -> bool:
    """Say whether what is asked to be as before the load was elsewhere meanwhile."""
    bound = dict(assertion.bindings)
    asked = {t.name for t in assertion.expression.terms if t.phase != "after" and t.name in bound}
    return any(sight.has_moved(bound[name].endpoint, bound[name].query) for name in asked)


def relation_during(assertion: ExprAssertion, sight: Sight, samples: Samples) -> Answer:
    """Decide a relation in every sample of the one endpoint that it binds names of."""
    if unseen := samples.unseen:
        return unseen
    answers = [relation(assertion, sight.at(sample)) for sample in samples.readable]
    found = first_bad(answers)
    if found.holding is not Holding.YES:
        bad = [i for i, a in enumerate(answers) if a.holding is not Holding.YES]
        first = samples.readable[answers.index(found)].taken
        place = f"at {first:.2f} s; in {len(bad)} of {len(answers)} samples"
        found = replace(found, note="; ".join(n for n in (found.note, place) if n))
    else:
        vacuous = all(a.vacuous for a in answers)
        found = replace(answers[-1], note=f"in {len(answers)} samples", vacuous=vacuous)
    return samples.weighed(found)


def _term(term: Term, binding: Binding, sight: Sight) -> Json:
    """Return the value of a term: one of a definite path, else a list; raise ValueError."""
    endpoint, query = binding.endpoint, binding.query
    match term.phase:
        case "before":
            earlier = _one(query, _at_before(term, binding, sight))
            if earlier is None:
                raise UnresolvedError(f"{endpoint}: {query} was null before the load")
            return earlier
        case "delta":
            after = sight.after(endpoint, query)
            before = {m.path: m.value for m in _at_before(term, binding, sight)}
            born_at = binding.absent_before
            if isinstance(query, Selector):
                born_at = born_at or 0
                earlier_matches = tuple(Match(path, v) for path, v in before.items())
                document = sight.seen.after[endpoint].document
                if reset := reset_of(after, earlier_matches, document):
                    raise _FallenError(reset)
            if born_at is not None:
                before = {**{m.path: born_at for m in after}, **before}
            if gone := before.keys() - {m.path for m in after}:
                raise UnresolvedError(f"{endpoint}: gone after the load: {min(gone)}")
            return _one(query, tuple(_difference(m, before) for m in after))
    found = _one(query, sight.after(endpoint, query))
    if found is None:
        raise UnresolvedError(f"{endpoint}: {query} is null")
    return found


def _at_before(term: Term, binding: Binding, sight: Sight) -> tuple[Match, ...]:
    endpoint, query = binding.endpoint, binding.query
    before = sight.before(endpoint, query)
    if isinstance(before, Missing):
        raise UnresolvedError(f"{endpoint}: {before.reason}")
    born = binding.absent_before is not None or isinstance(query, Selector)
    if before or (born and term.phase == "delta"):
        return before
    if binding.absent_before is not None and query.definite:
        return (Match(query.text, binding.absent_before),)
    hint = " (`absent_before: 0` beside its path counts from 0)"
    raise UnresolvedError(f"{endpoint}: {term.name} was absent before the load, at {query}{hint}")


def _one(query: Query | Selector, matches: tuple[Match, ...]) -> Json:
    # A path says by itself whether it selects one value; a selector does when it has.
    alone = query.definite or (isinstance(query, Selector) and len(matches) == 1)
    return matches[0].value if alone else [m.value for m in matches]


def _difference(match: Match, before: Mapping[str, Json]) -> Match:
    if match.path not in before:
        raise UnresolvedError(f"{match.path} was absent before the load")
    start = before[match.path]
    for value, when in ((match.value, "after"), (start, "before")):
        if not is_number(value):
            raise UnresolvedError(f"{match.path} is a {kind(value)} {when} the load, not a number")
    return Match(match.path, match.value - start)  # type: ignore[operator]  # numbers, as checked


def _values(values: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {brief(value)}" for name, value in values.items())


def _all_zero(values: Mapping[str, Json]) -> bool:
    """Say whether a relation was between zeros only."""
    flat = [v for value in values.values() for v in (value if isinstance(value, list) else [value])]
    return all(is_number(v) and v == 0 for v in flat)
