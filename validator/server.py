"""Start the server of a `server:` block, wait until it is ready, and always stop it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from validator.duration import written
from validator.errors import ProbeError, ServerError
from validator.probes.http import HttpProbe, session
from validator.spec.model import ServerPlan
from validator.values import printable

_EVERY = 0.1
_PATIENCE = 5.0
"""Seconds from asking a server to stop to making it."""
_ORPHANS = 1.0
"""Seconds that what a server started may outlive it."""
_ANSWER = 2.0
"""Seconds for one answer to the question whether it is ready."""
_KEPT = 64 * 1024
_MOST_OUTPUT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    reused: bool
    """It ran before us, and goes on after us."""
    _process: subprocess.Popen[bytes] | None = None
    _output: _Output | None = None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs, or if reused."""
        return None if self._process is None else self._process.poll()

    def output_tail(self, lines: int = 20) -> str:
        """Return the last *lines* it printed; nothing if reused."""
        return "" if self._output is None else self._output.tail(lines)


@asynccontextmanager
async def started(
    plan: ServerPlan, target_url: str, *, announce: Callable[[str], None]
) -> AsyncIterator[Running]:
    """Run the plan's server for as long as the block lasts, unless one is ready already.

    Raises `ServerError` when it does not become ready. Whatever happens in the block, the
    server and all it started are gone afterwards; a reused one is left alone.
    """
    url = target_url + plan.ready
    async with session() as opened:
        unready = await _unready(HttpProbe(opened, url, timeout=_ANSWER, follow=False))
    if unready is None:
        if not plan.reuse:
            raise ServerError(f"a server already answers at {url}: stop it, or allow `reuse`")
        announce(f"a server already answers at {url}: using it as it is")
        yield Running(reused=True)
        return
    announce(f"starting {printable(' '.join(plan.command))}")
    with _kept_output() as output:
        process = _spawn(plan, output)
        try:
            await _wait_until_ready(process, plan, url, output)
            trimming = asyncio.create_task(output.keep_bounded())
            try:
                yield Running(reused=False, _process=process, _output=output)
            finally:
                trimming.cancel()
        finally:
            await _stop(process)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _unready(ready: HttpProbe) -> str | None:
    """Return why what *ready* asks is not ready, or None if it is."""
    try:
        payload = await ready.fetch()
    except ProbeError as error:
        return str(error)
    return None if payload.status < 400 else f"HTTP {payload.status}"  # noqa: PLR2004 - where HTTP's errors begin


def _spawn(plan: ServerPlan, output: _Output) -> subprocess.Popen[bytes]:
    name = printable(plan.command[0]) if plan.command else ""
    try:
        return subprocess.Popen(  # noqa: S603 - no shell, and the spec's author chose it
            plan.command,
            stdin=subprocess.DEVNULL,
            stdout=output.file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **dict(plan.env)},
            start_new_session=True,  # a group of its own, to be stopped as a whole
        )
    except FileNotFoundError:
        raise ServerError(f"no command {name!r}: is it installed, and on the PATH?") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ServerError(f"cannot run {name!r}: {said}") from None


async def _wait_until_ready(
    process: subprocess.Popen[bytes], plan: ServerPlan, url: str, output: _Output
) -> None:
    deadline = time.monotonic() + plan.within
    async with session() as opened:
        while True:
            left = max(deadline - time.monotonic(), _EVERY)
            ready = HttpProbe(opened, url, timeout=min(left, _ANSWER), follow=False)
            why = await _unready(ready)
            # Asked after the answer: it may be another server's, while ours could not bind.
            if process.poll() is not None:
                raise ServerError(
                    f"the server ended before it was ready ({_ending(process.returncode)})",
                    output.tail(),
                )
            if why is None:
                return
            if time.monotonic() >= deadline:
                raise ServerError(
                    f"the server was not ready within {written(plan.within)} ({url}: {why})",
                    output.tail(),
                )
            await asyncio.sleep(_EVERY)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, and make it if it does not."""
    try:
        _signal(process, signal.SIGTERM)
        patient_until = time.monotonic() + _PATIENCE
        await _until(lambda: process.poll() is not None, patient_until)
        orphaned_until = min(patient_until, time.monotonic() + _ORPHANS)
        await _until(lambda: not _signal(process, 0), orphaned_until)
    finally:  # a second interrupt ends the patience, not the stopping
        _signal(process, None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)


async def _until(true: Callable[[], bool], deadline: float) -> None:
    while not true():
        if time.monotonic() >= deadline:
            return
        await asyncio.sleep(0.02)


if sys.platform == "win32":

    def _signal(process: subprocess.Popen[bytes], number: int | None) -> bool:
        """Send a signal (None: the deadly one) and say whether anybody was there."""
        if process.poll() is not None:
            return False
        if number is None:
            process.kill()
        elif number:
            process.terminate()
        return True

else:

    def _signal(process: subprocess.Popen[bytes], number: int | None) -> bool:
        """Send the group a signal (None: the deadly one); say whether anybody was there."""
        try:
            os.killpg(process.pid, signal.SIGKILL if number is None else number)
        except (ProcessLookupError, PermissionError):  # macOS: a group of zombies only
            return False
        return True


@dataclass(slots=True)
class _Output:
    """What a server prints: in a file, so that the server never waits for us to read."""

    path: Path
    file: BinaryIO
    _earlier: bytes = field(default=b"")
    _final: bytes | None = None

    def tail(self, lines: int = 20) -> str:
        """Return the last *lines*, printable."""
        raw = self._end() if self._final is None else self._final
        text = raw.decode("utf-8", "replace")
        return "\n".join(printable(line) for line in text.splitlines()[-lines:])

    async def keep_bounded(self) -> None:
        """Drop all but the end whenever there is too much."""
        while True:
            await asyncio.sleep(1)
            self.trim(_MOST_OUTPUT)

    def trim(self, most: int) -> None:
        """Drop all but the end if there are more than *most* bytes."""
        if os.fstat(self.file.fileno()).st_size > most:
            self._earlier = self._end()
            self.file.truncate(0)

    def close(self) -> None:
        """Keep the end beyond the file."""
        self._final = self._end()

    def _end(self) -> bytes:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _KEPT))
            return (self._earlier + file.read())[-_KEPT:]


@contextmanager
def _kept_output() -> Iterator[_Output]:
    with tempfile.TemporaryDirectory(prefix="validator-") as folder:
        path = Path(folder, "output")
        # Appending, so that the server goes on at the new end after a truncation.
        with path.open("ab", buffering=0) as file:
            output = _Output(path, file)
            try:
                yield output
            finally:
                output.close()
