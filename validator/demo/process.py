"""The demo server as a process of its own, for as long as somebody needs it."""

from __future__ import annotations

import importlib.util
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from validator.demo.faults import chosen
from validator.errors import MissingExtra, ServerError

_READY_WITHIN = 20.0
_STOPS_WITHIN = 5.0


@contextmanager
def serving(faults: Sequence[str] = ()) -> Iterator[str]:
    """Run a demo server with *faults* on a free loopback port; yields its URL.

    Raises `UsageError` for an unknown fault, `MissingExtra` without starlette and uvicorn, and
    `ServerError` when it does not start.
    """
    chosen(faults)
    for module in ("starlette", "uvicorn"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra("the demo server", "demo")
    words = [part for fault in faults for part in ("--fault", fault)]
    command = [sys.executable, "-m", "validator.demo", "--port", "0", "--with-parent", *words]
    # A session of its own: Ctrl-C is for the run, which stops the server when it has ended.
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            line = _first_line(process.stdout)
            if not line.startswith("ready "):
                raise ServerError(f"the demo server did not start: {line.strip() or 'no answer'}")
            yield line.removeprefix("ready ").strip()
        finally:
            _stop(process)


def _first_line(stream: IO[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        return lines.get(timeout=_READY_WITHIN)
    except queue.Empty:
        return ""


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
