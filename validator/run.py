"""The whole of a run, in the order it happens."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any, Protocol

from validator import duration, movement
from validator.curve import marked
from validator.drivers import Remarking
from validator.errors import ServerError
from validator.ledger import ledger
from validator.load import Collector, Executor, load, remarks
from validator.observe import Observer, sampling, settle, watching
from validator.plan import LoadPlan
from validator.probes.websocket import check_installed
from validator.records.load import Exchange, LoadResult
from validator.records.observation import Observations, Settled, Snapshot, Unreadable
from validator.records.recording import Recording, Round
from validator.redaction import Redaction
from validator.server import started
from validator.spec.model import Load, Spec
from validator.trace import traced
from validator.values import Json
from validator.warmup import warm_up

INTERRUPTED = "interrupted"


class Listener(Protocol):
    """Somebody who wants to know how a run gets on."""

    def load(self, name: str, plan: LoadPlan) -> None:
        """Hear which load the next phases are about; without a name when there is only one."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear what begins now."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear of a request that has ended."""

    def remark(self, text: str) -> None:
        """Hear of something that a person should know."""


class Silent:
    """A listener that does not listen."""

    def load(self, name: str, plan: LoadPlan) -> None:
        """Hear nothing."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear nothing."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear nothing."""

    def remark(self, text: str) -> None:
        """Hear nothing."""


@dataclass(slots=True)
class _Round:
    """What was seen so far around one load, good at any time."""

    load: str = ""
    before: dict[str, Snapshot] = field(default_factory=dict)
    during: dict[str, list[Snapshot]] = field(default_factory=dict)
    after: dict[str, Snapshot] = field(default_factory=dict)
    collector: Collector | None = None
    ledger: dict[str, Json] | None = None
    """What the whole load came to; None as long as it is not over."""
    result: LoadResult | None = None
    settled: Settled | None = None

    def sum_up(self) -> LoadResult | None:
        """Sum up the load, once: that takes a while of a large one. None when it was not sent."""
        if self.result is None and self.collector is not None:
            self.result = self.collector.result()
            self.ledger = ledger(self.result)
        return self.result

    def record(self) -> Round:
        """Return what was seen, without what only samples and charts need."""
        self.sum_up()
        samples = {name: tuple(found) for name, found in self.during.items()}
        seen = Observations(self.before, self.after, samples, self.settled)
        return Round(self.load, self.ledger, seen)

    def whole(self, began: float, after: Mapping[str, Snapshot], *, interrupted: bool) -> Round:
        """Return all that was seen in a run that *began* then, with *after* where nobody looked."""
        found = self.record()
        seen = replace(found.observations, after={**after, **self.after})
        trace = None
        if (result := self.result) is not None:
            during = {name: marked(found, result, began) for name, found in seen.during.items()}
            seen = replace(seen, during=during)
            zero = result.zero
            trace = traced(result, None if zero is None else zero.monotonic - began)
        return replace(found, observations=seen, interrupted=interrupted, trace=trace)


@dataclass(slots=True)
class _Seen:
    """What a run has seen so far, good at any time."""

    began: float = field(default_factory=time.monotonic)
    rounds: list[_Round] = field(default_factory=list)
    """Those that have begun."""
    interrupted: str = ""
    remarks: list[str] = field(default_factory=list)


async def run(
    spec: Spec,
    *,
    listener: Listener | None = None,
    interrupt: asyncio.Event | None = None,
    executor: Executor | None = None,
) -> Recording:
    """Look, send the load, wait, look again; return what was seen.

    Setting *interrupt* ends the run early; so does the spec's own timeout. Either way what was
    seen so far comes back, and a started server is stopped. What comes back may hold secrets: it
    is for judging, and `conclude` takes them out of the report.
    """
    if any(endpoint.method == "WEBSOCKET" for endpoint in spec.endpoints):
        check_installed()
    now = datetime.now(UTC)
    seen = _Seen()
    work = asyncio.create_task(_in_order(spec, seen, listener or Silent(), executor))
    stop = asyncio.create_task((interrupt or asyncio.Event()).wait())
    try:
        await asyncio.wait((work, stop), timeout=spec.timeout, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            seen.interrupted = INTERRUPTED if stop.done() else "run timeout"
    finally:
        stop.cancel()
        work.cancel()
        await asyncio.wait((work, stop))
    if not work.cancelled():
        work.result()
    return _recorded(spec, seen, now)


async def _in_order(spec: Spec, seen: _Seen, listener: Listener, executor: Executor | None) -> None:
    def clock() -> float:
        return time.monotonic() - seen.began

    async with (
        _serving(spec, seen, listener) as up,
        watching(spec.target, clock, Redaction(spec.secrets).text) as observer,
    ):
        if not up:
            return
        if not spec.loads:
            listener.phase("look")
            found = await observer.look(spec.endpoints, sequential=spec.sequential)
            seen.rounds.append(_Round(before=found, after=found))
        for one in spec.loads:
            await _round(spec, one, seen, observer, listener, executor)


async def _round(  # noqa: PLR0913, PLR0917 - all that a run is made of
    spec: Spec,
    one: Load,
    seen: _Seen,
    observer: Observer,
    listener: Listener,
    executor: Executor | None,
) -> None:
    """Look, send one load, wait, look again.

    Each round looks for itself before its load: what counted late after the one before it, or
    whatever was sent since, is then in the books of neither.
    """
    now = _Round(one.name)
    seen.rounds.append(now)
    # Endpoints marked `read: last` are left for the very end: once is enough.
    early = [endpoint for endpoint in spec.endpoints if not endpoint.read_last]
    listener.load(one.name, one.plan)
    if warming := one.plan.warming():
        listener.phase("warmup")
        _say(await warm_up(spec, one.name, warming, observer, _today()), one.name, seen, listener)
    listener.phase("before")
    now.before = await observer.look(early, sequential=spec.sequential)
    if _unreachable(now.before):
        now.after = now.before
        which = f"the load {one.name}" if one.name else "the load"
        seen.remarks.append(f"nothing answers at {spec.target.url}: {which} was not sent")
        return
    driver = one.plan.driver
    if isinstance(driver, Remarking) and (said := driver.remark()):
        _say(said, one.name, seen, listener)
    listener.phase("load")
    now.collector = Collector()
    async with sampling(observer, spec.endpoints) as now.during:
        await load(
            one.plan,
            on_exchange=listener.exchange,
            collector=now.collector,
            executor=executor,
        )
    if (result := now.sum_up()) is not None:
        for remark in remarks(one.plan, result):
            _say(remark, one.name, seen, listener)
    listener.phase("settle", f"at most {duration.written(spec.settle.within)}")
    now.settled = await _settled(spec, seen, observer)
    _say(_unsettled(now.settled), one.name, seen, listener)
    listener.phase("after")
    wanted = spec.endpoints if one is spec.loads[-1] else early
    now.after = await observer.look(wanted, sequential=spec.sequential)


def _unreachable(before: Mapping[str, Snapshot]) -> bool:
    """Say whether nobody listens there: a load would only repeat that."""
    causes = [s.error.cause if s.error else "" for s in before.values()]
    return bool(causes) and all(cause == "connect" for cause in causes)


async def _settled(spec: Spec, seen: _Seen, observer: Observer) -> Settled:
    """Wait for what the latest load moves."""
    *earlier, latest = [one.record() for one in seen.rounds]
    today = _today()
    asked = movement.moving(spec, (*earlier, latest))

    def content(snapshots: Mapping[str, Snapshot]) -> set[str]:
        found = replace(latest.observations, after=snapshots)
        rounds = (*earlier, replace(latest, observations=found))
        return {name for name in snapshots if movement.held(spec, asked[name], rounds, today)}

    return await settle(
        observer,
        [e for e in spec.endpoints if e.id in asked],
        spec.settle,
        fingerprint=lambda snapshots: movement.fingerprint(asked, snapshots),
        content=content,
        clock=observer.clock,
        sequential=spec.sequential,
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _say(remark: str, load_name: str, seen: _Seen, listener: Listener) -> None:
    if remark:
        told = f"{load_name}: {remark}" if load_name else remark
        seen.remarks.append(told)
        listener.remark(told)


def _unsettled(settled: Settled) -> str:
    """Say what a person should know about how settling ended; nothing if all is well."""
    waited = f"after {settled.elapsed:.1f} s of settling"
    if settled.moving:
        return f"not settled: {', '.join(settled.moving)} still moving {waited}"
    if settled.waiting_for:
        names = ", ".join(settled.waiting_for)
        return f"{names}: what the deltas expect had not come {waited}"
    return ""


@asynccontextmanager
async def _serving(spec: Spec, seen: _Seen, listener: Listener) -> AsyncIterator[bool]:
    """Have the spec's server run for the block, if it has one; say whether it is up."""
    if spec.server is None:
        yield True
        return

    def announce(text: str) -> None:
        seen.remarks.append(text)
        listener.remark(text)

    began = False
    try:
        async with started(spec.server, spec.target.url, announce=announce) as running:
            began = True
            try:
                yield True
            finally:
                if running.exit_code is not None:
                    announce(f"the server ended during the run with exit code {running.exit_code}")
                    seen.remarks.extend(f"  {line}" for line in running.output_tail().splitlines())
    except ServerError as error:
        if began:
            raise
        announce(f"the server did not start: {error}")
        seen.remarks.extend(f"  {line}" for line in error.output.splitlines())
        after = _unseen(spec, "connect", f"the server did not start: {error}")
        seen.rounds = [_Round(name, after=after) for name in _names(spec)]
        yield False


