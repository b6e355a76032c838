"""When to send the next request: pure arithmetic, no clock and no sleeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Pacer(Protocol):
    """A schedule of send times."""

    def due(self, index: int) -> float | None:
        """Return the second, counted from the start, at which request *index* is due.

        It depends on nothing else, so that every part of a load computes the same schedule.
        None means as soon as there is room: a closed loop, in which being late has no meaning.
        """
        ...


@dataclass(frozen=True, slots=True)
class Burst:
    """Everything is due at once; only concurrency limits the rate."""

    def due(self, index: int) -> float | None:  # noqa: ARG002 - each is due alike
        return None
