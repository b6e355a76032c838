"""The conditions of an assertion: predicates, measures and quantifiers, checked for sense."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from validator import ledger
from validator.errors import Problems
from validator.measures import MEASURES, Measure, Reach
from validator.predicates import PREDICATES, Predicate, Subject
from validator.predicates.base import NUMBERS
from validator.predicates.compare import Equal, In, NotEqual, NotIn
from validator.reference import Reference, did_you_mean
from validator.source import Node, scalar
from validator.spec.assertion_keys import PREDICATE_PREFIX
from validator.spec.contradictions import contradictions, kinds, kinds_of
from validator.spec.model import Ask, Condition, Derive, Over, Quantifier, Quantify
from validator.values import Json, brief, is_number, kind

_QUANTIFIERS = {q.value: q for q in Quantifier}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a condition stands in, as far as it decides what makes sense."""

    has_load: bool
    on_ledger: bool = False
    over: Over = Over.AFTER
    of_number: str = ""
    """The measure around it, if any: what is asked about is a number then."""
    of_change: bool = False
    once: bool = False
    """Whether the endpoint is read once only, after the load."""
    quantifier: str = ""
    """The quantifier around it, if any."""


def condition(written: Any, node: Node, around: Surroundings, problems: Problems) -> Condition:
    """Return the condition in *node*, whose checked form is *written*."""
    parts: dict[str, Ask | Derive | Quantify] = {}
    members = node.value
    assert isinstance(members, dict)
    for key, member in members.items():
        if key in PREDICATES:
            predicate = getattr(written, PREDICATE_PREFIX + key)
            _check_predicate(key, predicate, member, around, problems)
            parts[key] = Ask(predicate, tuple(predicate.references()))
        elif key in MEASURES:
            inner = getattr(written, PREDICATE_PREFIX + key)
            parts[key] = _derive(key, inner, member, around, problems)
        elif key in _QUANTIFIERS:
            inner = getattr(written, PREDICATE_PREFIX + key)
            found = _inner(key, inner, member, replace(around, quantifier=key), problems)
            parts[key] = Quantify(_QUANTIFIERS[key], found)
    predicates = [(key, part.predicate) for key, part in parts.items() if isinstance(part, Ask)]
    for pair in contradictions(parts, predicates):
        first, second = sorted(pair, key=[*parts].index)
        message = f"{_said(first, members)} and {_said(second, members)} can never both hold"
        problems.add(message, members[second].key_span)
    return tuple(parts.values())


def _said(key: str, members: dict[str, Node]) -> str:
    return f"{key}: {brief(members[key].plain())}"


def _inner(
    key: str, written: Any, node: Node, around: Surroundings, problems: Problems
) -> Condition:
    if written is None:
        problems.add(f"{key}: expected a mapping, found nothing", node.key_span)
        return ()
    found = condition(written, node, around, problems)
    if not found:
        problems.add(f"{key} needs a predicate", node.key_span, f"such as {key}: {{ge: 1}}")
    return found


def _derive(key: str, written: Any, node: Node, around: Surroundings, problems: Problems) -> Derive:
    kind = MEASURES[key]
    if kind.reach is Reach.CHANGE:
        _check_change(key, node, around, problems)
    elif kind.reach is Reach.MATCHES and around.over is Over.DURING:
        hint = "ask for the length of what holds them"
        problems.add(f"{key} counts the matches of one look, not of samples", node.key_span, hint)
    elif (around.of_number and kind.reach in (Reach.VALUE, Reach.MATCHES)) or (
        kind.reach is Reach.BUCKETS and around.of_number not in ("", "delta", "rate")
    ):
        problems.add(f"{key} of a number makes no sense", node.key_span)
    deeper = replace(
        around, of_number=key, of_change=around.of_change or kind.reach is Reach.CHANGE
    )
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]  # measures are dataclasses
    options = {n: getattr(written, n) for n in names if getattr(written, n, None) is not None}
    measure: Measure = kind(**options)
    return Derive(measure, _inner(key, written, node, deeper, problems))


