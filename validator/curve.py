"""The client's own curve: how far the load was when each sample was taken. Pure.

A sample is marked with two counts of each kind: of the requests that had ended when the read
began, which a truthful counter has at least, and of those that had been sent when it ended, which
it has at most. That takes a few numbers per sample, however long the load was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from validator.records.load import Exchange, LoadResult
from validator.records.observation import CURVES, Progress, Snapshot


def marked(samples: Sequence[Snapshot], result: LoadResult, began: float) -> tuple[Snapshot, ...]:
    """Return *samples*, in order, of a run that *began* at that instant, each with its progress.

    None has any when the clocks cannot be compared, or not every exchange was kept.
    """
    if result.zero is None or result.beyond is not None or result.lost or not samples:
        return tuple(samples)
    late = result.zero.monotonic - began
    starts = [sample.taken - late for sample in samples]
    ends = [sample.taken + sample.elapsed - late for sample in samples]
    # What each exchange adds goes to the first sample that sees it, and so to all after that.
    done = {field: [0] * (len(samples) + 1) for field in CURVES}
    sent = {field: [0] * (len(samples) + 1) for field in CURVES}
    unknown: set[str] = set()
    for exchange in result.exchanges:
        ended, begun = bisect_left(starts, exchange.done), bisect_left(ends, exchange.sent)
        for field, amount in _adds(exchange).items():
            if amount is None:
                unknown.add(field)
            else:
                done[field][ended] += amount
                sent[field][begun] += amount
    known = [field for field in CURVES if field not in unknown]
    so_far = [{field: [*accumulate(counts[field])] for field in known} for counts in (done, sent)]
    return tuple(
        replace(
            sample,
            progress=Progress(
                *({field: counts[field][at] for field in known} for counts in so_far)
            ),
        )
        for at, sample in enumerate(samples)
    )


def _adds(exchange: Exchange) -> dict[str, int | None]:
    """Return what *exchange* adds to each count; None is what only the server knows."""
    ok = exchange.ok
    return {
        "sent": 1,
        "ok": int(ok),
        "failed": int(not ok),
        "tokens.prompt": exchange.prompt_tokens if ok else 0,
        "tokens.completion": exchange.completion_tokens if ok else 0,
        "tokens.cached": exchange.cached_tokens if ok else 0,
    }
