"""What a condition is asked about, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from validator.query import Match
from validator.reference import Resolve
from validator.values import Json, Number, glimpse, is_number, show


class Holding(Enum):
    """Whether a condition holds."""

    YES = "yes"
    NO = "no"
    UNFIT = "nothing there, or of the wrong kind"
    UNDECIDABLE = "cannot be decided"


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


def nothing(about: Subject) -> Answer:
    """Return the answer about what is not there."""
    return Answer(Holding.UNFIT, "absent", about.absence or "nothing at that path")


def notes_of(about: Subject) -> str:
    """Return what must be said besides the values."""
    return "; ".join(about.notes)


def change_of(items: tuple[Item, ...]) -> Item | None:
    """Return the one change among *items*, if that is what they are."""
    return items[0] if len(items) == 1 and items[0].changed else None


def actual(items: tuple[Item, ...]) -> str:
    """Return the values of *items*, briefly."""
    if not items:
        return "absent"
    return str(items[0]) if len(items) == 1 else listed(map(str, items))


def shown(about: Subject) -> str:
    """Return what *about* is, briefly: of samples how many and between which values."""
    if about.span is None or len(about.items) < 2:  # noqa: PLR2004 - one sample shows itself
        return actual(about.items)
    values = [item.value for item in about.items if is_number(item.value)]
    if len(values) < len(about.items):
        return actual(about.items)
    return f"{show(min(values))} … {show(max(values))} in {len(values)} samples"


def listed(values: Iterable[str], limit: int = 6) -> str:
    """Return the first of *values*, and how many there are."""
    texts = list(values)
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"{len(texts)} × {texts[0]}"
    shown = ", ".join(texts[:limit])
    return shown if len(texts) <= limit else f"{shown}, … ({len(texts)} in all)"


def article(noun: str) -> str:
    """Return *noun* with its article."""
    if noun == "null":
        return noun
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
