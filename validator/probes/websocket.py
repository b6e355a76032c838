"""Fetching what a WebSocket sends, within bounds of time, size and count."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from validator.duration import written
from validator.errors import DecodeError, MissingExtra, ProbeError
from validator.probes.base import Collect
from validator.probes.wording import cut, reason, size
from validator.records.observation import Payload

# An extra, and few specs look at a WebSocket.
if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import ConnectionClosed

SWITCHED = 101
"""The HTTP status of an answer that opens a WebSocket."""
MOST_FRAMES = 100_000
_FAREWELL = 0.25
"""Seconds that the other side has to say goodbye."""
_TOO_BIG = 1009
_NOT_TEXT = 1007
_SILENT = logging.Logger(__name__, logging.CRITICAL + 1)  # noqa: LOG001 - nobody else shall find it


def check_installed() -> None:
    """Raise `MissingExtra` when there is nothing to open a WebSocket with."""
    if find_spec("websockets") is None:
        raise MissingExtra("websocket:", "websocket")


@dataclass(frozen=True, slots=True)
class WebSocketProbe:
    """One connection: what is sent to it, and the frames that are taken from it.

    The payload is a JSON array with the text of each frame. When the server declines to open a
    WebSocket, its answer is the payload.
    """

    url: str
    """`http://…` or `https://…`, as of every other endpoint of the target."""
    collect: Collect
    messages: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = 5.0
    """Seconds for everything, from connecting to the last frame."""
    max_bytes: int = 64 * 1024 * 1024
    """Of all frames together."""

    async def fetch(self) -> Payload:
        """Fetch the endpoint once; raise `ProbeError` and nothing else."""
        try:
            check_installed()
        except MissingExtra as missing:
            raise ProbeError("protocol", str(missing)) from None
        frames = _Frames(self.collect, self.max_bytes)
        try:
            async with asyncio.timeout(self.timeout):
                connection = await self._open()
                frames.opened = True
                await self._fill(frames, connection)
        except TimeoutError:
            raise frames.late(self.timeout) from None
        except ProbeError:
            raise
        except Exception as error:  # whatever it is: not being able to look is a result
            if (answer := _answer(error)) is not None:
                return answer
            raise _explained(error) from error
        await _leave(connection)
        return Payload(frames.payload(), status=SWITCHED)

    async def _open(self) -> ClientConnection:
        from websockets.asyncio.client import connect  # noqa: PLC0415 - see above

        return await connect(
            "ws" + self.url.removeprefix("http"),
            additional_headers=list(self.headers),
            user_agent_header="metrics-validator",
            create_connection=_connection(),
            compression=None,  # what is counted is what was sent
            open_timeout=None,  # the whole read is bounded, and no ping need keep it alive
            ping_interval=None,
            close_timeout=_FAREWELL,
            max_size=self.max_bytes,
            max_queue=1,
            logger=_SILENT,
        )

    async def _fill(self, frames: _Frames, connection: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - see above

        try:
            async with asyncio.timeout(self.collect.seconds) as long_enough:
                for message in self.messages:
                    await connection.send(message)
                while not frames.enough:
                    frames.add(await connection.recv())
        except TimeoutError:
            if not long_enough.expired():
                raise
            if not frames.texts:  # silence is no page without errors on it
                assert self.collect.seconds is not None
                connection.transport.abort()
                raise frames.late(self.collect.seconds) from None
        except ConnectionClosed as closed:
            frames.end(closed)
        except BaseException:
            connection.transport.abort()
            raise


@dataclass(slots=True)
class _Frames:
    """What has come so far."""

    collect: Collect
    room: int
    opened: bool = False
    texts: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def enough(self) -> bool:
        return self.collect.count is not None and len(self.texts) >= self.collect.count

    @property
    def so_far(self) -> str:
        return self.collect.of(len(self.texts), "frame")

    def add(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            number = len(self.texts) + 1
            raise DecodeError(f"frame {number} is binary ({size(len(frame))}), not text")
        self.size += len(frame.encode())
        if self.size > self.room:
            raise self._too_large()
        if len(self.texts) == MOST_FRAMES:
            raise ProbeError("too_large", f"more than {MOST_FRAMES} frames")
        self.texts.append(frame)

    def end(self, closed: ConnectionClosed) -> None:
        """Take in that no more will come; raise `ProbeError` when that is too early."""
        ours, theirs = closed.sent, closed.rcvd
        if ours is not None and not closed.rcvd_then_sent:
            if ours.code == _TOO_BIG:
                raise self._too_large()
            if ours.code == _NOT_TEXT:
                raise DecodeError(f"frame {len(self.texts) + 1} is not UTF-8 text")
            raise ProbeError("protocol", f"not valid WebSocket: {cut(ours.reason)}")
        if theirs is None:
            raise ProbeError("protocol", f"the connection broke after {self.so_far}")
        said = f" {cut(theirs.reason)}" if theirs.reason else ""
        fair = theirs.code in (1000, 1001, 1005)  # done, going away, no code given
        if not (fair and self.texts and self.collect.count is None):
            text = f"closed after {self.so_far} (code {int(theirs.code)}{said})"
            raise ProbeError("protocol", text)

    def late(self, timeout: float) -> ProbeError:
        what = self.so_far if self.opened else "no answer"
        return ProbeError("timeout", f"{what} within {written(timeout)}")

    def payload(self) -> bytes:
        return json.dumps(self.texts, ensure_ascii=False).encode()

    def _too_large(self) -> ProbeError:
        return ProbeError("too_large", f"frames larger than {size(self.room)}")


class _DeclinedError(Exception):
    """The server answered without opening a WebSocket."""

    def __init__(self, answer: Payload) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


@cache
def _connection() -> type[ClientConnection]:
    from websockets.asyncio.client import ClientConnection  # noqa: PLC0415 - see above
    from websockets.exceptions import InvalidStatus  # noqa: PLC0415 - see above
    from websockets.frames import CloseCode  # noqa: PLC0415 - see above

    class Connection(ClientConnection):
        """One that follows no redirect, and hangs up on who breaks the protocol.

        A redirect could lead the headers to another origin. And who breaks the protocol need not
        close the connection, for which the library waits.
        """

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            sent = self.protocol.close_sent
            failed = sent is not None and sent.code != CloseCode.NORMAL_CLOSURE
            if (failed and self.protocol.close_rcvd is None) or self.protocol.handshake_exc:
                self.transport.abort()

        async def handshake(self, *arguments: Any, **options: Any) -> None:
            try:
                await super().handshake(*arguments, **options)
            except InvalidStatus as declined:
                answer = declined.response
                kind = answer.headers.get("Content-Type", "")
                payload = Payload(bytes(answer.body or b""), kind, answer.status_code)
                raise _DeclinedError(payload) from None

    return Connection


async def _leave(connection: ClientConnection) -> None:
    """Say goodbye, and go whether or not there is an answer."""
    try:
        async with asyncio.timeout(_FAREWELL):
            await connection.close()
    except TimeoutError:
        pass
    finally:
        connection.transport.abort()


def _answer(error: Exception) -> Payload | None:
    return error.answer if isinstance(error, _DeclinedError) else None


def _explained(error: Exception) -> ProbeError:
    """Say in one sentence what a failed connection means."""
    from websockets import exceptions  # noqa: PLC0415 - see above

    match error:
        case OSError():
            return ProbeError("connect", f"cannot connect: {reason(error)}")
        case exceptions.InvalidURI():
            return ProbeError("protocol", f"not a URL to read: {cut(str(error))}")
        case exceptions.InvalidMessage() if isinstance(error.__cause__, EOFError | OSError):
            return ProbeError("protocol", "the connection broke before an answer")
        case exceptions.InvalidMessage():
            return ProbeError("protocol", f"not valid HTTP: {cut(reason(error))}")
        case exceptions.InvalidHandshake():
            return ProbeError("protocol", f"no WebSocket: {cut(str(error))}")
        case _:
            return ProbeError("protocol", f"{type(error).__name__}: {cut(str(error))}")
