"""One share of a load in a process of its own: what it is told comes by a pipe, and so it answers.

Nothing secret stands on a command line, and the program that started it is not imported again,
as the `multiprocessing` module would: a library's user needs no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import struct
import sys
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import Any, BinaryIO, Final

from validator.columns import Columns
from validator.executors import local, loops
from validator.executors.local import Collector
from validator.plan import LoadPlan, Share
from validator.records.load import Exchange

REPORTS_EVERY: Final = 0.25
REPORTS_HASTILY: Final = 0.02
AGO: Final = 0.01
"""Seconds ago that what ended has surely been kept, if the event loop is not late."""
"""The same when a load may be given up for what the reports of all tell."""
LENGTH: Final = struct.Struct(">Q")
"""Goes before each pickle."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Connections are open, and nothing is sent before the word to."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What has ended since the last one; comes at regular times, with nothing in it if need be."""

    exchanges: Columns[Exchange]
    lags: array[float]
    in_flight: int
    until: float
    """Seconds from the beginning of the load: of what ended before, nothing is missing."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The share is over: nothing is in flight, and nothing more comes."""

    cpu_share: float | None
    held_back: int
    unsent: int
    aborted: str
    """Why the share was given up, if it decided that itself."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The share could not be run."""

    why: str


def framed(message: object) -> bytes:
    """Return *message* as it goes through a pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def read(pipe: FileIO) -> Any:
    """Return the next message; raise EOFError when there are no more."""
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301 - from the process that started us


def _exactly(pipe: FileIO, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = pipe.read(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def main() -> None:
    """Read what to do, say when ready, wait for the word, work, and tell."""
    outbox = _Outbox(_private_stdout())
    inbox = FileIO(sys.stdin.fileno(), closefd=False)  # no buffer, whose lock could outlive us
    try:
        plan, share = read(inbox)
        loops.run(_work(plan, share, inbox, outbox))
    except Exception as failure:  # noqa: BLE001 - whoever waits at the other end is to hear of it
        outbox.put(Failed(f"{type(failure).__name__}: {failure}"))
    finally:
        outbox.close()


def _private_stdout() -> BinaryIO:
    """Return the pipe to who started us; what a library prints goes to stderr instead."""
    ours = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(ours, "wb")


class _Outbox:
    """Messages on their way; a slow reader does not hold up who sends."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._messages: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def put(self, message: object) -> None:
        self._messages.put(message)

    def close(self) -> None:
        """Wait until all is sent."""
        self._messages.put(None)
        self._thread.join()

    def _send(self) -> None:
        with suppress(OSError):  # nobody is there to read
            while (message := self._messages.get()) is not None:
                self._pipe.write(framed(message))
                self._pipe.flush()


async def _work(plan: LoadPlan, share: Share, inbox: FileIO, outbox: _Outbox) -> None:
    collector = Collector()
    loop = asyncio.get_running_loop()
    word: asyncio.Future[float] = loop.create_future()
    hopeless = asyncio.Event()

    async def start() -> float:
        outbox.put(Ready())
        began = await word
        await asyncio.sleep(max(0.0, began - time.perf_counter()))
        return began

    work = asyncio.create_task(
        local.run(plan, share, collector=collector, start=start, hopeless=hopeless)
    )
    _listen(loop, inbox, word, hopeless.set, work.cancel)
    every = REPORTS_EVERY if plan.abort_on is None else REPORTS_HASTILY
    telling = asyncio.create_task(_tell(collector, outbox, every))
    try:
        await asyncio.wait((work,))
    finally:
        telling.cancel()
    outbox.put(taken(collector))
    if not work.cancelled():
        work.result()
    outbox.put(Ended(collector.cpu_share, collector.held_back, collector.unsent, collector.aborted))


def _listen(
    loop: asyncio.AbstractEventLoop,
    inbox: FileIO,
    word: asyncio.Future[float],
    give_up: Callable[[], None],
    stop: Callable[[], object],
) -> None:
    """Wait in a thread for the word to begin, the word to give up, and the end of the pipe: stop.

    Giving up waits for what is in flight, and stopping does not.
    """

    def listen() -> None:
        with suppress(EOFError, OSError):
            loop.call_soon_threadsafe(word.set_result, read(inbox))
            read(inbox)
            loop.call_soon_threadsafe(give_up)
            read(inbox)
        with suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=listen, daemon=True).start()


async def _tell(collector: Collector, outbox: _Outbox, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        outbox.put(taken(collector))


def taken(collector: Collector) -> Batch:
    """Take what has come so far out of *collector*."""
    zero = collector.zero
    # What ended a moment ago may still wait for its turn of the loop to be kept.
    late = AGO + max(collector.lags, default=0.0)
    until = 0.0 if zero is None else time.monotonic() - zero.monotonic - late
    batch = Batch(collector.exchanges, collector.lags, collector.in_flight, until)
    collector.exchanges, collector.lags = Columns(Exchange), array("d")
    return batch
