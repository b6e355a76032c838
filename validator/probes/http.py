"""Fetching an endpoint over HTTP, within bounds of time and size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from validator import environment
from validator.duration import written
from validator.errors import ProbeError
from validator.probes.base import Collect
from validator.probes.coding import ACCEPTED, Inflater, TooLargeError
from validator.probes.events import EventCounter
from validator.probes.wording import cut, reason, size
from validator.records.observation import Payload

# Importing httpx costs a quarter of a second, and a run that is only judged again needs none.
if TYPE_CHECKING:
    import httpx

MOST_REDIRECTS = 5
_CLOSED_EARLY = ("Server disconnected", "peer closed connection")
"""How httpx begins to say so; it has no class of its own for it."""


class Session:
    """The connections that the reads of one run share, opened when there is something to read."""

    def __init__(self) -> None:
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def client(self, url: str) -> httpx.AsyncClient:
        """Return what reads *url*; raise `ProbeError` when the environment lets nothing do so."""
        secure = not url.lower().startswith("http:") or environment.proxied()
        if secure not in self._clients:
            try:
                self._clients[secure] = _client(secure=secure)
            except Exception as failure:  # of several libraries, and no fault of the endpoint's
                raise ProbeError("environment", environment.unusable(failure)) from failure
        return self._clients[secure]

    async def close(self) -> None:
        """Leave every connection."""
        async with AsyncExitStack() as stack:  # the others too, should one not be left in peace
            for client in self._clients.values():
                stack.push_async_callback(client.aclose)


@asynccontextmanager
async def session() -> AsyncIterator[Session]:
    """Have connections to read by for the block."""
    opened = Session()
    try:
        yield opened
    finally:
        await opened.close()


def _client(*, secure: bool) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - see above

    return httpx.AsyncClient(
        timeout=None,  # noqa: S113 - the probe bounds the whole read
        limits=httpx.Limits(
            max_connections=None,
            # Shorter than servers keep an idle connection (2 s and up): the one who waits longer
            # writes into a closed connection, and a healthy endpoint would look broken.
            keepalive_expiry=1.0,
        ),
        headers={"User-Agent": "metrics-validator", "Accept-Encoding": ACCEPTED},
        # To read all certificates that are trusted takes 20 ms; without TLS none needs to be.
        verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One HTTP request, and the redirects within the same origin that it leads to."""

    session: Session
    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    timeout: float = 5.0
    """Seconds for everything, from connecting to the last byte."""
    max_bytes: int = 64 * 1024 * 1024
    """Of the body on the wire, and again decoded."""
    follow: bool = True
    """Whether to go where a redirect points; if not, it is the answer."""
    collect: Collect | None = None
    """How many events to take from a text/event-stream, and for how long; None reads to its end."""

    async def fetch(self) -> Payload:
        """Fetch the endpoint once; raise `ProbeError` and nothing else."""
        progress = _Progress()
        try:
            async with asyncio.timeout(self.timeout):
                return await self._follow(progress)
        except TimeoutError:
            raise ProbeError("timeout", progress.late(self.timeout)) from None
        except ProbeError:
            raise
        except Exception as error:  # whatever it is: not being able to look is a result
            raise _explained(error, progress, self.url) from error

    async def _follow(self, progress: _Progress) -> Payload:
        client = self.session.client(self.url)
        headers = [(name.encode(), value.encode()) for name, value in self.headers]
        method, content = self.method, self.body
        request = client.build_request(method, self.url, headers=headers, content=content)
        seen = {request.url}
        while True:
            response = await client.send(request, stream=True, follow_redirects=False)
            progress.response = response
            try:
                if not (self.follow and response.has_redirect_location):
                    return await self._payload(response, progress)
            finally:
                await response.aclose()
            progress.response = None
            location = response.headers["Location"]
            there = request.url.join(location).copy_with(fragment=None)
            _check_redirect(request.url, there, location, seen)
            seen.add(there)
            if response.status_code in {301, 302, 303} and method != "HEAD":
                method, content = "GET", None  # as every browser does
            request = client.build_request(method, there, headers=headers, content=content)

    async def _payload(self, response: httpx.Response, progress: _Progress) -> Payload:
        inflater = Inflater(response.headers.get("Content-Encoding", ""), self.max_bytes)
        # An error page is no stream, and is wanted whole.
        progress.collect = collect = self.collect if response.is_success else None
        try:
            if collect is None:
                async for piece in response.aiter_raw():
                    self._feed(inflater, piece, response)
                body = inflater.body()
            else:
                body = await self._collected(response, inflater, progress.events, collect)
        except TooLargeError:
            raise ProbeError(
                "too_large", f"body decodes to more than {size(self.max_bytes)}"
            ) from None
        return Payload(body, response.headers.get("Content-Type", ""), response.status_code)

    async def _collected(
        self, response: httpx.Response, inflater: Inflater, events: EventCounter, collect: Collect
    ) -> bytes:
        """Read until there are enough events or the time is up, and leave the rest."""
        events.wanted = collect.count
        try:
            raw: Any = response.aiter_raw()  # a generator, which its type does not say
            async with asyncio.timeout(collect.seconds), aclosing(raw) as pieces:
                length = 0
                async for piece in pieces:
                    decoded = self._feed(inflater, piece, response)
                    if (end := events.feed(decoded)) is not None:
                        return inflater.so_far()[: length + end]
                    length += len(decoded)
        except TimeoutError:
            if not events.seen and collect.seconds is not None:  # silence is no page without errors
                text = f"{collect.of(0, 'event')} within {written(collect.seconds)}"
                raise ProbeError("timeout", text) from None
            return inflater.so_far()
        if collect.count is not None:
            kind = cut(response.headers.get("Content-Type", "")) or "no content type"
            text = f"the body ended after {collect.of(events.seen, 'event')} ({kind})"
            raise ProbeError("protocol", text)
        return inflater.body()

    def _feed(self, inflater: Inflater, piece: bytes, response: httpx.Response) -> bytes:
        if response.num_bytes_downloaded > self.max_bytes:
            raise ProbeError("too_large", f"body larger than {size(self.max_bytes)}")
        return inflater.feed(piece)


