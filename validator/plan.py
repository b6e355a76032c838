"""What a load is to be, before anything is sent: all that an executor needs, in one value."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from validator.drivers.base import Driver
from validator.pacing import Burst, Pacer, Stages
from validator.records.load import Slo

_LONG_AGO: Final = -(2**40)
"""Where the indices of a warmup begin that has no number of requests."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a load that one executor runs: every *of*-th request, from *number* on.

    Whatever a plan decides about a request depends on its index alone, so all shares together
    are the load, wherever each of them runs.
    """

    number: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise ValueError(f"no share {self.number} of {self.of}")

    def among(self, total: int) -> range:
        """Return those of this share among *total*."""
        return range(self.number, total, self.of)


@dataclass(frozen=True, slots=True)
class Warmup:
    """Requests sent before anything is looked at; by number, by time, or whichever ends first."""

    requests: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Think:
    """The pause between a request and the next that takes its place in a closed loop."""

    least: float = 0.0
    most: float = 0.0
    """The pause is as likely anywhere from *least* to *most*; the two may be the same."""
    mean: float | None = None
    """If given: the pauses are exponential, of this mean, and have no other bounds."""
    seed: int = 0

    def after(self, index: int) -> float:
        """Return the seconds to wait after request *index*."""
        if self.mean is None and self.least == self.most:
            return self.least
        draw = random.Random(f"think {self.seed} {index}").random()  # noqa: S311 - repeatable
        if self.mean is not None:
            return -self.mean * math.log(1.0 - draw)
        return self.least + draw * (self.most - self.least)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Requests that the client cuts off, to see what the server's books make of them."""

    share: float
    """Of all requests; exactly so many, give or take one."""
    after: int
    """Events with content that come before the cut."""
    seed: int = 0

    def hits(self, index: int) -> bool:
        """Say whether request *index* is to be cut off.

        One at a random place in each stretch of 1/share requests: the share is kept, and no
        pattern falls in with the one that prompts are taken in.
        """
        if self.share > 0.5:  # noqa: PLR2004 - then those that are left alone are the rarer ones
            return not _drawn(index, 1 - self.share, self.seed)
        return _drawn(index, self.share, self.seed)


def _drawn(index: int, share: float, seed: int) -> bool:
    if share <= 0:
        return False
    near = math.floor(index * share)
    for stretch in (near - 1, near, near + 1):  # the division may round it into a neighbour
        first, after = math.ceil(stretch / share), math.ceil((stretch + 1) / share)
        if first <= index < after:
            draw = random.Random(f"cancel {seed} {stretch}").random()  # noqa: S311 - repeatable
            return index == first + math.floor(draw * (after - first))
    raise AssertionError("every index is in a stretch")


@dataclass(frozen=True, slots=True)
class AbortOn:
    """When a load is hopeless; any of these is enough."""

    failed: int | None = None
    """So many failed requests."""
    share: float | None = None
    """So great a share of failed ones, among those that have ended."""
    after: int = 20
    """The share is not asked about before so many requests have ended."""
    consecutive: int | None = None
    """So many failed requests that ended one after another."""

    def reason(self, failed: int, ended: int, consecutive: int) -> str:
        """Return why to give up when so many have failed; nothing if there is hope."""
        if why := self.already(failed, ended):
            return why
        if self.consecutive is not None and consecutive >= self.consecutive:
            return f"{consecutive} requests in a row failed"
        if self.share is not None and ended >= self.after and failed >= self.share * ended:
            return f"{failed} of {ended} requests failed, {100 * failed / ended:.3g} %"
        return ""

    def already(self, failed: int, ended: int) -> str:
        """Return why to give up whatever else has ended, of which nobody knows here."""
        if self.failed is not None and failed >= self.failed:
            return f"{failed} of {ended} requests failed"
        return ""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send, when, and how much of it; a value that can be sent to another process."""

    driver: Driver
    requests: int | None
    """How many; None for as many as the duration allows."""
    concurrency: int = 1
    """In flight at most."""
    duration: float | None = None
    """Seconds after which nothing more is sent; what is in flight then is waited for."""
    pacer: Pacer = Burst()
    room: Stages | None = None
    """How many may be in flight in a closed loop, over time; None for always *concurrency*."""
    think: Think | None = None
    warmup: Warmup | None = None
    cancel: Cancel | None = None
    abort_on: AbortOn | None = None
    slo: Slo | None = None
    first: int = 0
    """The index of the first request. What comes before a load has indices below 0."""

    def __post_init__(self) -> None:
        if self.requests is None and self.duration is None:
            raise ValueError("a load without an end: requests or duration is needed")

    @property
    def open_loop(self) -> bool:
        """Whether requests become due by a schedule, whatever became of those before."""
        return self.pacer.due(0) is not None

    def due(self, index: int) -> float | None:
        """Return the second at which request *index* is due; None in a closed loop."""
        return self.pacer.due(index - self.first)

    def cut(self, index: int) -> int | None:
        """Return after how many events with content request *index* is cut off; None if never."""
        return self.cancel.after if self.cancel is not None and self.cancel.hits(index) else None

    def shares(self, wanted: int) -> tuple[Share, ...]:
        """Split the load into *wanted* shares; into fewer where one would have no room to send."""
        of = min(wanted, self.concurrency)
        return tuple(Share(number, of) for number in range(of))

    def indices(self, share: Share) -> Iterator[int]:
        """Yield the requests of *share*; without end when there is no number of requests."""
        if self.requests is None:
            return count(self.first + share.number, share.of)
        return (self.first + position for position in share.among(self.requests))

    def warming(self) -> LoadPlan | None:
        """Return the load to send before anything is looked at; None if there is none.

        It takes what stands before the first of everything that is taken in turn, so that it does
        not say beforehand what the load is going to say.
        """
        if self.warmup is None:
            return None
        wanted = self.warmup.requests
        return replace(
            self,
            requests=wanted,
            duration=self.warmup.duration,
            warmup=None,
            cancel=None,
            abort_on=None,
            first=_LONG_AGO if wanted is None else -wanted,
        )
