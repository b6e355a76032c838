"""The load stage: requests sent, and what came back."""

from __future__ import annotations

from validator.drivers.base import Driver
from validator.executors import local
from validator.executors.local import Collector, OnExchange
from validator.records.load import LoadResult

__all__ = ["Collector", "load"]


async def load(
    driver: Driver,
    requests: int,
    concurrency: int,
    *,
    on_exchange: OnExchange = local.ignore,
    collector: Collector | None = None,
) -> LoadResult:
    """Send *requests* requests, at most *concurrency* at a time, and return once all have ended.

    When cancelled, what had come so far is in *collector*, requests in flight as `cancelled`.
    """
    return await local.run(
        driver, range(requests), concurrency, on_exchange=on_exchange, collector=collector
    )
