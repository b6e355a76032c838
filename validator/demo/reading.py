"""One reading of the traffic: six maps by path, from which four pages are written.

All six are about the same requests: those in hand, and those that ended in the last 60 seconds
(the latest 5000 at most). A `rate` is their number over one span: from the first arrival among
them to now if one is in hand, else to the last end; so idle time dilutes nothing, the six agree
with each other. A minute after the last request all figures of a path are 0. A path without
errors or without streams is missing from the map that is about them.

| map | what is counted | what `avg` to `p99` are about |
|---|---|---|
| `requests` | requests that came | how many were in hand when one came, itself included |
| `responses` | requests answered in full and without an error | seconds to the last byte |
| `tokens` | prompt and completion tokens | tokens of one answered request |
| `errors` | refused, broken and cancelled requests | seconds until that |
| `latency` | requests that ended: responses and errors | seconds until that |
| `streaming` | streams answered in full | seconds to the first token |

Times are seconds; percentiles interpolate between the two closest ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from validator.demo.traffic import WINDOW, PathAccount, Ticket, Traffic

MAPS = ("requests", "responses", "tokens", "errors", "latency", "streaming")
QUIET = ("requests", "responses", "tokens", "latency")
"""The maps that every path is in."""
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
MEASURES = ("avg", "min", "max", *PERCENTILES)
SHORTEST = 0.001
"""Seconds that a span has at least."""

Document = dict[str, Any]


def measured(values: Iterable[float]) -> Document:
    """Return avg, min, max and percentiles of *values*; zeros of nothing."""
    ordered = sorted(values)
    if not ordered:
        return dict.fromkeys(MEASURES, 0.0)
    return {
        "avg": round(math.fsum(ordered) / len(ordered), 6),
        "min": round(ordered[0], 6),
        "max": round(ordered[-1], 6),
        **{name: round(percentile(ordered, share), 6) for name, share in PERCENTILES.items()},
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which *share* of the values lie."""
    rank = share * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


@dataclass(slots=True)
class Group:
    """The requests of one path that a reading is about."""

    ended: list[Ticket]
    active: list[Ticket]
    now: float

    @property
    def tickets(self) -> list[Ticket]:
        """All of them."""
        return self.ended + self.active

    @property
    def good(self) -> list[Ticket]:
        """Those answered in full and without an error."""
        return [ticket for ticket in self.ended if ticket.ok]

    @property
    def bad(self) -> list[Ticket]:
        """Those that ended otherwise."""
        return [ticket for ticket in self.ended if not ticket.ok]

    @property
    def streams(self) -> list[Ticket]:
        """Streams answered in full."""
        return [ticket for ticket in self.good if ticket.streaming and ticket.first_token]

    @property
    def span(self) -> float:
        """Seconds from the first arrival to the last end, or to now."""
        first = min(ticket.arrived for ticket in self.tickets)
        last = self.now if self.active else max(ticket.ended or 0.0 for ticket in self.ended)
        return max(last - first, SHORTEST)


@dataclass(slots=True)
class Reading:
    """What the pages about traffic are written from; faults may bend it."""

    now: float
    timestamp: float
    uptime: float
    groups: dict[str, Group]
    maps: Document
    streaming_stats: Document
    totals: dict[str, PathAccount]
    error_share: float
    """Percent of the requests that ended in the window."""

    @property
    def document(self) -> Document:
        """The page `/metrics`."""
        return {**self.maps, "streaming_stats": self.streaming_stats}


def read(traffic: Traffic, now: float) -> Reading:
    """Read the traffic at the instant *now*."""
    groups: dict[str, Group] = {}
    for ticket in traffic.ended:
        if ticket.ended is not None and now - ticket.ended <= WINDOW:
            groups.setdefault(ticket.path, Group([], [], now)).ended.append(ticket)
    for ticket in traffic.active:
        groups.setdefault(ticket.path, Group([], [], now)).active.append(ticket)
    maps: Document = {name: {} for name in MAPS}
    for path in traffic.paths:
        rows = _rows(groups[path]) if path in groups else _zeros()
        for name, row in rows.items():
            maps[name][path] = row
    ended = sum(len(group.ended) for group in groups.values())
    bad = sum(len(group.bad) for group in groups.values())
    return Reading(
        now=now,
        timestamp=traffic.epoch + now,
        uptime=now - traffic.started,
        groups=groups,
        maps=maps,
        streaming_stats=_streaming(traffic, groups.values()),
        totals=dict(traffic.paths),
        error_share=100 * bad / ended if ended else 0.0,
    )


def _zeros() -> dict[str, Document]:
    return {name: {"rate": 0.0, **measured(())} for name in QUIET}


def _rows(group: Group) -> dict[str, Document]:
    per = 1 / group.span

    def row(tickets: Sequence[Ticket], value: Callable[[Ticket], float]) -> Document:
        return {"rate": round(len(tickets) * per, 6), **measured(map(value, tickets))}

    tokens = sum(ticket.tokens for ticket in group.tickets)
    rows = {
        "requests": row(group.tickets, lambda ticket: ticket.in_hand),
        "responses": row(group.good, lambda ticket: ticket.seconds),
        "tokens": row(group.good, lambda ticket: ticket.tokens) | {"rate": round(tokens * per, 6)},
        "latency": row(group.ended, lambda ticket: ticket.seconds),
    }
    if group.bad:
        rows["errors"] = row(group.bad, lambda ticket: ticket.seconds)
    if group.streams:
        rows["streaming"] = row(group.streams, first_token)
    return rows


def first_token(ticket: Ticket) -> float:
    """Return the seconds from the arrival of a stream to its first token."""
    assert ticket.first_token is not None
    return ticket.first_token - ticket.arrived


def _speed(ticket: Ticket) -> float:
    """Return the completion tokens a second of a stream, from its arrival to its last token."""
    assert ticket.last_token is not None
    return ticket.completion_tokens / max(ticket.last_token - ticket.arrived, SHORTEST)


def _streaming(traffic: Traffic, groups: Iterable[Group]) -> Document:
    streams = [ticket for group in groups for ticket in group.streams]
    return {
        "active_streams": traffic.streams.active,
        "completed_streams": traffic.streams.completed,
        "failed_streams": traffic.streams.failed,
        "ttft": measured(map(first_token, streams)) if streams else {},
        "tokens_per_second": measured(map(_speed, streams)) if streams else {},
    }
