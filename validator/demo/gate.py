"""The door that every request under load passes: it opens the ticket, holds the limit, and closes.

The ticket is closed before the last bytes are handed on, so that whoever has read a reply to its
end finds it on every page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from validator.demo.faults import Breakdown, Fault
from validator.demo.limits import THROTTLED
from validator.demo.traffic import Ticket, Traffic
from validator.demo.wire import problem

ANONYMOUS = "anonymous"
BROKEN = 500


class Gate:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        traffic: Traffic,
        paths: Collection[str],
        faults: Sequence[Fault],
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._traffic = traffic
        self._paths = paths
        self._faults = faults
        self._clock = clock
        self._deadlocked = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if self._deadlocked:
            await _never(receive)
        elif scope["type"] == "http" and scope["method"] == "POST" and path in self._paths:
            await self._take(path, scope, receive, send)
        else:
            await self._look(path, scope, receive, send)

    async def _look(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page, unless a fault has it break."""
        now = self._clock()
        breakdowns = (fault.breakdown(path, self._traffic, now) for fault in self._faults)
        match next((one for one in breakdowns if one), None):
            case None:
                await self._app(scope, receive, send)
            case Breakdown.ERROR:
                refusal = problem("an unexpected error", "server_error", code="internal_error")
                await JSONResponse(refusal, status_code=BROKEN)(scope, receive, send)
            case Breakdown.DEADLOCK:
                self._deadlocked = True
                await _never(receive)

    async def _take(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request under load."""
        traffic, headers = self._traffic, Headers(scope=scope)
        user = headers.get("authorization", "").removeprefix("Bearer ").strip() or ANONYMOUS
        length = headers.get("content-length", "")
        size = int(length) if length.isdecimal() else 0
        ticket = traffic.arrive(path, user, self._clock(), size)
        wait = traffic.limits.admit(user, ticket.arrived)
        scope["ticket"] = ticket
        app = throttled(wait) if wait else self._app
        try:
            await app(scope, receive, self._watched(ticket, send, wait))
        except Exception:
            ticket.status = BROKEN
            raise
        finally:
            if ticket.ended is None:
                traffic.spoil(ticket)
            traffic.close(ticket, self._clock())

    def _watched(self, ticket: Ticket, send: Send, wait: float) -> Send:
        traffic = self._traffic

        async def watched(message: Message) -> None:
            now = self._clock()
            if message["type"] == "http.response.start":
                traffic.answer(ticket, message["status"], now, retry_after=wait)
                limits = traffic.limits.headers(ticket.user, now)
                more = [(name.encode(), value.encode()) for name, value in limits.items()]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            elif not message.get("more_body"):
                traffic.close(ticket, now)
            await send(message)

        return watched


def throttled(wait: float) -> JSONResponse:
    """Refuse a request that came too soon."""
    refusal = problem("rate limit reached", "rate_limit_error", code="rate_limit_exceeded")
    headers = {"retry-after": str(math.ceil(wait))}
    return JSONResponse(refusal, status_code=THROTTLED, headers=headers)


async def _never(receive: Receive) -> None:
    """Wait until the caller gives up."""
    while not (await receive())["type"].endswith(".disconnect"):
        pass
