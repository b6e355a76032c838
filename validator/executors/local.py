"""Load from this process, on one event loop."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from validator import openfiles
from validator.columns import Columns
from validator.drivers.base import Sender
from validator.plan import LoadPlan, Share
from validator.records.load import CANCELLED, INTERRUPTED, OK, Exchange, LoadResult, Slo, Zero
from validator.records.tally import Tally

KEPT: Final = 1_000_000
"""Exchanges that are kept whole; of more than these, only the sums."""
LAG_EVERY: Final = 0.01
"""Seconds between two looks at how late the event loop wakes up."""
OTHER_FILES: Final = 256
"""Files that a process has open beside one for each request in flight, at most."""

OnExchange: TypeAlias = Callable[[Exchange, int], None]
"""Told of each exchange as it ends, and how many are then in flight."""


Start: TypeAlias = Callable[[], Awaitable[float]]
"""Waits for the moment to begin, and returns that moment on the clock of `perf_counter`."""


async def at_once() -> float:
    """Begin now."""
    return time.perf_counter()


def ignore(exchange: Exchange, in_flight: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Count:
    """How many requests have ended, and how many of them failed."""

    ended: int = 0
    failed: int = 0
    failed_in_a_row: int = 0

    def add(self, outcome: str) -> None:
        """Count one more."""
        if outcome == OK:
            self.failed_in_a_row = 0
        elif outcome != CANCELLED:
            self.failed += 1
            self.failed_in_a_row += 1
        self.ended += 1


@dataclass(slots=True)
class Collector:
    """What a load phase has brought home so far; good at any time, also after a cancellation."""

    exchanges: Columns[Exchange] = field(default_factory=lambda: Columns(Exchange))
    beyond: Tally | None = None
    """What came after the first `KEPT` exchanges."""
    in_flight: int = 0
    in_flight_max: int = 0
    last: int | None = None
    """The greatest index of a request that has ended."""
    counted: Count = field(default_factory=Count)
    held_back: int = 0
    unsent: int = 0
    aborted: str = ""
    lags: array[float] = field(default_factory=lambda: array("d"))
    cpu_share: float | None = None
    zero: Zero | None = None
    slo: Slo | None = None
    cpu_total: float | None = None
    processes: int = 1
    lost: list[str] = field(default_factory=list)
    """Shares of the load that did not come home, if several workers ran it."""

    def started(self) -> None:
        """Count one more request in flight."""
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)

    def ended(self, exchange: Exchange) -> None:
        """Keep an exchange that was in flight until now."""
        self.in_flight -= 1
        self.keep(exchange)

    def keep(self, exchange: Exchange) -> None:
        """Keep a finished exchange."""
        self._count(exchange.index, exchange.outcome)
        if len(self.exchanges) < KEPT:
            self.exchanges.append(exchange)
            return
        if self.beyond is None:
            self.beyond = Tally(sketched=True, slo=self.slo)
        self.beyond.add(exchange)
        if exchange.ok:
            self.beyond.gaps.extend(exchange.gaps)

    def keep_all(self, exchanges: Columns[Exchange]) -> None:
        """Keep finished exchanges, in this order: much faster than one by one."""
        if len(self.exchanges) + len(exchanges) > KEPT:
            for exchange in exchanges:
                self.keep(exchange)
            return
        for index, outcome in zip(
            exchanges.column("index"), exchanges.column("outcome"), strict=True
        ):
            self._count(index, outcome)
        self.exchanges.extend(exchanges)

    def _count(self, index: int, outcome: str) -> None:
        if self.last is None or index > self.last:
            self.last = index
        self.counted.add(outcome)

    def result(self) -> LoadResult:
        """Return what has ended so far as a record, in send order."""
        return LoadResult(
            self.exchanges.ordered("sent", "index"),
            self.in_flight_max,
            self.lags,
            self.cpu_share,
            self.beyond,
            zero=self.zero,
            held_back=self.held_back,
            unsent=self.unsent,
            aborted=self.aborted,
            slo=self.slo,
            cpu_total=self.cpu_share if self.cpu_total is None else self.cpu_total,
            processes=self.processes,
            lost=tuple(self.lost),
        )


async def run(  # noqa: PLR0913 - what to send, when to begin, and whom to tell
    plan: LoadPlan,
    share: Share = Share(),  # noqa: B008 - a frozen value
    *,
    on_exchange: OnExchange = ignore,
    collector: Collector | None = None,
    start: Start = at_once,
    hopeless: asyncio.Event | None = None,
) -> LoadResult:
    """Send the requests of *share*, at most as many at a time as its part of the concurrency.

    With *hopeless*, somebody else may decide that the load is to be given up, and sets it then.
    When cancelled, so are the requests in flight; *collector* then has them and all before.
    """
    found = Collector() if collector is None else collector
    found.slo = plan.slo
    width = len(share.among(plan.concurrency))
    assert width  # or its requests would never be sent
    openfiles.allow(width + OTHER_FILES)
    began = time.perf_counter()

    def clock() -> float:
        return time.perf_counter() - began

    async with plan.driver.open(clock, width) as sender:
        began = await start()  # opening a driver, with its imports, is not load
        passed = time.perf_counter() - began
        found.zero = Zero(time.monotonic() - passed, time.time() - passed)
        loop = _Loop(plan, share, sender, clock, found, on_exchange, hopeless)
        async with _measuring(found):
            await (loop.opened() if plan.open_loop else loop.closed())
    return found.result()


class _Loop:
    """One share of a load, being sent."""

    def __init__(  # noqa: PLR0913, PLR0917 - what to send, by what, and whom to tell
        self,
        plan: LoadPlan,
        share: Share,
        sender: Sender,
        clock: Callable[[], float],
        found: Collector,
        on_exchange: OnExchange,
        hopeless: asyncio.Event | None,
    ) -> None:
        self._plan = plan
        self._share = share
        self._sender = sender
        self._clock = clock
        self._found = found
        self._on_exchange = on_exchange
        self._indices = plan.indices(share)
        self._ends = math.inf if plan.duration is None else plan.duration
        self._hopeless = asyncio.Event() if hopeless is None else hopeless

    async def closed(self) -> None:
        """Send one request after another in each place; one iterator deals them all out."""
        async with asyncio.TaskGroup() as workers:
            for place in self._share.among(self._plan.concurrency):
                workers.create_task(self._in_turn(place))

    async def _in_turn(self, place: int) -> None:
        while await self._has_room(place):
            index = next(self._indices, None)
            if index is None or not await self._send(index, None):
                return
            if self._plan.think is not None:
                await self._pause(self._plan.think.after(index))

    async def _has_room(self, place: int) -> bool:
        """Wait until a request may be sent from *place*; say whether one may at all."""
        room = self._plan.room
        if room is not None:
            now = self._clock()
            opens = room.reaches(place + 1, now)
            if opens is None:
                return False
            await self._pause(opens - now)
        return self._clock() < self._ends and not self._hopeless.is_set()

    async def opened(self) -> None:
        """Send each request when it is due, or as soon after that as there is room."""
        room = asyncio.Semaphore(len(self._share.among(self._plan.concurrency)))
        found_room = -math.inf  # when the last one got some that had to wait for it
        async with asyncio.TaskGroup() as requests:
            for index in self._indices:
                due = self._plan.due(index)
                assert due is not None
                if due >= self._ends or math.isinf(due):
                    return
                await self._pause(due - self._clock())
                waits = room.locked()
                self._found.held_back += waits or due < found_room
                has_room = await self._room_or_end(room)
                if waits:
                    found_room = self._clock()
                if self._hopeless.is_set():
                    return
                if not has_room or self._clock() >= self._ends:
                    self._found.unsent += 1 + self._still_due()
                    return
                requests.create_task(self._from(room, index, due))

    async def _from(self, room: asyncio.Semaphore, index: int, due: float) -> None:
        try:
            await self._send(index, due)
        finally:
            room.release()

    async def _room_or_end(self, room: asyncio.Semaphore) -> bool:
        """Wait for room, but not beyond the end of the load, nor when there is no hope."""
        if not room.locked():
            return await room.acquire()
        waits = asyncio.create_task(room.acquire())
        stops = asyncio.create_task(self._hopeless.wait())
        left = None if math.isinf(self._ends) else max(0.0, self._ends - self._clock())
        try:
            await asyncio.wait((waits, stops), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stops.cancel()
            waits.cancel()
        return waits.done() and not waits.cancelled()

    def _still_due(self) -> int:
        """Count the requests that were due before the end, and are not sent any more."""
        left = 0
        for index in self._indices:
            if (self._plan.due(index) or 0.0) >= self._ends:
                break
            left += 1
        return left

    async def _send(self, index: int, due: float | None) -> bool:
        """Send a request and tell how it went; say whether the load goes on."""
        self._found.started()
        exchange = await self._sender.send(index, due, self._plan.cut(index))
        self._found.ended(exchange)
        self._on_exchange(exchange, self._found.in_flight)
        if exchange.outcome == INTERRUPTED:
            return False
        self._give_up_if_hopeless()
        return True

    def _give_up_if_hopeless(self) -> None:
        found, limits = self._found, self._plan.abort_on
        so_far = found.counted
        if limits is None or self._hopeless.is_set():
            return
        if self._share.of == 1:
            found.aborted = limits.reason(so_far.failed, so_far.ended, so_far.failed_in_a_row)
        else:  # what the other shares met may still give hope, unless so many have failed here
            found.aborted = limits.already(so_far.failed, so_far.ended)
        if found.aborted:
            self._hopeless.set()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, but not beyond the end of the load, nor when there is no hope."""
        if seconds <= 0:
            await asyncio.sleep(0)  # or a schedule that is behind would let nobody else run
            return
        seconds = min(seconds, max(0.0, self._ends - self._clock()))
        if self._plan.abort_on is None:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hopeless.wait(), seconds)


@asynccontextmanager
async def _measuring(found: Collector) -> AsyncIterator[None]:
    """Watch how this process fares: a late client makes late latencies."""

    async def watch() -> None:
        while True:
            asleep = time.perf_counter()
            await asyncio.sleep(LAG_EVERY)
            found.lags.append(max(0.0, time.perf_counter() - asleep - LAG_EVERY))

    watcher = asyncio.create_task(watch())
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        found.cpu_share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        watcher.cancel()
        await asyncio.wait([watcher])