@dataclass(slots=True)
class _Progress:
    """How far a read has come, for the sentence that says where it ended."""

    response: httpx.Response | None = None
    collect: Collect | None = None
    events: EventCounter = field(default_factory=EventCounter)

    def late(self, timeout: float) -> str:
        if self.response is None:
            return f"no answer within {written(timeout)}"
        if self.collect is not None:
            return f"{self.collect.of(self.events.seen, 'event')} within {written(timeout)}"
        return (
            f"the body did not end within {written(timeout)} "
            f"({size(self.response.num_bytes_downloaded)} so far)"
        )

    def broken(self) -> str:
        if self.response is None:
            return "the connection broke before an answer"
        return f"the connection broke after {size(self.response.num_bytes_downloaded)}"


def _check_redirect(here: httpx.URL, there: httpx.URL, location: str, seen: set[httpx.URL]) -> None:
    shown = cut(location)
    if _origin(there) != _origin(here):
        raise ProbeError("redirect", f"redirect to another origin: {shown}")
    if there in seen:
        raise ProbeError("redirect", f"redirect in a loop: {shown}")
    if len(seen) > MOST_REDIRECTS:
        raise ProbeError(
            "redirect", f"more than {MOST_REDIRECTS} redirects, the last one to {shown}"
        )


def whole_url(base: str, place: str) -> str:
    """Return the URL of a page: *place* is its path on *base*, or a whole URL already."""
    return base + place if place.startswith("/") else place


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port  # httpx leaves a scheme's own port out


def _explained(error: Exception, progress: _Progress, url: str) -> ProbeError:
    """Say in one sentence what a failed request means."""
    import httpx  # noqa: PLC0415 - see above

    while isinstance(error, ExceptionGroup):  # of one attempt for each address, say
        error = error.exceptions[0]
    match error:
        case httpx.ConnectError():
            proxy = environment.proxy_of(url)
            way = f" by the proxy of {proxy}" if proxy else ""
            return ProbeError("connect", f"cannot connect{way}: {reason(error)}")
        case httpx.TimeoutException():
            return ProbeError("timeout", f"no answer in time: {reason(error)}")
        case httpx.LocalProtocolError():
            # Its own text quotes the header, which may be the secret one.
            return ProbeError(
                "protocol", "the request is not valid HTTP: a line break in a header or the path?"
            )
        case httpx.ReadError() | httpx.WriteError() | httpx.CloseError():
            return ProbeError("protocol", progress.broken())
        case httpx.RemoteProtocolError() if str(error).startswith(_CLOSED_EARLY):
            return ProbeError("protocol", progress.broken())
        case httpx.RemoteProtocolError() if "location header" in str(error):
            return ProbeError("redirect", f"redirect to no URL: {cut(str(error))}")
        case httpx.RemoteProtocolError():
            return ProbeError("protocol", f"not valid HTTP: {cut(str(error))}")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return ProbeError("protocol", f"not a URL to read: {cut(str(error))}")
        case _:
            return ProbeError("protocol", f"{type(error).__name__}: {cut(str(error))}")
