"""Any other request, as the spec spells it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from validator.drivers.base import Clock, Connection, Sender, driver, key
from validator.drivers.failures import ExchangeError
from validator.drivers.reply import Reply, decoded, raise_error_in, token_count
from validator.drivers.sender import HttpRequest, HttpSender, refusing_all_but
from validator.query import Query
from validator.registry import suggest
from validator.values import Json, brief

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
HARMLESS: Final = ("accept", "content-type", "user-agent")
"""Headers whose values are no secrets."""
COUNTS: Final = ("prompt", "completion", "cached")


@driver("http")
@dataclass(frozen=True, slots=True)
class Http:
    """Send any request: good when `ok` finds something in the JSON that comes back.

    ```yaml
    load:
      driver: http
      path: /v1/ranking
      requests: 100
      concurrency: 10
      body: {model: my-model}
      bodies:
        - {query: {text: What is rain}, passages: [{text: Water}, {text: A colour}]}
        - {query: {text: What is blue}, passages: [{text: Water}, {text: A colour}]}
      ok: $.rankings[0].index
      tokens: {prompt: $.usage.prompt_tokens}
    ```
    """

    name: ClassVar[str] = "http"

    connection: Connection
    path: str = key("Where on the target to send it.")
    ok: Query = key("A JSONPath that must find something: not null, not false, not empty.")
    method: str = key("The HTTP method.", default="POST")
    body: Mapping[str, Json] | None = key(
        "More keys of the request body, such as temperature; they win over all others.",
        default=None,
    )
    bodies: tuple[Any, ...] = key(
        "Request bodies, taken in turn; after the last comes the first again.", default=()
    )
    headers: Mapping[str, str] = key(
        "Sent with every request. Never shown.", default_factory=dict, repr=False
    )
    tokens: Mapping[str, Query] = key(
        "JSONPaths of the token counts in the response: prompt, completion, cached.",
        default_factory=dict,
    )

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError("path: expected a path on the target that starts with /")
        if self.method not in METHODS:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}")
        if self.body is not None and not all(isinstance(body, dict) for body in self.bodies):
            raise ValueError("bodies: expected mappings only, since body: adds keys to each")
        for name in self.tokens:
            if name not in COUNTS:
                raise ValueError(
                    f"tokens: unknown count {name!r}: {suggest(name, COUNTS, 'counts')}"
                )

    @asynccontextmanager
    async def open(self, clock: Clock, width: int) -> AsyncIterator[Sender]:
        import httpx  # noqa: PLC0415 - costs a quarter of a second, and only a load needs it

        headers = dict(self.headers)
        if self.connection.api_key and "authorization" not in map(str.lower, headers):
            headers["Authorization"] = f"Bearer {self.connection.api_key}"
        url = self.connection.url + self.path
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=width)
        hooks = {"response": [refusing_all_but(range(200, 300))]}
        async with httpx.AsyncClient(
            limits=limits,
            timeout=None,  # noqa: S113 - the whole exchange is bounded, not each of its steps
            event_hooks=hooks,
            headers={"User-Agent": "metrics-validator"},
        ) as client:

            def prepare(index: int) -> HttpRequest:
                content = self.content(index)
                model = content.get("model") if isinstance(content, dict) else None
                ask = partial(client.stream, self.method, url, json=content, headers=headers)
                reply = Found(ok=self.ok, counts=self.tokens)
                name = model if isinstance(model, str) else ""
                return HttpRequest(name, reply, streamed=False, ask=ask)

            yield HttpSender(self.connection, clock, prepare, tuple(_secrets(self.headers)))

    def content(self, index: int) -> Any:
        """Return the body of request *index*; None when it has none."""
        if not self.bodies:
            return self.body
        content = self.bodies[index % len(self.bodies)]
        return content if self.body is None else {**content, **self.body}


def _secrets(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that must not be shown, and of `Bearer x` the x by itself."""
    for name, value in headers.items():
        if name.lower() not in HARMLESS:
            yield from (value, value.split(" ")[-1])


@dataclass(slots=True)
class Found(Reply):
    """What has arrived, and what is looked for in it."""

    ok: Query = field(default_factory=lambda: Query("$"))
    counts: Mapping[str, Query] = field(default_factory=dict)

    def whole(self, body: bytes, content_type: str, now: float) -> None:
        del content_type
        if not body.strip():
            raise ExchangeError("empty", "the body is empty")
        document = decoded(body)
        if isinstance(document, dict):
            raise_error_in(document)
        found = self.ok.select(document)
        if not found:
            raise ExchangeError("empty", f"nothing at {self.ok}")
        for match in found:
            if match.value is None or match.value is False or match.value in ("", [], {}):
                raise ExchangeError("empty", f"{brief(match.value)} at {match.path}")
        self.last_token = now
        for name, query in self.counts.items():
            counted = query.select(document)
            setattr(self, f"{name}_tokens", token_count(counted[0].value) if counted else None)
