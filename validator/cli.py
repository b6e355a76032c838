"""The command line: outcomes to exit codes. It and its verbs print; nothing else does."""

from __future__ import annotations

import codecs
import errno
import gc
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from validator import __version__
from validator.errors import SpecProblems, UsageError, ValidatorError
from validator.verbs import VERBS
from validator.verbs.base import INTERRUPTED
from validator.verbs.output import say

PLAIN = "validator.plain"
"""How characters are written that the output's encoding does not have."""
_PLAIN = {
    "✓": "+", "○": "o", "✗": "X", "⚠": "!", "ℹ": "i", "×": "x", "·": "-", "–": "-", "─": "-",
    "≥": ">=", "≤": "<=", "≠": "!=", "→": "->", "…": "...", "±": "+-", "∞": "inf", "÷": "/",
}  # fmt: skip

_STDERR = 2
"""The greatest number of a standard stream."""

_EXIT_CODES = """\b
Exit codes: 0 passed
            1 a critical assertion failed or could not be judged
            2 usage or spec error
            130 interrupted
"""


@click.group(
    commands=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, "-V", "--version", message="validator %(version)s")
def cli() -> None:
    """Find out whether an LLM server's metrics endpoints tell the truth.

    A spec says what the endpoints must show after a known load. The validator sends the load,
    looks before and after, and judges every assertion against what the client itself saw.
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # A spec is many small objects that all live to the end: collecting cycles meanwhile is waste.
    gc.set_threshold(100_000, 20, 20)
    # pydantic would look for plug-ins in every installed distribution: 30 ms for none of ours.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _open_closed()
    # A closed stream is None to Python; nobody listens there, and that is all.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    codecs.register_error(PLAIN, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN)  # a mark is worth less than the line it stands in
        _wait_for_readers(stream)
    code = _main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        code = _unwritten(error)
    # Everything is closed; taking a large spec apart object by object would only cost time.
    os._exit(code)


def _open_closed() -> None:
    """Open what is closed of stdin, stdout and stderr, or a socket would get its number.

    A loop of uvloop ends the whole process when it is to close such a socket, and what anybody
    prints would go to the server.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(number, True)  # noqa: FBT003 - for the processes we start
    os.close(number)


def _buffered(stream: TextIO) -> TextIO:
    """Return *stream* so that what a write leaves over is written too.

    With PYTHONUNBUFFERED Python writes once, and loses without a word what the system did not take
    at once: a pipe has room for 64 KiB, and a signal ends the wait for more.
    """
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(stream.buffer, io.RawIOBase):
        return stream
    # Another one for the same file: the width of a terminal is asked of the first.
    return open(stream.fileno(), "w", 1, stream.encoding, stream.errors, closefd=False)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    unknown = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in unknown), error.end


def _wait_for_readers(stream: TextIO) -> None:
    """Have *stream* wait for a slow reader.

    Whoever shares a pipe with us, such as Node.js, may have set it not to; then Python would lose
    what the pipe has no room for, and not say so.
    """
    with suppress(OSError, ValueError, AttributeError):  # no file; or Windows before 3.12
        os.set_blocking(stream.fileno(), True)


def _main() -> int:
    try:
        _look_around()
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SpecProblems as problems:
        say(problems.drawn().removesuffix("\n"), err=True)
        return problems.exit_code
    except ValidatorError as error:
        say(f"error: {error}", err=True)
        return error.exit_code
    except OSError as error:
        return _unwritten(error)
    return code if isinstance(code, int) else 0


def _look_around() -> None:
    """Raise `UsageError` where the working folder is gone: no path would mean anything."""
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(f"the working folder: {error.strerror}") from error


def _unwritten(error: OSError) -> int:
    """Say why our output could not be written; say nothing to a reader who has left."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it must not complain again
    if error.errno != errno.EPIPE:
        click.echo(f"error: the output could not be written: {error.strerror}", err=True)
    return 1
