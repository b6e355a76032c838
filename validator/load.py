"""The load stage: requests sent, and what came back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from validator.executors import local
from validator.executors.local import Collector, OnExchange
from validator.plan import LoadPlan
from validator.records.load import LoadResult

__all__ = ["Collector", "Executor", "LoadPlan", "load", "ready", "remarks"]


class Executor(Protocol):
    """Where a load runs, if not in this process."""

    async def ready(self) -> None:
        """Raise UsageError if no load can run there now; asked before anything is looked at."""

    async def run(
        self, plan: LoadPlan, *, on_exchange: OnExchange, collector: Collector | None
    ) -> LoadResult:
        """Send what *plan* says, as `load` does."""
        ...


async def ready(executor: Executor | None) -> None:
    """Make sure that a load can be sent as *executor* does; raise UsageError if it cannot."""
    if executor is not None:
        await executor.ready()


def remarks(plan: LoadPlan, result: LoadResult) -> Iterator[str]:
    """Yield what a person should know about how a load went, apart from its failures."""
    if result.aborted:
        yield f"the load was given up: {result.aborted}"
    if result.held_back:
        yield (
            f"{result.held_back} requests were due and had to wait in the client, with "
            f"{plan.concurrency} in flight already: raise concurrency, or ask for a lower rate"
        )
    if result.unsent:
        yield f"{result.unsent} requests were due and not sent before the load's duration was over"
    if result.lost:
        yield "part of the load was lost: settling waits for nothing that compares with its ledger"


async def load(
    plan: LoadPlan,
    *,
    on_exchange: OnExchange = local.ignore,
    collector: Collector | None = None,
    executor: Executor | None = None,
) -> LoadResult:
    """Send what *plan* says, from here or as *executor* does, until every request has ended.

    When cancelled, what had come so far is in *collector*, requests in flight as `cancelled`.
    """
    run = local.run if executor is None else executor.run
    return await run(plan, on_exchange=on_exchange, collector=collector)
