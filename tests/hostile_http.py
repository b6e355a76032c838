"""A server that misbehaves on purpose: what it does to a request is scripted path by path."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Hostile:
    """A running server, and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there was a request."""


Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def hostile(scripts: Mapping[str, Script]) -> AsyncIterator[Hostile]:
    """Serve *scripts* on a loopback port for the length of the block."""
    tasks: set[asyncio.Task[None]] = set()
    running = Hostile("")

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        running.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                request = await _request(reader)
                running.requests.append(request)
                running.asked.set()
                await scripts.get(request.path, reply(b"not found", status=404))(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    running.url = f"http://{host}:{port}"
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def reply(body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] = {}) -> Script:
    """Answer as a well-behaved server does."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
    ]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, close=False)


def raw(data: bytes, *, close: bool = True) -> Script:
    """Send *data* as it is."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return script


def never(first: bytes = b"") -> Script:
    """Send *first*, and then nothing more for as long as anybody waits."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await asyncio.Event().wait()

    return script


def drip(body: bytes, every: float) -> Script:
    """Answer at once, and send the body one byte at a time."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every)

    return script


def endless(head: bytes, again: bytes) -> Script:
    """Send *head*, and then *again* for as long as anybody listens."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(again)
            await writer.drain()

    return script


def reset(first: bytes = b"") -> Script:
    """Send *first* and break the connection (RST, not FIN)."""

    async def script(writer: asyncio.StreamWriter) -> None:
        if first:
            writer.write(first)
            await writer.drain()
            await asyncio.sleep(0.05)  # a reset drops what the other side has not read yet
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return script


def redirect(location: str, *, status: int = 302) -> Script:
    """Send the client somewhere else."""
    return reply(status=status, headers={"Location": location})


def gzipped(body: bytes) -> Script:
    """Answer with a compressed body, which may be far larger than what is sent."""
    return reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def in_turn(*scripts: Script) -> Script:
    """Answer each request as the next of *scripts* says; the last one stays."""
    left = list(scripts)

    async def script(writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(writer)

    return script
