"""WebSocket servers that misbehave on purpose."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


@dataclass(slots=True)
class Sockets:
    """A running server, and what it was told."""

    url: str
    heard: list[str | bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody has connected."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a caller has gone."""


Play = Callable[[ServerConnection, Sockets], Awaitable[None]]


@asynccontextmanager
async def sockets(play: Play, **options) -> AsyncIterator[Sockets]:
    """Serve *play* to everybody who connects, for the length of the block."""
    running = Sockets("")
    open_now: dict[asyncio.Task[None], ServerConnection] = {}

    async def converse(connection: ServerConnection) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now[task] = connection
        running.came.set()
        running.paths.append(connection.request.path)
        running.headers.append({k.lower(): v for k, v in connection.request.headers.raw_items()})
        try:
            await play(connection, running)
        except ConnectionClosed:
            pass
        finally:
            running.left.set()

    quiet = logging.Logger("hostile", logging.CRITICAL + 1)  # noqa: LOG001 - found by nobody else
    async with serve(
        converse, "127.0.0.1", 0, close_timeout=0.1, logger=quiet, **options
    ) as server:
        host, port = server.sockets[0].getsockname()
        running.url = f"http://{host}:{port}"
        try:
            yield running
        finally:
            for task, connection in open_now.items():
                task.cancel()
                connection.transport.abort()
            await asyncio.gather(*open_now, return_exceptions=True)


def says(*frames: str | bytes, then: Play | None = None) -> Play:
    """Send *frames*, and then do as *then* says, or wait until the caller goes."""

    async def play(connection: ServerConnection, running: Sockets) -> None:
        for frame in frames:
            await connection.send(frame)
        await (then or waits)(connection, running)

    return play


async def waits(connection: ServerConnection, _running: Sockets) -> None:
    """Say nothing more."""
    await connection.wait_closed()


def closes(code: int = 1000, reason: str = "") -> Play:
    """Say goodbye."""

    async def play(connection: ServerConnection, _running: Sockets) -> None:
        await connection.close(code, reason)

    return play


async def breaks(connection: ServerConnection, _running: Sockets) -> None:
    """Go without a word."""
    connection.transport.abort()


def floods(frame: str | bytes) -> Play:
    """Send *frame* for as long as anybody listens."""

    async def play(connection: ServerConnection, _running: Sockets) -> None:
        while True:
            await connection.send(frame)
            await asyncio.sleep(0)  # sending alone lets nobody else have a turn

    return play


def writes(data: bytes, *, again: bytes = b"") -> Play:
    """Put *data* on the wire as it is, and then *again* without end."""

    async def play(connection: ServerConnection, _running: Sockets) -> None:
        connection.transport.write(data)
        while again and not connection.transport.is_closing():
            connection.transport.write(again)
            await connection.drain()
            await asyncio.sleep(0)
        await connection.wait_closed()

    return play


async def answers(connection: ServerConnection, running: Sockets) -> None:
    """Repeat whatever is said."""
    async for message in connection:
        running.heard.append(message)
        await connection.send(message)
