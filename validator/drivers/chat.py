"""Chat completions, through the openai package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from validator.drivers import failures, sse
from validator.drivers.base import Clock, Connection, Sender, driver
from validator.drivers.completion import Completion
from validator.drivers.failures import ExchangeError
from validator.records.load import CANCELLED, OK, Exchange, TokenSource
from validator.values import Json

if TYPE_CHECKING:
    from openai import AsyncAPIResponse, AsyncOpenAI

MAX_BODY: Final = 64 * 1024 * 1024
ERROR_BODY: Final = 64 * 1024
"""Bytes of an error body that are read; its first sentence is all that is shown."""
GRACE: Final = 1.0
"""Seconds that a server has to end its response after `[DONE]`, or to send an error's body."""
STREAM_TYPE: Final = "text/event-stream"
SHORTEST_SECRET: Final = 6
"""A shorter key is no secret, and taking it out of a message would take out words."""


def _field(text: str, **default: Any) -> Any:
    return field(metadata={"help": text}, **default)


@driver("chat")
@dataclass(frozen=True, slots=True)
class Chat:
    """Ask for a chat completion, streamed or whole.

    ```yaml
    load:
      driver: chat
      model: my-model
      requests: 100
      concurrency: 10
      max_tokens: 50
      prompts: [Write a haiku about programming, Describe what an API is]
    ```
    """

    name: ClassVar[str] = "chat"

    connection: Connection
    model: str = _field("The model to ask for.")
    prompts: tuple[str, ...] = _field("Taken in turn; after the last comes the first again.")
    stream: bool = _field("Whether the answer is to come in pieces, as it is made.", default=True)
    max_tokens: int | None = _field("The longest answer to ask for.", default=None)
    system: str = _field("A system message before each prompt.", default="")
    usage: bool = _field("Ask a stream for its token counts (include_usage).", default=True)
    body: Mapping[str, Json] = _field(
        "More keys of the request body, such as temperature; they win over all others.",
        default_factory=dict,
    )

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError("prompts: at least one is needed")

    @asynccontextmanager
    async def open(self, clock: Clock, width: int) -> AsyncIterator[Sender]:
        import openai  # noqa: PLC0415 - costs over a second of CPU, and only a load needs it

        key = self.connection.api_key
        http = openai.DefaultAsyncHttpxClient(
            limits=type(openai.DEFAULT_CONNECTION_LIMITS)(max_keepalive_connections=width),
            timeout=None,  # the whole exchange is bounded, not each of its steps
            follow_redirects=False,  # a redirected POST would be two requests
            event_hooks={
                "request": [] if key else [_unsign],
                "response": [_refuse_unless_ok],
            },
        )
        client = openai.AsyncOpenAI(
            base_url=f"{self.connection.url}/v1",
            api_key=key or "none",  # it insists on one
            max_retries=0,  # one exchange is one request, or the books part
            timeout=None,
            http_client=http,
        )
        client.organization = client.project = None  # the environment's, and no target's business
        async with client:
            yield _ChatSender(self, client, clock)

    def request(self, index: int) -> dict[str, Any]:
        """Return the arguments of request *index*."""
        messages = [{"role": "user", "content": self.prompts[index % len(self.prompts)]}]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        arguments: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "stream": self.stream,
            "extra_body": dict(self.body),
        }
        if self.max_tokens is not None:
            arguments["max_tokens"] = self.max_tokens
        if self.stream and self.usage:
            arguments["stream_options"] = {"include_usage": True}
        return arguments


