"""The ways in which one value can go wrong: each is a function from a site to edits. Pure.

A mutation that leaves a value as it is gives no edits: such a mutant could not be told from the
truth, and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from validator.mutation.edits import GONE, Edit, Gone, Keys, at
from validator.registry import Registry
from validator.values import Json, is_number, json_text, kind, same

Edits: TypeAlias = tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """One value of one document, and what is known about it there."""

    document: Json
    keys: Keys
    decoder: str
    earlier: Json | Gone = GONE
    """What the same place held before the load."""
    counted_from: bool = False
    """Whether this is the look before the load, from which a change is counted."""

    @property
    def value(self) -> Json:
        """What is broken."""
        found = at(self.document, self.keys)
        assert not isinstance(found, Gone)
        return found

    @property
    def sample(self) -> Keys | None:
        """Where the Prometheus sample stands whose value this is, if it is one."""
        return self.keys[:4] if self.decoder == "prometheus" and is_sample(self.keys) else None

    def becomes(self, value: Json) -> Edits:
        """Return the edit that puts *value* here, unless it is there already."""
        return () if same(self.value, value) else (Edit(self.keys, value),)


def is_sample(keys: Keys) -> bool:
    """Say whether *keys* lead to the value of a sample of a Prometheus document."""
    return len(keys) == 5 and keys[::2] == ("families", "samples", "value")  # noqa: PLR2004 - families.NAME.samples[N].value


Mutation: TypeAlias = Callable[[Site], Edits]
MUTATIONS: Registry[Mutation] = Registry("mutation")


@MUTATIONS.register("drop")
def drop(site: Site) -> Edits:
    """The value is not there: its key, its sample, or of a table its whole column."""
    if not site.keys or (site.counted_from and site.value == 0):
        return ()  # what was absent before is counted from 0
    match site.keys, site.document:
        case (int(), str(column)), list(rows) if site.decoder == "csv":
            return tuple(Edit((row, column), GONE) for row in range(len(rows)))
    return (Edit(site.sample or site.keys, GONE),)


@MUTATIONS.register("null")
def null(site: Site) -> Edits:
    """The value is null; of a table, an empty cell."""
    return () if site.sample else site.becomes(None)


@MUTATIONS.register("zero")
def zero(site: Site) -> Edits:
    """The number is 0; the text, array or object is empty."""
    match site.value:
        case None | bool():
            return ()
        case int() | float():
            return site.becomes(0)
        case str() if site.sample:  # a decoder's text for NaN or an infinity
            return site.becomes(0)
        case str():
            return site.becomes("")
        case list():
            return site.becomes([])
        case dict():
            return site.becomes({})


@MUTATIONS.register("negate")
def negate(site: Site) -> Edits:
    """The number has the other sign; a boolean is the other one."""
    if isinstance(site.value, bool):
        return site.becomes(not site.value)
    return site.becomes(-site.value) if is_number(site.value) else ()


@MUTATIONS.register("freeze")
def freeze(site: Site) -> Edits:
    """The value is still what it was before the load."""
    if isinstance(site.earlier, Gone) or site.counted_from:
        return ()
    return site.becomes(site.earlier)


@MUTATIONS.register("swap")
def swap(site: Site) -> Edits:
    """The value and a neighbour of its kind have changed places."""
    for keys in _neighbours(site):
        other = at(site.document, keys)
        if not isinstance(other, Gone) and kind(other) == kind(site.value):
            return (*site.becomes(other), Edit(keys, site.value)) if site.becomes(other) else ()
    return ()


def _neighbours(site: Site) -> list[Keys]:
    """Return the places beside this one, the next before the previous."""
    if not site.keys or site.counted_from or isinstance(site.value, dict | list):
        return []
    if site.sample:
        return _beside(_samples_near(site), site.keys)
    around = at(site.document, site.keys[:-1])
    members = list(around) if isinstance(around, dict) else range(len(around))  # type: ignore[arg-type]  # it holds the value
    return _beside([(*site.keys[:-1], member) for member in members], site.keys)


def _beside(places: list[Keys], here: Keys) -> list[Keys]:
    position = places.index(here)
    return [*places[position + 1 :], *reversed(places[:position])]


def _samples_near(site: Site) -> list[Keys]:
    """Return the samples of the same family, and a family beside it for one that has one sample."""
    families = at(site.document, ("families",))
    assert isinstance(families, dict)
    names = list(families)
    position = names.index(str(site.keys[1]))
    near = names[position : position + 2] if position + 1 < len(names) else names[-2:]
    return [
        ("families", name, "samples", index, "value")
        for name in near
        for index in range(len(_listed(families[name])))
    ]


def _listed(family: Json) -> list[Json]:
    samples = family.get("samples") if isinstance(family, dict) else None
    return samples if isinstance(samples, list) else []


@MUTATIONS.register("stringify")
def stringify(site: Site) -> Edits:
    """The value is a text that reads like it: in JSON, a number in quotes."""
    if site.decoder in ("csv", "prometheus") or not site.keys or site.counted_from:
        return ()  # where everything is a text on the wire, this one would read the same
    if site.value is None or isinstance(site.value, str):
        return ()
    return site.becomes(json_text(site.value))


@MUTATIONS.register("NaN")
def nan(site: Site) -> Edits:
    """The number is NaN. JSON has none: there the whole page is unreadable (see `trials`)."""
    unwritten = site.decoder not in ("csv", "prometheus")
    return () if unwritten or not is_number(site.value) else site.becomes("NaN")


@MUTATIONS.register("+1")
def one_more(site: Site) -> Edits:
    """The integer is one too large."""
    return site.becomes(site.value + 1) if _is_integer(site.value) else ()  # type: ignore[operator]  # a number


@MUTATIONS.register("-1")
def one_less(site: Site) -> Edits:
    """The integer is one too small."""
    return site.becomes(site.value - 1) if _is_integer(site.value) else ()  # type: ignore[operator]  # a number


def _is_integer(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@MUTATIONS.register("double")
def double(site: Site) -> Edits:
    """The number is twice what it was."""
    return site.becomes(site.value * 2) if is_number(site.value) else ()
