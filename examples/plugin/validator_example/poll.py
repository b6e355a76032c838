"""A kind of load of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import httpx

from validator.drivers.base import Clock, Connection, Sender, driver, key
from validator.records.load import INTERRUPTED, OK, Exchange


@driver("poll")
@dataclass(frozen=True, slots=True)
class Poll:
    """Read a page over and over, as a dashboard does that many people have open.

    ```yaml
    load:
      driver: poll
      path: /metrics
      requests: 200
      concurrency: 20
    ```
    """

    name: ClassVar[str] = "poll"

    connection: Connection
    path: str = key("What to read, on the target.")

    def __post_init__(self) -> None:
        """Refuse what can be no path; the message is shown at the key in the spec."""
        if not self.path.startswith("/"):
            raise ValueError("path: expected a path on the target that starts with /")

    @asynccontextmanager
    async def open(self, clock: Clock, width: int) -> AsyncIterator[Sender]:
        """Open the connections; *width* requests will be in flight."""
        limits = httpx.Limits(max_connections=width)
        async with httpx.AsyncClient(base_url=self.connection.url, limits=limits) as client:
            yield _Reader(client, self.path, clock, self.connection.timeout)


@dataclass(frozen=True, slots=True)
class _Reader:
    client: httpx.AsyncClient
    path: str
    clock: Clock
    timeout: float

    async def send(self, index: int, due: float | None = None, cut: int | None = None) -> Exchange:
        """Read once, and tell how it went; whatever happens is told, and nothing raised."""
        del cut  # what comes is no stream, and cannot be cut off in the middle
        sent = self.clock()
        outcome, detail = OK, ""
        try:
            async with asyncio.timeout(self.timeout):
                reply = await self.client.get(self.path)
            if reply.is_error:
                outcome = f"status_{reply.status_code}"
            elif not reply.content:
                outcome, detail = "empty", "the body is empty"
        except asyncio.CancelledError:
            outcome = INTERRUPTED
        except TimeoutError:
            outcome, detail = "timeout", f"no end within {self.timeout:g} s"
        except httpx.ConnectError as failure:
            outcome, detail = "connect", str(failure)
        except httpx.HTTPError as failure:
            outcome, detail = "reset", f"{type(failure).__name__}: {failure}"
        done = self.clock()
        return Exchange(
            index=index,
            model="",
            due=sent if due is None else due,
            sent=sent,
            done=done,
            outcome=outcome,
            detail=detail,
            last_token=done if outcome == OK else None,
        )
