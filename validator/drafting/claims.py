"""What a page seems to promise: each claim was true at every look. Pure.

A claim about change is made only if it was true of both loads, and of nothing that also moves by
itself: what held once may be chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from validator.drafting.words import COMPLETION, PROMPT
from validator.values import Json, is_number

HERE = "\0here"
"""Stands for the endpoint's own id, which the writer knows."""


class Heading(Enum):
    """What claims of one kind have in common, as the spec says it."""

    COUNTED = "Counted: these moved by exactly what the client saw, in both loads."
    FAILURES = "As many failures as the client saw: none, so far."
    GREW = "Grew with both loads; by how much is for you to say."
    RETURNED = "Gauges that are back at 0 once the load is over."
    FORM = "The format itself, and the arithmetic of histograms and summaries."
    ORDERED = "Percentiles never fall, and no cumulative bucket is less than the one below it."
    RELATED = "Numbers that belong together."
    MEASURED = "Measured, and not only there."
    SHARES = "Shares."
    CONSTANT = "Constants, as they look: what the server was started with."
    KINDS = "Of these only the kind is sure."
    SUGGESTED = "Not sure. Uncomment what is meant, and delete the rest."


@dataclass(frozen=True, slots=True)
class Claim:
    """One assertion of a draft."""

    heading: Heading
    place: Mapping[str, Any]
    """`path` or `metric`; or `name`, `expr` and `let`."""
    asks: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "warning"
    remark: str = ""
    """Why it is only suggested."""

    @property
    def suggested(self) -> bool:
        """Whether it is written as a comment."""
        return self.heading is Heading.SUGGESTED

    def doubted(self, remark: str) -> Claim:
        """Return it as a suggestion."""
        return Claim(Heading.SUGGESTED, self.place, self.asks, remark=remark)


@dataclass(frozen=True, slots=True)
class Load:
    """One load, and which looks stand before and after it."""

    ledger: Mapping[str, Json]
    before: int
    after: int

    def figure(self, *keys: str) -> float | None:
        """Return a number of the ledger."""
        found: Json = dict(self.ledger)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if is_number(found) else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """When was looked: around which loads, and when nothing happened in between."""

    loads: tuple[Load, ...] = ()
    idle: tuple[tuple[int, int], ...] = ()
    """Pairs of looks between which nobody sent anything."""
    model: str = ""
    stirred: frozenset[str] = frozenset()
    """Paths of values that moved while a load ran, and were back after it."""

    @property
    def final(self) -> tuple[int, ...]:
        """The looks that assertions are asked of: those after a load, or all."""
        return tuple(load.after for load in self.loads) or tuple(
            sorted({look for pair in self.idle for look in pair})
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """Something of the ledger that a counter may count."""

    text: str
    """As a reference or an expression says it."""
    values: tuple[float, ...]
    """In each load."""
    hint: frozenset[str] = frozenset()

    @property
    def is_reference(self) -> bool:
        """Whether it is one value of the ledger, and not a relation between several."""
        return " " not in self.text


def figures(loads: tuple[Load, ...]) -> list[Figure]:
    """Return what a counter may have counted, the likelier first."""

    def known(text: str, *terms: tuple[int, tuple[str, ...]], hint: frozenset[str]) -> None:
        values = []
        for load in loads:
            parts = [(sign, load.figure(*keys)) for sign, keys in terms]
            if any(part is None for _, part in parts):
                return
            values.append(sum(sign * (part or 0) for sign, part in parts))
        if all(value > 0 for value in values):
            found.append(Figure(text, tuple(values), hint))

    found: list[Figure] = []
    if not loads:
        return found
    none: frozenset[str] = frozenset()
    known("load.ok", (1, ("ok",)), hint=none)
    if all(_told_tokens(load.ledger) for load in loads):
        prompt, completion = ("tokens", "prompt"), ("tokens", "completion")
        known("load.tokens.prompt", (1, prompt), hint=PROMPT)
        known("load.tokens.completion", (1, completion), hint=COMPLETION)
        cached = ("tokens", "cached")
        known("load.tokens.cached", (1, cached), hint=frozenset({"cached", "saved"}))
        computed = "load.tokens.prompt - load.tokens.cached"
        known(computed, (1, prompt), (-1, cached), hint=PROMPT | {"computed", "compute"})
        both = "load.tokens.prompt + load.tokens.completion"
        known(both, (1, prompt), (1, completion), hint=frozenset({"total", "processed"}))
        after_first = "load.tokens.completion - load.ok"
        known(after_first, (1, completion), (-1, ("ok",)), hint=frozenset({"inter", "itl", "per"}))
    known("load.chunks", (1, ("chunks",)), hint=frozenset({"chunks", "chunk"}))
    return found


def _told_tokens(ledger: Mapping[str, Json]) -> bool:
    """Say whether the tokens are those that the server reported; chunks are not tokens."""
    tokens = ledger.get("tokens")
    return isinstance(tokens, dict) and tokens.get("source") == "usage"
