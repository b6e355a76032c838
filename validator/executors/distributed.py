"""Load from the workers of a dask scheduler, one share each.

What a worker runs is a plain function with an event loop of its own; everything else goes by
calls that dask makes beside its tasks. So a share is never run twice, none moves to another
worker, and what it has done is known up to the second, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import validator
from validator.errors import MissingExtra, UsageError
from validator.executors import joining, remote
from validator.executors.local import Collector, OnExchange, ignore
from validator.executors.worker import Batch
from validator.plan import LoadPlan, Share
from validator.records.load import LoadResult, Zero

CONNECT_WITHIN: Final = 10.0
ALONE: Final = "validator-load"
"""What the lock on a scheduler is called that whoever sends a load by it holds."""
START_WITHIN: Final = 120.0
"""Seconds that all workers have to import what they need and to open their connections."""
ASKED_EVERY: Final = 0.5
ASKED_HASTILY: Final = 0.1
"""The same when a load may be given up for what the answers of all tell."""
SILENT_FOR: Final = 30.0
"""Seconds without an answer after which a worker counts as lost."""
STOP_WITHIN: Final = 5.0
AHEAD: Final = 0.5
"""Seconds from the word to begin until all begin: it must have come to all by then."""
_LOCAL: Final = re.compile(r"local:([1-9]\d{0,3})")


@dataclass(frozen=True, slots=True)
class Cluster:
    """An executor: the workers of the scheduler at *address*, or of one of our own, `local:N`."""

    address: str

    async def ready(self) -> None:
        """Raise UsageError if the workers cannot send a load now, or are sending another."""
        if _LOCAL.fullmatch(self.address):
            return  # they are started for each load
        async with _connected(self.address) as client:
            await _able(client)

    async def run(
        self,
        plan: LoadPlan,
        *,
        on_exchange: OnExchange = ignore,
        collector: Collector | None = None,
    ) -> LoadResult:
        """Send what *plan* says; when cancelled, *collector* has what had come so far."""
        found = Collector() if collector is None else collector
        async with _connected(self.address) as client, _alone(client):
            addresses = await _able(client)
            crew = _Crew(client, plan, found, on_exchange)
            try:
                await crew.start(plan.shares(len(addresses)), addresses)
                await crew.work()
            finally:
                await crew.stop()
                joining.conclude(found, plan, crew.parts)
        return found.result()


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[Any]:
    """Open a client of the scheduler; raise UsageError if that is not possible."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise MissingExtra("--dask", "dask") from None
    own = _LOCAL.fullmatch(address)
    if own is None:
        if address.startswith("local:"):
            raise UsageError(f"--dask {address}: expected local:N with a number of workers")
        try:
            client = await Client(address, asynchronous=True, timeout=CONNECT_WITHIN)
        except (OSError, ValueError) as error:
            raise UsageError(f"--dask {address}: no scheduler there: {error}") from error
        async with client:
            yield client
        return
    async with (
        LocalCluster(
            n_workers=int(own[1]),
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.ERROR,
            scheduler_kwargs={"allowed_failures": 0},
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        yield client


@asynccontextmanager
async def _alone(client: Any) -> AsyncIterator[None]:
    """Keep others from sending a load by the same scheduler; raise UsageError if one does.

    Who asks each worker whether it is busy learns nothing of a load that begins a moment later.
    The scheduler lets go of what belongs to a client that is gone, after half a minute.
    """
    from distributed import Lock  # noqa: PLC0415 - an extra, and slow to import

    lock = Lock(ALONE, scheduler_rpc=client.scheduler, loop=client.loop)
    if not await lock.acquire(blocking=False):
        raise UsageError(
            "another load is being sent by this dask scheduler: try again when that is over"
        )
    try:
        yield
    finally:
        await lock.release()


async def _able(client: Any) -> list[str]:
    """Return the addresses of the workers if they can do what we need; raise UsageError."""
    failures = await client.run_on_scheduler(_allowed_failures)
    if failures:
        raise UsageError(
            f"the dask scheduler runs a task up to {failures + 1} times when workers die, and so "
            "would send a load twice: start it with "
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0"
        )
    found = await _asked_of_all(client, remote.hello)
    if not found:
        raise UsageError("the dask scheduler has no workers: start some, and try again")
    ours = remote.hello()
    for address, theirs in found.items():
        if isinstance(theirs, BaseException):
            raise UsageError(_unable(f"{address}: {type(theirs).__name__}: {theirs}"))
        if theirs != ours:
            raise UsageError(_unable(f"{address} has {theirs}, and here is {ours}"))
    for address, busy in (await _asked_of_all(client, remote.is_busy)).items():
        if isinstance(busy, BaseException):
            raise UsageError(_unable(f"{address}: {type(busy).__name__}: {busy}"))
        if busy:
            raise UsageError(
                f"the dask worker at {address} is still sending another load: try again when that "
                f"is over, at most {remote.UNASKED_FOR:g} s after whoever started it is gone"
            )
    return sorted(found)


async def _asked_of_all(client: Any, question: Callable[[], Any]) -> dict[str, Any]:
    """Return the answer of each worker, or what it raised; raise UsageError when none comes."""
    try:
        answers: dict[str, Any] = await asyncio.wait_for(
            client.run(question, on_error="return"), CONNECT_WITHIN
        )
    except Exception as error:
        raise UsageError(_unable(f"{type(error).__name__}: {error}")) from error
    return answers


def _unable(why: str) -> str:
    return (
        f"the dask workers cannot send the load ({why}): install the same Python and "
        f"metrics-validator=={validator.__version__} on every worker"
    )


@dataclass(slots=True)
class _Worker:
    """A worker, and what is known of it."""

    address: str
    key: str
    """What its share goes by."""
    part: joining.Part
    result: asyncio.Future[Any]
    heard: float
    ready: bool = False
    given_up: bool = False
    in_flight: int = 0


class _Crew:
    """The workers of one load."""

    def __init__(
        self, client: Any, plan: LoadPlan, found: Collector, on_exchange: OnExchange
    ) -> None:
        self._client = client
        self._plan = plan
        self._found = found
        self._on_exchange = on_exchange
        self._name = f"validator-{uuid.uuid4().hex}"
        self.workers: list[_Worker] = []
        self.parts: list[joining.Part] = []
        self._hope = joining.Hope(plan, found, self.parts)
        self._every = ASKED_EVERY if plan.abort_on is None else ASKED_HASTILY
        self._tasks: list[Any] = []
        self._followers: list[asyncio.Task[None]] = []

    async def start(self, shares: Sequence[Share], addresses: Sequence[str]) -> None:
        """Give each share to a worker, and wait until all are ready; raise UsageError."""
        self._found.processes = len(shares)
        self._found.slo = self._plan.slo
        for share, address in zip(shares, addresses, strict=False):
            key = f"{self._name}-{share.number}"  # several workers may be threads of one process
            task = self._client.submit(
                remote.send,
                *(self._plan, share, key),
                key=key,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
            self._tasks.append(task)
            name = f"dask worker {share.number + 1} of {share.of} at {address}"
            result = asyncio.ensure_future(_awaited(task))
            part = joining.Part(name, share)
            self.parts.append(part)
            self.workers.append(_Worker(address, key, part, result, time.monotonic()))
        late = time.monotonic() + START_WITHIN
        while not all(worker.ready for worker in self.workers):
            # All at once: one that does not answer is not to keep the others waiting.
            answers = await asyncio.gather(
                *(self._ask(worker, remote.is_ready) for worker in self.workers)
            )
            for worker, ready in zip(self.workers, answers, strict=True):
                worker.ready = ready is True
                if worker.result.done():
                    why = worker.result.exception() or worker.result.result().failure
                    raise UsageError(f"{worker.part.name} did not start: {why}")
            if time.monotonic() > late:
                waiting = next(w.part.name for w in self.workers if not w.ready)
                raise UsageError(f"{waiting} was not ready within {START_WITHIN:g} s")
            await asyncio.sleep(0.05)

    async def work(self) -> None:
        """Give the word to begin, and wait until all shares are over or lost."""
        offsets = await asyncio.gather(*map(self._offset, self.workers))
        begin = time.time() + AHEAD
        self._found.zero = Zero(time.monotonic() + AHEAD, begin)
        heard = await asyncio.gather(
            *(
                self._ask(worker, remote.begin_at, begin + offset)
                for worker, offset in zip(self.workers, offsets, strict=True)
            )
        )
        mute = [w for w, began in zip(self.workers, heard, strict=True) if began is not True]
        for worker in mute:
            worker.part.lost = "it did not answer when all were to begin"
        # Tasks of their own: what they are being told is not to be lost when this is cancelled.
        # And at once: a share that is asked nothing for long takes us for gone, and ends.
        self._followers = [asyncio.create_task(self._follow(worker)) for worker in self.workers]
        await asyncio.gather(
            asyncio.wait(self._followers), *(self._ask(worker, remote.stop) for worker in mute)
        )

    async def stop(self) -> None:
        """Stop what still works; keep what it had."""
        working = [worker for worker in self.workers if not worker.result.done()]
        waiting: list[asyncio.Future[Any]] = [*self._followers]
        waiting = waiting or [worker.result for worker in working]
        await asyncio.gather(*(self._ask(worker, remote.stop) for worker in working))
        if waiting:
            await asyncio.wait(waiting, timeout=STOP_WITHIN)
            for worker in working:
                worker.result.cancel()
            await asyncio.wait(waiting)
        for follower in self._followers:
            follower.result()
        if self._tasks:
            with suppress(Exception):  # what cannot be cancelled any more is over
                await self._client.cancel(self._tasks)

    async def _follow(self, worker: _Worker) -> None:
        """Take in what a worker has done, until it is over or lost."""
        try:
            while not worker.result.done():
                await asyncio.wait((worker.result,), timeout=self._every)
                if worker.result.done():
                    break
                batch = await self._ask(worker, remote.batch_from, len(worker.part.came))
                if isinstance(batch, Batch):
                    self._take(worker, batch)
                elif time.monotonic() - worker.heard > SILENT_FOR:
                    worker.part.lost = f"silent for {SILENT_FOR:g} s"
                    worker.result.cancel()
                    return
                if self._found.aborted and not worker.given_up:
                    worker.given_up = True
                    await self._ask(worker, remote.give_up)
            self._finish(worker)
        finally:
            self._hope.reaches(worker.part, math.inf)  # nobody waits for what it has to tell

    def _finish(self, worker: _Worker) -> None:
        if worker.result.cancelled():
            worker.part.lost = worker.part.lost or "cancelled"
            return
        error = worker.result.exception()
        if error is not None:
            name = type(error).__name__
            died = name == "KilledWorker"  # whose own words fill a screen
            worker.part.lost = "it died" if died else f"{name}: {error}".splitlines()[0]
            return
        outcome: remote.Outcome = worker.result.result()
        self._take(worker, outcome.batch, known=len(worker.part.came) - outcome.had)
        worker.part.cpu_share = outcome.cpu_share
        worker.part.held_back, worker.part.unsent = outcome.held_back, outcome.unsent
        worker.part.lost = outcome.failure or worker.part.lost
        self._found.aborted = self._found.aborted or outcome.aborted

    def _take(self, worker: _Worker, batch: Batch, *, known: int = 0) -> None:
        """Keep what has come, but for the first *known* exchanges, which had already."""
        worker.in_flight = batch.in_flight
        worker.part.lags.extend(batch.lags)
        in_flight = sum(each.in_flight for each in self.workers)
        new = batch.exchanges[known:] if known else batch.exchanges
        self._hope.take(worker.part, new, batch.until)
        joining.tell(self._on_exchange, new, in_flight)

    async def _ask(self, worker: _Worker, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a worker answers, or None if it does not."""
        try:
            async with asyncio.timeout(SILENT_FOR):
                answers = await self._client.run(
                    function, worker.key, *arguments, workers=[worker.address], on_error="return"
                )
        except Exception:  # noqa: BLE001 - it is gone or going, which its task will tell
            return None
        answer = answers.get(worker.address)
        if isinstance(answer, BaseException):
            return None
        worker.heard = time.monotonic()
        return answer

    async def _offset(self, worker: _Worker) -> float:
        """Return by how much the worker's clock is ahead of ours, from the quickest of answers."""
        found = []
        for _ in range(3):
            asked = time.time()
            answer = await self._ask(worker, remote.now)
            answered = time.time()
            if not isinstance(answer, float):
                break
            found.append((answered - asked, answer - (asked + answered) / 2))
        return min(found)[1] if found else 0.0


async def _awaited(task: Awaitable[Any]) -> Any:
    return await task


def _allowed_failures(dask_scheduler: Any) -> int:
    return int(dask_scheduler.allowed_failures)
