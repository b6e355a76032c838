"""Fetching an endpoint over HTTP, within bounds of time and size."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from validator.duration import written
from validator.errors import ProbeError
from validator.probes.coding import ACCEPTED, Inflater, TooLargeError
from validator.records.observation import Payload
from validator.values import printable

# Importing httpx costs a quarter of a second, and a run that is only judged again needs none.
if TYPE_CHECKING:
    import httpx

MOST_REDIRECTS = 5
_SHOWN = 160
_CLOSED_EARLY = ("Server disconnected", "peer closed connection")
"""How httpx begins to say so; it has no class of its own for it."""


@asynccontextmanager
async def session() -> AsyncIterator[httpx.AsyncClient]:
    """Open the connections that the reads of one run share."""
    import httpx  # noqa: PLC0415 - see above

    limits = httpx.Limits(
        max_connections=None,
        # Shorter than servers keep an idle connection (2 s and up): the one who waits longer
        # writes into a closed connection, and a healthy endpoint would look broken.
        keepalive_expiry=1.0,
    )
    headers = {"User-Agent": "metrics-validator", "Accept-Encoding": ACCEPTED}
    async with httpx.AsyncClient(limits=limits, timeout=None, headers=headers) as client:  # noqa: S113 - the probe bounds the whole read
        yield client


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One HTTP request, and the redirects within the same origin that it leads to."""

    client: httpx.AsyncClient
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
            raise _explained(error, progress) from error

    async def _follow(self, progress: _Progress) -> Payload:
        headers = [(name.encode(), value.encode()) for name, value in self.headers]
        method, content = self.method, self.body
        request = self.client.build_request(method, self.url, headers=headers, content=content)
        seen = {request.url}
        while True:
            response = await self.client.send(request, stream=True, follow_redirects=False)
            progress.response = response
            try:
                if not (self.follow and response.has_redirect_location):
                    return await self._payload(response)
            finally:
                await response.aclose()
            progress.response = None
            location = response.headers["Location"]
            there = request.url.join(location).copy_with(fragment=None)
            _check_redirect(request.url, there, location, seen)
            seen.add(there)
            if response.status_code in {301, 302, 303} and method != "HEAD":
                method, content = "GET", None  # as every browser does
            request = self.client.build_request(method, there, headers=headers, content=content)

    async def _payload(self, response: httpx.Response) -> Payload:
        inflater = Inflater(response.headers.get("Content-Encoding", ""), self.max_bytes)
        try:
            async for piece in response.aiter_raw():
                if response.num_bytes_downloaded > self.max_bytes:
                    raise ProbeError("too_large", f"body larger than {_size(self.max_bytes)}")
                inflater.feed(piece)
        except TooLargeError:
            raise ProbeError(
                "too_large", f"body decodes to more than {_size(self.max_bytes)}"
            ) from None
        content_type = response.headers.get("Content-Type", "")
        return Payload(inflater.body(), content_type, response.status_code)


@dataclass(slots=True)
class _Progress:
    """How far a read has come, for the sentence that says where it ended."""

    response: httpx.Response | None = None

    def late(self, timeout: float) -> str:
        if self.response is None:
            return f"no answer within {written(timeout)}"
        return (
            f"the body did not end within {written(timeout)} "
            f"({_size(self.response.num_bytes_downloaded)} so far)"
        )

    def broken(self) -> str:
        if self.response is None:
            return "the connection broke before an answer"
        return f"the connection broke after {_size(self.response.num_bytes_downloaded)}"


def _check_redirect(here: httpx.URL, there: httpx.URL, location: str, seen: set[httpx.URL]) -> None:
    shown = _cut(location)
    if _origin(there) != _origin(here):
        raise ProbeError("redirect", f"redirect to another origin: {shown}")
    if there in seen:
        raise ProbeError("redirect", f"redirect in a loop: {shown}")
    if len(seen) > MOST_REDIRECTS:
        raise ProbeError(
            "redirect", f"more than {MOST_REDIRECTS} redirects, the last one to {shown}"
        )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port  # httpx leaves a scheme's own port out


def _explained(error: Exception, progress: _Progress) -> ProbeError:
    """Say in one sentence what a failed request means."""
    import httpx  # noqa: PLC0415 - see above

    while isinstance(error, ExceptionGroup):  # of one attempt for each address, say
        error = error.exceptions[0]
    match error:
        case httpx.ConnectError():
            return ProbeError("connect", f"cannot connect: {_reason(error)}")
        case httpx.TimeoutException():
            return ProbeError("timeout", f"no answer in time: {_reason(error)}")
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
            return ProbeError("redirect", f"redirect to no URL: {_cut(str(error))}")
        case httpx.RemoteProtocolError():
            return ProbeError("protocol", f"not valid HTTP: {_cut(str(error))}")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return ProbeError("protocol", f"not a URL to read: {_cut(str(error))}")
        case _:
            return ProbeError("protocol", f"{type(error).__name__}: {_cut(str(error))}")


def _reason(error: BaseException) -> str:
    """Return what the operating system said, from under the wrappings of the libraries."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {(cause.reason or 'failed').lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.errno is not None:
            said = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
            return said[:1].lower() + said[1:]
    return _cut(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through what an exception was raised from, and the first of each group."""
    following: BaseException | None = error
    while following is not None:
        yield following
        if isinstance(following, BaseExceptionGroup):
            following = following.exceptions[0]
        else:
            following = following.__cause__ or following.__context__


def _size(count: int) -> str:
    for unit, word in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {word}"
    return f"{count} byte{'s' if count != 1 else ''}"


def _cut(text: str) -> str:
    text = printable(text[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
