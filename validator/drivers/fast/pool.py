"""Connections that are kept for another exchange."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final

from validator.drivers.base import Clock
from validator.drivers.fast.links import Origin, connect
from validator.drivers.fast.wire import Conversation

MOMENT: Final = 0.01
"""Seconds within which a server leaves that says it keeps a connection, and does not."""


class Pool:
    """The connections to one origin that are kept for another exchange.

    Some servers close after each stream a connection that they have not announced to close. Who
    writes to it before it has heard so is told nothing but that the server has gone, and nobody
    knows whether the request was read. So the first that is kept has to stay for a moment before
    any is used again, and where it does not stay, none is.
    """

    def __init__(self, origin: Origin, clock: Clock) -> None:
        self._origin = origin
        self._clock = clock
        self._idle: list[Conversation] = []
        self._addresses: Sequence[Any] = ()
        self._keeps: bool | None = None
        """Whether the server keeps connections, once that is known."""
        self._since = 0.0
        """When the first of those that are kept came."""

    async def take(self, *, patient: bool) -> Conversation:
        """Return a connection that nobody uses: the one used last, else a new one.

        Who is *patient* waits until it is known whether the server keeps any; a request that is
        due would be late, and gets one of its own meanwhile.
        """
        if self._keeps is None and self._idle and patient:
            await asyncio.sleep(MOMENT)
        if self._idle and self._origin.tls is not None:
            for _ in range(2):  # so that the loop looks, and then tells which of them have ended
                await asyncio.sleep(0)
        while self._idle and (self._keeps is not None or patient or self._left_alone()):
            kept = self._idle.pop(0 if self._keeps is None else -1)
            if self._keeps is not False and kept.fresh():
                self._keeps = True
                return kept
            kept.close()
            self._keeps = self._keeps or False
        if not self._addresses:
            self._addresses = await asyncio.get_running_loop().getaddrinfo(
                self._origin.host, self._origin.port, type=socket.SOCK_STREAM
            )
        conversation = Conversation()
        conversation.link = await connect(self._origin, self._addresses, conversation, self._clock)
        return conversation

    def put(self, conversation: Conversation) -> None:
        """Keep *conversation* for another exchange, if it is of use for one."""
        if self._keeps is False:
            conversation.close()
        elif conversation.link is not None:
            if self._keeps is None and not self._idle:
                self._since = self._clock()
            self._idle.append(conversation)

    def _left_alone(self) -> bool:
        """Say whether the first that was kept had the time to go."""
        return self._clock() - self._since >= MOMENT

    def drop(self, conversation: Conversation) -> None:
        """Leave *conversation*, on which an exchange has failed."""
        conversation.close()
        if conversation.deserted:
            self._keeps = False

    def close(self) -> None:
        """Leave every connection that is kept."""
        while self._idle:
            self._idle.pop().close()
