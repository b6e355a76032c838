"""False alarms: every bundled spec against truthful servers, with idle and with busy cores.

python benchmarks/false_alarms.py [--rounds 10] [--concurrency 1,10,50] [--spec NAME] [--jobs 2]

Each spec has a demo server of its own, and runs on it in rounds, at each concurrency, first with
idle cores and then with every core kept busy by processes that this script starts and stops. After
the first round the server is a warm one. Whatever is not a pass is printed; only what the client
was too late to decide is none of the server's doing, and is counted apart. Ends with status 1 when
there was a false alarm.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from validator import Overrides, Setting, Status, Verdict, load_spec, run
from validator.bundled import located, names
from validator.spec.suite import members

BUSY = "busy"
HOGS_A_CORE = 2
LONGEST = 4 * 3600
"""Seconds after which a process that keeps a core busy ends by itself, should we not get to it."""
UNDECIDED = "not decidable: the client"
ONE_BY_ONE = 20
"""Requests at concurrency 1, where a spec's own number would take minutes."""
OWN_REQUESTS = {"fakeai/health"}
"""Specs whose load is made for a certain number of requests."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a truthful demo server; yields its URL."""
    command = [sys.executable, "-m", "validator.demo", "--port", "0", "--with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready "):
                raise SystemExit(f"no demo server: {line!r}")
            yield line.removeprefix("ready ").strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def cores(state: str) -> Iterator[None]:
    """Keep every core busy while the block lasts, if that is the *state*."""
    end = f"import time\nuntil = time.monotonic() + {LONGEST}\n"
    burn = f"{end}while time.monotonic() < until: pass"
    many = HOGS_A_CORE * (os.cpu_count() or 1) if state == BUSY else 0
    hogs = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(many)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def judged(name: str, url: str, concurrency: int) -> tuple[list[Verdict], int]:
    """Run one bundled spec; return what is no pass, and the exit code."""
    (path,) = located((name,))
    given = {"load.concurrency": str(concurrency)}
    if concurrency == 1 and name not in OWN_REQUESTS:
        given["load.requests"] = str(ONE_BY_ONE)
    settings = tuple(Setting(key, tuple(key.split(".")), text) for key, text in given.items())
    report = run(load_spec(path, Overrides(url=url, settings=settings)))
    return [v for v in report.verdicts if v.status is not Status.PASS], report.exit_code


def rounds(name: str, state: str, every: Sequence[int], many: int) -> list[str]:
    """Run one spec again and again; return a line for each kind of run."""
    lines = []
    for concurrency in every:
        alarms: Counter[str] = Counter()
        undecided, codes = 0, set()
        began = time.monotonic()
        with server() as url:
            for number in range(1, many + 1):
                verdicts, code = judged(name, url, concurrency)
                codes.add(code)
                undecided += sum(v.note.startswith(UNDECIDED) for v in verdicts)
                for verdict in verdicts:
                    if not verdict.note.startswith(UNDECIDED):
                        what = f"{verdict.section}: {verdict.name}"
                        alarms[what] += 1
                        if alarms[what] == 1:
                            lines.append(
                                f"  ! {name} c={concurrency} {state} round {number}: {what}\n"
                                f"    {verdict.severity} {verdict.status}: {verdict.actual}; "
                                f"expected {verdict.expected}; {verdict.note}"
                            )
        spent = time.monotonic() - began
        lines.append(
            f"{name:24} {concurrency:4} {state:5} {many:7} {sum(alarms.values()):7} "
            f"{undecided:10} {','.join(map(str, sorted(codes))):>6} {spent:8.0f}"
        )
    return lines


def main() -> int:
    """Run everything, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--concurrency", default="1,10,50")
    parser.add_argument("--spec", action="append", help="instead of every bundled spec")
    parser.add_argument("--cores", choices=["idle", BUSY], action="append")
    parser.add_argument("--jobs", type=int, default=2, help="specs at a time")
    given = parser.parse_args()
    every = [int(text) for text in given.concurrency.split(",")]
    alarmed = False
    print(f"{'spec':24} {'conc':>4} {'cores':5} {'rounds':>7} {'alarms':>7} {'undecided':>10} "
          f"{'exit':>6} {'seconds':>8}", flush=True)  # fmt: skip
    for state in given.cores or ("idle", BUSY):
        with cores(state), ThreadPoolExecutor(given.jobs) as pool:
            work = [
                pool.submit(rounds, name, state, every, given.rounds)
                for name in given.spec or names()
                if members(located((name,))) == located((name,))  # no suite
            ]
            for one in work:
                print("\n".join(lines := one.result()), flush=True)
                alarmed |= any(line.startswith("  !") for line in lines)
    return 1 if alarmed else 0


if __name__ == "__main__":
    sys.exit(main())
