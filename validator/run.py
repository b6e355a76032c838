"""The whole of a run, in the order it happens."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any, Protocol

from validator import duration, movement
from validator.curve import marked
from validator.drivers import Remarking
from validator.errors import ServerError
from validator.ledger import ledger
from validator.load import Collector, load, remarks
from validator.observe import Observer, sampling, settle, watching
from validator.probes.websocket import check_installed
from validator.records.load import Exchange, LoadResult
from validator.records.observation import Observations, Settled, Snapshot, Unreadable
from validator.records.recording import Recording
from validator.records.trace import Trace
from validator.redaction import Redaction
from validator.server import started
from validator.spec.model import Spec
from validator.trace import traced
from validator.values import Json
from validator.warmup import warm_up

INTERRUPTED = "interrupted"


class Listener(Protocol):
    """Somebody who wants to know how a run gets on."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear what begins now."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear of a request that has ended."""

    def remark(self, text: str) -> None:
        """Hear of something that a person should know."""


class Silent:
    """A listener that does not listen."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear nothing."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear nothing."""

    def remark(self, text: str) -> None:
        """Hear nothing."""


@dataclass(slots=True)
class _Seen:
    """What a run has seen so far, good at any time."""

    before: dict[str, Snapshot] = field(default_factory=dict)
    during: dict[str, list[Snapshot]] = field(default_factory=dict)
    after: dict[str, Snapshot] = field(default_factory=dict)
    collector: Collector | None = None
    ledger: dict[str, Json] | None = None
    """What the whole load came to; None as long as it is not over."""
    result: LoadResult | None = None
    settled: Settled | None = None
    interrupted: str = ""
    remarks: list[str] = field(default_factory=list)


async def run(
    spec: Spec, *, listener: Listener | None = None, interrupt: asyncio.Event | None = None
) -> Recording:
    """Look, send the load, wait, look again; return what was seen.

    Setting *interrupt* ends the run early; so does the spec's own timeout. Either way what was
    seen so far comes back, and a started server is stopped. What comes back may hold secrets: it
    is for judging, and `conclude` takes them out of the report.
    """
    if any(endpoint.method == "WEBSOCKET" for endpoint in spec.endpoints):
        check_installed()
    began = time.monotonic()
    now = datetime.now(UTC)
    seen = _Seen()
    work = asyncio.create_task(_in_order(spec, seen, listener or Silent(), began))
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
    return _recorded(spec, seen, now, began)


async def _in_order(spec: Spec, seen: _Seen, listener: Listener, began: float) -> None:
    def clock() -> float:
        return time.monotonic() - began

    async with (
        _serving(spec, seen, listener) as up,
        watching(spec.target, clock, Redaction(spec.secrets).text) as observer,
    ):
        if not up:
            return
        if spec.load and (warming := spec.load.plan.warming()):
            listener.phase("warmup")
            _say(await warm_up(spec, warming, observer, _today()), seen, listener)
        listener.phase("before" if spec.load else "look")
        await _look_before(spec, seen, observer)
        if spec.load is None:
            seen.after = seen.before
            return
        if _unreachable(spec, seen):
            seen.after = seen.before
            remark = f"nothing answers at {spec.target.url}: the load was not sent"
            seen.remarks.append(remark)
            return
        driver = spec.load.plan.driver
        if isinstance(driver, Remarking) and (said := driver.remark()):
            seen.remarks.append(said)
            listener.remark(said)
        listener.phase("load")
        seen.collector = Collector()
        async with sampling(observer, spec.endpoints) as seen.during:
            await load(
                spec.load.plan,
                on_exchange=listener.exchange,
                collector=seen.collector,
            )
        result = _summed_up(seen, seen.collector)
        for remark in remarks(spec.load.plan, result):
            _say(remark, seen, listener)
        listener.phase("settle", f"at most {duration.written(spec.settle.within)}")
        await _settle(spec, seen, observer, listener)
        listener.phase("after")
        seen.after = await observer.look(spec.endpoints, sequential=spec.sequential)


async def _look_before(spec: Spec, seen: _Seen, observer: Observer) -> None:
    # With a load to come, endpoints marked `read: last` are left for the end: once is enough.
    wanted = [e for e in spec.endpoints if spec.load is None or not e.read_last]
    seen.before = await observer.look(wanted, sequential=spec.sequential)


def _unreachable(spec: Spec, seen: _Seen) -> bool:
    """Say whether nobody listens there: a load would only repeat that."""
    causes = [s.error.cause if s.error else "" for s in seen.before.values()]
    return bool(spec.endpoints) and bool(causes) and all(cause == "connect" for cause in causes)


async def _settle(spec: Spec, seen: _Seen, observer: Observer, listener: Listener) -> None:
    document = seen.ledger
    assert document is not None
    today = _today()
    readable = {name for name, snapshot in seen.before.items() if snapshot.error is None}
    asked = {n: a for n, a in movement.moving(spec, readable).items() if n in readable}

    def content(snapshots: Mapping[str, Snapshot]) -> set[str]:
        found = Observations(seen.before, snapshots)
        return {
            name for name in snapshots if movement.held(spec, asked[name], found, document, today)
        }

    seen.settled = await settle(
        observer,
        [e for e in spec.endpoints if e.id in asked],
        spec.settle,
        fingerprint=lambda snapshots: movement.fingerprint(asked, snapshots),
        content=content,
        clock=observer.clock,
        sequential=spec.sequential,
    )
    _say(_unsettled(seen.settled), seen, listener)


def _today() -> date:
    return datetime.now(UTC).date()


def _say(remark: str, seen: _Seen, listener: Listener) -> None:
    if remark:
        seen.remarks.append(remark)
        listener.remark(remark)


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
        seen.after = _unseen(spec, "connect", f"the server did not start: {error}")
        yield False


def _unseen(spec: Spec, cause: str, why: str) -> dict[str, Snapshot]:
    """Return why there is no snapshot of any endpoint."""
    return {e.id: Snapshot(e.id, error=Unreadable(cause, why)) for e in spec.endpoints}


def _recorded(spec: Spec, seen: _Seen, now: datetime, began: float) -> Recording:
    if seen.interrupted:
        why = f"the run ended before it was read ({seen.interrupted})"
        seen.after = _unseen(spec, INTERRUPTED, why) | seen.after
    if seen.collector is not None:
        _summed_up(seen, seen.collector)
    return Recording(
        title=spec.title,
        spec=spec.file,
        target=spec.target.url,
        started=now.isoformat(timespec="seconds"),
        elapsed=time.monotonic() - began,
        ledger=seen.ledger,
        trace=_trace(seen, began),
        observations=Observations(
            seen.before,
            seen.after,
            _during(seen, began),
            seen.settled,
        ),
        interrupted=seen.interrupted,
        remarks=tuple(seen.remarks),
    )


def _during(seen: _Seen, began: float) -> dict[str, tuple[Snapshot, ...]]:
    """Return the samples, each with how far the load was by then."""
    if seen.result is None or not any(seen.during.values()):
        return {name: tuple(samples) for name, samples in seen.during.items()}
    return {name: marked(samples, seen.result, began) for name, samples in seen.during.items()}


def _summed_up(seen: _Seen, collector: Collector) -> LoadResult:
    """Sum up the load, once: that takes a while of a large one."""
    if seen.result is None:
        seen.result = collector.result()
        seen.ledger = ledger(seen.result)
    return seen.result


def _trace(seen: _Seen, began: float) -> Trace | None:
    if seen.result is None:
        return None
    zero = seen.result.zero
    return traced(seen.result, None if zero is None else zero.monotonic - began)


class _CallableModule(ModuleType):
    """This module, called as the public `validator.run`, whose name it shares."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what `validator.library.run` does."""
        from validator import library  # noqa: PLC0415 - it stands above, and is the public face

        return library.run(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