class _ChatSender:
    """An open connection pool, and the clock that stamps what comes through it."""

    def __init__(self, chat: Chat, client: AsyncOpenAI, clock: Clock) -> None:
        self._chat = chat
        self._create = client.chat.completions.with_streaming_response.create
        self._clock = clock

    async def send(self, index: int, due: float | None = None) -> Exchange:
        completion = Completion()
        request = self._chat.request(index)
        outcome, detail = OK, ""
        sent = self._clock()
        try:
            done = await self._ask(request, completion)
        except asyncio.CancelledError:
            done, outcome = self._clock(), CANCELLED
        except Exception as failure:  # noqa: BLE001 - a failed request is a result
            done = self._clock()
            outcome, detail = failures.classify(
                failure, answered=completion.answered, content=completion.chunks > 0
            )
        tokens, source = self._tokens(completion)
        return Exchange(
            index=index,
            model=self._chat.model,
            due=sent if due is None else due,
            sent=sent,
            done=done,
            outcome=outcome,
            detail=failures.one_line(self._without_key(detail)),
            first_event=completion.first_event,
            first_token=completion.first_token,
            last_token=completion.last_token,
            gaps=completion.gaps,
            chunks=completion.chunks,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=tokens,
            cached_tokens=completion.cached_tokens,
            token_source=source,
        )

    async def _ask(self, request: dict[str, Any], completion: Completion) -> float:
        """Return the instant at which a good response ended; raise for any other."""
        timeout = self._chat.connection.timeout
        try:
            async with asyncio.timeout(timeout) as bound, self._create(**request) as response:
                completion.answered = True
                if self._chat.stream:
                    await self._read_stream(response, completion, bound)
                else:
                    completion.whole(await _body(response), self._clock())
            done = self._clock()
        except Exception as failure:
            if completion.done is None:
                if isinstance(failure, TimeoutError) and bound.expired():
                    came = (
                        f"after {completion.chunks} chunks" if completion.chunks else "no content"
                    )
                    raise ExchangeError("timeout", f"no end within {timeout:g} s, {came}") from None
                raise
            done = completion.done  # what breaks after [DONE] breaks nothing
        if self._chat.stream:
            completion.end_of_stream()
        return done

    async def _read_stream(
        self, response: AsyncAPIResponse[Any], completion: Completion, bound: asyncio.Timeout
    ) -> None:
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != STREAM_TYPE:
            completion.not_a_stream(await _body(response), content_type)
        cutter = sse.Cutter()
        async for piece in _pieces(response):
            now = self._clock()  # before any parsing: our own work is not the server's time
            if completion.done is not None:
                continue  # read to its end, or the connection could not be used again
            try:
                events = cutter.feed(piece)
            except ValueError as large:
                raise ExchangeError("malformed", str(large)) from large
            for data in events:
                completion.event(data, now)
            if completion.done is not None:
                bound.reschedule(asyncio.get_running_loop().time() + GRACE)

    def _tokens(self, completion: Completion) -> tuple[int | None, TokenSource | None]:
        if completion.completion_tokens is not None:
            return completion.completion_tokens, "usage"
        return (completion.chunks, "chunks") if self._chat.stream else (None, None)

    def _without_key(self, text: str) -> str:
        key = self._chat.connection.api_key
        if len(key) < SHORTEST_SECRET:
            return text
        escaped = key.encode("unicode_escape").decode()  # as an error quotes a key that is illegal
        return text.replace(key, "***").replace(escaped, "***")


async def _pieces(response: AsyncAPIResponse[Any]) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, decompressed, up to the limit."""
    size = 0
    async for piece in response.iter_bytes():
        size += len(piece)
        if size > MAX_BODY:
            raise ExchangeError("malformed", f"response larger than {MAX_BODY // 2**20} MiB")
        yield piece


async def _body(response: AsyncAPIResponse[Any]) -> bytes:
    return b"".join([piece async for piece in _pieces(response)])


async def _unsign(request: Any) -> None:
    """Send no key where none is given."""
    del request.headers["authorization"]


async def _refuse_unless_ok(response: Any) -> None:
    """Stop at any status but 200, before the openai package reads an error body without bound."""
    if response.status_code == HTTPStatus.OK:
        return
    body = bytearray()
    with suppress(Exception):  # whatever goes wrong with its body, the status is known
        async with asyncio.timeout(GRACE):
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ERROR_BODY:
                    break
    said = failures.message(bytes(body[:ERROR_BODY]))
    status = f"HTTP {response.status_code}"
    raise ExchangeError(f"status_{response.status_code}", f"{status}: {said}" if said else status)
