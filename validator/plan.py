"""What a load is to be, before anything is sent: all that an executor needs, in one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from validator.drivers.base import Driver
from validator.pacing import Burst, Pacer


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

    def __post_init__(self) -> None:
        if self.requests is None and self.duration is None:
            raise ValueError("a load without an end: requests or duration is needed")

    def shares(self, wanted: int) -> tuple[Share, ...]:
        """Split the load into *wanted* shares; into fewer where one would have no room to send."""
        of = min(wanted, self.concurrency)
        return tuple(Share(number, of) for number in range(of))

    def indices(self, share: Share) -> Iterator[int]:
        """Yield the requests of *share*; without end when there is no number of requests."""
        if self.requests is None:
            return count(share.number, share.of)
        return iter(share.among(self.requests))
