"""What many exchanges come to: sums that can be taken one by one, and joined."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from validator import stats
from validator.records.load import CANCELLED, Exchange, Slo

if TYPE_CHECKING:
    from validator.sketch import Sketch

MS: Final = 1000
"""Milliseconds in a second: exchanges keep seconds, a summary says milliseconds."""
DETAILS: Final = 5
"""Different details that are kept for each class of failure."""
REASONS: Final = 20
"""Different finish reasons that are kept; the rest are counted under `other`."""
TIMES: Final = ("ttft", "ttfc", "tpot", "latency", "wall", "prepared")
"""What an exchange has one of, if any; what is timed between its chunks comes apart."""

_LONGEST = 60
_times = attrgetter(*TIMES)


@dataclass(slots=True)
class Total:
    """A sum of counts; unknown as soon as one summand is."""

    count: int = 0
    unknown: int = 0
    sum: int = 0

    def add(self, value: int | None) -> None:
        """Take in one summand."""
        self.count += 1
        if value is None:
            self.unknown += 1
        else:
            self.sum += value

    def merge(self, other: Total) -> None:
        """Take in what another total has taken in."""
        self.count += other.count
        self.unknown += other.unknown
        self.sum += other.sum

    @property
    def value(self) -> int | None:
        """The sum; None of nothing, and None if a summand is unknown."""
        return None if self.unknown or not self.count else self.sum


@dataclass(slots=True)
class Tokens:
    """What went in, what came out, and what was taken from a cache."""

    prompt: Total = field(default_factory=Total)
    completion: Total = field(default_factory=Total)
    cached: Total = field(default_factory=Total)

    def add(self, exchange: Exchange) -> None:
        """Take in the tokens of one exchange."""
        self.prompt.add(exchange.prompt_tokens)
        self.completion.add(exchange.completion_tokens)
        self.cached.add(exchange.cached_tokens)

    def merge(self, other: Tokens) -> None:
        """Take in those of others."""
        self.prompt.merge(other.prompt)
        self.completion.merge(other.completion)
        self.cached.merge(other.cached)


@dataclass(slots=True)
class ModelTally:
    """What was asked of one model."""

    sent: int = 0
    ok: int = 0
    tokens: Tokens = field(default_factory=Tokens)


def _sketch() -> Sketch:
    from validator import sketch  # noqa: PLC0415 - its library takes time, and few loads need it

    return sketch.Sketch()


class Samples:
    """Values, and how many are missing: each value is kept, or all are sketched."""

    def __init__(self, values: array[float] | None = None, *, sketched: bool = False) -> None:
        self._values = array("d") if values is None else values
        self._sketch = _sketch() if sketched else None
        self.missing = 0

    def extend(self, values: Iterable[float]) -> None:
        """Take in *values*."""
        if self._sketch is not None:
            self._sketch.extend(values)
        else:
            self._values.extend(values)

    def merge(self, other: Samples) -> None:
        """Take in what other samples have taken in; a sketch among the two makes both one."""
        self.missing += other.missing
        if other._sketch is None:
            self.extend(other._values)
            return
        if self._sketch is None:
            self._sketch = _sketch()
            self._sketch.extend(self._values)
            self._values = array("d")
        self._sketch.merge(other._sketch)

    def summary(self) -> dict[str, float | int | None]:
        """Return count, missing and the figures in ms."""
        if self._sketch is None or not self._sketch.count:
            return stats.summary(self._values, self.missing, scale=MS)
        figures = [figure * MS for figure in self._sketch.figures()]
        named = dict(zip(stats.FIGURES, figures, strict=True))
        return {"count": self._sketch.count, "missing": self.missing, **named}


class Tally:
    """The sums of exchanges; latencies and tokens are those of ok ones.

    A sketched one takes as much memory for a million exchanges as for ten.
    """

    def __init__(
        self, gaps: array[float] | None = None, *, sketched: bool = False, slo: Slo | None = None
    ) -> None:
        self.sketched = sketched
        self.slo = slo
        self.good: Counter[bool | None] = Counter()
        """How many ok ones met the SLO, how many did not, and of how many (None) none can say."""
        self.late = Samples(sketched=sketched)
        """How long those waited in the client that were due before they were sent."""
        self.sent = self.ok = self.chunks = 0
        self.first_sent = float("inf")
        self.last_done = float("-inf")
        self.outcomes: Counter[str] = Counter()
        self.errors: dict[str, list[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.sources: set[str] = set()
        self.tokens = Tokens()
        self.models: dict[str, ModelTally] = {}
        self.times = {name: Samples(sketched=sketched) for name in TIMES}
        self.gaps = Samples(gaps, sketched=sketched)

    def add(self, exchange: Exchange) -> None:
        """Take in one exchange; of its gaps only whether there are any."""
        self.sent += 1
        self.first_sent = min(self.first_sent, exchange.sent)
        self.last_done = max(self.last_done, exchange.done)
        self.outcomes[exchange.outcome] += 1
        model = self.models.get(exchange.model)
        if model is None:
            model = self.models[exchange.model] = ModelTally()
        model.sent += 1
        if exchange.sent != exchange.due:
            self.late.extend((exchange.sent - exchange.due,))
        if exchange.outcome == CANCELLED:
            return
        if not exchange.ok:
            self._fail(exchange.outcome, [exchange.detail])
            return
        self.ok += 1
        model.ok += 1
        model.tokens.add(exchange)
        self.tokens.add(exchange)
        self.chunks += exchange.chunks
        if self.slo is not None:
            self.good[self.slo.met(exchange)] += 1
        for said in exchange.finish_reasons:
            self._end(said[:_LONGEST], 1)
        if exchange.token_source:
            self.sources.add(exchange.token_source)
        for samples, value in zip(self.times.values(), _times(exchange), strict=True):
            if value is None:
                samples.missing += 1
            else:
                samples.extend((value,))
        self.gaps.missing += not exchange.gaps

    def merge(self, other: Tally) -> None:
        """Take in what another tally has taken in."""
        self.sketched |= other.sketched
        self.sent += other.sent
        self.ok += other.ok
        self.chunks += other.chunks
        self.first_sent = min(self.first_sent, other.first_sent)
        self.last_done = max(self.last_done, other.last_done)
        self.outcomes.update(other.outcomes)
        self.good.update(other.good)
        self.late.merge(other.late)
        for outcome, details in other.errors.items():
            self._fail(outcome, details)
        for reason, times in other.reasons.items():
            self._end(reason, times)
        self.sources |= other.sources
        self.tokens.merge(other.tokens)
        for name, theirs in other.models.items():
            model = self.models.setdefault(name, ModelTally())
            model.sent += theirs.sent
            model.ok += theirs.ok
            model.tokens.merge(theirs.tokens)
        for name, samples in other.times.items():
            self.times[name].merge(samples)
        self.gaps.merge(other.gaps)

    def _fail(self, outcome: str, details: Iterable[str]) -> None:
        kept = self.errors.setdefault(outcome, [])
        kept += [d for d in dict.fromkeys(details) if d and d not in kept][: DETAILS - len(kept)]

    def _end(self, reason: str, times: int) -> None:
        known = reason in self.reasons or len(self.reasons) < REASONS
        self.reasons[reason if known else "other"] += times

    @property
    def cancelled(self) -> int:
        """How many were cut off because the spec said so."""
        return self.outcomes[CANCELLED]

    @property
    def judged(self) -> int:
        """How many had the chance to be good."""
        return self.sent - self.cancelled

    @property
    def error(self) -> float:
        """By how much of its value a percentile may be off."""
        return stats.SKETCH_ERROR if self.sketched else 0.0

    @property
    def duration(self) -> float:
        """Seconds from the first start to the last end; 0 when nothing was sent."""
        return self.last_done - self.first_sent if self.sent else 0.0
