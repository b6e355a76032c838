"""Measures at work: from what a query selected to the numbers derived from it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, assert_never

from validator.measures import Measure, Reach
from validator.selector import without_label
from validator.subject import (
    Answer,
    Facts,
    Holding,
    Item,
    Missing,
    Subject,
    actual,
    article,
    nothing,
    shown,
)
from validator.values import Json, Number, brief, is_number, kind, show


def derived(measure: Measure, about: Subject, facts: Facts) -> Subject | Answer:
    """Return the numbers that *measure* derives, or an answer when it derives none."""
    match measure.reach:
        case Reach.VALUE:
            return _measured(measure, about)
        case Reach.NUMBERS | Reach.MATCHES:
            return _reduced(measure, about)
        case Reach.CHANGE:
            return _changes(measure, about, facts)
        case Reach.BUCKETS:
            return _histograms(measure, about)
    assert_never(measure.reach)


def _measured(measure: Measure, about: Subject) -> Subject | Answer:
    if not about.items:
        return nothing(about)
    for item in about.items:
        if kind(item.value) not in measure.accepts:
            wanted = " or ".join(sorted(measure.accepts))
            found = article(kind(item.value))
            note = f"{found} has no {measure.noun}: expected {article(wanted)}"
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
        return Missing(f"no {measure.noun} before the load: {actual(before)}")
    return tuple(Item(i.path, measure.of(i.value)) for i in before)


def _reduced(measure: Measure, about: Subject) -> Subject | Answer:
    counting = measure.reach is Reach.MATCHES
    if counting and about.items and all(item.value is None for item in about.items):
        return Answer(Holding.UNFIT, shown(about), "present but null")
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
        return nothing(about)
    values: Iterable[Json]
    values = [item.value for item in about.items]
    if about.single and isinstance(about.items[0].value, list):
        values = about.items[0].value
        if not values:
            return Answer(Holding.UNFIT, "[]", "an empty array")
    found: list[Number] = []
    for index, value in enumerate(values):
        if not is_number(value):
            note = f"{article(kind(value))}, not a number"
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
        return nothing(about)
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
        text = show(number)
        if math.isinf(number):
            text = f"above {show(max(b for b, _ in counts if math.isfinite(b)))}, the last bound"
        found.append(Item(path, number, f"{measure.noun} {text}"))
    return tuple(found)


def _changes(measure: Measure, about: Subject, facts: Facts) -> Subject | Answer:
    if about.span is not None:
        return _changes_of_series(measure, about)
    if isinstance(about.before, Missing):
        return Answer(Holding.UNDECIDABLE, shown(about), about.before.reason)
    if not facts.duration:
        return Answer(Holding.UNDECIDABLE, shown(about), "the load did not take place")
    if lost := gone(about):
        return lost
    earlier = {item.path: item.value for item in about.before}
    if not about.items:
        return nothing(about)
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


def gone(about: Subject) -> Answer | None:
    """Return the answer about a match that was there before the load only."""
    later = {item.path for item in about.items}
    earlier = () if isinstance(about.before, Missing) else about.before
    for item in earlier:
        if item.path not in later:
            note = f"gone after the load: {item.path} was {brief(item.value)}"
            return Answer(Holding.UNFIT, "absent", note)
    return None


def _changed(measure: Measure, item: Item, start: Json, seconds: float) -> Item | Answer:
    """Return the change of one value since *start*."""
    for value, when in ((item.value, "after"), (start, "before")):
        if not is_number(value):
            note = f"{when} the load it is {article(kind(value))}, not a number"
            return Answer(Holding.UNFIT, brief(value), note)
    assert is_number(item.value)
    assert is_number(start)
    change = measure.of((start, item.value, seconds))
    written = _movement(change, start, item.value)
    return Item(item.path, change, written, start, item.value, changed=True)


def _changes_of_series(measure: Measure, about: Subject) -> Subject | Answer:
    """Return the change from the first sample of a path to its last."""
    if not about.items:
        return nothing(about)
    for item in about.items:  # also between: what is no number then may hide a fall
        if not is_number(item.value):
            note = f"{article(kind(item.value))}, not a number, at {item.path}"
            return Answer(Holding.UNFIT, brief(item.value), note)
    if len(about.items) < 2 or not about.span:  # noqa: PLR2004 - a change needs two
        return Answer(Holding.UNDECIDABLE, shown(about), "one sample shows no change")
    first, last = about.items[0], about.items[-1]
    assert is_number(first.value)
    assert is_number(last.value)
    change = measure.of((first.value, last.value, about.span))
    written = _movement(change, first.value, last.value)
    moved = Item(last.path, change, written, first.value, last.value, changed=True)
    return replace(about, items=(moved,), single=True, noun=measure.noun, span=None)


def _movement(change: Number, before: Number, after: Number) -> str:
    sign = "+" if change >= 0 else ""
    return f"{sign}{show(change)} ({show(before)} → {show(after)})"
