"""Requests for text: simulated compute, written in the books as it happens."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from validator.demo.books import Entry, Recorder, Status
from validator.demo.cache import Route, Router
from validator.demo.caller import Caller, HungUp
from validator.demo.faults import Mishap
from validator.demo.order import Dialect, Order, OrderError
from validator.demo.pages import Pages
from validator.demo.traffic import Kind, Ticket, Traffic
from validator.demo.wire import SPEAKERS, Speaker, event, problem

PREFILLS_AT_ONCE = 2
"""Prompts that a worker computes side by side; the others wait in its queue."""
MISHAP_AFTER = 5
"""Tokens sent before a stream goes wrong."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the simulated compute takes, in seconds."""

    prefill: float = 0.020
    token: float = 0.005
    cached_saves: float = 0.8
    """The share of its prefill that a fully cached prompt is spared."""
    picture: float = 0.050
    """Anything that is not text takes this or a part of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way through."""

    order: Order
    entry: Entry
    ticket: Ticket
    books: Recorder
    route: Route
    speaker: Speaker
    mishap: Mishap | None

    @property
    def ending(self) -> int | None:
        """How many tokens are sent before the mishap."""
        return MISHAP_AFTER if self.mishap else None


class Chat:
    """The endpoints that generate text."""

    def __init__(
        self,
        router: Router,
        pages: Pages,
        traffic: Traffic,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self._router = router
        self._pages = pages
        self._traffic = traffic
        self._pace = pace
        self._clock = clock
        self._numbers = itertools.count(1)
        self._slots = {
            worker.worker_id: asyncio.Semaphore(PREFILLS_AT_ONCE) for worker in router.workers
        }

    def endpoint(self, dialect: Dialect) -> Callable[[Request], Awaitable[ASGIApp]]:
        """Return what answers requests in *dialect*."""

        async def answer(request: Request) -> ASGIApp:
            return await self.answer(request, dialect)

        return answer

    async def answer(self, request: Request, dialect: Dialect) -> ASGIApp:
        """Read a request, open its entry, and return what answers it."""
        ticket: Ticket = request.scope["ticket"]
        arrived = self._clock()
        try:
            body = await request.body()
        except ClientDisconnect:
            self._traffic.spoil(ticket, cancelled=True)
            return Response(status_code=400)  # never received whole, so no entry in the books
        request_id = f"chatcmpl-demo-{next(self._numbers)}"
        mishap = self._pages.mishap()
        try:
            order = self._pages.order(body, dialect)
        except OrderError as bad:
            refusal = problem(str(bad), "invalid_request_error", param=bad.param)
            self._traffic.named(ticket, Kind.COMPLETIONS, bad.model, streaming=False)
            return self._refuse(Entry(request_id, arrived, bad.model), 400, refusal)
        self._traffic.named(ticket, Kind.COMPLETIONS, order.model, streaming=order.streaming)
        entry = Entry(request_id, arrived, order.model, order.streaming)
        match mishap:
            case Mishap.RATE_LIMITED:
                refusal = problem("rate limit reached", "requests", code="rate_limit_exceeded")
                return self._refuse(entry, 429, refusal)
            case Mishap.FAILED:
                return self._refuse(entry, 500, problem("the engine failed", "server_error"))
            case Mishap.EMPTY | Mishap.TRUNCATED | Mishap.ERROR_IN_STREAM | None:
                return self._accept(order, entry, ticket, mishap if order.streaming else None)

    def _refuse(self, entry: Entry, status: int, refusal: object) -> Response:
        books = self._pages.book_for(entry)
        books.open(entry)
        books.close(entry, "failed", self._clock())
        return JSONResponse(refusal, status_code=status)

    def _accept(self, order: Order, entry: Entry, ticket: Ticket, mishap: Mishap | None) -> ASGIApp:
        books = self._pages.book_for(entry)
        books.open(entry)
        route = self._router.route(order.prompt, order.dialect)
        prompt, cached = route.prompt_tokens, route.cached_tokens
        books.routed(entry, route.worker.worker_id, prompt, cached)
        self._traffic.work(ticket, self._clock(), prompt=prompt, cached=cached)
        speaker = SPEAKERS[order.dialect](entry.request_id, int(time.time()), order)
        job = Job(order, entry, ticket, books, route, speaker, mishap)

        async def respond(_scope: Scope, receive: Receive, send: Send) -> None:
            async with Caller(receive, send, self._clock) as caller:
                await self._respond(job, caller)

        return respond

    async def _respond(self, job: Job, caller: Caller) -> None:
        """Serve a job; its entry is closed before the bytes that tell the caller it is over."""
        status: Status = "failed"
        cancelled = True
        try:
            with suppress(HungUp, OSError):
                status = await self._compute(job, caller)
                cancelled = False
        finally:
            self._router.release(job.route)
            job.books.close(job.entry, status, self._clock())
            if status == "failed":
                self._traffic.spoil(job.ticket, cancelled=cancelled)
        with suppress(OSError):
            if not job.order.streaming:
                await caller.answer(job.speaker.whole(job.route.cached_tokens))
            elif status == "completed":
                await caller.finish(job.speaker.finish(job.route.cached_tokens))
            elif job.mishap is Mishap.ERROR_IN_STREAM:
                await caller.finish(event(problem("the engine failed", "server_error")))
            else:
                await caller.finish(b"")

    async def _compute(self, job: Job, caller: Caller) -> Status:
        """Prefill, then produce one token at a time; a stream is sent as it is produced."""
        streaming, books, entry = job.order.streaming, job.books, job.entry
        if streaming:
            await caller.start_events()
        if job.mishap is Mishap.EMPTY:
            return "failed"
        async with self._slots[job.route.worker.worker_id]:
            admitted = self._clock()
            books.admitted(entry, admitted)
            role = job.speaker.role() if streaming else b""
            if role:
                books.role(entry, self._clock())
                await caller.say(role)
            spared = self._pace.cached_saves * job.route.overlap
            await caller.wait(admitted + self._pace.prefill * (1 - spared))
        self._router.prefilled(job.route)
        due = self._clock()
        for number, index in job.order.steps[: job.ending]:
            await caller.wait(due + index * self._pace.token)
            if number < job.order.billed:
                self._token(job, self._clock())
            if streaming:
                await caller.say(job.speaker.content(number, index))
        return "failed" if job.mishap else "completed"

    def _token(self, job: Job, now: float) -> None:
        """Write down a token that is about to be sent."""
        first = job.entry.first_token is None
        job.books.token(job.entry, now)
        self._traffic.token(job.ticket, now)
        self._router.generated(job.route, now - job.entry.arrived if first else None)
