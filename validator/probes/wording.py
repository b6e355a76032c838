"""Sentences about reads that failed, in the words that all probes share."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator

from validator.values import printable

_SHOWN = 160
_NUMBERED = re.compile(r"\[Errno (\d+)\]")


def reason(error: BaseException) -> str:
    """Return what the operating system said, from under the wrappings of the libraries."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {(cause.reason or 'failed').lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.errno is not None:
            said = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
            return said[:1].lower() + said[1:]
    if numbered := _NUMBERED.search(str(error)):  # asyncio, of several addresses at once
        said = os.strerror(int(numbered[1]))
        return said[:1].lower() + said[1:]
    return cut(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through what an exception was raised from, and the first of each group."""
    following: BaseException | None = error
    while following is not None:
        yield following
        if isinstance(following, BaseExceptionGroup):
            following = following.exceptions[0]
        else:
            following = following.__cause__ or following.__context__


def size(count: int) -> str:
    """Write a number of bytes."""
    for unit, word in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {word}"
    return f"{count} byte{'s' if count != 1 else ''}"


def cut(text: str) -> str:
    """Return the beginning of a text that came from elsewhere, printable."""
    text = printable(text[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
