"""Which levels to sweep, and the load of each. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final

from validator.benchmark.records import Axis, Bench
from validator.errors import UsageError
from validator.pacing import Arrivals, Burst, Stages
from validator.plan import LoadPlan, Warmup
from validator.spec.loading import OPEN_LOOP_ROOM
from validator.values import Json, Number, is_number

LADDER: Final = (1, 2, 4, 8, 16, 32)
"""The levels of concurrency, unless they are given."""
AROUND: Final = (0.25, 0.5, 1, 2, 4)
"""The rates of a spec that has one, unless they are given: these times its own."""
ROUNDS: Final = 4
"""A level of concurrency is at least so many rounds of requests long..."""
SECONDS: Final = 10
"""...and a level of rate so many seconds, unless a number or a duration is given."""
WARMUP: Final = Warmup(requests=10)
"""What is sent before the first level if the spec has no warmup."""
_MOST: Final = 1_000_000
_DIGESTED: Final = 256
"""Prompts that are looked at to tell whether two loads ask the same."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What to sweep: the levels, how much of each, and how often."""

    axis: Axis
    levels: tuple[Number, ...]
    requests: int | None = None
    duration: float | None = None
    repeat: int = 1

    def plan(self, plan: LoadPlan, level: Number, first: int = 0) -> LoadPlan:
        """Return the load of *level*: that of the spec, but for its pace and its amount.

        Its requests begin with index *first*, so that no level asks again what one before it
        asked: a cache would answer that faster.
        """
        requests, duration = self._amount(plan, level)
        changed = replace(
            plan, requests=requests, duration=duration, room=None, warmup=None, first=first
        )
        if self.axis is Axis.CONCURRENCY:
            return replace(changed, concurrency=int(level), pacer=Burst())
        arrivals = plan.pacer if isinstance(plan.pacer, Arrivals) else Arrivals(Stages(level))
        return replace(
            changed,
            concurrency=plan.concurrency if plan.open_loop else OPEN_LOOP_ROOM,
            pacer=replace(arrivals, rate=Stages(level)),
            think=None,
        )

    def _amount(self, plan: LoadPlan, level: Number) -> tuple[int | None, float | None]:
        if self.requests is not None or self.duration is not None:
            return self.requests, self.duration
        if plan.requests is None:
            return None, plan.duration
        least = ROUNDS * level if self.axis is Axis.CONCURRENCY else SECONDS * level
        return max(plan.requests, math.ceil(least)), plan.duration


def warming(plan: LoadPlan) -> LoadPlan:
    """Return what is sent once, before the first level: the spec's own warmup, if it has one."""
    if plan.warmup is None:
        few = min(plan.concurrency, WARMUP.requests or 1)
        plan = replace(plan, warmup=WARMUP, concurrency=few, pacer=Burst(), room=None, think=None)
    found = plan.warming()
    assert found is not None
    return found


def default(plan: LoadPlan) -> tuple[Axis, tuple[Number, ...]]:
    """Return what to sweep of a spec when nobody says: what limits its own load."""
    if isinstance(plan.pacer, Arrivals):
        rate = plan.pacer.rate.most
        return Axis.RATE, tuple(factor * rate for factor in AROUND)
    return Axis.CONCURRENCY, LADDER


def read(axis: Axis, text: str) -> tuple[Number, ...]:
    """Return the levels in *text*, such as `1,2,4,8`, in rising order; raise `UsageError`."""
    flag = f"--{axis.value}"
    found: list[Number] = []
    for word in text.split(","):
        level = _level(axis, word.strip())
        if level is None:
            noun = "a whole number from 1" if axis is Axis.CONCURRENCY else "a number above 0"
            what = f"expected {noun} to {_MOST}, found {word.strip()!r}"
            raise UsageError(f"{flag} {text}: {what}; such as {flag} 1,2,4,8")
        if level in found:
            raise UsageError(f"{flag} {text}: {word.strip()} stands there twice; see --repeat")
        found.append(level)
    return tuple(sorted(found))


def _level(axis: Axis, word: str) -> Number | None:
    try:
        level: Number = int(word) if axis is Axis.CONCURRENCY else float(word)
    except ValueError:
        return None
    return level if 0 < level <= _MOST else None


def left_out(plan: LoadPlan, axis: Axis) -> Iterator[str]:
    """Yield what of the spec's pace has no part in a sweep."""
    ramped = isinstance(plan.pacer, Arrivals) and plan.pacer.rate.stages
    if plan.room is not None or ramped:
        yield "the spec's ramp is left out: every level has one pace"
    if axis is Axis.RATE and plan.think is not None:
        yield "the spec's think is left out: under a rate nothing waits"
    if axis is Axis.CONCURRENCY and plan.open_loop:
        yield "the spec's rate is left out: only concurrency limits a level"


def settings(plan: LoadPlan, ladder: Ladder) -> dict[str, Json]:
    """Return what each request is, when it is sent and how many there are, as plain data.

    `at_least` says that these are the spec's own, and that large levels sent more.
    """
    example = ladder.plan(plan, ladder.levels[0])
    found: dict[str, Json] = {"driver": plan.driver.name}
    if is_dataclass(plan.driver):
        for field in fields(plan.driver):
            if field.name not in ("connection", "headers"):  # where to, and what may be secret
                found[field.name] = _plain(getattr(plan.driver, field.name))
    own = ladder.requests is None and ladder.duration is None
    found["requests"] = plan.requests if own else ladder.requests
    found["duration_s"] = plan.duration if own else ladder.duration
    found["at_least"] = own and plan.requests is not None
    if isinstance(example.pacer, Arrivals):
        found["burstiness"] = example.pacer.burstiness
        found["room"] = example.concurrency
    for name in ("think", "cancel", "abort_on"):
        block = getattr(example, name)
        found[name] = None if block is None else repr(block)
    found["slo_ms"] = None
    if plan.slo is not None:
        found["slo_ms"] = {name: 1000 * limit for name, limit in plan.slo.limits.items()}
    return found


def amount(bench: Bench) -> tuple[int | None, float | None]:
    """Return how much of each level was asked for in an earlier sweep, to ask for it again."""
    if bench.load.get("at_least"):
        return None, None
    requests, duration = bench.load.get("requests"), bench.load.get("duration_s")
    return (
        int(requests) if is_number(requests) and requests >= 1 else None,
        float(duration) if is_number(duration) and duration > 0 else None,
    )


def _plain(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return _digest(repr(sorted(value.items(), key=lambda item: str(item[0]))), len(value))
        case Sequence():
            items = [value[index] for index in range(min(len(value), _DIGESTED))]
            return _digest(repr(items), len(value))
    return _digest(repr(value), 1)


def _digest(text: str, count: int) -> str:
    """Return enough to tell two apart, without what may be long."""
    sha = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{count}, sha256 {sha}" if count else "none"
