"""What became of an exchange that did not end well: its class and one line about it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from validator import openfiles
from validator.values import Json, brief

DETAIL: Final = 300
"""Characters of a detail."""
QUOTED: Final = 4 * DETAIL
"""Characters kept of a server's text until secrets are out of it, lest the cut halve one."""

# By name, not by class: the HTTP library under the openai package has changed its name before.
CLASSES: Final = {
    "ConnectError": "connect",
    "ConnectTimeout": "connect",
    "ProxyError": "connect",
    "TimeoutException": "timeout",
    "DecodingError": "malformed",
    "ReadError": "reset",
    "WriteError": "reset",
    "CloseError": "reset",
    "EndOfStream": "reset",
    "SSLError": "connect",
}
PEER_CLOSED: Final = ("disconnected", "closed")
"""In the text of a RemoteProtocolError: the peer left, rather than sent something unreadable."""


class ExchangeError(Exception):
    """An exchange failed in a way that its driver could name."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def classify(failure: BaseException, *, answered: bool, content: bool) -> tuple[str, str]:
    """Return the outcome and detail of *failure*.

    *answered* says whether response headers had arrived, *content* whether any content had.
    """
    for error in _chain(failure):
        if isinstance(error, OSError) and (limit := our_limit(error)):
            return "client_error", f"{describe(error)}: {limit}"  # and not the server's fault
    for error in _chain(failure):
        if isinstance(error, ExchangeError):
            return error.outcome, error.detail
        names = [base.__name__ for base in type(error).__mro__]
        if "RemoteProtocolError" in names:
            if not any(word in str(error) for word in PEER_CLOSED):
                outcome = "malformed"
            elif answered:
                outcome = "truncated" if content else "empty"
            else:
                outcome = "reset"
            return outcome, describe(error)
        for name in names:
            if name in CLASSES:
                return CLASSES[name], describe(error)
    *_, root = _chain(failure)  # the wrappers only say that something went wrong
    return "client_error", describe(root)


def our_limit(error: OSError) -> str:
    """Say which limit of ours was in the way, and what to do; nothing if none was."""
    match error.errno:
        case errno.EMFILE:
            return (
                f"this process may have {openfiles.limit()} files open, and each request in flight "
                "is one: raise `ulimit -n` where it is started, or lower concurrency"
            )
        case errno.ENFILE:
            return "this machine has as many files open as it may: raise its fs.file-max"
    return ""


def describe(failure: BaseException) -> str:
    """Return type and message of an exception; the message of its cause when it has none."""
    text = next((str(error) for error in _chain(failure) if str(error)), "")
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__


def message(body: bytes) -> str:
    """Return what an error body says, whatever its form."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return (error_text(json.loads(text)) or text)[:QUOTED]
    except (ValueError, RecursionError):  # not JSON, or nested beyond reason
        return text[:QUOTED]


def error_text(document: Json) -> str:
    """Return the message of an error in any of the usual forms, or an empty text."""
    match document:
        case {"error": inner} | {"detail": inner} if inner is not None:
            said = inner
        case _:
            said = document
    match said:
        case str():
            return said[:QUOTED]
        case {"message": str(text), "type": str(kind)} | {"message": str(text), "code": str(kind)}:
            return f"{kind}: {text}"[:QUOTED]
        case {"message": str(text)}:
            return text[:QUOTED]
        case _ if said is not document:
            with suppress(RecursionError):  # nested so deep that it can be read but not shown
                return brief(said, QUOTED)
    return ""


def one_line(text: str) -> str:
    """Return *text* without line breaks, cut to the length of a detail."""
    return " ".join(text[:QUOTED].split())[:DETAIL]


def _chain(failure: BaseException) -> Iterator[BaseException]:
    """Yield *failure*, then what caused it, outermost first."""
    seen: set[int] = set()
    error: BaseException | None = failure
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
