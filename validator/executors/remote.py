"""What a dask worker runs: one share of a load, and what it is asked about it meanwhile.

The share has a thread and an event loop of its own; questions come on the worker's loop.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import validator
from validator.columns import Columns
from validator.executors import local, loops
from validator.executors.local import Collector
from validator.executors.worker import Batch, taken
from validator.plan import LoadPlan, Share
from validator.records.load import Exchange

ANSWER_WITHIN: Final = 15.0
wall: Callable[[], float] = time.time
"""This machine's time, which is not to be relied on: it is compared with ours before a load."""
UNASKED_FOR: Final = 40.0
"""Seconds without a question after which whoever started a share is gone, and it ends. Somewhat
more than are waited for another worker's answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a share."""

    batch: Batch
    had: int
    """How many exchanges are known to have come home before this batch."""
    cpu_share: float | None
    held_back: int = 0
    unsent: int = 0
    aborted: str = ""
    """Why the share was given up, if it decided that itself."""
    failure: str = ""


@dataclass(slots=True)
class _Sending:
    """A share that is being run in a thread of this process."""

    loop: asyncio.AbstractEventLoop
    word: asyncio.Future[float]
    give_up: Callable[[], None]
    stop: Callable[[], object]
    collector: Collector = field(default_factory=Collector)
    asked: float = field(default_factory=time.monotonic)
    """When the last question came."""
    ready: bool = False
    had: int = 0
    pending: Columns[Exchange] = field(default_factory=lambda: Columns(Exchange))
    """What was sent home after the first *had* exchanges, and perhaps did not get there."""

    def batch(self, had: int) -> Batch:
        """Return all that is not known to have come home, where *had* exchanges have come."""
        new = taken(self.collector)
        self.pending = Columns(Exchange, islice(self.pending, had - self.had, None))
        self.pending.extend(new.exchanges)
        self.had = had
        return replace(new, exchanges=self.pending)


_SENDING: Final[dict[str, _Sending]] = {}


def send(plan: LoadPlan, share: Share, name: str) -> Outcome:
    """Run *share* on an event loop of its own; the task that dask knows of."""
    try:
        return loops.run(_send(plan, share, name))
    finally:
        _SENDING.pop(name, None)


async def _send(plan: LoadPlan, share: Share, name: str) -> Outcome:
    loop = asyncio.get_running_loop()
    word: asyncio.Future[float] = loop.create_future()

    async def start() -> float:
        mine.ready = True
        instant = await word
        began = time.perf_counter() + instant - wall()
        await asyncio.sleep(max(0.0, began - time.perf_counter()))
        return began

    collector = Collector()
    hopeless = asyncio.Event()
    work = asyncio.create_task(
        local.run(plan, share, collector=collector, start=start, hopeless=hopeless)
    )
    mine = _Sending(loop, word, hopeless.set, work.cancel, collector)
    _SENDING[name] = mine
    said = ""
    while not work.done():
        left = mine.asked + UNASKED_FOR - time.monotonic()
        if left <= 0:
            said = f"nobody asked for {UNASKED_FOR:g} s"
            work.cancel()
        await asyncio.wait((work,), timeout=left if left > 0 else None)
    if not work.cancelled() and (failure := work.exception()):
        said = f"{type(failure).__name__}: {failure}"
    return Outcome(
        mine.batch(mine.had),
        mine.had,
        collector.cpu_share,
        collector.held_back,
        collector.unsent,
        collector.aborted,
        said,
    )


def _asked(name: str) -> _Sending | None:
    """Return the share that a question is about, if it is being run; somebody still asks."""
    if sending := _SENDING.get(name):
        sending.asked = time.monotonic()
    return sending


def is_ready(name: str) -> bool:
    """Say whether the share is about to begin."""
    sending = _asked(name)
    return sending is not None and sending.ready


def now(name: str) -> float:
    """Return this machine's time."""
    _asked(name)
    return wall()


def begin_at(name: str, instant: float) -> bool:
    """Let the share begin at an instant of this machine's time; say whether it will."""
    if sending := _asked(name):
        sending.loop.call_soon_threadsafe(sending.word.set_result, instant)
    return sending is not None


def give_up(name: str) -> None:
    """Let the share send nothing more, and end when nothing is in flight."""
    if sending := _asked(name):
        sending.loop.call_soon_threadsafe(sending.give_up)


def stop(name: str) -> None:
    """End the share now."""
    if sending := _asked(name):
        sending.loop.call_soon_threadsafe(sending.stop)


async def batch_from(name: str, had: int) -> Batch | None:
    """Return what the share has brought home after the first *had* exchanges.

    An answer that gets lost on its way is so given again.
    """
    sending = _asked(name)
    if sending is None:
        return None
    batch: Future[Batch] = Future()
    # In the share's own thread: what it is adding to is not to be taken from under it.
    sending.loop.call_soon_threadsafe(lambda: batch.set_result(sending.batch(had)))
    return await asyncio.wait_for(asyncio.wrap_future(batch), ANSWER_WITHIN)


def is_busy() -> bool:
    """Say whether a share of any load is being run here."""
    return bool(_SENDING)


def hello() -> str:
    """Say what is installed here."""
    return f"Python {platform.python_version()} with metrics-validator {validator.__version__}"
