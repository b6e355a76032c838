"""Files read up to a bound, and written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

from validator.errors import UsageError

_MOST_DIGITS: Final = 300
"""A longer number fits into no float; no file of ours has one."""


def read(path: Path, most: int) -> bytes:
    """Return what is in a file; raise `OSError` also when that is more than *most* bytes."""
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        # What is no regular file has no size, and /dev/zero has no end either.
        sized = stat.S_ISREG(about.st_mode)
        found = b"" if about.st_size > most else file.read(-1 if sized else most + 1)
    if max(about.st_size, len(found)) > most:
        raise OSError(errno.EFBIG, f"larger than {most // 2**20} MiB", str(path))
    return found


def read_json(path: Path, most: int, noun: str) -> Any:
    """Return the JSON in a file that should be *noun*; raise `UsageError` when there is none.

    What no JSON has, and no float holds, is refused: NaN, Infinity and numbers of endless digits.
    """
    try:
        return json.loads(read(path, most), parse_int=_integer, parse_constant=_no_number)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not {noun}, not even whole JSON: {error}") from error


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def check_writable(path: Path) -> None:
    """Raise `UsageError` when *path* could not be written: better now than after the load."""
    parent = path.parent
    if path.is_dir():
        raise UsageError(f"{path}: is a folder")
    if not parent.is_dir():
        raise UsageError(f"{path}: there is no folder {parent}")
    if not os.access(parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(f"{path}: not writable")


def write(path: Path, text: str) -> None:
    """Write *text* to *path* at once, so that nobody ever reads half of it."""
    if path.exists() and not path.is_file():  # /dev/stdout, a named pipe
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except BrokenPipeError:  # a reader who has left is no failure of ours
            raise
        except OSError as error:
            raise _unwritten(path, error) from error
        return
    partial = ""
    try:
        path = path.resolve()  # what a link stands for is written, and the link stays
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            newline="",
            dir=path.parent,
            prefix=f".{path.name}.",
            delete=False,
        ) as file:
            partial = file.name
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(partial).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask)
        Path(partial).replace(path)
    except OSError as error:
        if partial:
            Path(partial).unlink(missing_ok=True)
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot be written: {error.strerror or error}")
