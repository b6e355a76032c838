"""What a condition makes of the values it is asked about. Pure.

A condition is asked about a `Subject`: what a query selected, and what it had selected before the
load. Measures turn a subject into another one, predicates answer. Nothing ever passes on absence:
an empty subject, a null and a wrong kind are answers of their own, neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from validator.derivation import derived, gone
from validator.measures import Reach
from validator.predicates import Predicate
from validator.predicates import Subject as Asked
from validator.spec.model import Ask, Condition, Derive, Quantifier, Quantify
from validator.subject import (
    Answer,
    Facts,
    Holding,
    Item,
    Missing,
    Subject,
    article,
    change_of,
    listed,
    notes_of,
    nothing,
    shown,
)
from validator.values import Json, brief, kind, same

_ROUNDED = 10**21
"""Integers from here on are shown in scientific notation."""
_DIGITS = 60
_WORST_FIRST = (Holding.NO, Holding.UNFIT, Holding.UNDECIDABLE)
_ANY_SAYS = (Holding.NO, Holding.UNFIT, Holding.UNDECIDABLE, Holding.YES)
"""What `any` of several answers comes to: the last of these among them."""


def first_bad(answers: Sequence[Answer]) -> Answer:
    """Return the answer that speaks for all: the first that is no yes, else the first."""
    for holding in _WORST_FIRST:
        for found in answers:
            if found.holding is holding:
                return found
    return answers[0]


def answer(condition: Condition, about: Subject, facts: Facts) -> Answer:
    """Decide every part of *condition*; the first that does not hold speaks for it."""
    answers = [_part(part, about, facts) for part in condition]
    spoken = first_bad(answers)
    if len(answers) == 1 or spoken.holding is not Holding.YES:
        return spoken
    # All hold; the most derived one says most: a change or a length rather than the value itself.
    best = next(
        (a for p, a in zip(condition, answers, strict=True) if isinstance(p, Derive)), answers[0]
    )
    weighty = [a for a in answers if a.weighs]
    return Answer(
        Holding.YES,
        best.actual,
        "; ".join(dict.fromkeys(a.note for a in answers if a.note)),
        best.change,
        weighs=bool(weighty),
        vacuous=bool(weighty) and all(a.vacuous for a in weighty),
    )


def _part(part: Ask | Derive | Quantify, about: Subject, facts: Facts) -> Answer:
    match part:
        case Ask():
            return _ask(part, about, facts)
        case Derive(measure=measure, inner=inner):
            found = derived(measure, about, facts)
            if isinstance(found, Answer):
                return found
            if measure.reach is Reach.MATCHES and not about.items and not _asks_for_none(inner):
                note = "nothing at that path, and only `count: {eq: 0}` asks for that"
                return Answer(Holding.UNFIT, "count 0", note)
            return answer(inner, found, facts)
        case Quantify(quantifier=quantifier, inner=inner):
            return _quantify(quantifier, inner, about, facts)
    assert_never(part)


def _asks_for_none(condition: Condition) -> bool:
    return any(isinstance(part, Ask) and part.predicate.admits_none for part in condition)


def _ask(part: Ask, about: Subject, facts: Facts) -> Answer:
    predicate = part.predicate
    try:
        predicate = predicate.resolved(facts.resolve) if part.references else predicate
    except ValueError as error:
        return Answer(Holding.UNDECIDABLE, shown(about), str(error))
    match predicate.subject:
        case Asked.PRESENCE:
            return _presence(predicate, about)
        case Asked.ELEMENTS:
            return _together(predicate, about)
        case Asked.VALUE:
            return _each_value(predicate, about, referred=bool(part.references))
        case Asked.CURVE:
            return _curve(predicate, about)
    assert_never(predicate.subject)


def _presence(predicate: Predicate, about: Subject) -> Answer:
    values = [item.value for item in about.items]
    if predicate.holds(values):
        return Answer(Holding.YES, shown(about), notes_of(about))
    # A null is no answer to whether something is there, so `none` has nothing to turn round.
    holding = Holding.UNFIT if None in values else Holding.NO
    return Answer(holding, shown(about), predicate.explain(values))


def _each_value(predicate: Predicate, about: Subject, *, referred: bool) -> Answer:
    if not about.items:
        return nothing(about)
    wrong: list[tuple[Item, Holding]] = []
    for item in about.items:
        if not predicate.fits(item.value):
            wrong.append((item, Holding.UNFIT))
        elif not predicate.holds(item.value):
            wrong.append((item, Holding.UNFIT if item.value is None else Holding.NO))
    if not wrong:
        idle = predicate.weighs and all(
            item.before == item.after
            if item.changed
            else predicate.idle(item.value, referred=referred)
            for item in about.items
        )
        summed = predicate.shows(about.items[0].value) if about.single else ""
        text, change = summed or shown(about), change_of(about.items)
        return Answer(
            Holding.YES, text, notes_of(about), change, weighs=predicate.weighs, vacuous=idle
        )
    item, holding = wrong[0]
    notes = list(about.notes)
    if kind(item.value) not in predicate.accepts:
        notes.append(f"{article(kind(item.value))}, not {article(predicate.wanted)}")
    elif why := predicate.explain(item.value) or _exactly(item.value, predicate):
        notes.append(why)
    if not about.single and len(about.items) > 1:
        notes.append(f"at {item.path}; {len(wrong)} of {len(about.items)} wrong")
    summed = predicate.shows(item.value) if holding is Holding.NO else ""
    text = summed or item.written or brief(item.value)
    return Answer(holding, text, "; ".join(notes), item if item.changed else None)


def _exactly(value: Json, predicate: Predicate) -> str:
    """Spell a number out when, as shown, it looks like what was expected."""
    rounded = (isinstance(value, float) and not value.is_integer()) or (
        type(value) is int and abs(value) >= _ROUNDED
    )
    if rounded and brief(value) in str(predicate).split():
        return f"exactly {str(value)[:_DIGITS]}"
    return ""


def _together(predicate: Predicate, about: Subject) -> Answer:
    elements = _elements(about)
    if isinstance(elements, Answer):
        return elements
    shown = listed(map(brief, elements))
    if None in elements:
        return Answer(Holding.UNFIT, shown, f"null at element {elements.index(None)}")
    if not predicate.fits(elements):
        return Answer(Holding.UNFIT, shown, predicate.explain(elements))
    if predicate.holds(elements):
        # Samples that are all the same show that nothing moved, and not in which order.
        idle = about.span is not None and all(same(e, elements[0]) for e in elements)
        return Answer(Holding.YES, shown, notes_of(about), vacuous=idle)
    return Answer(Holding.NO, shown, predicate.explain(elements))


def _curve(predicate: Predicate, about: Subject) -> Answer:
    samples = [item.value for item in about.items]
    if not predicate.fits(samples):
        return Answer(Holding.UNDECIDABLE, "unknown", predicate.explain(samples))
    holding = Holding.YES if predicate.holds(samples) else Holding.NO
    idle = holding is Holding.YES and predicate.idle(samples, referred=True)
    note = predicate.explain(samples)
    return Answer(holding, predicate.shows(samples), note, vacuous=idle)


def _elements(about: Subject) -> list[Json] | Answer:
    """Return the elements of the one array, or the several matches; never none."""
    if not about.items:
        return nothing(about)
    if not about.single:
        return [item.value for item in about.items]
    value = about.items[0].value
    if not isinstance(value, list):
        return Answer(Holding.UNFIT, shown(about), f"{article(kind(value))}, not an array")
    if not value:
        return Answer(Holding.UNFIT, "[]", "an empty array")
    return value


def asks_change(condition: Condition) -> bool:
    """Say whether *condition* compares with what was there before the load."""
    for part in condition:
        match part:
            case Derive(measure=measure, inner=inner):
                if measure.reach is Reach.CHANGE or asks_change(inner):
                    return True
            case Quantify(inner=inner):
                if asks_change(inner):
                    return True
    return False


def _quantify(quantifier: Quantifier, inner: Condition, about: Subject, facts: Facts) -> Answer:
    if not about.items:
        return nothing(about)
    if quantifier is not Quantifier.ANY and asks_change(inner) and (lost := gone(about)):
        return lost
    answers = [answer(inner, _alone(about, item), facts) for item in about.items]
    holdings = [a.holding for a in answers]
    total = len(answers)
    match quantifier:
        case Quantifier.EACH:
            bad = [i for i, h in enumerate(holdings) if h is not Holding.YES]
            verdict = holdings[bad[0]] if bad else Holding.YES
            tail = f"{len(bad)} of {total} wrong"
        case Quantifier.ANY:
            bad = [] if Holding.YES in holdings else [0]
            # A null is no answer: `none` around this must not turn it into a pass.
            verdict = max(holdings, key=_ANY_SAYS.index)
            tail = f"none of {total} does"
        case Quantifier.NONE:
            bad = [i for i, h in enumerate(holdings) if h is not Holding.NO]
            verdict = Holding.YES
            if bad:
                first = holdings[bad[0]]
                verdict = Holding.NO if Holding.YES in holdings else first
            tail = f"{len(bad)} of {total} do, or are no answer"
        case _:
            assert_never(quantifier)
    if not bad:
        meant = Holding.NO if quantifier is Quantifier.NONE else Holding.YES
        idle = all(map(_is_idle, (a for a in answers if a.holding is meant)))
        return Answer(Holding.YES, shown(about), notes_of(about), vacuous=idle)
    speaker = answers[bad[0]]
    place = f"at {about.items[bad[0]].path}; {tail}" if total > 1 else ""
    return replace(speaker, holding=verdict, note="; ".join(n for n in (speaker.note, place) if n))


def _is_idle(found: Answer) -> bool:
    """Say whether an answer to a quantifier shows nothing, such as a no about what stood still."""
    moved = found.change
    still = moved is not None and moved.before == moved.after
    return found.vacuous or (still and found.holding is Holding.NO)


def _alone(about: Subject, item: Item) -> Subject:
    before = about.before
    if not isinstance(before, Missing):
        before = tuple(i for i in before if i.path == item.path)
    return replace(about, items=(item,), before=before, single=True)
