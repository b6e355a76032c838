"""Bounds in time for many blocks, by one timer for all of them.

A block is bounded as by asyncio.timeout, which makes a timer at its beginning and takes it back at
its end: of a request that is answered at once, that is a tenth of all CPU. The requests of a load
may all take equally long, so the one that began first is the first to be overdue, and who waits
for that one waits for all.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Bounds:
    """So many seconds for each block that they bound."""

    def __init__(self, seconds: float) -> None:
        self.loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._ends: dict[Bound, float] = {}
        """By the loop's clock, in the order in which they come."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, bound: Bound) -> None:
        """Count the seconds of *bound* from now."""
        self._ends[bound] = end = self.loop.time() + self._seconds
        if self._timer is None:
            self._timer = self.loop.call_at(end, self._look)

    def forget(self, bound: Bound) -> None:
        """Bound *bound* no longer."""
        self._ends.pop(bound, None)

    def close(self) -> None:
        """Bound nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._ends.clear()

    def _look(self) -> None:
        """Tell those that are overdue so, and look again when the next one would be."""
        self._timer = None
        now = self.loop.time()
        while self._ends:
            bound, end = next(iter(self._ends.items()))
            if end > now:
                self._timer = self.loop.call_at(end, self._look)
                break
            del self._ends[bound]
            bound.expire()


class Bound:
    """Ends a block of the task that enters it with TimeoutError, once its time is over."""

    __slots__ = ("_bounds", "_cancelling", "_task", "expired")

    _task: asyncio.Task[object]

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.expired = False
        """Whether it has ended the block."""

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._bounds.loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._bounds.begin(self)
        return self

    def move(self, bounds: Bounds) -> None:
        """Bound the block by others, whose seconds begin now."""
        if not self.expired:
            self._bounds.forget(self)
            self._bounds = bounds
            bounds.begin(self)

    def expire(self) -> None:
        """End the block."""
        self.expired = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.expired:
            self._bounds.forget(self)
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from failure  # else somebody else has cancelled it too
