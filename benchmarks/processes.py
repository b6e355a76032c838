"""Requests per second from two processes against one, with a server that is not the limit.

python benchmarks/processes.py [--requests N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.executors.processes import Processes
from validator.ledger import ledger
from validator.load import LoadPlan, load

MUST, AIM = 1.8, 1.95
CONCURRENCY = 20
CHUNKS = 50


@contextmanager
def serving() -> Iterator[str]:
    """Compile and run the C server; yields its URL."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit("no C compiler: the benchmark's server cannot be built")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "server"
        source = Path(__file__).with_name("stream_server.c")
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([program, str(CHUNKS)], **pipes) as server:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
            assert server.stdin is not None
            server.stdin.close()


def measure(url: str, requests: int, processes: int) -> tuple[float, float, float]:
    """Return requests a second, the cores that were used, and requests a second of one core."""
    driver = Chat(Connection(url, "sk-none", 60.0), model="m", prompts=("a",))
    plan = LoadPlan(driver, requests, CONCURRENCY)
    found = ledger(asyncio.run(load(plan, executor=Processes(processes))))
    assert found["ok"] == requests, found["errors"]
    assert found["chunks"] == requests * CHUNKS
    rate, cores = found["requests_per_s"], found["client"]["cpu_total"]
    return rate, cores, rate / cores


def main() -> None:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    with serving() as url:
        for _ in range(options.rounds):  # in turns: what else this machine does strikes both
            for processes, rounds in found.items():
                rounds.append(measure(url, options.requests * processes, processes))
    print(f"{'processes':>9} {'req/s':>22} {'cores used':>11} {'req/s a core':>13}")
    for processes, rounds in found.items():
        rates = sorted(rate for rate, _, _ in rounds)
        shown = f"{rates[0]:.0f} {statistics.median(rates):.0f} {rates[-1]:.0f}"
        cores = statistics.median(cores for _, cores, _ in rounds)
        each = statistics.median(each for _, _, each in rounds)
        print(f"{processes:9} {shown:>22} {cores:11.2f} {each:13.0f}")
    ratios = sorted(two[0] / one[0] for one, two in zip(*found.values(), strict=True))
    middle = statistics.median(ratios)
    print(
        f"two against one: {ratios[0]:.2f} {middle:.2f} {ratios[-1]:.2f} (minimum median maximum)"
    )
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"must reach {MUST}, aim {AIM}; {os.cpu_count()} cores, load average {busy:.1f}")
    sys.exit(0 if middle >= MUST else 1)


if __name__ == "__main__":
    main()
