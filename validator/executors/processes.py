"""Load from several processes of this machine, one share each."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import subprocess
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Any, Final

from validator.errors import UsageError
from validator.executors import joining
from validator.executors.local import Collector, OnExchange, ignore
from validator.executors.worker import LENGTH, Batch, Ended, Failed, Ready, framed
from validator.plan import LoadPlan, Share
from validator.records.load import LoadResult, Zero

COMMAND: Final = ("-P", "-c", "from validator.executors.worker import main; main()")
START_WITHIN: Final = 120.0
"""Seconds that all processes have to import what they need, on however busy a machine."""
SILENT_FOR: Final = 30.0
"""Seconds without a word, of several that are due each second, after which one counts as lost."""
STOP_WITHIN: Final = 5.0
"""Seconds to stop in, before being made to."""
AHEAD: Final = 0.1
"""Seconds from the word to begin until all begin."""


@dataclass(frozen=True, slots=True)
class Processes:
    """An executor: *count* processes, each with an event loop of its own, and nothing shared."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"{self.count} processes: at least 1 is needed")

    async def ready(self) -> None:
        """Be ready: processes are started for each load."""

    async def run(
        self,
        plan: LoadPlan,
        *,
        on_exchange: OnExchange = ignore,
        collector: Collector | None = None,
    ) -> LoadResult:
        """Send what *plan* says; when cancelled, *collector* has what had come so far."""
        found = Collector() if collector is None else collector
        team = _Team(plan, found, on_exchange)
        try:
            await team.start(plan.shares(self.count))
            await team.work()
        finally:
            await team.stop()
            joining.conclude(found, plan, team.parts)
        return found.result()


@dataclass(slots=True)
class _Worker:
    """A process, and what is known of it."""

    process: Process
    part: joining.Part
    ready: bool = False
    ended: bool = False
    complaints: deque[bytes] = field(default_factory=lambda: deque(maxlen=20))
    in_flight: int = 0


class _Team:
    """The processes of one load."""

    def __init__(self, plan: LoadPlan, found: Collector, on_exchange: OnExchange) -> None:
        self._plan = plan
        self._found = found
        self._on_exchange = on_exchange
        self.workers: list[_Worker] = []
        self.parts: list[joining.Part] = []
        self._hope = joining.Hope(plan, found, self.parts)
        self._listeners: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._given_up = False

    async def start(self, shares: Sequence[Share]) -> None:
        """Start a process for each share, and wait until all are ready; raise UsageError."""
        self._found.processes = len(shares)
        self._found.slo = self._plan.slo
        for share in shares:
            name = f"process {share.number + 1} of {share.of}"
            worker = _Worker(await _started(), joining.Part(name, share))
            self.workers.append(worker)
            self.parts.append(worker.part)
            _tell(worker, (self._plan, share))
            self._listeners.append(asyncio.create_task(self._listen(worker)))
        with suppress(TimeoutError):
            async with asyncio.timeout(START_WITHIN):
                while not all(w.ready or w.part.lost for w in self.workers):
                    self._changed.clear()
                    await self._changed.wait()
        for worker in self.workers:
            if not worker.ready:
                why = worker.part.lost or f"not ready within {START_WITHIN:g} s"
                raise UsageError(f"{worker.part.name} did not start: {why}")

    async def work(self) -> None:
        """Give the word to begin, and wait until all shares are over or lost."""
        begin = time.perf_counter() + AHEAD  # one clock for all processes of a machine
        self._found.zero = Zero(time.monotonic() + AHEAD, time.time() + AHEAD)
        for worker in self.workers:
            _tell(worker, begin)
        await asyncio.wait(self._listeners)

    async def stop(self) -> None:
        """Stop what still works; keep what it had."""
        for worker in self.workers:
            if worker.process.stdin is not None:
                worker.process.stdin.close()
        if self._listeners:
            await asyncio.wait(self._listeners, timeout=STOP_WITHIN)
        for worker in self.workers:
            with suppress(ProcessLookupError):
                if worker.process.returncode is None:
                    worker.process.kill()
        for listener in self._listeners:
            await asyncio.wait((listener,))
            listener.result()
        for worker in self.workers:
            await worker.process.wait()

    async def _listen(self, worker: _Worker) -> None:
        """Take in what a process has to say, until it ends."""
        complaints = asyncio.create_task(_keep_end(worker))
        try:
            async with asyncio.timeout(None) as bound:
                while True:
                    bound.reschedule(asyncio.get_running_loop().time() + self._patience(worker))
                    self._take(worker, await _message(worker.process))
        except asyncio.IncompleteReadError:
            code = await worker.process.wait()
            await complaints
            if not worker.ended and not worker.part.lost:
                worker.part.lost = _died(code, worker.complaints)
        except TimeoutError:
            worker.part.lost = f"silent for {SILENT_FOR:g} s"
            worker.process.kill()
            await worker.process.wait()
        finally:
            await complaints
            self._hope.reaches(worker.part, math.inf)  # nobody waits for what it has to tell
            self._give_up_if_hopeless()
            self._changed.set()

    @staticmethod
    def _patience(worker: _Worker) -> float:
        return SILENT_FOR if worker.ready else START_WITHIN

    def _take(self, worker: _Worker, message: Any) -> None:
        match message:
            case Ready():
                worker.ready = True
                self._changed.set()
            case Batch():
                worker.in_flight = message.in_flight
                worker.part.lags.extend(message.lags)
                in_flight = sum(w.in_flight for w in self.workers)
                self._hope.take(worker.part, message.exchanges, message.until)
                joining.tell(self._on_exchange, message.exchanges, in_flight)
            case Ended():
                worker.ended = True
                worker.part.cpu_share = message.cpu_share
                worker.part.held_back, worker.part.unsent = message.held_back, message.unsent
                self._found.aborted = self._found.aborted or message.aborted
            case Failed():
                worker.part.lost = message.why
        self._give_up_if_hopeless()

    def _give_up_if_hopeless(self) -> None:
        if self._found.aborted and not self._given_up:
            self._given_up = True
            for worker in self.workers:
                _tell(worker, None)


async def _started() -> Process:
    """Start a process that knows our modules; what it is to do is told later, by a pipe."""
    if not sys.executable:
        raise UsageError("more processes than one need a Python interpreter to start")
    # A terminal's Ctrl-C is for us alone; we stop them, and they stop if we are gone.
    group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows has no sessions
    options = {"creationflags": group} if group else {"start_new_session": True}
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": path},
        **options,
    )


def _tell(worker: _Worker, message: object) -> None:
    assert worker.process.stdin is not None
    with suppress(OSError):  # it has ended, and its listener says why
        worker.process.stdin.write(framed(message))


async def _message(process: Process) -> Any:
    assert process.stdout is not None
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - we started it


def _died(code: int, complaints: Iterable[bytes]) -> str:
    """Say how a process ended that should not have."""
    try:
        how = f"killed by {Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    except ValueError:
        how = f"killed by signal {-code}"
    lines = b"".join(complaints).decode("utf-8", "replace").strip().splitlines()
    return f"{how}: {lines[-1].strip()}" if lines else how


async def _keep_end(worker: _Worker) -> None:
    """Keep the last lines that a process writes to stderr."""
    assert worker.process.stderr is not None
    while piece := await worker.process.stderr.read(2**16):
        worker.complaints.append(piece[-4096:])
