"""Chat completions: simulated compute, written in the books as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from validator.demo.books import Entry, Recorder, Status
from validator.demo.cache import Route, Router
from validator.demo.caller import Caller, HungUp
from validator.demo.faults import Mishap
from validator.demo.order import Order, OrderError
from validator.demo.pages import Pages
from validator.demo.wire import Speaker, event, problem

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


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way through."""

    order: Order
    entry: Entry
    books: Recorder
    route: Route
    speaker: Speaker
    mishap: Mishap | None

    @property
    def ending(self) -> int:
        """How many tokens are sent before the mishap, or in all."""
        return min(len(self.order.reply), MISHAP_AFTER) if self.mishap else len(self.order.reply)


class Chat:
    """The endpoint `/v1/chat/completions`."""

    def __init__(
        self, router: Router, pages: Pages, pace: Pace, clock: Callable[[], float]
    ) -> None:
        self._router = router
        self._pages = pages
        self._pace = pace
        self._clock = clock
        self._numbers = itertools.count(1)
        self._slots = {
            worker.worker_id: asyncio.Semaphore(PREFILLS_AT_ONCE) for worker in router.workers
        }

    async def answer(self, request: Request) -> ASGIApp:
        """Read a request, open its entry, and return what answers it."""
        arrived = self._clock()
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # never received whole, so never counted
        request_id = f"chatcmpl-demo-{next(self._numbers)}"
        mishap = self._pages.mishap()
        try:
            order = Order.read(body)
        except OrderError as bad:
            refusal = problem(str(bad), "invalid_request_error", param=bad.param)
            return self._refuse(Entry(request_id, arrived, bad.model), 400, refusal)
        entry = Entry(request_id, arrived, order.model, order.streaming)
        match mishap:
            case Mishap.RATE_LIMITED:
                refusal = problem("rate limit reached", "requests", code="rate_limit_exceeded")
                return self._refuse(entry, 429, refusal)
            case Mishap.FAILED:
                return self._refuse(entry, 500, problem("the engine failed", "server_error"))
            case Mishap.EMPTY | Mishap.TRUNCATED | Mishap.ERROR_IN_STREAM | None:
                return self._accept(order, entry, mishap if order.streaming else None)

    def _refuse(self, entry: Entry, status: int, refusal: object) -> Response:
        books = self._pages.book_for(entry)
        books.open(entry)
        books.close(entry, "failed", self._clock())
        return JSONResponse(refusal, status_code=status)

    def _accept(self, order: Order, entry: Entry, mishap: Mishap | None) -> ASGIApp:
        books = self._pages.book_for(entry)
        books.open(entry)
        route = self._router.route(order.prompt)
        books.routed(entry, route.worker.worker_id, route.prompt_tokens, route.cached_tokens)
        speaker = Speaker(entry.request_id, int(time.time()), order)
        job = Job(order, entry, books, route, speaker, mishap)

        async def respond(_scope: Scope, receive: Receive, send: Send) -> None:
            async with Caller(receive, send, self._clock) as caller:
                await self._respond(job, caller)

        return respond

    async def _respond(self, job: Job, caller: Caller) -> None:
        """Serve a job; its entry is closed before the bytes that tell the caller it is over."""
        status: Status = "failed"
        try:
            with contextlib.suppress(HungUp, OSError):
                status = await self._compute(job, caller)
        finally:
            self._router.release(job.route)
            job.books.close(job.entry, status, self._clock())
        with contextlib.suppress(OSError):
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
            if streaming:
                books.role(entry, self._clock())
                await caller.say(job.speaker.role())
            spared = self._pace.cached_saves * job.route.overlap
            await caller.wait(admitted + self._pace.prefill * (1 - spared))
        self._router.prefilled(job.route)
        due = self._clock()
        for index, token in enumerate(job.order.reply[: job.ending]):
            await caller.wait(due + index * self._pace.token)
            now = self._clock()
            books.token(entry, now)
            self._router.generated(job.route, now - entry.arrived if index == 0 else None)
            if streaming:
                await caller.say(job.speaker.content(token))
        return "failed" if job.mishap else "completed"
