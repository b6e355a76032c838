"""The load stage: requests sent, and what came back."""

from __future__ import annotations

from validator.executors import local
from validator.executors.local import Collector, OnExchange
from validator.plan import LoadPlan
from validator.records.load import LoadResult

__all__ = ["Collector", "LoadPlan", "load"]


async def load(
    plan: LoadPlan,
    *,
    on_exchange: OnExchange = local.ignore,
    collector: Collector | None = None,
) -> LoadResult:
    """Send what *plan* says, and return once every request has ended.

    When cancelled, what had come so far is in *collector*, requests in flight as `cancelled`.
    """
    return await local.run(plan, on_exchange=on_exchange, collector=collector)
