"""HTTP/1.1, one exchange at a time on one connection.

Nothing here retries: a request that was written is answered, or has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import httptools

from validator.drivers.failures import ExchangeError
from validator.drivers.fast.inflation import Inflation
from validator.drivers.fast.links import Link
from validator.drivers.sender import MAX_BODY, TOO_LARGE, media_type

MAX_HEAD: Final = 100 * 1024
"""Bytes of status lines and headers of one response, those of interim responses included."""
INTERIM: Final = range(100, 200)
SWITCHING: Final = 101


Take: TypeAlias = Callable[[Sequence[bytes], float], None]
"""Takes pieces of the body that arrived together, decompressed, and when they did.

It may raise ExchangeError, and does not keep the list."""


class Sink(Protocol):
    """What takes in one response."""

    def head(self, status: int, kind: str) -> Take:
        """Take the status and the media type; return what takes the body."""
        ...


class Conversation:
    """One connection, and the exchange that is on it."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # thousands of chunks, and no call of ours for any
        self._parser: Any = httptools.HttpResponseParser(self)
        # What is sloppy, and means but one thing, is read as other clients read it.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,  # folded lines
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._sink: Sink | None = None
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[float] | None = None
        self._now = 0.0
        self._used = self._kept = False
        self.deserted = False
        """Whether the server left that had kept it, with nothing said of another request."""
        self._begin()

    def _begin(self) -> None:
        self._seen = 0  # bytes of the response so far
        self._in_head = True
        self._answered = False
        self._complete = False
        self._keep = False
        self._framed = False
        self._body = 0
        self._take: Take | None = None
        self._type = b""
        self._coding = b""
        self._decode: Inflation | None = None
        self._pieces.clear()

    def ask(self, request: bytes, sink: Sink) -> asyncio.Future[float]:
        """Write *request*; the future has the instant at which the response ended."""
        assert self.link is not None
        self._begin()
        self._kept, self._used = self._used, True
        self._sink = sink
        self._waiter = self._loop.create_future()
        self.link.write(request)
        return self._waiter

    def fresh(self) -> bool:
        """Say whether another request may be written."""
        return self.link is not None and self.link.quiet()

    def close(self) -> None:
        """Leave the connection."""
        self._sink = self._take = None
        if self.link is not None:
            self.link.close()
            self.link = None

    # What the link tells

    def received(self, data: bytes | memoryview, now: float) -> None:
        if self._sink is None:  # nobody asked: what answers nothing spoils the connection
            self.close()
            return
        self._now = now
        self._seen += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(ExchangeError("status_101", "HTTP 101: another protocol was not asked for"))
        except httptools.HttpParserError as failure:
            self._pass_on()
            if not self._complete:
                self._fail(ExchangeError("malformed", f"not HTTP: {failure}"))
        self._pass_on()
        if self._complete:
            self._finish()
        elif self._in_head and self._seen > MAX_HEAD:
            self._fail(ExchangeError("malformed", f"headers larger than {MAX_HEAD // 1024} KiB"))
        elif self._seen > 2 * MAX_BODY:  # of which the body is the lesser part
            self._fail(ExchangeError("malformed", TOO_LARGE))

    def ended(self) -> None:
        if self._sink is not None and self._answered and not self._framed:
            self.on_message_complete()  # the end of the connection is that of the body
            self._finish()
        elif self._answered:
            self._fail(Unfinished("the peer closed the connection within the body"))
        else:
            self.deserted = self._kept and not self._seen
            self._fail(ExchangeError("reset", "the server disconnected without an answer"))
        self.close()

    def lost(self, failure: Exception) -> None:
        self._fail(ExchangeError("reset", f"the connection broke: {_named(failure)}"))

    # What the parser tells

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-type":
                self._type = value
            case b"content-encoding":
                self._coding = self._coding + b"," + value if self._coding else value
            case b"content-length" | b"transfer-encoding":
                self._framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status in INTERIM and status != SWITCHING:
            return
        self._in_head = False
        self._answered = True
        if self._sink is None:
            return
        try:
            if self._coding:
                self._decode = Inflation.of(self._coding)
            self._take = self._sink.head(status, media_type(self._type.decode("latin-1")))
        except ExchangeError as failure:
            self._fail(failure)

    def on_message_complete(self) -> None:
        if not self._answered:  # an interim response: the real one is still to come
            self._type = self._coding = b""
            self._framed = False
            return
        self._pass_on()
        if self._complete:
            return  # of a second answer to one question
        self._complete = True
        self._keep = self._framed and self._parser.should_keep_alive()
        self._sink = self._take = None

    def on_message_begin(self) -> None:
        if self._complete:
            self._keep = False  # a second answer to one question

    def _pass_on(self) -> None:
        """Have the pieces of the body taken that came in together."""
        pieces, take = self._pieces, self._take
        if not pieces:
            return
        try:
            if take is not None:
                parts = pieces if self._decode is None else self._decode.feed(b"".join(pieces))
                # Of a timely server each is the only one, and a sum would cost more than the rest.
                self._body += len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
                if self._body > MAX_BODY:
                    raise ExchangeError("malformed", TOO_LARGE)  # noqa: TRY301 - a call would cost
                take(parts, self._now)
        except ExchangeError as failure:
            self._fail(failure)
        finally:
            pieces.clear()

    def _finish(self) -> None:
        waiter, self._waiter = self._waiter, None
        self._sink = None
        if not self._keep:
            self.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(self._now)

    def _fail(self, failure: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)


class Unfinished(Exception):  # noqa: N818 - it says what the response is
    """The peer left within the body."""


def _named(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"
