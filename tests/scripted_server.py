"""An LLM server in this process whose counters are scripted, and so is every way to go wrong.

It runs on the event loop of the test that uses it, so that one run of the validator and the
server it judges share a process and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hostile_http import Hostile, Script, hostile, reply
from hostile_llm import GOOD

from validator import Overrides, Report, Spec, parse, run_async

CHAT = "/v1/chat/completions"


@dataclass(slots=True)
class Books:
    """When each chat request ended, and how many the server claims to have seen."""

    late: float = 0.0
    """Seconds that the counter is behind."""
    already: int = 0
    """What it showed before anybody asked."""
    lost: int = 0
    """How many of the requests it does not count."""
    moving: float = 0.0
    """How many a second it counts of its own accord."""
    ended: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        now = time.monotonic()
        seen = sum(now - at >= self.late for at in self.ended)
        own = int((now - self.began) * self.moving)
        return self.already + max(0, seen - self.lost) + own


def document(make: Callable[[], Any]) -> Script:
    """Answer with what *make* returns at that moment, as JSON."""

    async def script(writer: asyncio.StreamWriter) -> None:
        body = json.dumps(make()).encode()
        await reply(body, headers={"Content-Type": "application/json"})(writer)

    return script


def chat(books: Books, answer: bytes = GOOD) -> Script:
    """Answer a chat request with *answer*, and write it down."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        books.ended.append(time.monotonic())

    return script


@asynccontextmanager
async def scripted(books: Books, pages: Mapping[str, Script]) -> AsyncIterator[Hostile]:
    """Serve chat, the total at /metrics, and *pages*, which win."""
    truthful = {CHAT: chat(books), "/metrics": document(lambda: {"total": books.total})}
    async with hostile({**truthful, **pages}) as server:
        yield server


LOAD = "load: {driver: chat, model: m, requests: 5, concurrency: 5, prompts: [hello]}"
SETTLE = "settle: {within: 1s, every: 50ms, stable_for: 150ms}"
COUNTED = """
  counts:
    get: /metrics
    assert:
      - {path: $.total, name: counted, delta: {eq: "${load.ok}"}}
"""


def spec(
    url: str, endpoints: str = COUNTED, *, load: str = LOAD, settle: str = SETTLE, more: str = ""
) -> Spec:
    """Return a spec with the *endpoints* of a YAML text."""
    head = f"version: 1\ntitle: scripted\ntarget: {{url: {url}, api_key: sk-scripted}}\n"
    text = f"{head}{load}\n{settle}\n{more}\nendpoints:\n{endpoints}"
    return parse(text, "scripted.yaml", Overrides(environment={}))


def judged(
    books: Books | None = None,
    pages: Mapping[str, Script] = {},
    endpoints: str = COUNTED,
    **options: str,
) -> tuple[Report, Hostile]:
    """Serve, run and judge; return the report and what the server was asked."""

    async def once() -> tuple[Report, Hostile]:
        async with scripted(books or Books(), pages) as server:
            return await run_async(spec(server.url, endpoints, **options)), server

    return asyncio.run(once())
