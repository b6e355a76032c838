"""Requests as the openai package builds them, their bytes kept: only the body varies.

The package is given a transport that sends nothing. It hands over the finished request (address,
signature, headers, body), once for each distinct shape of arguments; a request of a known shape is
the kept head with its own body. Where the package does more to the arguments than to write them
as JSON, or builds no two alike, it builds every request.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import msgspec

from validator.drivers.failures import ExchangeError
from validator.drivers.reply import decoded

Call: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
"""A `with_streaming_response.create` of the openai package, whatever it creates."""

REPLACED: Final = ("content-length", "accept-encoding", "connection", "transfer-encoding")
"""Headers that say how the bytes travel, which is our part."""
SHAPES: Final = 1000
"""Shapes whose requests are kept; of more than these each is built."""
HUGE: Final = 2**63
"""Beyond this msgspec writes no integer."""

_encode = msgspec.json.Encoder().encode


class Captured(Exception):  # noqa: N818 - nothing is wrong
    """The request is finished, and was not sent."""


class Capture:
    """A transport, as httpx knows them, that keeps the request and sends nothing."""

    def __init__(self) -> None:
        self.request: Any = None
        self.library: Any = None
        """The HTTP library under the openai package; its name has changed before."""

    def trust(self) -> ssl.SSLContext:
        """Return whose certificates that library accepts, which the environment may say."""
        context: ssl.SSLContext = self.library.create_ssl_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def handle_async_request(self, request: Any) -> Any:
        """Keep *request*."""
        self.request = request
        self.library = sys.modules[type(request).__module__.partition(".")[0]]
        raise Captured

    async def aclose(self) -> None:
        """Close nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close nothing."""


@dataclass(frozen=True, slots=True)
class Written:
    """One request as bytes."""

    origin: tuple[str, str, int]
    """Scheme, host and port."""
    head: bytes
    """All of the head but the length of the body."""
    body: bytes

    @property
    def whole(self) -> bytes:
        """The bytes that travel."""
        return b"%b%d\r\n\r\n%b" % (self.head, len(self.body), self.body)


class Templates:
    """The requests of one driver."""

    def __init__(self, call: Call, capture: Capture) -> None:
        self._call = call
        self._capture = capture
        self._heads: dict[Any, bytes | None] = {}
        self.origin: tuple[str, str, int] | None = None

    def known(self, arguments: Mapping[str, Any]) -> bytes | None:
        """Return the request with these *arguments*, if its shape is known; else None."""
        head = self._heads.get(_shape(arguments))
        if head is None:
            return None
        try:
            body = _encode(_document(arguments))
        except (TypeError, ValueError, OverflowError):
            return None  # the openai package may know how to, or say why not
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)

    async def built(self, arguments: Mapping[str, Any]) -> bytes:
        """Return the request with these *arguments* as the openai package builds it."""
        written = await self._build(arguments)
        shape = _shape(arguments)
        if shape not in self._heads and len(self._heads) < SHAPES:
            again = await self._build(arguments)
            alike = again == written and decoded(written.body) == _document(arguments)
            self._heads[shape] = written.head if alike else None
        return written.whole

    async def _build(self, arguments: Mapping[str, Any]) -> Written:
        self._capture.request = None
        try:
            await self._call(**arguments).__aenter__()
        except Exception:
            if self._capture.request is None:
                raise
        request, self._capture.request = self._capture.request, None
        written = await _written(request)
        self.origin = written.origin
        return written


def _document(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that *arguments* of a call of the openai package mean."""
    document = dict(arguments)
    document.update(document.pop("extra_body", None) or {})
    return document


def _shape(value: Any) -> Any:
    """Return what two values have in common that differ in their texts and numbers only."""
    kind = type(value)
    if kind is str:
        return str
    if kind is dict:  # its keys, then what they have
        return (*value, *[str if type(m) is str else _shape(m) for m in value.values()])
    if kind is list or kind is tuple:
        # A list's length means nothing, and its members are mostly of one shape.
        return (list, *dict.fromkeys([_shape(member) for member in value]))
    if kind is int:
        return int if -HUGE < value < HUGE else value
    return value if value is None or kind is bool else (kind, repr(value))


async def _written(request: Any) -> Written:
    url = request.url
    body = b"".join([piece async for piece in _pieces(request)])
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), url.raw_path)]
    for name, value in request.headers.raw:
        if name.decode("latin-1").lower() not in REPLACED:
            lines.append(_line(name, value))
    lines += [b"Accept-Encoding: identity", b"Connection: keep-alive", b"Content-Length: "]
    port = url.port or (443 if url.scheme == "https" else 80)
    origin = (url.scheme, url.raw_host.decode("ascii"), port)
    return Written(origin, b"\r\n".join(lines), body)


def _pieces(request: Any) -> AsyncIterator[bytes]:
    pieces: AsyncIterator[bytes] = request.stream.__aiter__()
    return pieces


def _line(name: bytes, value: bytes) -> bytes:
    if any(mark in name + value for mark in (b"\r", b"\n", b"\0")):
        raise ExchangeError("client_error", f"Illegal header value {value!r}")
    return b"%b: %b" % (name, value)
