"""Whether a failure says something about the server, or only that the client itself was late.

The client's times are too long rather than too short: to what a thing took comes what its own
event loop took to notice. So a time was truly somewhere between what the ledger says and that less
the lag, and a rate somewhere above. What fails for all of these is a failure: a server that claims
to be slower than its client saw lies, however late the client was. What holds for some of them
cannot be decided. Nothing here is asked about what passed.
"""

from __future__ import annotations

import itertools
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
_AT_ONCE: Final = 4
"""Fields that are varied independently of each other; more are varied together and one by one."""
_COUNTS: Final = ("count", "missing")
_ROUGH: Final = ("p99", "max")
"""Figures that one late moment decides."""

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
    share: float | None
    """Of a CPU."""

    @property
    def busy(self) -> bool:
        """Whether the client had no time to look at the clock."""
        return self.share is not None and self.share >= BUSY

    def within(self, field: Field) -> float:
        """Return the ms by which a time of the ledger may be too long."""
        return (self.worst if field[-1] in _ROUGH else self.rare) + TURNS * self.usual

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
    lags = [_at(ledger, (*load, "client", "lag_ms", name)) for name in ("p50", "p99", "max")]
    usual, rare, worst = (float(lag) if is_number(lag) else 0.0 for lag in lags)
    found = Lateness(usual, rare, max(rare, worst), float(share) if is_number(share) else None)
    return found if found.busy or found.rare > 0 else None


def _truths(ledger: Json, fields: tuple[tuple[Field, Lateness], ...]) -> Iterator[Json]:
    """Yield the ledgers that a client in time might have written instead of *ledger*."""
    sizes = range(1, len(fields) + 1) if len(fields) <= _AT_ONCE else (1, len(fields))
    for size in sizes:
        for chosen in itertools.combinations(fields, size):
            for step in range(1, STEPS + 1):
                truth = ledger
                for field, late in chosen:
                    was = _at(ledger, field)
                    if is_number(was):
                        duration = _at(ledger, (*_load_of(ledger, field), "duration_s"))
                        true = _true(float(was), field, late, duration, step / STEPS)
                        truth = _with(truth, field, true)
                yield truth


def _true(was: float, field: Field, late: Lateness, duration: Json, share: float) -> float:
    """Return what a time or a rate was without *share* of the lateness that may be in it."""
    lag = late.within(field)
    match _unit(field):
        case "ms":
            return was * (1 - share) if late.busy else max(0.0, was - share * lag)
        case "s":
            return was * (1 - share) if late.busy else max(0.0, was - share * lag / 1000)
    # Of a rate the time that it was divided by is what may be too long.
    seconds = float(duration) if is_number(duration) else 0.0
    excess = share if late.busy else share * lag / 1000 / seconds if seconds > 0 else 0.0
    return was / max(1 - excess, 1 / STEPS)


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
