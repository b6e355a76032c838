"""Streams read through the openai package's own objects: slow, and the reference for what is fast.

The package tells neither whether a stream ended with `[DONE]` nor how large it grew, so that the
bytes are watched on their way to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from validator.drivers import sse
from validator.drivers.failures import ExchangeError, describe
from validator.drivers.reply import DONE, Reply
from validator.drivers.sender import GRACE, HttpSender, Response, content_type, pieces

if TYPE_CHECKING:
    import asyncio


class ObjectSender(HttpSender):
    """A client of the openai package whose streams are iterated as its users do."""

    async def _read_stream(self, response: Response, reply: Reply, bound: asyncio.Timeout) -> None:
        import asyncio  # noqa: PLC0415 - only a load needs it

        import openai  # noqa: PLC0415 - as above

        over = False

        def end() -> None:
            nonlocal over
            over = True
            bound.reschedule(asyncio.get_running_loop().time() + GRACE)

        answer = cast("Any", response)  # the package's own, before it is parsed
        http = answer.http_response
        if not content_type(http).startswith("text/event-stream"):
            await super()._read_stream(http, reply, bound)
            return
        untouched = _Untouched(http.headers, http.aiter_bytes)
        http.aiter_bytes = partial(_watched, untouched, end)
        try:
            async for chunk in await answer.parse():
                reply.first_event = reply.first_event or self._clock()
                reply.chunk(_document(chunk), self._clock())
        except openai.APIStatusError:
            raise
        except openai.APIConnectionError:
            if not over:
                raise
        except openai.APIError as failure:
            raise ExchangeError("api_error", failure.message) from failure
        except (ValueError, RecursionError) as failure:  # of its JSON decoder
            raise ExchangeError("malformed", f"not JSON ({describe(failure)})") from failure
        if over:
            reply.done = self._clock()


class _Untouched:
    """A response whose bytes nobody watches yet."""

    def __init__(self, headers: Any, aiter_bytes: Callable[[], AsyncIterator[bytes]]) -> None:
        self.headers = headers
        self.aiter_bytes = aiter_bytes


async def _watched(response: Response, end: Callable[[], None]) -> AsyncIterator[bytes]:
    cutter = sse.Cutter()
    over = False
    async for piece in pieces(response):
        if not over:
            try:
                over = any(data.strip() == DONE for data in cutter.feed(piece))
            except ValueError as large:
                raise ExchangeError("malformed", str(large)) from large
            if over:
                end()
        yield piece


def _document(chunk: Any) -> Any:
    """Return what a chunk was made from; what is no object stays as it is."""
    if hasattr(chunk, "to_dict"):
        return chunk.to_dict(exclude_unset=True, warnings=False)
    return chunk
