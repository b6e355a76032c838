"""The whole of a run, in the order it happens."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from types import ModuleType
from typing import Any

from validator import duration
from validator.drivers import Remarking
from validator.endings import TIMEOUT, ended
from validator.errors import ServerError
from validator.listener import Listener, Silent
from validator.load import Collector, Executor, load, ready, remarks
from validator.observe import Observer, sampling, watching
from validator.probes.websocket import check_installed
from validator.records.observation import Settled, Snapshot
from validator.records.recording import Recording
from validator.redaction import Redaction
from validator.server import started
from validator.settling import settled
from validator.sofar import RoundSoFar, RunSoFar, recorded, round_names, unseen
from validator.spec.model import Load, Spec
from validator.warmup import warm_up


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
    seen = RunSoFar()
    work = _in_order(spec, seen, listener or Silent(), executor)
    why = await ended(work, interrupt=interrupt, within=spec.timeout)
    seen.interrupted = "run timeout" if why == TIMEOUT else why
    return recorded(spec, seen, now)


async def _in_order(
    spec: Spec, seen: RunSoFar, listener: Listener, executor: Executor | None
) -> None:
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
            seen.rounds.append(RoundSoFar(before=found, after=found))
        for one in spec.loads:
            await _round(spec, one, seen, observer, listener, executor)


async def _round(  # noqa: PLR0913, PLR0917 - all that a run is made of
    spec: Spec,
    one: Load,
    seen: RunSoFar,
    observer: Observer,
    listener: Listener,
    executor: Executor | None,
) -> None:
    """Look, send one load, wait, look again; but nothing before whoever is to send it is ready.

    Each round looks for itself before its load: what counted late after the one before it, or
    whatever was sent since, is then in the books of neither.
    """
    now = RoundSoFar(one.name)
    seen.rounds.append(now)
    # Endpoints marked `read: last` are left for the very end: once is enough.
    early = [endpoint for endpoint in spec.endpoints if not endpoint.read_last]
    listener.load(one.name, one.plan)
    await ready(executor)
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
    rounds = [begun.record() for begun in seen.rounds]
    now.settled = await settled(spec, rounds, observer, _today(), news=now.settling)
    _say(_unsettled(now.settled), one.name, seen, listener)
    listener.phase("after")
    wanted = spec.endpoints if one is spec.loads[-1] else early
    now.after = await observer.look(wanted, sequential=spec.sequential)


def _unreachable(before: Mapping[str, Snapshot]) -> bool:
    """Say whether nobody listens there: a load would only repeat that."""
    causes = [s.error.cause if s.error else "" for s in before.values()]
    return bool(causes) and all(cause == "connect" for cause in causes)


def _today() -> date:
    return datetime.now(UTC).date()


def _say(remark: str, load_name: str, seen: RunSoFar, listener: Listener) -> None:
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
async def _serving(spec: Spec, seen: RunSoFar, listener: Listener) -> AsyncIterator[bool]:
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
        after = unseen(spec, "connect", f"the server did not start: {error}")
        seen.rounds = [RoundSoFar(name, after=after) for name in round_names(spec)]
        yield False


class _CallableModule(ModuleType):
    """This module, called as the public `validator.run`, whose name it shares."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Do what `validator.library.run` does."""
        from validator import library  # noqa: PLC0415 - it stands above, and is the public face

        return library.run(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
