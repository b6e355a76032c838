"""A chat server on loopback that answers with scripted bytes, however wrong they are.

A script is a sequence of steps: bytes are sent as they stand, a function is awaited with the
server, and an `Act` is done to the connection. Which script a request gets is decided by its
prompt (the content of its last message, or its input). After a script the connection is kept alive.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self


class Act(Enum):
    """What can be done to a connection."""

    CLOSE = auto()
    """An orderly end (FIN)."""
    RESET = auto()
    """A rude one (RST)."""
    HANG = auto()
    """Nothing more, until the client leaves."""


Step = bytes | Act | Callable[["HostileLLM"], Awaitable[None]]
Script = Sequence[Step]


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    line: str
    headers: dict[str, str]
    body: dict | None

    @property
    def prompt(self) -> str:
        match self.body:
            case {"messages": [*_, {"content": text}]} | {"prompt": text} | {"input": text}:
                return str(text)
        return ""


class HostileLLM:
    """The server, for the length of an `async with`."""

    def __init__(
        self,
        scripts: Mapping[str, Script],
        otherwise: Script = (),
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._tls = tls
        self._scripts = scripts
        self._otherwise = otherwise
        self._tasks: set[asyncio.Task] = set()
        self._news = asyncio.Condition()
        self.requests: list[Request] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
        scheme = "https" if self._tls else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"{scheme}://{host}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def arrived(self, count: int) -> None:
        """Wait until *count* requests have come in."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)

    async def deserted(self) -> None:
        """Wait until every client has left."""
        await asyncio.gather(*self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._connection(reader, writer)))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                async with self._news:
                    self.requests.append(request)
                    self._news.notify_all()
                script = self._scripts.get(request.prompt, self._otherwise)
                if not await self._play(script, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()

    async def _play(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Follow *script*; say whether the connection is still of use."""
        for step in script:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case Act.CLOSE:
                    return False
                case Act.RESET:
                    linger = struct.pack("ii", 1, 0)
                    connection = writer.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return False
                case Act.HANG:
                    await reader.read()
                    return False
                case _:
                    await step(self)
        return True


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(line, headers, json.loads(body) if body else None)


def head(status: str = "200 OK", **headers: object) -> bytes:
    """Return the start of a response; `content_type` is written Content-Type."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def answer(body: bytes, status: str = "200 OK", **headers: object) -> bytes:
    """Return a response with a length."""
    headers = {"content_type": "application/json", **headers}
    return head(status, content_length=len(body), **headers) + body


STREAM = head(content_type="text/event-stream", transfer_encoding="chunked")
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one piece of a body with Transfer-Encoding chunked."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(document: object, ending: bytes = b"\n") -> bytes:
    """Return one event of a stream; text is taken as it stands, anything else becomes JSON."""
    text = document if isinstance(document, str) else json.dumps(document)
    return b"data: " + text.encode() + ending * 2


def delta(content: str | None = None, index: int = 0, finish: str | None = None, **more) -> dict:
    """Return one chunk of a chat completion."""
    part = {**({} if content is None else {"content": content}), **more}
    return {"choices": [{"index": index, "delta": part, "finish_reason": finish}]}


def stream(*documents: object, end: bytes = END, ending: bytes = b"\n") -> bytes:
    """Return a whole streamed response, each event in a chunk of its own."""
    return STREAM + b"".join(chunk(event(d, ending)) for d in documents) + end


ROLE = delta(role="assistant", content="")
DONE = "[DONE]"
GOOD = stream(ROLE, delta("Hel"), delta("lo"), delta(finish="stop"), DONE)