def _names(spec: Spec) -> list[str]:
    """Return the names of the rounds that a whole run has."""
    return [load.name for load in spec.loads] or [""]


def _unseen(spec: Spec, cause: str, why: str) -> dict[str, Snapshot]:
    """Return why there is no snapshot of any endpoint."""
    return {e.id: Snapshot(e.id, error=Unreadable(cause, why)) for e in spec.endpoints}


def _recorded(spec: Spec, seen: _Seen, now: datetime) -> Recording:
    after: dict[str, Snapshot] = {}
    if seen.interrupted:
        why = f"the run ended before it was read ({seen.interrupted})"
        after = _unseen(spec, INTERRUPTED, why)
    names = _names(spec)
    done = len(seen.rounds) - bool(seen.interrupted)
    rounds = [*seen.rounds, *map(_Round, names[len(seen.rounds) :])]
    return Recording(
        title=spec.title,
        spec=spec.file,
        target=spec.target.url,
        started=now.isoformat(timespec="seconds"),
        elapsed=time.monotonic() - seen.began,
        rounds=tuple(
            one.whole(seen.began, after if number >= done else {}, interrupted=number >= done)
            for number, one in enumerate(rounds)
        ),
        interrupted=seen.interrupted,
        remarks=tuple(seen.remarks),
    )


class _CallableModule(ModuleType):
    """This module, called as the public `validator.run`, whose name it shares."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what `validator.library.run` does."""
        from validator import library  # noqa: PLC0415 - it stands above, and is the public face

        return library.run(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
