"""What a condition makes of the values it is asked about. Pure.

A condition is asked about a `Subject`: what a query selected, and what it had selected before the
load. Measures turn a subject into another one, predicates answer. Nothing ever passes on absence:
an empty subject, a null and a wrong kind are answers of their own, neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, assert_never

from validator.measures import Measure, Reach
from validator.predicates import Predicate
from validator.predicates import Subject as Asked
from validator.query import Match
from validator.reference import Resolve
from validator.selector import without_label
from validator.spec.model import Ask, Condition, Derive, Quantifier, Quantify
from validator.values import Json, Number, brief, glimpse, is_number, kind, show


class Holding(Enum):
    """Whether a condition holds."""

    YES = "yes"
    NO = "no"
    UNFIT = "nothing there, or of the wrong kind"
    UNDECIDABLE = "cannot be decided"


_WORST_FIRST = (Holding.NO, Holding.UNFIT, Holding.UNDECIDABLE)


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its path, and how to write it when the value alone would not say enough."""

    path: str
    value: Json
    written: str = ""
    before: Json = None
    after: Json = None
    changed: bool = False
    """Whether *before* and *after* mean anything."""

    def __str__(self) -> str:
        return self.written or glimpse(self.value)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is nothing to compare with."""

    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a condition is asked about."""

    items: tuple[Item, ...]
    before: tuple[Item, ...] | Missing
    single: bool
    """Whether the path can select one value at most."""
    noun: str = "value"
    notes: tuple[str, ...] = ()
    absence: str = ""
    """What to say besides, should nothing be there."""
    born_at: Number | None = None
    """What a path that was absent before counts from, unless the measure says."""
    span: float | None = None
    """Seconds from the first item to the last, when they are one path's samples in order."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What measures and references need besides the subject."""

    resolve: Resolve
    duration: float | None = None
    """Seconds the load took; None when none was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a condition holds, and what a reader should see of it."""

    holding: Holding
    actual: str
    note: str = ""
    change: Item | None = None
    """The change that decided, for the reader to see before and after."""
    weighs: bool = True
    """Whether it says more than that something is there."""
    vacuous: bool = False
    """Whether it holds and could not have failed: between zeros, or of what did not move."""


def subject(
    matches: Sequence[Match], before: Sequence[Match] | Missing, *, single: bool
) -> Subject:
    """Return what the selected matches are, as something to ask about."""
    earlier = (
        before if isinstance(before, Missing) else tuple(Item(m.path, m.value) for m in before)
    )
    return Subject(tuple(Item(m.path, m.value) for m in matches), earlier, single)


def series(path: str, samples: Sequence[tuple[float, Json]], notes: tuple[str, ...]) -> Subject:
    """Return the *samples* of one path, each with its second, as something to ask about.

    Predicates ask about every sample, measures about all together; a change is last less first.
    """
    items = tuple(Item(f"{path} at {at:.2f} s", value) for at, value in samples)
    span = samples[-1][0] - samples[0][0] if samples else 0.0
    return Subject(items, Missing("samples have no before"), single=False, notes=notes, span=span)


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
            return _derive(measure, inner, about, facts)
        case Quantify(quantifier=quantifier, inner=inner):
            return _quantify(quantifier, inner, about, facts)
    assert_never(part)


# Predicates


def _ask(part: Ask, about: Subject, facts: Facts) -> Answer:
    predicate = part.predicate
    try:
        predicate = predicate.resolved(facts.resolve) if part.references else predicate
    except ValueError as error:
        return Answer(Holding.UNDECIDABLE, _shown(about), str(error))
    match predicate.subject:
        case Asked.PRESENCE:
            return _presence(predicate, about)
        case Asked.ELEMENTS:
            return _together(predicate, about)
        case Asked.VALUE:
            return _each_value(predicate, about, referred=bool(part.references))
    assert_never(predicate.subject)


def _presence(predicate: Predicate, about: Subject) -> Answer:
    values = [item.value for item in about.items]
    if predicate.holds(values):
        return Answer(Holding.YES, _shown(about), _notes(about))
    # A null is no answer to whether something is there, so `none` has nothing to turn round.
    holding = Holding.UNFIT if None in values else Holding.NO
    return Answer(holding, _shown(about), predicate.explain(values))


