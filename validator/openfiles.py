"""How many files this process may have open: every connection is one."""

from __future__ import annotations

import sys
from contextlib import suppress


def allow(wanted: int) -> None:
    """Let this process have *wanted* files open, as far as it may decide that by itself."""
    if sys.platform == "win32":
        return  # where sockets are no files
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(OSError, ValueError):  # macOS has a limit beside the limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def limit() -> str:
    """Return how many files this process may have open, for people."""
    if sys.platform == "win32":
        return "an unknown number of"
    import resource  # noqa: PLC0415 - not on Windows

    return str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
