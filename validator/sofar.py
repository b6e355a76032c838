"""What a run has seen so far: good at any time, and a recording in the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from validator.curve import marked
from validator.endings import INTERRUPTED
from validator.ledger import ledger
from validator.load import Collector
from validator.news import News
from validator.records.load import LoadResult
from validator.records.observation import Observations, Settled, Snapshot, Unreadable
from validator.records.recording import Recording, Round
from validator.spec.model import Spec
from validator.trace import traced
from validator.values import Json


@dataclass(slots=True)
class RoundSoFar:
    """What was seen so far around one load, good at any time."""

    load: str = ""
    before: dict[str, Snapshot] = field(default_factory=dict)
    during: dict[str, list[Snapshot]] = field(default_factory=dict)
    after: dict[str, Snapshot] = field(default_factory=dict)
    collector: Collector | None = None
    ledger: dict[str, Json] | None = None
    """What the whole load came to; None as long as it is not over."""
    result: LoadResult | None = None
    settled: Settled | None = None
    settling: News = field(default_factory=News)

    def sum_up(self) -> LoadResult | None:
        """Sum up the load, once: that takes a while of a large one. None when it was not sent."""
        if self.result is None and self.collector is not None:
            self.result = self.collector.result()
            self.ledger = ledger(self.result)
        return self.result

    def record(self) -> Round:
        """Return what was seen, without what only samples and charts need."""
        self.sum_up()
        samples = {name: tuple(found) for name, found in self.during.items()}
        seen = Observations(self.before, self.after, samples, self.settled, self.settling.looks())
        return Round(self.load, self.ledger, seen)

    def whole(self, began: float, after: Mapping[str, Snapshot], *, interrupted: bool) -> Round:
        """Return all that was seen in a run that *began* then, with *after* where nobody looked."""
        found = self.record()
        seen = replace(found.observations, after={**after, **self.after})
        trace = None
        if (result := self.result) is not None:
            during = {name: marked(found, result, began) for name, found in seen.during.items()}
            seen = replace(seen, during=during)
            zero = result.zero
            trace = traced(result, None if zero is None else zero.monotonic - began)
        return replace(found, observations=seen, interrupted=interrupted, trace=trace)


@dataclass(slots=True)
class RunSoFar:
    """What a run has seen so far, good at any time."""

    began: float = field(default_factory=time.monotonic)
    rounds: list[RoundSoFar] = field(default_factory=list)
    """Those that have begun."""
    interrupted: str = ""
    remarks: list[str] = field(default_factory=list)


def recorded(spec: Spec, seen: RunSoFar, now: datetime) -> Recording:
    """Return what was seen in a run of *spec* that began *now*; of what it never saw, why."""
    after: dict[str, Snapshot] = {}
    if seen.interrupted:
        why = f"the run ended before it was read ({seen.interrupted})"
        after = unseen(spec, INTERRUPTED, why)
    names = round_names(spec)
    done = len(seen.rounds) - bool(seen.interrupted)
    rounds = [*seen.rounds, *map(RoundSoFar, names[len(seen.rounds) :])]
    return Recording(
        title=spec.title,
        spec=spec.file,
        target=spec.target.url,
        started=now.isoformat(timespec="seconds"),
        elapsed=time.monotonic() - seen.began,
        rounds=tuple(
            one.whole(seen.began, after if number >= done else {}, interrupted=number >= done)
            for number, one in enumerate(rounds)
        ),
        interrupted=seen.interrupted,
        remarks=tuple(seen.remarks),
    )


def round_names(spec: Spec) -> list[str]:
    """Return the names of the rounds that a whole run has."""
    return [load.name for load in spec.loads] or [""]


def unseen(spec: Spec, cause: str, why: str) -> dict[str, Snapshot]:
    """Return why there is no snapshot of any endpoint."""
    return {e.id: Snapshot(e.id, error=Unreadable(cause, why)) for e in spec.endpoints}