def _each_value(predicate: Predicate, about: Subject, *, referred: bool) -> Answer:
    if not about.items:
        return _nothing(about)
    wrong: list[tuple[Item, Holding]] = []
    for item in about.items:
        if not predicate.fits(item.value):
            wrong.append((item, Holding.UNFIT))
        elif not predicate.holds(item.value):
            wrong.append((item, Holding.UNFIT if item.value is None else Holding.NO))
    if not wrong:
        idle = predicate.weighs and all(
            (item.changed and item.before == item.after)
            or predicate.idle(item.value, referred=referred)
            for item in about.items
        )
        shown, change = _shown(about), _change(about.items)
        return Answer(
            Holding.YES, shown, _notes(about), change, weighs=predicate.weighs, vacuous=idle
        )
    item, holding = wrong[0]
    notes = list(about.notes)
    if kind(item.value) not in predicate.accepts:
        notes.append(f"{_article(kind(item.value))}, not {_article(predicate.wanted)}")
    elif why := predicate.explain(item.value) or _exactly(item.value, predicate):
        notes.append(why)
    if not about.single and len(about.items) > 1:
        notes.append(f"at {item.path}; {len(wrong)} of {len(about.items)} wrong")
    return Answer(holding, str(item), "; ".join(notes), item if item.changed else None)


def _exactly(value: Json, predicate: Predicate) -> str:
    """Spell a number out when, as shown, it looks like what was expected."""
    if (
        isinstance(value, float)
        and not value.is_integer()
        and brief(value) in str(predicate).split()
    ):
        return f"exactly {value!r}"
    return ""


def _together(predicate: Predicate, about: Subject) -> Answer:
    elements = _elements(about)
    if isinstance(elements, Answer):
        return elements
    shown = _listed(map(brief, elements))
    if None in elements:
        return Answer(Holding.UNFIT, shown, f"null at element {elements.index(None)}")
    if not predicate.fits(elements):
        return Answer(Holding.UNFIT, shown, predicate.explain(elements))
    if predicate.holds(elements):
        return Answer(Holding.YES, shown, _notes(about))
    return Answer(Holding.NO, shown, predicate.explain(elements))


def _elements(about: Subject) -> list[Json] | Answer:
    """Return the elements of the one array, or the several matches; never none."""
    if not about.items:
        return _nothing(about)
    if not about.single:
        return [item.value for item in about.items]
    value = about.items[0].value
    if not isinstance(value, list):
        shown = _shown(about)
        return Answer(Holding.UNFIT, shown, f"{_article(kind(value))}, not an array")
    if not value:
        return Answer(Holding.UNFIT, "[]", "an empty array")
    return value


# Measures


def _derive(measure: Measure, inner: Condition, about: Subject, facts: Facts) -> Answer:
    match measure.reach:
        case Reach.VALUE:
            found = _measured(measure, about)
        case Reach.NUMBERS | Reach.MATCHES:
            found = _reduced(measure, about)
        case Reach.CHANGE:
            found = _changes(measure, about, facts)
        case Reach.BUCKETS:
            found = _histograms(measure, about)
        case _:
            assert_never(measure.reach)
    return found if isinstance(found, Answer) else answer(inner, found, facts)


def _measured(measure: Measure, about: Subject) -> Subject | Answer:
    if not about.items:
        return _nothing(about)
    for item in about.items:
        if kind(item.value) not in measure.accepts:
            wanted = " or ".join(sorted(measure.accepts))
            found = _article(kind(item.value))
            note = f"{found} has no {measure.noun}: expected {_article(wanted)}"
            return Answer(Holding.UNFIT, str(item), note)
    return replace(
        about,
        items=tuple(_named(measure, i.path, measure.of(i.value)) for i in about.items),
        before=_sizes(measure, about.before),
        noun=measure.noun,
    )


def _named(measure: Measure, path: str, number: Number) -> Item:
    """Return a derived number that says what it is: `length 0`."""
    return Item(path, number, f"{measure.noun} {show(number)}")


def _sizes(measure: Measure, before: tuple[Item, ...] | Missing) -> tuple[Item, ...] | Missing:
    if isinstance(before, Missing):
        return before
    if any(kind(i.value) not in measure.accepts for i in before):
        return Missing(f"no {measure.noun} before the load: {_actual(before)}")
    return tuple(Item(i.path, measure.of(i.value)) for i in before)


def _reduced(measure: Measure, about: Subject) -> Subject | Answer:
    counting = measure.reach is Reach.MATCHES
    if counting and about.items and all(item.value is None for item in about.items):
        return Answer(Holding.UNFIT, _shown(about), "present but null")
    now: Sequence[Any] | Answer = about.items if counting else _numbers(about)
    if isinstance(now, Answer):
        return now
    label = about.items[0].path if about.items and about.single else measure.noun
    item = _named(measure, label, measure.of(now))
    if not counting and len(about.items) == 1 and about.items[0].changed:
        item = replace(about.items[0], value=item.value)
    elif not counting and all(i.changed for i in about.items):
        item = _reduced_change(measure, about.items, item)
    return replace(
        about,
        items=(item,),
        before=_reduced_before(measure, about, label),
        single=True,
        noun=measure.noun,
    )


