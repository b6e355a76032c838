"""Whether a failure says something about the server, or only that the client itself was late.

To what a thing took comes what the client's own event loop took to notice. So a time was truly
somewhere between what the ledger says and that less the lag, and a rate somewhere above: a request
that ends late lets the next one begin late, and all of that adds up. A gap between two tokens may
also have been longer, for what a late client reads together came together to it; the same is so of
what is reckoned from such gaps. What fails for all of these is a failure: a server that claims to
be slower than its client saw lies, however late the client was. What holds for some of them cannot
be decided. Nothing here is asked about what passed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from validator.query import Query, compiled
from validator.spec.model import (
    Assertion,
    Condition,
    Derive,
    ExprAssertion,
    PathAssertion,
    Quantify,
)
from validator.values import Json, brief, is_number

TURNS: Final = 5
"""Turns of the event loop that a time may wait for, from connecting to reading the answer. One of
them is taken to be as late as the worst in a hundred, the others as late as usual."""
BUSY: Final = 0.9
"""From this share of a CPU on the client worked all the time, and how late it was nobody knows."""
STEPS: Final = 100
FINE: Final = 0.005
"""The ratio by which two truths that are tried differ at most, as a natural logarithm."""
_LEAST: Final = 0.001
"""The least share of what was seen that is tried, besides zero."""
_AT_ONCE: Final = 4
"""Fields that are varied independently of each other; more are varied together and one by one."""
_COUNTS: Final = ("count", "missing")
_ROUGH: Final = ("p99", "max")
"""Figures that one late moment decides."""
_GAPS: Final = ("itl_ms", "tpot_ms")
"""Times between two instants of which either may have been noticed late."""

Field: TypeAlias = "tuple[str | int, ...]"
"""The keys of a value of the ledger."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the client of one load was, as its ledger says."""

    usual: float
    """The p50 of the event loop's lag, in ms."""
    rare: float
    """Its p99."""
    worst: float
    total: float | None
    """The sum of all its lags, in ms."""
    share: float | None
    """Of a CPU."""

    @property
    def busy(self) -> bool:
        """Whether the client had no time to look at the clock."""
        return self.share is not None and self.share >= BUSY

    def within(self, field: Field) -> float:
        """Return the ms by which a time of the ledger may be too long."""
        return (self.worst if field[-1] in _ROUGH else self.rare) + TURNS * self.usual

    def in_all(self, field: Field) -> float:
        """Return the ms by which a duration may be too long."""
        return self.within(field) if self.total is None else self.total

    def __str__(self) -> str:
        by = "" if self.busy else f" by up to {brief(round(self.rare + TURNS * self.usual, 1))} ms"
        lag = f"p50 {brief(round(self.usual, 1))} ms, p99 {brief(round(self.rare, 1))} ms"
        share = "unknown" if self.share is None else f"{self.share:.0%}"
        return f"the client itself was late{by} (event-loop lag {lag}; CPU share {share})"


def excuse(assertion: Assertion, ledger: Json, holds: Callable[[Json], bool]) -> str:
    """Say why a failed assertion cannot be decided; nothing when it can.

    *holds* judges the assertion again with another ledger.
    """
    fields = {f: late for f in asked(assertion) if (late := _lateness(ledger, f)) is not None}
    truths = _truths(ledger, tuple(fields.items()))
    if not any(holds(truth) for truth in truths):
        return ""
    worst = max(fields.values(), key=lambda late: (late.busy, late.rare))
    return f"not decidable: {worst}"


def asked(assertion: Assertion) -> tuple[Field, ...]:
    """Return the times and rates of the ledger that an assertion asks about."""
    match assertion:
        case PathAssertion(endpoint=None, query=query):
            found = [query.keys] if isinstance(query, Query) else []
            found += _referred(assertion.condition)
        case PathAssertion():
            found = _referred(assertion.condition)
        case ExprAssertion(expression=expression):
            texts = [term.text for term in expression.terms if term.name == "load"]
            found = [compiled("$" + text.removeprefix("load")).keys for text in texts]
        case _:
            assert_never(assertion)
    return tuple(dict.fromkeys(keys for keys in found if _unit(keys)))


def _referred(condition: Condition) -> list[Field]:
    fields: list[Field] = []
    for part in condition:
        match part:
            case Derive(inner=inner) | Quantify(inner=inner):
                fields += _referred(inner)
            case _:
                fields += [query.keys for one in part.references for query in one.queries]
    return fields


def _unit(field: Field) -> str:
    """Return `ms`, `s` or `per_s`, by the name of the field; nothing of what is no time."""
    if not field or field[-1] in _COUNTS or "client" in field:
        return ""
    for key in map(str, field):
        for unit in ("per_s", "ms", "s"):
            if key.endswith(f"_{unit}"):
                return unit
    return ""


