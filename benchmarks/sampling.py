"""What sampling costs the load: the client's time to first token with `during:` and without.

python benchmarks/sampling.py [--pairs 12] [--url URL]

Pairs of runs, one without `during:` and one with `during: {every: 250ms}` on the pages that are
sampled most; which of the two comes first alternates. Prints how the p50 of the time to first token
of each pair compares, and ends with status 1 when the median changes by 5 % or more. Without --url
each run has a demo server of its own, because pages grow with what a server has seen.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from validator import Overrides, load_spec, run

REQUESTS, CONCURRENCY = 100, 10
BUDGET = 0.05
PAGES = ("/dynamo/metrics/json", "/kv-cache/metrics", "/metrics", "/dcgm/metrics/json")
HEAD = f"""version: 1
title: sampling
target: {{url: http://localhost:8000}}
load:
  model: openai/gpt-oss-120b
  requests: {REQUESTS}
  concurrency: {CONCURRENCY}
  stream: true
  max_tokens: 50
  prompts: [Write a haiku about programming, Describe what an API is]
settle: {{within: 200ms}}
endpoints:
"""
PAGE = """  page{number}:
    get: {path}
{during}    assert: [{{path: $, exists: true}}]
"""


def spec(folder: Path, *, sampled: bool) -> Path:
    """Write the spec of one kind of run."""
    during = "    during: {every: 250ms}\n" if sampled else ""
    pages = "".join(
        PAGE.format(number=number, path=path, during=during) for number, path in enumerate(PAGES)
    )
    path = folder / f"{'sampled' if sampled else 'plain'}.yaml"
    path.write_text(HEAD + pages)
    return path


@contextlib.contextmanager
def server(url: str | None) -> Iterator[str]:
    """Yield *url*, else that of a demo server."""
    if url is not None:
        yield url
        return
    command = [sys.executable, "-m", "validator.demo", "--port", "0", "--with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("ready ").strip()
        finally:
            process.terminate()


def first_token(path: Path, given: str | None) -> float:
    """Return the p50 of the time to first token of one run, in ms."""
    with server(given) as url:
        report = run(load_spec(path, Overrides(url=url)))
    assert isinstance(report.load, dict)
    times = report.load["ttft_ms"]
    assert isinstance(times, dict)
    if report.load["ok"] != REQUESTS or not isinstance(times["p50"], float):
        raise SystemExit(f"the load failed: {report.load['outcomes']}")
    return times["p50"]


def main() -> int:
    """Measure pairs, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--url")
    given = parser.parse_args()
    ratios = []
    seen: dict[Path, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        plain, sampled = (spec(Path(name), sampled=one) for one in (False, True))
        first_token(plain, given.url)  # imports are nobody's cost
        for pair in range(given.pairs):
            order = (plain, sampled) if pair % 2 == 0 else (sampled, plain)
            times = {path: first_token(path, given.url) for path in order}
            for path in order:
                seen.setdefault(path, []).append(times[path])
            ratios.append(times[sampled] / times[plain])
            print(f"{times[plain]:8.2f} ms without {times[sampled]:8.2f} ms with {ratios[-1]:7.3f}",
                  flush=True)  # fmt: skip
    median = statistics.median(ratios)
    print(f"ratio of the TTFT p50: min {min(ratios):.3f}, median {median:.3f}, "
          f"max {max(ratios):.3f}; {given.pairs} pairs of {REQUESTS} requests")  # fmt: skip
    # What else the machine does only ever adds: the quieter half shows sampling alone.
    quiet = [statistics.median(sorted(seen[path])[: (given.pairs + 1) // 2]) for path in seen]
    by_path = dict(zip(seen, quiet, strict=True))
    print(f"of the quieter half of the runs: {by_path[sampled] / by_path[plain]:.3f}")
    return 0 if abs(median - 1) < BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