def _reduced_change(measure: Measure, items: tuple[Item, ...], item: Item) -> Item:
    """Let a sum of changes show the sums it lies between."""
    before = [i.before for i in items if is_number(i.before)]
    after = [i.after for i in items if is_number(i.after)]
    if measure.noun != "sum" or len(before) != len(items) or len(after) != len(items):
        return item
    low, high = measure.of(before), measure.of(after)
    assert is_number(item.value)
    written = _movement(item.value, low, high)
    return replace(item, before=low, after=high, changed=True, written=written)


def _reduced_before(measure: Measure, about: Subject, label: str) -> tuple[Item, ...] | Missing:
    if isinstance(about.before, Missing):
        return about.before
    if measure.reach is Reach.MATCHES:
        return (Item(label, measure.of(about.before)),)
    if not about.before:
        return ()
    earlier = _numbers(replace(about, items=about.before))
    if isinstance(earlier, Answer):
        if earlier.actual == "[]":
            return ()
        return Missing(f"no {measure.noun} before the load: {earlier.note}")
    return (Item(label, measure.of(earlier)),)


def _numbers(about: Subject) -> list[Number] | Answer:
    """Return the numbers to reduce; anything else among them is an answer."""
    if not about.items:
        return _nothing(about)
    values: Iterable[Json]
    values = [item.value for item in about.items]
    if about.single and isinstance(about.items[0].value, list):
        values = about.items[0].value
        if not values:
            return Answer(Holding.UNFIT, "[]", "an empty array")
    found: list[Number] = []
    for index, value in enumerate(values):
        if not is_number(value):
            note = f"{_article(kind(value))}, not a number"
            if len(about.items) > 1:
                note += f", at {about.items[index].path}"
            elif isinstance(about.items[0].value, list):
                note += f", at element {index}"
            return Answer(Holding.UNFIT, brief(value), note)
        found.append(value)
    return found


def _histograms(measure: Measure, about: Subject) -> Subject | Answer:
    """Return one number for each histogram among the selected buckets."""
    if not about.items:
        return _nothing(about)
    found = _by_histogram(measure, about.items)
    if isinstance(found, Answer):
        return found
    before: tuple[Item, ...] | Missing = Missing("a quantile before the load is not compared")
    return replace(about, items=found, before=before, noun=measure.noun)


def _by_histogram(measure: Measure, items: tuple[Item, ...]) -> tuple[Item, ...] | Answer:
    buckets: dict[str, list[tuple[float, float]]] = {}
    for item in items:
        path, bound = without_label(item.path, "le")
        if bound is None:
            return Answer(Holding.UNFIT, str(item), f"no bucket: {item.path} has no label le")
        if not is_number(item.value):
            return Answer(Holding.UNFIT, brief(item.value), f"not a number, at {item.path}")
        try:
            buckets.setdefault(path, []).append((float(bound), item.value))
        except ValueError:
            return Answer(Holding.UNFIT, bound, f"le is no number, at {item.path}")
    found = []
    for path, counts in buckets.items():
        try:
            number = measure.of(counts)
        except ValueError as error:
            return Answer(Holding.UNFIT, "no histogram", f"{error}, at {path}")
        found.append(Item(path, number, f"{measure.noun} {show(number)}"))
    return tuple(found)


def _changes(measure: Measure, about: Subject, facts: Facts) -> Subject | Answer:
    if about.span is not None:
        return _changes_of_series(measure, about)
    if isinstance(about.before, Missing):
        return Answer(Holding.UNDECIDABLE, _shown(about), about.before.reason)
    if not facts.duration:
        return Answer(Holding.UNDECIDABLE, _shown(about), "the load did not take place")
    if gone := _gone(about):
        return gone
    earlier = {item.path: item.value for item in about.before}
    if not about.items:
        return _nothing(about)
    given: Number | None = getattr(measure, "absent_before", None)
    default = about.born_at if given is None else given
    born = [item.path for item in about.items if item.path not in earlier]
    if born and default is None:
        note = f"{born[0]} was absent before the load (`absent_before: 0` counts from 0)"
        now = next(item for item in about.items if item.path == born[0])
        return Answer(Holding.UNDECIDABLE, str(now), note)
    found: list[Item] = []
    for item in about.items:
        changed = _changed(measure, item, earlier.get(item.path, default), facts.duration)
        if isinstance(changed, Answer):
            return changed
        found.append(changed)
    notes = about.notes
    if born:
        more = f" and {len(born) - 1} more" if len(born) > 1 else ""
        start = show(default or 0)
        notes = (*notes, f"absent before the load, counted from {start}: {born[0]}{more}")
    return replace(about, items=tuple(found), before=(), noun=measure.noun, notes=notes)


