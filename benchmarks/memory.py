"""Memory of a load's exchanges and time for its ledger: kB a request, and MB in all.

python benchmarks/memory.py [--requests N] [--chunks N]
"""

from __future__ import annotations

import argparse
import pickle
import random
import resource
import subprocess
import sys
import time
from array import array

BUDGETS = {100_000: 400, 1_000_000: 2048}
"""MB that a process may take for so many requests of 50 chunks."""


def megabytes() -> float:
    """Return the most memory that this process ever had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def measure(requests: int, chunks: int) -> None:
    """Keep so many exchanges as a load does, take the ledger, and print a line."""
    from validator.executors.local import Collector  # noqa: PLC0415 - in a process of its own
    from validator.ledger import ledger  # noqa: PLC0415
    from validator.records.load import Exchange  # noqa: PLC0415

    chance = random.Random(4)  # noqa: S311 - not for secrets
    some = [array("d", (chance.lognormvariate(-5, 0.5) for _ in range(chunks))) for _ in range(997)]
    collector = Collector()
    before = megabytes()
    began = time.process_time()
    for n in range(requests):
        at = n / 1000
        collector.started()
        collector.ended(
            Exchange(
                *(n, "some-model", at, at, at + 1 + chance.random(), "ok"),
                first_event=at + chance.random() / 10,
                first_token=at + chance.random(),
                last_token=at + 1 + chance.random(),
                gaps=some[n % len(some)],
                chunks=chunks + 1,
                prompt_tokens=12,
                completion_tokens=chunks + 1,
                cached_tokens=0,
                token_source="usage",  # noqa: S106 - no password
            )
        )
    kept = time.process_time()
    loaded = megabytes()
    result = collector.result()
    found = ledger(result)
    done = time.process_time()
    most = megabytes()
    size = len(pickle.dumps(result, protocol=5)) / requests
    times = f"{1e6 * (kept - began) / requests:8.1f} {done - kept:8.1f}"
    memory = f"{(loaded - before) * 1e3 / requests:8.2f} {loaded:8.0f} {most:8.0f}"
    assert found["itl_ms"]["count"] == requests * chunks
    print(f"{requests:10} {memory} {size / 1e3:8.2f} {times}", flush=True)


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--chunks", type=int, default=50)
    options = parser.parse_args()
    if options.requests:
        measure(options.requests, options.chunks)
        return
    print(
        f"{'requests':>10} {'kB each':>8} {'MB load':>8} {'MB most':>8} {'kB pick':>8} "
        f"{'µs each':>8} {'s ledger':>8}"
    )
    for requests in BUDGETS:
        command = (sys.executable, __file__, "--requests", str(requests), "--chunks", "50")
        subprocess.run(command, check=True, timeout=600)


if __name__ == "__main__":
    main()
