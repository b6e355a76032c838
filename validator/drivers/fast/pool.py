"""Connections that are kept for another exchange."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from validator.drivers.base import Clock
from validator.drivers.fast.links import Origin, connect
from validator.drivers.fast.wire import Conversation


class Pool:
    """The connections to one origin that are kept for another exchange."""

    def __init__(self, origin: Origin, clock: Clock) -> None:
        self._origin = origin
        self._clock = clock
        self._idle: list[Conversation] = []
        self._addresses: Sequence[Any] = ()

    async def take(self) -> Conversation:
        """Return a connection that nobody uses: the one used last, else a new one."""
        if self._idle and self._origin.tls is not None:
            for _ in range(2):  # so that the loop looks, and then tells which of them have ended
                await asyncio.sleep(0)
        while self._idle:
            kept = self._idle.pop()
            if kept.fresh():
                return kept
            kept.close()
        if not self._addresses:
            self._addresses = await asyncio.get_running_loop().getaddrinfo(
                self._origin.host, self._origin.port, type=socket.SOCK_STREAM
            )
        conversation = Conversation()
        conversation.link = await connect(self._origin, self._addresses, conversation, self._clock)
        return conversation

    def put(self, conversation: Conversation) -> None:
        """Keep *conversation* for another exchange, if it is of use for one."""
        if conversation.link is not None:
            self._idle.append(conversation)

    def close(self) -> None:
        """Leave every connection that is kept."""
        while self._idle:
            self._idle.pop().close()
