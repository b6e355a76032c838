"""What all drivers share that send prompts through the openai package."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from validator import environment
from validator.drivers import transport
from validator.drivers.base import Clock, Connection, Sender, key
from validator.drivers.objects import ObjectSender
from validator.drivers.prompts import Prompts
from validator.drivers.reply import Reply
from validator.drivers.sender import HttpRequest, HttpSender, Response, refusing_all_but
from validator.drivers.transport import Transport
from validator.errors import UsageError
from validator.values import Json

if TYPE_CHECKING:
    from openai import AsyncOpenAI


Call: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
"""A `with_streaming_response.create` of the openai package, whatever it creates."""


@dataclass(frozen=True, slots=True)
class Prompted(ABC):
    """A driver whose requests take their texts from `prompts`."""

    name: ClassVar[str]

    connection: Connection
    model: str = key("The model to ask for.")
    prompts: Prompts = key(
        "Taken in turn; after the last comes the first again. A list, or a mapping that says where "
        "they come from."
    )
    body: Mapping[str, Json] = key(
        "More keys of the request body, such as temperature; they win over all others.",
        default_factory=dict,
    )

    transport: Transport = key(
        "How requests travel: `fast`, our own way; `openai`, as that package reads streams, slower;"
        " `auto`, fast unless there is a proxy.",
        default="auto",
    )

    @abstractmethod
    def call(self, client: AsyncOpenAI) -> Call:
        """Return what sends one request."""

    @abstractmethod
    def arguments(self, index: int) -> dict[str, Any]:
        """Return the arguments of request *index*, without the model and the `body`."""

    @abstractmethod
    def reply(self, arguments: Mapping[str, Any]) -> Reply:
        """Return what takes in the answer to a request with these *arguments*."""

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError("prompts: at least one is needed")

    def prompt(self, index: int) -> str:
        """Return the prompt whose turn it is."""
        return self.prompts[index % len(self.prompts)]

    def remark(self) -> str:
        """Return what a person should know of the way that requests take; mostly nothing."""
        url = self.connection.url
        said = (transport.doubled(url), transport.remark(self.transport, url))
        return "; ".join(filter(None, said))

    @asynccontextmanager
    async def open(self, clock: Clock, width: int) -> AsyncIterator[Sender]:
        fast = transport.is_fast(self.transport, self.connection.url)
        way = self._fast(clock) if fast else self._plain(clock, width)
        async with way as sender:
            yield sender

    @asynccontextmanager
    async def _fast(self, clock: Clock) -> AsyncIterator[Sender]:
        # Only a load needs the libraries of these.
        from validator.drivers.fast.sender import FastRequest, FastSender  # noqa: PLC0415
        from validator.drivers.fast.template import Capture, Templates  # noqa: PLC0415

        capture = Capture()
        # Nothing is sent by it: what the environment says of proxies is of no concern.
        options = {"transport": capture, "trust_env": False}
        async with _client(self.connection, options) as client:

            def prepare(index: int) -> FastRequest:
                return FastRequest(*self._request(index))

            templates = Templates(self.call(client), capture)
            sender = FastSender(self.connection, clock, prepare, templates, capture.trust)
            with suppress(Exception):  # it will fail again when it is sent, and be told then
                await sender.warm_up()
            try:
                yield sender
            finally:
                sender.close()

    @asynccontextmanager
    async def _plain(self, clock: Clock, width: int) -> AsyncIterator[Sender]:
        async with _client(self.connection, _plain_options(width)) as client:
            call = self.call(client)

            def prepare(index: int) -> HttpRequest:
                model, reply, streamed, arguments = self._request(index)
                as_objects = streamed and self.transport == "openai"
                ask = partial(call if as_objects else partial(_asked, call), **arguments)
                return HttpRequest(model, reply, streamed, ask)

            kind = ObjectSender if self.transport == "openai" else HttpSender
            yield kind(self.connection, clock, prepare)

    def _request(self, index: int) -> tuple[str, Reply, bool, dict[str, Any]]:
        """Return what there is to know of request *index*; last, the arguments of its call."""
        arguments = self.arguments(index)
        reply = self.reply({**arguments, **self.body})
        streamed = arguments.get("stream", False)
        arguments["model"] = self.model
        arguments["extra_body"] = self.body
        return self.model, reply, streamed, arguments


@dataclass(frozen=True, slots=True)
class Generating(Prompted):
    """A driver whose requests are answered with tokens, streamed or whole."""

    stream: bool = key("Whether the answer is to come in pieces, as it is made.", default=True)
    max_tokens: int | None = key("The longest answer to ask for.", default=None)
    usage: bool = key("Ask a stream for its token counts (include_usage).", default=True)

    def generation(self) -> dict[str, Any]:
        """Return the arguments that say how to answer."""
        arguments: dict[str, Any] = {"stream": self.stream}
        if self.max_tokens is not None:
            arguments["max_tokens"] = self.max_tokens
        if self.stream and self.usage:
            arguments["stream_options"] = {"include_usage": True}
        return arguments


@dataclass(frozen=True, slots=True)
class Batched(Prompted):
    """A driver whose requests carry one prompt or several."""

    per_request: int = key("How many prompts one request carries.", default=1)

    def __post_init__(self) -> None:
        Prompted.__post_init__(self)  # super() is lost when slots make a class anew
        if self.per_request < 1:
            raise ValueError("per_request: at least 1 is needed")

    def inputs(self, index: int) -> str | list[str]:
        """Return the prompts whose turn it is; one alone is a text."""
        if self.per_request == 1:
            return self.prompt(index)
        first = index * self.per_request
        return [self.prompt(i) for i in range(first, first + self.per_request)]


def inputs_in(value: Any) -> int:
    """Return how many inputs *value* is: a list of texts or of token lists is many."""
    if isinstance(value, list) and all(isinstance(item, str | list) for item in value):
        return len(value)
    return 1


@asynccontextmanager
async def _client(connection: Connection, options: Mapping[str, Any]) -> AsyncIterator[AsyncOpenAI]:
    import openai  # noqa: PLC0415 - costs over a second of CPU, and only a load needs it

    try:
        http = openai.DefaultAsyncHttpxClient(
            timeout=None,  # the whole exchange is bounded, not each of its steps
            follow_redirects=False,  # a redirected POST would be two requests
            event_hooks={
                "request": [] if connection.api_key else [_unsign],
                # before the openai package reads an error body without bound
                "response": [refusing_all_but({HTTPStatus.OK})],
            },
            **options,
        )
    except Exception as failure:  # of several libraries, and known to none of ours
        raise UsageError(f"load: {environment.unusable(failure)}") from failure
    with _without("OPENAI_CUSTOM_HEADERS"):
        client = openai.AsyncOpenAI(
            base_url=f"{connection.url}/v1",
            api_key=connection.api_key or "none",  # it insists on one
            max_retries=0,  # one exchange is one request, or the books part
            timeout=None,
            http_client=http,
        )
    client.organization = client.project = None  # the environment's, and no target's business
    async with client:
        yield client


_hiding = threading.Lock()
"""Several shares of a load may be threads of one process."""


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Hide a variable of the environment, which is no target's business, for the block."""
    with _hiding:
        hidden = os.environ.pop(name, None)
        try:
            yield
        finally:
            if hidden is not None:
                os.environ[name] = hidden


def _plain_options(width: int) -> dict[str, Any]:
    import openai  # noqa: PLC0415 - as in _client

    limits = type(openai.DEFAULT_CONNECTION_LIMITS)
    return {"limits": limits(max_keepalive_connections=width)}


@asynccontextmanager
async def _asked(call: Call, **arguments: Any) -> AsyncIterator[Response]:
    async with call(**arguments) as response:
        yield response.http_response


async def _unsign(request: Any) -> None:
    """Send no key where none is given."""
    del request.headers["authorization"]
