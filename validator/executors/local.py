"""Load from this process, on one event loop."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from validator.columns import Columns
from validator.drivers.base import Sender
from validator.plan import LoadPlan, Share
from validator.records.load import CANCELLED, Exchange, LoadResult, Zero
from validator.records.tally import Tally

KEPT: Final = 1_000_000
"""Exchanges that are kept whole; of more than these, only the sums."""
LAG_EVERY: Final = 0.01
"""Seconds between two looks at how late the event loop wakes up."""

OnExchange: TypeAlias = Callable[[Exchange, int], None]
"""Told of each exchange as it ends, and how many are then in flight."""


def ignore(exchange: Exchange, in_flight: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Collector:
    """What a load phase has brought home so far; good at any time, also after a cancellation."""

    exchanges: Columns[Exchange] = field(default_factory=lambda: Columns(Exchange))
    beyond: Tally | None = None
    """What came after the first `KEPT` exchanges."""
    in_flight: int = 0
    in_flight_max: int = 0
    lags: array[float] = field(default_factory=lambda: array("d"))
    cpu_share: float | None = None
    zero: Zero | None = None

    def started(self) -> None:
        """Count one more request in flight."""
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)

    def ended(self, exchange: Exchange) -> None:
        """Keep a finished exchange."""
        self.in_flight -= 1
        if len(self.exchanges) < KEPT:
            self.exchanges.append(exchange)
            return
        if self.beyond is None:
            self.beyond = Tally(sketched=True)
        self.beyond.add(exchange)
        if exchange.ok:
            self.beyond.gaps.extend(exchange.gaps)

    def result(self) -> LoadResult:
        """Return what has ended so far as a record, in send order."""
        return LoadResult(
            self.exchanges.ordered("sent", "index"),
            self.in_flight_max,
            self.lags,
            self.cpu_share,
            self.beyond,
            self.zero,
        )


async def run(
    plan: LoadPlan,
    share: Share = Share(),  # noqa: B008 - a frozen value
    *,
    on_exchange: OnExchange = ignore,
    collector: Collector | None = None,
) -> LoadResult:
    """Send the requests of *share*, at most as many at a time as its part of the concurrency.

    When cancelled, so are the requests in flight; *collector* then has them and all before.
    """
    found = Collector() if collector is None else collector
    indices = plan.indices(share)
    width = len(share.among(plan.concurrency))
    assert width  # or its requests would never be sent
    began = time.perf_counter()

    def clock() -> float:
        return time.perf_counter() - began

    async def work(sender: Sender) -> None:
        for index in indices:  # one iterator for all: whoever is free takes the next
            due = plan.pacer.due(index)
            if plan.duration is not None and max(due or 0.0, clock()) >= plan.duration:
                return
            if due is not None and (early := due - clock()) > 0:
                await asyncio.sleep(early)
            found.started()
            exchange = await sender.send(index, due)
            found.ended(exchange)
            on_exchange(exchange, found.in_flight)
            if exchange.outcome == CANCELLED:
                return

    async with plan.driver.open(clock, width) as sender:
        began = time.perf_counter()  # opening a driver, with its imports, is not load
        found.zero = Zero(time.monotonic(), time.time())
        async with _measuring(found), asyncio.TaskGroup() as workers:
            for _ in range(width):
                workers.create_task(work(sender))
    return found.result()


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
