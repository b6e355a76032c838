"""Start the demo server as a process of its own, and be sure that it ends."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
READY_WITHIN = 15.0
STOPS_WITHIN = 5.0


def command(*faults: str, token: float = 5) -> list[str]:
    """Return the command line of a demo server on a free port; a token takes *token* ms."""
    chosen = [part for fault in faults for part in ("--fault", fault)]
    chosen += ["--token", str(token)]
    return [sys.executable, "-m", "validator.demo", "--port", "0", "--with-parent", *chosen]


@contextmanager
def demo(*faults: str, token: float = 5) -> Iterator[str]:
    """Run a demo server with *faults*; yields its URL."""
    with demo_process(*faults, token=token) as (url, _process):
        yield url


@contextmanager
def demo_process(*faults: str, token: float = 5) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a demo server with *faults*; yields its URL and its process."""
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command(*faults, token=token),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            cwd=ROOT,
        ) as process,
    ):
        try:
            line = first_line(process)
            if not line.startswith("ready http://"):
                complaints.seek(0)
                raise AssertionError(f"no demo server: {line!r} {complaints.read()}")
            yield line.removeprefix("ready ").strip(), process
        finally:
            stop(process)


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line *process* prints, or nothing when it takes too long."""
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    try:
        return lines.get(timeout=READY_WITHIN)
    except queue.Empty:
        return ""


def stop(process: subprocess.Popen[str]) -> int:
    """End *process* by its id, gently at first; return its exit code."""
    process.terminate()
    try:
        return process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