def _gone(about: Subject) -> Answer | None:
    """Return the answer about a match that was there before the load only."""
    later = {item.path for item in about.items}
    earlier = () if isinstance(about.before, Missing) else about.before
    for item in earlier:
        if item.path not in later:
            note = f"gone after the load: {item.path} was {brief(item.value)}"
            return Answer(Holding.UNFIT, "absent", note)
    return None


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


def _changed(measure: Measure, item: Item, start: Json, seconds: float) -> Item | Answer:
    """Return the change of one value since *start*."""
    for value, when in ((item.value, "after"), (start, "before")):
        if not is_number(value):
            note = f"{when} the load it is {_article(kind(value))}, not a number"
            return Answer(Holding.UNFIT, brief(value), note)
    assert is_number(item.value)
    assert is_number(start)
    change = measure.of((start, item.value, seconds))
    written = _movement(change, start, item.value)
    return Item(item.path, change, written, start, item.value, changed=True)


def _changes_of_series(measure: Measure, about: Subject) -> Subject | Answer:
    """Return the change from the first sample of a path to its last."""
    if len(about.items) < 2 or not about.span:  # noqa: PLR2004 - a change needs two
        return Answer(Holding.UNDECIDABLE, _shown(about), "one sample shows no change")
    first, last = about.items[0], about.items[-1]
    for item in (first, last):
        if not is_number(item.value):
            note = f"a {kind(item.value)}, not a number, at {item.path}"
            return Answer(Holding.UNFIT, brief(item.value), note)
    assert is_number(first.value)
    assert is_number(last.value)
    change = measure.of((first.value, last.value, about.span))
    written = _movement(change, first.value, last.value)
    moved = Item(last.path, change, written, first.value, last.value, changed=True)
    return replace(about, items=(moved,), single=True, noun=measure.noun, span=None)


def _movement(change: Number, before: Number, after: Number) -> str:
    sign = "+" if change >= 0 else ""
    return f"{sign}{show(change)} ({show(before)} → {show(after)})"


# Quantifiers


def _quantify(quantifier: Quantifier, inner: Condition, about: Subject, facts: Facts) -> Answer:
    if not about.items:
        return _nothing(about)
    if quantifier is not Quantifier.ANY and asks_change(inner) and (gone := _gone(about)):
        return gone
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
            undecided = Holding.UNDECIDABLE in holdings
            verdict = Holding.UNDECIDABLE if undecided else Holding.NO
            verdict = verdict if bad else Holding.YES
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
        idle = quantifier is Quantifier.EACH and all(a.vacuous for a in answers)
        return Answer(Holding.YES, _shown(about), _notes(about), vacuous=idle)
    speaker = answers[bad[0]]
    place = f"at {about.items[bad[0]].path}; {tail}" if total > 1 else ""
    return replace(speaker, holding=verdict, note="; ".join(n for n in (speaker.note, place) if n))


def _alone(about: Subject, item: Item) -> Subject:
    before = about.before
    if not isinstance(before, Missing):
        before = tuple(i for i in before if i.path == item.path)
    return replace(about, items=(item,), before=before, single=True)


# Texts


def _nothing(about: Subject) -> Answer:
    return Answer(Holding.UNFIT, "absent", about.absence or "nothing at that path")


def _notes(about: Subject) -> str:
    return "; ".join(about.notes)


def _change(items: tuple[Item, ...]) -> Item | None:
    return items[0] if len(items) == 1 and items[0].changed else None


def _actual(items: tuple[Item, ...]) -> str:
    if not items:
        return "absent"
    return str(items[0]) if len(items) == 1 else _listed(map(str, items))


def _shown(about: Subject) -> str:
    """Return what *about* is, briefly: of samples how many and between which values."""
    if about.span is None or len(about.items) < 2:  # noqa: PLR2004 - one sample shows itself
        return _actual(about.items)
    values = [item.value for item in about.items if is_number(item.value)]
    if len(values) < len(about.items):
        return _actual(about.items)
    return f"{show(min(values))} … {show(max(values))} in {len(values)} samples"


def _listed(values: Iterable[str], limit: int = 6) -> str:
    texts = list(values)
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"{len(texts)} × {texts[0]}"
    shown = ", ".join(texts[:limit])
    return shown if len(texts) <= limit else f"{shown}, … ({len(texts)} in all)"


def _article(noun: str) -> str:
    if noun == "null":
        return noun
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
