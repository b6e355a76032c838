"""Requests per second from two processes against one, with a server that is not the limit.

python benchmarks/processes.py [--requests N] [--rounds N] [--chunks N]

The server has one answer, kept ready, of chunks that each have to be decoded: its share of the
machine's cores is small, and is printed. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from load import compiled, server  # beside this file

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.executors.processes import Processes
from validator.ledger import ledger
from validator.load import LoadPlan, load

MUST, AIM = 1.8, 1.95
CONCURRENCY = 20


@dataclass(frozen=True)
class Turn:
    """What one load achieved."""

    rate: float
    """Requests a second."""
    cores: float
    """That the clients used."""
    served: float
    """Cores that the server used."""


def measure(binary: Path, requests: int, chunks: int, processes: int) -> Turn:
    """Send a load from so many processes."""
    with server(binary, "varied", chunks, 0, 0) as (url, told):
        driver = Chat(Connection(url, "sk-none", 60.0), model="m", prompts=("a",))
        plan = LoadPlan(driver, requests, CONCURRENCY)
        found = ledger(asyncio.run(load(plan, executor=Processes(processes))))
    assert found["ok"] == requests, found["errors"]
    assert found["chunks"] == requests * chunks
    served = int(told[-1].split()[1]) / 1e9 / found["duration_s"]
    return Turn(found["requests_per_s"], found["client"]["cpu_total"], served)


def main() -> None:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=200)
    options = parser.parse_args()
    found: dict[int, list[Turn]] = {1: [], 2: []}
    with compiled() as binary:
        for _ in range(options.rounds):  # in turns: what else this machine does strikes both
            for processes, turns in found.items():
                many = options.requests * processes
                turns.append(measure(binary, many, options.chunks, processes))
    print("processes                  req/s  cores used  by the server  req/s a core")
    for processes, turns in found.items():
        rates = sorted(turn.rate for turn in turns)
        shown = f"{rates[0]:.0f} {statistics.median(rates):.0f} {rates[-1]:.0f}"
        cores = statistics.median(turn.cores for turn in turns)
        served = statistics.median(turn.served for turn in turns)
        each = statistics.median(turn.rate / turn.cores for turn in turns)
        print(f"{processes:9} {shown:>22} {cores:11.2f} {served:14.2f} {each:13.0f}")
    ratios = sorted(two.rate / one.rate for one, two in zip(*found.values(), strict=True))
    middle = statistics.median(ratios)
    print(
        f"two against one: {ratios[0]:.2f} {middle:.2f} {ratios[-1]:.2f} (minimum median maximum)"
    )
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"must reach {MUST}, aim {AIM}; {os.cpu_count()} cores, load average {busy:.1f}")
    sys.exit(0 if middle >= MUST else 1)


if __name__ == "__main__":
    main()