def _load_of(ledger: Json, field: Field) -> Field:
    """Return the keys that lead to the ledger of the load that *field* is about."""
    for length in range(len(field), 0, -1):
        here = _at(ledger, field[:length])
        if isinstance(here, dict) and "client" in here:
            return field[:length]
    return ()


def _lateness(ledger: Json, field: Field) -> Lateness | None:
    """Return how late the client was; None when it was not, or nobody knows."""
    load = _load_of(ledger, field)
    share = _at(ledger, (*load, "client", "cpu_share"))
    named = ("p50", "p99", "max", "total")
    lags = [_at(ledger, (*load, "client", "lag_ms", name)) for name in named]
    usual, rare, worst, total = (float(lag) if is_number(lag) else None for lag in lags)
    found = Lateness(
        usual or 0.0,
        rare or 0.0,
        max(rare or 0.0, worst or 0.0),
        total,
        float(share) if is_number(share) else None,
    )
    return found if found.busy or found.rare > 0 else None


def _truths(ledger: Json, fields: tuple[tuple[Field, Lateness], ...]) -> Iterator[Json]:
    """Yield the ledgers that a client in time might have written instead of *ledger*."""
    sizes = range(1, len(fields) + 1) if len(fields) <= _AT_ONCE else (1, len(fields))
    for size in sizes:
        for chosen in itertools.combinations(fields, size):
            gaps = any(_is_gap(field) for field, _ in chosen)
            for longer in (False, True)[: 1 + gaps]:
                ranges = [
                    (field, found)
                    for field, late in chosen
                    if (found := _range(ledger, field, late, longer=longer)) is not None
                ]
                for values in _within([found for _, found in ranges]):
                    truth = ledger
                    for (field, _), value in zip(ranges, values, strict=True):
                        truth = _with(truth, field, value)
                    yield truth


def _within(ranges: list[tuple[float, float]]) -> Iterator[tuple[float, ...]]:
    """Yield values on the way from one end of each range to the other, in steps of both kinds.

    Even steps find what is near the start, and steps by a ratio what is far from it: with even
    ones alone a long lag strides over a server's time that is a small part of what was seen.
    """
    for step in range(1, STEPS + 1):
        yield tuple(start + (end - start) * step / STEPS for start, end in ranges)
    ratios = [max(end / start, _LEAST) if start > 0 else 1.0 for start, end in ranges]
    steps = math.ceil(max((abs(math.log(ratio)) for ratio in ratios), default=0.0) / FINE)
    for step in range(1, steps):
        yield tuple(
            start * ratio ** (step / steps)
            for (start, _), ratio in zip(ranges, ratios, strict=True)
        )


def _is_gap(field: Field) -> bool:
    return any(key in _GAPS for key in field)


def _range(
    ledger: Json, field: Field, late: Lateness, *, longer: bool
) -> tuple[float, float] | None:
    """Return what a time or a rate was seen to be, and what it was if all the lateness is in it."""
    was = _at(ledger, field)
    if not is_number(was):
        return None
    if longer and _is_gap(field):
        return float(was), _longest(ledger, field, late, was)
    match _unit(field):
        case "ms":
            return float(was), 0.0 if late.busy else max(0.0, was - late.within(field))
        case "s":
            return float(was), 0.0 if late.busy else max(0.0, was - late.in_all(field) / 1000)
    # Of a rate the time that it was divided by is what may be too long.
    duration = _at(ledger, (*_load_of(ledger, field), "duration_s"))
    seconds = float(duration) if is_number(duration) else 0.0
    excess = 1.0 if late.busy else 0.0
    if seconds > 0 and not late.busy:
        excess = late.in_all(field) / 1000 / seconds
    return float(was), was / max(1 - excess, 1 / STEPS)


def _longest(ledger: Json, field: Field, late: Lateness, was: float) -> float:
    """Return what a gap was if its start was noticed as late as may be."""
    if not late.busy:
        return was + late.within(field)
    whole = _at(ledger, (*_load_of(ledger, field), "wall_ms", "max"))
    return max(was, float(whole) if is_number(whole) else was)  # no gap outlasts its request


def _at(ledger: Json, field: Field) -> Json:
    here = ledger
    for key in field:
        here = here.get(str(key)) if isinstance(here, dict) else None
    return here


def _with(ledger: Json, field: Field, value: Json) -> Json:
    """Return *ledger* with another value at *field*."""
    if not field or not isinstance(ledger, dict):
        return value
    key = str(field[0])
    return {**ledger, key: _with(ledger.get(key), field[1:], value)}
