"""The other end of the line, which may hang up at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from starlette.types import Receive, Send

EVENT_STREAM = b"text/event-stream; charset=utf-8"
JSON = b"application/json"


class HungUp(Exception):  # noqa: N818 - it is news, not an error
    """The caller closed the connection before the end."""


class Caller:
    """One HTTP exchange whose request has been read whole."""

    def __init__(self, receive: Receive, send: Send, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._send = send
        self._clock = clock

    async def __aenter__(self) -> Self:
        self._gone = asyncio.ensure_future(self._until_gone())
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._gone.cancel()

    async def wait(self, until: float) -> None:
        """Wait for the instant *until*; raise `HungUp` as soon as the caller has gone."""
        await asyncio.wait({self._gone}, timeout=max(0.0, until - self._clock()))
        if self._gone.done():
            raise HungUp

    async def answer(self, document: bytes, media_type: bytes = JSON) -> None:
        """Send a whole document."""
        length = b"%d" % len(document)
        await self._start((b"content-type", media_type), (b"content-length", length))
        await self.finish(document)

    async def start_events(self) -> None:
        """Send the status and the headers of a stream of events."""
        await self._start((b"content-type", EVENT_STREAM), (b"cache-control", b"no-cache"))

    async def say(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes) -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def _start(self, *headers: tuple[bytes, bytes]) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
