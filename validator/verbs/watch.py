"""`validator watch`."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from validator.errors import SpecProblems, UsageError, ValidatorError
from validator.verbs.base import leave, verb
from validator.verbs.flags import Flags, detail_flags, spec_flags
from validator.verbs.output import Output, show
from validator.verbs.run import read_recording, watched
from validator.verbs.specs import load

if TYPE_CHECKING:
    from validator.records.recording import Recording

EVERY: Final = 0.05
"""Seconds between two looks at the files."""
GRAIN_NS: Final = 20_000_000
"""How much coarser than our clock the times of files may be."""


@verb("watch")
@click.argument("spec", metavar="SPEC")
@click.option(
    "--replay", metavar="FILE", help="The recording to judge; without one the spec is run once."
)
@spec_flags
@detail_flags
def watch_command(spec: str, **given: Any) -> None:
    """Judge a recording again each time the spec is saved, and show the result.

    The recording is that of `--replay`, or of one run at the start. Ctrl-C ends it.
    """
    from validator.bundled import located

    flags = Flags(**given)
    paths = located((spec,))
    if len(paths) != 1:
        raise UsageError(f"{spec}: these are {len(paths)} specs, and one can be watched")
    file = paths[0]
    recording = _recording(file, flags)
    # What a script starts in the background ignores Ctrl-C unless it asks for it, as runs do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _watch(file, flags, recording)
    except KeyboardInterrupt:
        leave(0)


def _recording(file: Path, flags: Flags) -> Recording:
    """Return what is to be judged: of an earlier run, or of one that is made now."""
    if flags.replay is None:
        return watched(load(file, flags), flags)
    with suppress(SpecProblems):  # which are shown when it is judged
        return read_recording(load(file, flags), flags.replay)
    from validator.recording import read

    return read(flags.replay)


def _watch(file: Path, flags: Flags, recording: Recording) -> None:
    stamps: dict[Path, int | None] = {file: None}
    while True:
        seen = _stamps(stamps)
        if seen != stamps:
            began = time.time_ns() - GRAIN_NS
            files = {file, *_judged(file, flags, recording)}
            # What was saved while it was judged is judged again.
            stamps = {
                one: seen.get(one, stamp if stamp < began else None)
                for one, stamp in _stamps(files).items()
            }
        time.sleep(EVERY)


def _judged(file: Path, flags: Flags, recording: Recording) -> Iterable[Path]:
    """Judge and draw; return the files that the result depends on."""
    from validator.conclusion import conclude

    began = time.monotonic()
    try:
        spec = load(file, flags)
        report = conclude(spec, recording)
    except SpecProblems as problems:
        click.clear()
        click.echo(problems.drawn(), nl=False)
        return map(Path, problems.sources)
    except ValidatorError as error:
        click.clear()
        click.echo(f"error: {error}")
        return ()
    click.clear()
    show([report], Output(), flags.detail)
    spent = 1000 * (time.monotonic() - began)
    click.echo(f"judged in {spent:.0f} ms; waiting for {file} to be saved, Ctrl-C ends")
    return (Path(name) for name, _ in spec.sources)


def _stamps(files: Iterable[Path]) -> dict[Path, int]:
    """Return when each file was last written; 0 for one that is not there (any more)."""
    found: dict[Path, int] = {}
    for file in files:
        try:
            found[file] = file.stat().st_mtime_ns
        except OSError:  # editors put a new file in the place of the old one
            found[file] = 0
    return found
