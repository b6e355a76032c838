"""The whole of a sweep, in the order it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from validator.benchmark.ladder import Ladder, left_out, settings, warming
from validator.benchmark.records import Bench, Ledger, Level, failed
from validator.drivers import Remarking
from validator.endings import ended
from validator.errors import ServerError
from validator.ledger import ledger
from validator.listener import Listener, Silent
from validator.load import Collector, Executor, load, ready
from validator.redaction import Redaction
from validator.server import started
from validator.spec.model import Load, Spec
from validator.values import Json, Number


@dataclass(slots=True)
class _Seen:
    """What a sweep has seen so far, good at any time."""

    ledgers: dict[Number, list[Ledger]] = field(default_factory=dict)
    stopped: str = ""
    interrupted: str = ""
    remarks: list[str] = field(default_factory=list)


async def sweep(  # noqa: PLR0913 - what to sweep, how far, and whom to tell
    spec: Spec,
    one: Load,
    ladder: Ladder,
    *,
    keep_going: bool = False,
    executor: Executor | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - what is done by then is returned
    listener: Listener | None = None,
    interrupt: asyncio.Event | None = None,
) -> Bench:
    """Send the load *one* of *spec* at each level of *ladder*; return what was seen.

    No endpoint is looked at, and nothing is judged. A sweep that is interrupted, or takes longer
    than *timeout* seconds, returns the levels that are done; a started server is stopped.
    """
    began, now = time.monotonic(), datetime.now(UTC)
    seen = _Seen()
    climb = _Climb(spec, one, ladder, seen, listener or Silent(), executor, keep_going=keep_going)
    seen.interrupted = await ended(climb.run(), interrupt=interrupt, within=timeout)
    bench = Bench(
        title=spec.title,
        spec=spec.file,
        target=spec.target.url,
        axis=ladder.axis,
        planned=ladder.levels,
        repeat=ladder.repeat,
        levels=tuple(Level(at, tuple(found)) for at, found in sorted(seen.ledgers.items())),
        load=settings(one.plan, ladder),
        started=now.isoformat(timespec="seconds"),
        elapsed=time.monotonic() - began,
        stopped=seen.stopped,
        interrupted=seen.interrupted,
        remarks=tuple(seen.remarks),
    )
    return Redaction(spec.secrets).record(bench)


@dataclass(slots=True)
class _Climb:
    """One sweep, under way."""

    spec: Spec
    one: Load
    ladder: Ladder
    seen: _Seen
    listener: Listener
    executor: Executor | None
    keep_going: bool
    first: int = 0
    """The index of the next request."""

    async def run(self) -> None:
        """Climb the ladder as often as was asked for; each level's runs are far apart in time."""
        async with self._serving() as up:
            if not up:
                return
            await ready(self.executor)
            if not await self._warm_up():
                return
            levels = self.ladder.levels
            for turn in range(self.ladder.repeat):
                for number, level in enumerate(levels):
                    found = await self._level(level, turn)
                    if not self.keep_going and (why := hopeless(found)):
                        self._stop(self.ladder.axis.named(level), why)
                        levels = levels[:number]  # what lies below may still be repeated
                        break

    async def _level(self, level: Number, turn: int) -> Ledger:
        short, long = self.ladder.axis.brief(level), self.ladder.axis.named(level)
        if self.ladder.repeat > 1:
            short += f" #{turn + 1}"
            long += f", run {turn + 1} of {self.ladder.repeat}"
        plan = self.ladder.plan(self.one.plan, level, self.first)
        self.listener.load(short, plan)
        self.listener.phase("load", long)
        collector = Collector()
        result = await load(
            plan,
            on_exchange=self.listener.exchange,
            collector=collector,
            executor=self.executor,
        )
        if collector.last is not None:  # of several shares, not all get equally far
            self.first = collector.last + 1
        found = ledger(result)
        self.seen.ledgers.setdefault(level, []).append(found)
        return found

    async def _warm_up(self) -> bool:
        """Send the warmup; say whether it leaves any hope."""
        plan = self.one.plan
        for text in left_out(plan, self.ladder.axis):
            self._say(text)
        driver = plan.driver
        if isinstance(driver, Remarking) and (said := driver.remark()):
            self._say(said)
        self.listener.phase("warmup")
        found = ledger(await load(warming(plan)))
        if not (why := hopeless(found)):
            return True
        if self.keep_going:
            self._say(f"the warmup failed: {why}")
            return True
        self._stop("the warmup", why)
        return False

    def _stop(self, where: str, why: str) -> None:
        self.seen.stopped = f"{where}: {why}"
        self.listener.remark(f"stopped at {self.seen.stopped}")

    def _say(self, text: str) -> None:
        self.seen.remarks.append(text)
        self.listener.remark(text)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[bool]:
        """Have the spec's server run for the block, if it has one; say whether it is up."""
        if self.spec.server is None:
            yield True
            return
        began = False
        try:
            async with started(
                self.spec.server, self.spec.target.url, announce=self._say
            ) as running:
                began = True
                try:
                    yield True
                finally:
                    if running.exit_code is not None:
                        self._say(f"the server ended with exit code {running.exit_code}")
                        self.seen.remarks.extend(running.output_tail().splitlines())
        except ServerError as error:
            if began:
                raise
            self._stop("the server", str(error))
            self.seen.remarks.extend(error.output.splitlines())
            yield False


def hopeless(found: Mapping[str, Json]) -> str:
    """Say why more load can only be worse: nothing came back, or the spec says to give up."""
    if aborted := found.get("aborted"):
        return f"given up, {aborted}"
    if found.get("ok"):
        return ""
    failures = list(failed([found]).values())
    if not failures:
        return "no request was sent"
    return f"all {found.get('sent')} requests failed, most of them {failures[0][1]}"
