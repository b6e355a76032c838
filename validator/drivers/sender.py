"""Requests sent: timed, bounded, and every failure given its class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from validator.drivers import failures, sse
from validator.drivers.base import Clock, Connection
from validator.drivers.failures import ExchangeError
from validator.drivers.reply import Reply
from validator.records.load import INTERRUPTED, OK, Exchange, TokenSource

if TYPE_CHECKING:
    import asyncio

MAX_BODY: Final = 64 * 1024 * 1024
TOO_LARGE: Final = f"response larger than {MAX_BODY // 2**20} MiB"
ERROR_BODY: Final = 64 * 1024
"""Bytes of an error body that are read; its first sentence is all that is shown."""
GRACE: Final = 1.0
"""Seconds that a server has to end its response after `[DONE]`, or to send an error's body."""
STREAM_TYPE: Final = "text/event-stream"
SHORTEST_SECRET: Final = 6
"""A shorter key is no secret, and taking it out of a message would take out words."""


class Response(Protocol):
    """A response whose headers have come: httpx's, under whatever name that library goes."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, decompressed."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent."""

    model: str
    reply: Reply
    """Takes in what comes back."""
    streamed: bool


@dataclass(frozen=True, slots=True)
class HttpRequest(Request):
    """One request that an HTTP library sends."""

    ask: Callable[[], AbstractAsyncContextManager[Response]]
    """Sends it; fails unless the status is a good one."""


R = TypeVar("R", bound=Request)


class Timed(ABC, Generic[R]):
    """What sends requests, and tells of each how it went."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        prepare: Callable[[int], R],
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._timeout = connection.timeout
        self._clock = clock
        self._prepare = prepare
        self._secrets = tuple(
            form
            for secret in (connection.api_key, *secrets)
            if len(secret) >= SHORTEST_SECRET
            # as it stands, and as an error quotes one that is illegal
            for form in (secret, secret.encode("unicode_escape").decode())
        )

    @abstractmethod
    async def _ask(self, request: R) -> float:
        """Return the instant at which a good response ended; raise for any other."""

    async def send(self, index: int, due: float | None = None, cut: int | None = None) -> Exchange:
        import asyncio  # noqa: PLC0415 - 35 ms of CPU, and only a load needs it

        began = self._clock()
        request = self._prepare(index)
        reply = request.reply
        reply.due, reply.cut = due, cut
        outcome, detail = OK, ""
        try:
            done = await self._ask(request)
        except asyncio.CancelledError:
            done, outcome = self._clock(), INTERRUPTED
        except Exception as failure:  # noqa: BLE001 - a failed request is a result
            done = self._clock()
            outcome, detail = failures.classify(
                failure, answered=reply.answered, content=reply.chunks > 0
            )
            detail = failures.one_line(self._without_secrets(detail))
        sent = began if reply.sent is None else reply.sent
        tokens, source = _tokens(request)
        return Exchange(
            index=index,
            model=request.model,
            due=sent if due is None else due,
            sent=sent,
            done=done,
            outcome=outcome,
            detail=detail,
            prepared=None if reply.sent is None else sent - began,
            first_event=reply.first_event,
            first_token=reply.first_token,
            last_token=reply.last_token,
            gaps=reply.gaps,
            chunks=reply.chunks,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=tokens,
            cached_tokens=reply.cached_tokens,
            token_source=source,
            finish_reasons=reply.finish_reasons,
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _overdue(self, reply: Reply) -> ExchangeError:
        came = f"after {reply.chunks} chunks" if reply.chunks else "no content"
        return ExchangeError("timeout", f"no end within {self._timeout:g} s, {came}")


class HttpSender(Timed[HttpRequest]):
    """An open client of an HTTP library, and the clock that stamps what comes through it."""

    async def _ask(self, request: HttpRequest) -> float:
        import asyncio  # noqa: PLC0415 - as in send

        reply = request.reply
        try:
            async with asyncio.timeout(self._timeout) as bound, request.ask() as response:
                reply.answered = True
                if request.streamed:
                    await self._read_stream(response, reply, bound)
                else:
                    reply.whole(await _body(response), content_type(response), self._clock())
            done = self._clock()
        except Exception as failure:
            if reply.done is None:
                if isinstance(failure, TimeoutError) and bound.expired():
                    raise self._overdue(reply) from None
                raise
            done = reply.done  # what breaks after [DONE] breaks nothing
        if request.streamed:
            reply.end_of_stream()
        return done

    async def _read_stream(self, response: Response, reply: Reply, bound: asyncio.Timeout) -> None:
        media_type = content_type(response)
        if media_type != STREAM_TYPE:
            reply.not_a_stream(await _body(response), media_type)
        async for data, now in self._events(response):
            if reply.done is None:
                reply.event(data, now)
                if reply.done is not None:
                    import asyncio  # noqa: PLC0415 - as in send

                    bound.reschedule(asyncio.get_running_loop().time() + GRACE)

    async def _events(self, response: Response) -> AsyncIterator[tuple[bytes, float]]:
        """Yield the data of each event, and when it came."""
        cutter = sse.Cutter()
        async for piece in pieces(response):
            now = self._clock()  # before any parsing: our own work is not the server's time
            try:
                events = cutter.feed(piece)
            except ValueError as large:
                raise ExchangeError("malformed", str(large)) from large
            for data in events:
                yield data, now


def _tokens(request: Request) -> tuple[int | None, TokenSource | None]:
    reply = request.reply
    if reply.completion_tokens is not None:
        return reply.completion_tokens, "usage"
    if request.streamed:
        return reply.chunks, "chunks"
    return None, None if reply.prompt_tokens is None else "usage"


def content_type(response: Response) -> str:
    """Return the media type of *response*, without its parameters."""
    return media_type(response.headers.get("content-type", ""))


def media_type(header: str) -> str:
    """Return the media type that a Content-Type header names, without its parameters."""
    return header.partition(";")[0].strip().lower()


async def pieces(response: Response) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, decompressed, up to the limit."""
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > MAX_BODY:
            raise ExchangeError("malformed", TOO_LARGE)
        yield piece


async def _body(response: Response) -> bytes:
    return b"".join([piece async for piece in pieces(response)])


def refusal(status: int, body: bytes) -> ExchangeError:
    """Return what a response with another status than a good one is."""
    said = failures.message(body[:ERROR_BODY])
    text = f"HTTP {status}"
    return ExchangeError(f"status_{status}", f"{text}: {said}" if said else text)


def refusing_all_but(statuses: Container[int]) -> Callable[[Any], Awaitable[None]]:
    """Return a hook that stops at any other status, and reads no error body without bound."""

    async def refuse(response: Any) -> None:
        if response.status_code in statuses:
            return
        import asyncio  # noqa: PLC0415 - as in send

        body = bytearray()
        with suppress(Exception):  # whatever goes wrong with its body, the status is known
            async with asyncio.timeout(GRACE):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > ERROR_BODY:
                        break
        raise refusal(response.status_code, bytes(body))

    return refuse
