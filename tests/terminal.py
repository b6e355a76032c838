"""Run the command line on a terminal of its own, as wide as the test wants it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping

from command_line import COMMAND, WITHIN, environment

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(
    *arguments: object, columns: int = 80, env: Mapping[str, str] = {}
) -> tuple[int, str]:
    """Run `validator` with its output on a terminal; return the exit code and all it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**environment(TERM="xterm-256color"), **env},
        close_fds=True,
    ) as process:
        os.close(theirs)
        written = _everything(ours)
        return process.wait(5), written.decode("utf-8").replace("\r\n", "\n")


def _everything(terminal: int) -> bytes:
    deadline = time.monotonic() + WITHIN
    found = b""
    with os.fdopen(terminal, "rb", buffering=0) as stream:
        while time.monotonic() < deadline and select.select([stream], [], [], WITHIN)[0]:
            try:
                more = stream.read(65536)
            except OSError:  # Linux: the other side has closed
                break
            if not more:
                break
            found += more
    return found


def plain(text: str) -> str:
    """Return *text* without its colours."""
    return ESCAPE.sub("", text)


def left(text: str) -> str:
    """Return what stays on a terminal of what was written to it, where a bar drew over itself."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return "\n".join(line.rstrip() for line in lines)
