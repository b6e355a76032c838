"""`validator run`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from validator.errors import UsageError, together
from validator.verbs.base import INTERRUPTED, leave, verb
from validator.verbs.flags import NEW, VACUOUS, Flags, run_flags
from validator.verbs.output import check_apart, chosen, console, show
from validator.verbs.specs import files, loaded

if TYPE_CHECKING:
    import asyncio

    from validator.load import Executor
    from validator.records.recording import Recording
    from validator.records.verdict import Report, Severity
    from validator.spec.model import Spec

T = TypeVar("T")


@verb("run")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@run_flags
def run_command(specs: tuple[str, ...], **flags: Any) -> None:
    """Run specs: files, folders, globs or bundled names such as those of `validator list`."""
    leave(perform(files(specs), Flags(**flags)))


def perform(paths: Sequence[Path], flags: Flags, url: str | None = None) -> int:
    """Run every spec and show the reports; return the exit code."""
    from validator.records.verdict import Severity

    output = chosen(flags.reports)
    if len(paths) > 1 and (flags.record or flags.replay):
        raise UsageError("--record and --replay go with one spec")
    if flags.record and flags.replay:
        raise UsageError("--record keeps what a run sees, and --replay sees nothing new: give one")
    check_apart(output, "--record ", flags.record)
    check_apart(output, "--replay ", flags.replay)
    executor_for(flags)  # flags that contradict each other are refused before anything is read
    if flags.record is not None:
        from validator.files import check_writable

        check_writable(Path(flags.record))
    specs = loaded(paths, flags, url)
    baseline = _baseline(flags, specs)
    severities = [Severity(word) for word in flags.fail_on if word not in (VACUOUS, NEW)]
    fail_on = min(severities, default=Severity.CRITICAL, key=lambda s: s.rank)
    reports: list[Report] = []
    unwritten: list[UsageError] = []
    for spec in specs:
        report = _one(spec, flags, fail_on, unwritten)
        if baseline:
            from validator.comparison import against

            report = against(report, baseline, only_new=NEW in flags.fail_on)
        reports.append(report)
        if report.exit_code == INTERRUPTED:
            break
    try:
        show(reports, output, flags.detail)
    except UsageError as error:
        unwritten.append(error)
    if unwritten:  # a recording that is lost is no reason to lose the verdicts too
        raise together(unwritten)
    return max(report.exit_code for report in reports)


def _baseline(flags: Flags, specs: Sequence[Spec]) -> list[Report]:
    """Read the baseline before any load is sent, and be sure that it is of these specs."""
    if flags.baseline is None:
        if NEW in flags.fail_on:
            raise UsageError("--fail-on new: what is new? Give the earlier run: --baseline FILE")
        return []
    from validator.comparison import check_baseline
    from validator.reporters.saved import read

    baseline = read(flags.baseline)
    check_baseline(baseline, {spec.file: spec.title for spec in specs}, flags.baseline)
    return baseline


def executor_for(flags: Flags) -> Executor | None:
    """Return what is to send the load, if not this process."""
    if flags.processes is None and flags.dask is None:
        return None
    given = "--dask" if flags.processes is None else "--processes"
    if flags.replay is not None:
        raise UsageError(f"{given} is about sending a load, and --replay sends none: give one")
    if flags.dask is None:
        assert flags.processes is not None
        from validator.executors.processes import Processes

        return Processes(flags.processes)
    if flags.processes is not None:
        raise UsageError("--processes and --dask each say who sends the load: give one")
    from validator.executors.distributed import Cluster

    return Cluster(flags.dask)


def _one(spec: Spec, flags: Flags, fail_on: Severity, unwritten: list[UsageError]) -> Report:
    """Run or replay one spec; add to *unwritten* why its recording could not be."""
    if flags.replay is not None:
        recording = read_recording(spec, flags.replay)
    else:
        recording = watched(spec, flags)
    if flags.record is not None:
        from validator.files import write
        from validator.recording import written
        from validator.redaction import Redaction

        try:
            write(Path(flags.record), written(Redaction(spec.secrets).record(recording)))
        except UsageError as error:
            unwritten.append(error)
    from validator.conclusion import conclude

    return conclude(spec, recording, fail_on=fail_on, fail_on_vacuous=VACUOUS in flags.fail_on)


def check_fits(spec: Spec, recording: Recording, file: str) -> None:
    """Refuse a recording in which nothing is what *spec* asks about."""
    sights = [one.observations for one in recording.rounds]
    held = {name: None for seen in sights for name in (*seen.before, *seen.after)}
    asked = [endpoint.id for endpoint in spec.endpoints]
    if asked and held and not any(name in held for name in asked):
        raise UsageError(
            f"{file}: a recording of another spec: it has the endpoints {', '.join(held)},"
            f" and {spec.file} asks about {', '.join(asked)}"
        )


def read_recording(spec: Spec, file: str) -> Recording:
    """Return what is judged instead of a run, having said on stderr that it is.

    Raises `UsageError` when nothing in it is what *spec* asks about.
    """
    from validator.recording import read

    recording = read(file)
    check_fits(spec, recording, file)
    when = recording.started.partition(".")[0].partition("+")[0].replace("T", " ")
    said = [f"nothing is sent or read: judging {file}, recorded {when} UTC"]
    ledgers = {one.load: one.ledger for one in recording.rounds}
    for load in spec.loads:
        ledger, asked = ledgers.get(load.name), load.plan.requests
        sent = ledger.get("sent") if isinstance(ledger, dict) else None
        if asked is not None and sent is not None and sent != asked:
            which = f"the load {load.name}" if load.name else "the load"
            said.append(f"{which} of the spec is {asked} requests, that of the recording {sent}")
    for line in said:
        console(stderr=True).print(line, markup=False)
    return recording


def watched(spec: Spec, flags: Flags) -> Recording:
    """Run *spec* with its progress on stderr; Ctrl-C ends it early, a second one at once."""
    from validator.listener import Silent
    from validator.progress import shown
    from validator.run import run

    def go(listener: Any) -> Recording:
        return interruptible(
            lambda stop: run(spec, listener=listener, interrupt=stop, executor=executor_for(flags))
        )

    if flags.quiet:
        return go(Silent())
    with shown(console(stderr=True)) as listener:
        return go(listener)


def interruptible(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Do *work* on an event loop; Ctrl-C sets its event, and a second one ends it at once."""
    import asyncio
    import signal

    from validator.executors import loops

    async def go() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # All of these end a process at once, and would leave a started server behind.
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]

        def interrupt() -> None:
            stop.set()
            for number in numbers:
                loop.remove_signal_handler(number)

        for number in numbers:
            try:
                loop.add_signal_handler(number, interrupt)
            except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt, and main ends
                numbers.clear()
                break
        try:
            return await work(stop)
        finally:  # a loop leaves its handlers behind, and what comes next could not be ended
            for number in numbers:
                loop.remove_signal_handler(number)

    return loops.run(go())
