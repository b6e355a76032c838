"""What carries bytes: a socket of our own where the system has it, else asyncio's transport.

A socket of our own is read as soon as it is readable, and on Linux the kernel says when the bytes
came in, so that a late client still knows how early the server was.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

from validator.drivers.base import Clock

PIECE: Final = 256 * 1024
"""Bytes that are read at once."""
STAMPS: Final = sys.platform == "linux"
SO_TIMESTAMPNS: Final = 35
"""Of Linux; the socket module has no name for it."""
TIMESPEC: Final = struct.Struct("@ll")
STAGGER: Final = 0.25
"""Seconds that one address has before the next is tried beside it (RFC 8305)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom to connect to."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    buffer: memoryview = field(default_factory=lambda: memoryview(bytearray(PIECE)))
    """Where what is read lies until the next read: making room anew each time costs more than
    reading. Of one event loop, and never shared with another."""


class Wire(Protocol):
    """What is told of a connection."""

    def received(self, data: bytes | memoryview, now: float) -> None:
        """Hear of bytes that came in at *now*, and keep none of them."""

    def ended(self) -> None:
        """Hear that the peer sends no more."""

    def lost(self, failure: Exception) -> None:
        """Hear that the connection broke."""


class Link(Protocol):
    """An open connection."""

    def write(self, data: bytes) -> None:
        """Send *data*, at once if there is room; what goes wrong is seen when reading."""
        ...

    def quiet(self) -> bool:
        """Say whether nothing has come in, not even its end, since the last exchange."""
        ...

    def close(self) -> None:
        """Leave, and hear no more."""
        ...


async def connect(origin: Origin, addresses: Sequence[Any], wire: Wire, clock: Clock) -> Link:
    """Connect *wire* to *origin*, at whichever of its *addresses* answers."""
    loop = asyncio.get_running_loop()
    if len(addresses) == 1:  # mostly so, and then a task would be for nothing
        raw = await _open(loop, addresses[0])
    else:
        raw = await _connected(loop, addresses)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.tls is None and hasattr(loop, "add_reader") and sys.platform != "win32":
            return SocketLink(loop, raw, origin.buffer, wire, clock)
        link = TransportLink(wire, clock)
        await loop.create_connection(
            lambda: link,
            sock=raw,
            ssl=origin.tls,
            server_hostname=origin.host if origin.tls else None,
        )
    except BaseException:
        raw.close()
        raise
    return link


async def _connected(loop: asyncio.AbstractEventLoop, addresses: Sequence[Any]) -> socket.socket:
    """Return a socket connected to the first address that answers, tried in turn."""
    waiting = list(addresses)
    tries = {loop.create_task(_open(loop, waiting.pop(0)))}
    try:
        while True:
            done, tries = await asyncio.wait(
                tries,
                timeout=STAGGER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            failed = [task for task in done if task.exception()]
            if won := done.difference(failed):
                tries |= won
                winner = won.pop()
                tries.discard(winner)
                return winner.result()
            if not waiting and not tries:
                return failed[0].result()  # which raises
            if waiting:
                tries.add(loop.create_task(_open(loop, waiting.pop(0))))
    finally:
        for task in tries:
            task.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if isinstance(late, socket.socket):
                late.close()


async def _open(loop: asyncio.AbstractEventLoop, address: Any) -> socket.socket:
    family, kind, protocol, _, where = address
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)  # noqa: FBT003 - that is its signature
        await loop.sock_connect(opened, where)
    except BaseException:
        opened.close()
        raise
    return opened


class SocketLink:
    """A socket that this loop watches for us."""

    __slots__ = (
        "_ancillary",
        "_buffer",
        "_buffers",
        "_clock",
        "_fd",
        "_last",
        "_loop",
        "_poll",
        "_socket",
        "_unsent",
        "_wire",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        raw: socket.socket,
        buffer: memoryview,
        wire: Wire,
        clock: Clock,
    ) -> None:
        self._buffer = buffer
        self._buffers = (buffer,)
        self._loop = loop
        self._socket = raw
        self._fd = raw.fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._wire = wire
        self._clock = clock
        self._unsent = memoryview(b"")
        self._last = 0.0
        self._ancillary = 0
        if STAMPS:
            try:
                raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                self._ancillary = socket.CMSG_SPACE(TIMESPEC.size)
            except OSError:
                pass  # a sandbox may refuse it; our own clock is then good enough
        loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            if self._ancillary:
                size, stamps, _, _ = self._socket.recvmsg_into(self._buffers, self._ancillary)
            else:
                size, stamps = self._socket.recv_into(self._buffer), []
        except (BlockingIOError, InterruptedError):
            return
        except OSError as failure:
            self.close()
            self._wire.lost(failure)
            return
        now = self._clock()
        if not size:
            self._loop.remove_reader(self._fd)  # an end stays readable for ever
            self._wire.ended()
            return
        if stamps:
            seconds, nanoseconds = TIMESPEC.unpack_from(stamps[0][2])
            waited = (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) * 1e-9
            # The wall clock may be set meanwhile: what came before, came before.
            came = now - waited
            now = came if self._last < came < now else now
        self._last = now
        self._wire.received(self._buffer[:size], now)

    def write(self, data: bytes) -> None:
        self._last = self._clock()  # nothing that answers this has come before it
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            return  # reading tells more: perhaps an answer, at least how it ended
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            sent = len(self._unsent)  # as in write
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._loop.remove_writer(self._fd)

    def quiet(self) -> bool:
        # Else there is an end, or something that nobody asked for. A look at it would cost more.
        return not self._unsent and not self._poll.poll(0)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._fd)
        if self._unsent:
            self._loop.remove_writer(self._fd)
        self._socket.close()


class TransportLink(asyncio.Protocol):
    """A transport of asyncio's: for TLS, and where a loop cannot watch sockets."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._alive = True
        self._left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another ancestry

    def data_received(self, data: bytes) -> None:
        self._wire.received(data, self._clock())

    def eof_received(self) -> bool | None:
        if self._alive:
            self._alive = False
            self._wire.ended()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alive and not self._left:
            self._alive = False
            if exc is None:
                self._wire.ended()
            else:
                self._wire.lost(exc)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def quiet(self) -> bool:
        # What the loop has not read yet is not seen here: the pool lets the loop look first.
        return self._alive and self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        self._left = True
        if self._transport is not None:
            self._transport.abort()
