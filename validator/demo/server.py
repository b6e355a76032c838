"""The demo server: routes, delivery of the pages, start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from types import FrameType
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from uvicorn.config import WS_PROTOCOLS

from validator.demo import live
from validator.demo.cache import Router
from validator.demo.chat import Chat, Pace
from validator.demo.exposition import MEDIA_TYPE
from validator.demo.faults import Manner, Page, chosen
from validator.demo.gate import Gate
from validator.demo.order import Dialect
from validator.demo.pages import Pages
from validator.demo.site import Site
from validator.demo.traffic import Traffic
from validator.demo.wire import problem
from validator.demo.work import TASKS, Workshop

MODEL = "openai/gpt-oss-120b"
DRIP_EVERY = 0.2
MEDIA_TYPES = {
    Page.DYNAMO: "application/json",
    Page.KV_CACHE: "application/json",
    Page.PROMETHEUS: MEDIA_TYPE,
}


def application(
    faults: Iterable[str] = (),
    *,
    pace: Pace | None = None,
    clock: Callable[[], float] = time.monotonic,
    rpm: int | None = None,
) -> Starlette:
    """Return the whole server as an ASGI application with *faults* by name.

    With *rpm*, no key has more requests let in within a minute.
    """
    wrong, pace, started = chosen(faults), pace or Pace(), clock()
    traffic = Traffic(
        started,
        time.time() - started,
        rpm=rpm,
        owns=lambda ticket: all(fault.owns(ticket) for fault in wrong),
    )
    router = Router()
    pages = Pages(router, wrong, clock)
    site = Site(traffic, router, wrong, clock)
    chat = Chat(router, pages, traffic, pace, clock)
    workshop = Workshop(traffic, pace.picture, clock)
    load = {path.value: chat.endpoint(path) for path in Dialect}
    load |= {path: workshop.endpoint(read) for path, read in TASKS.items()}
    routes = [
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in load.items()),
        Route("/v1/models", models),
        Route("/health", health),
        *(Route(page, deliver(pages, page)) for page in Page),
        WebSocketRoute(live.PATH, live.Live(site, pages).endpoint),
        Route(live.PATH, live.plain),
        *site.routes(),
    ]
    gate = Middleware(Gate, traffic=traffic, paths={*load}, faults=wrong, clock=clock)
    return Starlette(routes=routes, middleware=[gate], exception_handlers={404: unknown})


async def health(_request: Request) -> Response:
    """Say that the server is ready."""
    now = datetime.now(UTC).isoformat()
    return JSONResponse({"status": "healthy", "ready": True, "timestamp": now})


async def models(_request: Request) -> Response:
    """List the one model that has a name here; any other is served as well."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "demo"}
    return JSONResponse({"object": "list", "data": [model]})


async def unknown(request: Request, _error: Exception) -> Response:
    """Refuse a path that does not exist here."""
    refusal = problem(f"no such path: {request.url.path}", "invalid_request_error")
    return JSONResponse(refusal, status_code=404)


def deliver(pages: Pages, page: Page) -> Callable[[Request], object]:
    """Return the endpoint of a metrics page, delivered in the manner the faults ask for."""

    async def endpoint(request: Request) -> ASGIApp:
        match pages.manner(page):
            case Manner.PROMPT:
                return Response(pages.write(page), media_type=MEDIA_TYPES[page])
            case Manner.ERROR:
                return Response(pages.write(page), status_code=500, media_type=MEDIA_TYPES[page])
            case Manner.DRIP:
                return StreamingResponse(drip(pages.write(page)), media_type=MEDIA_TYPES[page])
            case Manner.HANG:
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                return Response(status_code=503)  # to nobody

    return endpoint


async def drip(body: bytes) -> AsyncIterator[bytes]:
    """Yield *body* one byte at a time, then blanks, for ever."""
    for byte in body:
        yield bytes([byte])
        await asyncio.sleep(DRIP_EVERY)
    while True:
        yield b" "
        await asyncio.sleep(DRIP_EVERY)


class Server(uvicorn.Server):
    """Announces its address once it accepts connections, and stops without waiting for streams."""

    def __init__(
        self, app: Starlette, *, announce: bool = False, parent: int | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                lifespan="off",
                ws=_websockets(),
                timeout_keep_alive=60,  # longer than a client keeps an idle connection
                timeout_graceful_shutdown=0,
            )
        )
        self._announce = announce
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._announce and sockets:
            sys.stdout.write(f"ready {address(sockets[0])}\n")
            sys.stdout.flush()

    async def on_tick(self, counter: int) -> bool:
        """Also notice, once a second, that the process that started this one is gone."""
        if counter % 10 == 0 and self._parent not in (None, os.getppid()):
            self.stop()
        return await super().on_tick(counter)

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop soon; open streams are cut."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # cut streams are no news
        self.should_exit = True


def _websockets() -> Literal["none", "websockets", "websockets-sansio"]:
    """Return how to speak WebSocket, if the package for it is installed."""
    if not live.available():
        return "none"
    sansio: Literal["websockets-sansio"] = "websockets-sansio"  # newer, and without deprecations
    return sansio if sansio in WS_PROTOCOLS else "websockets"


def listen(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    listener: socket.socket,
    faults: Iterable[str],
    *,
    with_parent: bool,
    rpm: int | None = None,
    pace: Pace | None = None,
) -> None:
    """Serve on *listener* until a signal, or the end of the parent process if asked."""
    parent = os.getppid() if with_parent else None
    server = Server(application(faults, rpm=rpm, pace=pace), announce=True, parent=parent)
    server.run(sockets=[listener])
