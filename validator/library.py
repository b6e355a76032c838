"""The tool as a library: what the command line does, as calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from validator.conclusion import conclude
from validator.errors import UsageError
from validator.executors import loops
from validator.listener import Listener
from validator.load import Executor
from validator.records.verdict import Report, Severity
from validator.registry import suggest
from validator.reporters import REPORTERS
from validator.run import run as watched
from validator.spec.model import Spec


def run(
    spec: Spec,
    *,
    listener: Listener | None = None,
    fail_on: Severity = Severity.CRITICAL,
    executor: Executor | None = None,
) -> Report:
    """Run *spec* from start to end and judge it. Not for use inside an event loop.

    The load is sent from this process, or from where *executor* sends it: `Processes(4)`.
    """
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError("an event loop is running here, as in a notebook: `await run_async(spec)`")
    return loops.run(run_async(spec, listener=listener, fail_on=fail_on, executor=executor))


async def run_async(
    spec: Spec,
    *,
    listener: Listener | None = None,
    fail_on: Severity = Severity.CRITICAL,
    executor: Executor | None = None,
) -> Report:
    """Run *spec* from start to end and judge it, on the running event loop."""
    recording = await watched(spec, listener=listener, executor=executor)
    return conclude(spec, recording, fail_on=fail_on)


def render(form: str, *reports: Report) -> str:
    """Return reports as text in a form of `--report`; several become one combined report."""
    if form not in REPORTERS:
        raise UsageError(f"no report {form!r}: {suggest(form, REPORTERS, 'formats')}")
    return REPORTERS[form](reports)
