"""What makes a level say less than it seems to, such as a client that was late. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from validator.benchmark.records import Axis, Bench, Ledger, Level, figure
from validator.decidability import BUSY

LATE: Final = {"p50": 0.25, "p99": 0.5}
"""The greatest share of a time that the client's own lateness, at the same quantile, may be."""


def doubts(bench: Bench, level: Level) -> list[str]:
    """Return what speaks against the figures of a level; of several runs, each reason once."""
    found: dict[str, str] = {}
    for ledger in level.ledgers:
        for kind, text in _reasons(bench.axis, level, ledger):
            found.setdefault(kind, text)
    return list(found.values())


def client_bound(ledger: Ledger) -> str:
    """Say how the client was the bottleneck of a load; nothing if it was not."""
    share = figure(ledger, "client.cpu_share")
    if share is not None and share >= BUSY:
        return f"the client was the bottleneck: it used {100 * share:.0f} % of a CPU"
    for quantile, most in LATE.items():
        late = figure(ledger, f"client.lag_ms.{quantile}")
        name, told = "TTFT", figure(ledger, f"ttft_ms.{quantile}")
        if told is None:
            name, told = "latency", figure(ledger, f"wall_ms.{quantile}")
        if late is not None and told is not None and late > most * told:
            beside = f"beside a {name} of {told:.3g} ms"
            return f"the client was late: event-loop lag {quantile} {late:.3g} ms {beside}"
    return ""


def lost_shares(ledger: Ledger) -> str:
    """Say which shares of a load nobody knows the outcome of; nothing if all came home."""
    client = ledger.get("client")
    shares = client.get("lost") if isinstance(client, dict) else None
    return "; ".join(map(str, shares)) if isinstance(shares, list) else ""


def _reasons(axis: Axis, level: Level, ledger: Ledger) -> Iterator[tuple[str, str]]:
    if text := client_bound(ledger):
        yield "client", text
    if lost := lost_shares(ledger):
        yield "lost", f"part of the load is unknown: {lost}"
    if held := figure(ledger, "client.held_back"):
        yield "held", f"{held} requests were due and waited in the client for room"
    if unsent := figure(ledger, "client.unsent"):
        yield "unsent", f"{unsent} requests were due and never sent"
    if aborted := ledger.get("aborted"):
        yield "aborted", f"given up: {aborted}"
    most = figure(ledger, "in_flight_max")
    if axis is Axis.CONCURRENCY and most is not None and most < level.at:
        yield "room", f"never more than {most} in flight: give more --requests"
