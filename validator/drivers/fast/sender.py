"""The fast way: requests written and responses read on connections of our own.

The openai package builds the requests (see `template`); nothing of a response becomes an object
that is not needed, and instants are taken as bytes arrive, before any of them is looked at.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from validator import environment
from validator.drivers.base import Clock, Connection
from validator.drivers.failures import ExchangeError, describe, our_limit
from validator.drivers.fast.bounds import Bound, Bounds
from validator.drivers.fast.events import events_of
from validator.drivers.fast.links import Origin
from validator.drivers.fast.pool import Pool
from validator.drivers.fast.template import Templates
from validator.drivers.fast.wire import Conversation, Take, Unfinished
from validator.drivers.reply import Reply
from validator.drivers.sender import (
    ERROR_BODY,
    GRACE,
    STREAM_TYPE,
    Request,
    Timed,
    refusal,
)


@dataclass(frozen=True, slots=True)
class FastRequest(Request):
    """One request that is to be written."""

    arguments: Mapping[str, Any]
    """Those of the openai package's call."""


class FastSender(Timed[FastRequest]):
    """Connections of our own, and the requests that the openai package has built so far."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        prepare: Callable[[int], FastRequest],
        templates: Templates,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        super().__init__(connection, clock, prepare)
        self._templates = templates
        self._tls = tls
        self._pool: Pool | None = None
        self._bounds = Bounds(self._timeout)
        self._graces = Bounds(GRACE)

    async def warm_up(self) -> None:
        """Do what comes before the first request, so that it is no slower than the others."""
        await self._templates.built(self._prepare(0).arguments)
        self._opened()

    def close(self) -> None:
        """Leave every connection."""
        self._bounds.close()
        self._graces.close()
        if self._pool is not None:
            self._pool.close()

    async def _ask(self, request: FastRequest) -> float:
        written = self._templates.known(request.arguments)
        if written is None:
            written = await self._templates.built(request.arguments)
        pool = self._pool or self._opened()
        reply = request.reply
        bound = Bound(self._bounds)
        incoming = Incoming(reply, partial(bound.move, self._graces), streamed=request.streamed)
        conversation: Conversation | None = None
        try:
            with bound:
                conversation = await self._connected(pool, patient=reply.due is None)
                reply.sent = self._clock()
                done = await conversation.ask(written, incoming)
            pool.put(conversation)
        except BaseException as failure:
            if conversation is not None:
                pool.drop(conversation)
            if not isinstance(failure, Exception):
                raise
            done = self._in_spite_of(failure, incoming, overdue=bound.expired)
        incoming.judge(done)
        return done

    def _in_spite_of(self, failure: Exception, incoming: Incoming, *, overdue: bool) -> float:
        """Return when a response ended that was good in spite of *failure*, or raise."""
        reply = incoming.reply
        if reply.done is not None:
            return reply.done  # what breaks after [DONE] breaks nothing
        if incoming.refused:
            return self._clock()  # whatever goes wrong with its body, the status is known
        if isinstance(failure, TimeoutError) and overdue:
            raise self._overdue(reply) from None
        if isinstance(failure, Unfinished):
            raise ExchangeError("truncated" if reply.chunks else "empty", str(failure)) from failure
        raise failure

    def _opened(self) -> Pool:
        """Return the connections to where the requests go, which the first of them says."""
        assert self._templates.origin is not None
        scheme, host, port = self._templates.origin
        try:
            tls = self._tls() if scheme == "https" else None
        except OSError as failure:
            raise ExchangeError("client_error", environment.unusable(failure)) from failure
        self._pool = Pool(Origin(host, port, tls), self._clock)
        return self._pool

    async def _connected(self, pool: Pool, *, patient: bool) -> Conversation:
        try:
            return await pool.take(patient=patient)
        except (OSError, ssl.SSLError) as failure:
            if isinstance(failure, TimeoutError) and failure.errno != errno.ETIMEDOUT:
                raise  # the bound of the exchange, not the system's
            if our_limit(failure):
                raise
            raise ExchangeError("connect", f"could not connect: {describe(failure)}") from failure


class Incoming:
    """One response as it comes in, on its way to a reply."""

    __slots__ = ("_hurry", "_parts", "_size", "_status", "_streamed", "_type", "reply")

    def __init__(self, reply: Reply, hurry: Callable[[], None], *, streamed: bool) -> None:
        self.reply = reply
        self._hurry = hurry  # leaves the server little time for what is not needed
        self._streamed = streamed
        self._status = 0
        self._type = ""
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def refused(self) -> bool:
        """Whether the status is another than the good one."""
        return self._status not in (0, HTTPStatus.OK)

    def head(self, status: int, kind: str) -> Take:
        """Take the status and the media type; return what takes the body."""
        self._status = status
        self._type = kind
        if status != HTTPStatus.OK:
            self._hurry()
            return self._keep
        self.reply.answered = True
        if self._streamed and kind == STREAM_TYPE:
            return events_of(self.reply, self._hurry).take
        return self._keep

    def _keep(self, pieces: Sequence[bytes], now: float) -> None:
        del now  # only the end counts
        piece = b"".join(pieces)
        self._parts.append(piece)
        self._size += len(piece)
        if self.refused and self._size > ERROR_BODY:
            raise ExchangeError("malformed", "an error body without end")

    def judge(self, now: float) -> None:
        """Raise unless the response, which ended at *now*, is a good one."""
        whole = b"".join(self._parts)
        if self.refused:
            raise refusal(self._status, whole)
        if not self._streamed:
            self.reply.whole(whole, self._type, now)
        elif self._type != STREAM_TYPE:
            self.reply.not_a_stream(whole, self._type)
        else:
            self.reply.end_of_stream()