def _check_change(key: str, node: Node, around: Surroundings, problems: Problems) -> None:
    if around.of_change:
        problems.add(f"{key} of a change makes no sense", node.key_span)
    if around.on_ledger:
        problems.add(
            f"{key} compares before and after the load; the ledger is made by the load",
            node.key_span,
            "ask about the value itself",
        )
    elif not around.has_load:
        problems.add(
            f"{key} compares before and after the load, and this spec sends none",
            node.key_span,
            "add a load: block",
        )
    elif around.once and around.over is not Over.DURING:
        problems.add(
            f"{key} looks before and after; `read: last` looks once",
            node.key_span,
            "leave out read: last, or ask about the value itself",
        )
    elif around.over is Over.BEFORE:  # over the samples it is the last less the first
        problems.add(f"{key} looks before and after; `over: before` looks once", node.key_span)


def _check_predicate(
    key: str, predicate: Predicate, node: Node, around: Surroundings, problems: Problems
) -> None:
    if predicate.accepts == NUMBERS:
        _check_bounds(key, predicate, node, problems)
    if predicate.subject is Subject.CURVE:
        _check_curve(key, node, around, problems)
    elif around.of_number and predicate.subject is not Subject.VALUE:
        problems.add(f"{key} asks about matches; {around.of_number} is a number", node.key_span)
    elif around.of_number and "number" not in predicate.accepts:
        problems.add(
            f"{key} asks about {predicate.wanted}; {around.of_number} is a number", node.key_span
        )
    elif around.of_number:
        _check_kind(key, predicate, node, around.of_number, problems)


def _check_bounds(key: str, predicate: Predicate, node: Node, problems: Problems) -> None:
    """Complain when a number is to be compared with a part of the ledger that is none."""
    for query in (query for reference in predicate.references() for query in reference.queries):
        if names := ledger.figures_at(query.keys):
            field = "load" + query.text.removeprefix("$")
            one = "p50" if "p50" in names else names[0]
            problems.add(
                f"{key}: {field} is no number but has several: {', '.join(names)}",
                node.span,
                f"such as {field}.{one}",
            )


def _check_kind(
    key: str, predicate: Predicate, node: Node, number: str, problems: Problems
) -> None:
    """Complain when *number*, a measure, is asked for what no number can be."""
    match predicate:
        case Equal() | NotEqual():
            compared = [node]
        case In() | NotIn() if isinstance(node.value, list):
            compared = node.value
        case _:
            if kinds(predicate).isdisjoint({"number"}):
                problems.add(f"{key} asks about {predicate}; {number} is a number", node.key_span)
            return
    for item in compared:
        if kinds_of(item.plain()).isdisjoint({"number"}):
            asked = item.value.text if isinstance(item.value, Reference) else item.plain()
            found = "null" if asked is None else f"{kind(asked)} {brief(asked)}"
            message = f"{key} asks for {found}; {number} is a number"
            problems.add(message, item.span, _number_meant(asked))


def _number_meant(value: Json) -> str:
    """Say how the number is written that *value* may have been meant to be."""
    if not isinstance(value, str):
        return ""
    if "${" in value:
        return "with more around it a reference is a text; arithmetic goes into expr:"
    return "the quotes make it a text" if is_number(scalar(value)) else did_you_mean(value)


def _check_curve(key: str, node: Node, around: Surroundings, problems: Problems) -> None:
    if inside := around.of_number or around.quantifier:
        message = f"{key} asks about a counter as a whole, and stands in no {inside}:"
        problems.add(message, node.key_span, "several matches are added up")
    elif around.over is not Over.DURING:
        hint = "add `over: during`, and during: {every: 500ms} to the endpoint"
        problems.add(f"{key} asks about samples", node.key_span, hint)
    elif around.once:
        message = f"{key} counts from before the load; `read: last` looks after it only"
        problems.add(message, node.key_span, "leave out read: last")
