"""CPU of the calls that people wait for: medians of five runs, beside their budgets.

python benchmarks/startup.py
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

RUNS = 5
PATHS = 500
ASSERTIONS = 10_000
MEGABYTE = 1_000_000
VALIDATOR = (sys.executable, "-m", "validator")


def cpu(*arguments: str) -> float:
    """Return the CPU seconds of one call, all its processes together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*VALIDATOR, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or b"Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spec(path: Path, assertions: list[str]) -> str:
    """Write a spec with these *assertions* about one page; return its path."""
    lines = "\n".join(f"      - {assertion}" for assertion in assertions)
    path.write_text(
        "version: 1\ntitle: generated\ntarget: {url: 'http://127.0.0.1:1'}\n"
        "load: {model: m, requests: 1, prompts: [a]}\n"
        f"endpoints:\n  page:\n    get: /page\n    assert:\n{lines}\n"
    )
    return str(path)


def small(folder: Path) -> str:
    """Write a spec of many different paths."""
    kinds = (
        "{path: '$.a%d.b[0].c', type: number}",
        '{path: "$.list%d[*].value", each: {ge: 0}}',
        "{path: $.x.y%d, delta: {eq: 5}, severity: warning}",
        "{path: \"$.models['gpt-%d'].requests\", between: [0, 100], name: requests of one}",
        "{path: $..deep%d, exists: true}",
    )
    return spec(folder / "paths.yaml", [kinds[n % len(kinds)] % n for n in range(PATHS)])


def large(folder: Path) -> tuple[str, str]:
    """Write a spec of many assertions, and a recording of the page they are about."""
    rows = ASSERTIONS // 4
    padding = "x" * (MEGABYTE // rows - 60)
    page = {"rows": [{"id": n, "value": n / 7, "name": padding} for n in range(rows)], "total": 9}
    assertions = [
        text % n
        for n in range(rows)
        for text in (
            "{path: '$.rows[%d].id', type: integer, ge: 0}",
            "{path: '$.rows[%d].value', type: number, between: [0, 1000]}",
            "{path: '$.rows[%d].name', length: {gt: 10}, severity: warning}",
            "{path: '$.rows[%d].id', delta: {eq: 0}, severity: info}",
        )
    ]
    snapshot = {"document": page, "error": None, "status": 200, "taken_s": 0.0, "elapsed_s": 0.0}
    look = {"page": snapshot}
    recording = {
        "recording": 1, "title": "generated", "spec": "large.yaml", "target": "http://127.0.0.1:1",
        "started": "2026-01-01T00:00:00+00:00", "elapsed_s": 1.0, "interrupted": "", "remarks": [],
        "load": {"sent": 1, "ok": 1, "success_rate": 1.0, "duration_s": 1.0}, "settle": None,
        "before": look, "during": {}, "after": look,
    }  # fmt: skip
    file = folder / "recording.json"
    file.write_text(json.dumps(recording))
    return spec(folder / "large.yaml", assertions), str(file)


def main() -> None:
    """Measure, and print a line for each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = small(folder)
        many, recording = large(folder)
        reports = [
            part
            for kind in ("json", "csv", "table")
            for part in ("--report", f"{kind}={folder / kind}")
        ]
        calls: tuple[tuple[str, float, Callable[[], float]], ...] = (
            ("validator --help", 0.15, lambda: cpu("--help")),
            (f"validator lint, {PATHS} paths", 0.60, lambda: cpu("lint", paths)),
            (
                f"{ASSERTIONS} assertions on 1 MB, three reports",
                1.50,
                lambda: cpu("run", many, "--replay", recording, *reports),
            ),
        )
        print(f"{'call':42} {'budget':>8} {'median':>8} {'least':>8}   CPU seconds, {RUNS} runs")
        missed = 0
        for what, budget, measure in calls:
            found = [measure() for _ in range(RUNS)]
            median = statistics.median(found)
            missed += median > budget
            mark = "" if median <= budget else "   over budget"
            print(f"{what:42} {budget:8.2f} {median:8.2f} {min(found):8.2f}{mark}")
        sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
