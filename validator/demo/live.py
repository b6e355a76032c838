"""The WebSocket `/metrics/stream`: the traffic, again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from validator.demo import traffic_pages
from validator.demo.pages import Pages
from validator.demo.reading import Document
from validator.demo.site import Site
from validator.demo.wire import problem

PATH = "/metrics/stream"
INTERVAL, SHORTEST = 1.0, 0.05
TYPES = ("throughput", "latency", "cache", "queue", "streaming", "error")
BY_PATH = {
    "throughput": ("requests_per_sec", "responses_per_sec", "tokens_per_sec"),
    "error": ("errors_per_sec",),
}
"""Where the maps by path are; those of `latency` are at its top."""


def available() -> bool:
    """Say whether the package that WebSockets need is installed."""
    return find_spec("websockets") is not None


async def plain(_request: Request) -> Response:
    """Answer a request that is no WebSocket, or that could not become one."""
    if available():
        refusal = problem("connect with a WebSocket", "invalid_request_error")
        return JSONResponse(refusal, status_code=426, headers={"upgrade": "websocket"})
    refusal = problem("WebSockets need the package websockets", "not_implemented")
    return JSONResponse(refusal, status_code=501)


@dataclass(slots=True)
class Filters:
    """What one caller wants to see."""

    endpoints: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    interval: float = INTERVAL

    def take(self, asked: Mapping[str, Any]) -> str | None:
        """Take the filters in, or say what is wrong with them."""
        endpoint, kind, interval = (asked.get(k) for k in ("endpoint", "metric_type", "interval"))
        if endpoint is not None and not isinstance(endpoint, str):
            return "endpoint must be a path"
        if kind is not None and kind not in (*TYPES, "all"):
            return f"metric_type must be one of {', '.join(TYPES)}, all"
        if interval is not None:
            if isinstance(interval, bool) or not isinstance(interval, int | float) or interval <= 0:
                return "interval must be a number of seconds above 0"
            self.interval = max(SHORTEST, float(interval))
        self.endpoints = [endpoint] if endpoint else []
        self.types = [kind] if kind and kind != "all" else []
        return None

    @property
    def document(self) -> Document:
        """What the caller is told of them."""
        return {
            "endpoints": self.endpoints,
            "metric_types": self.types or ["all"],
            "interval": self.interval,
        }

    def narrowed(self, data: Document) -> Document:
        """Leave only what the caller wants; totals stay totals."""
        shown = {name: part for name, part in data.items() if not self.types or name in self.types}
        if not self.endpoints:
            return shown

        def mine(rows: Document) -> Document:
            return {path: row for path, row in rows.items() if path in self.endpoints}

        if "latency" in shown:
            shown["latency"] = mine(shown["latency"])
        for name, maps in BY_PATH.items():
            if name in shown:
                shown[name] = shown[name] | {key: mine(shown[name][key]) for key in maps}
        return shown


class Live:
    """Serves the WebSocket."""

    def __init__(self, site: Site, pages: Pages) -> None:
        self._site = site
        self._pages = pages

    async def endpoint(self, socket: WebSocket) -> None:
        """Serve one caller until it leaves."""
        await socket.accept()
        filters = Filters()
        before = self._data()
        with suppress(WebSocketDisconnect):
            await socket.send_json(self._frame("historical_data", self._shown(before, filters)))
            hearing = asyncio.ensure_future(socket.receive())
            try:
                while True:
                    done, _ = await asyncio.wait({hearing}, timeout=filters.interval)
                    if done:
                        message = hearing.result()
                        if message["type"] == "websocket.disconnect":
                            return
                        hearing = asyncio.ensure_future(socket.receive())
                        await socket.send_json(self._answer(message, filters))
                        continue
                    data = self._data()
                    update = self._frame("metrics_update", self._shown(data, filters))
                    await socket.send_json(update | {"deltas": _deltas(data, before)})
                    before = data
            finally:
                hearing.cancel()

    def _data(self) -> Document:
        site = self._site
        return traffic_pages.live(site.reading(), site.router, self._pages.queued())

    def _shown(self, data: Document, filters: Filters) -> Document:
        shown = filters.narrowed(data)
        for fault in self._site.faults:
            shown = fault.frame(shown, data, filters.document)
        return shown

    def _frame(self, kind: str, data: Document) -> Document:
        return {"type": kind, "timestamp": self._timestamp(), "data": data}

    def _timestamp(self) -> float:
        return self._site.traffic.epoch + self._site.clock()

    def _answer(self, message: Mapping[str, Any], filters: Filters) -> Document:
        try:
            said = json.loads(message.get("text") or message.get("bytes") or b"")
        except (ValueError, RecursionError):
            return {"type": "error", "message": "not JSON"}
        match said:
            case {"type": "ping"}:
                return {"type": "pong", "timestamp": self._timestamp()}
            case {"type": "subscribe"}:
                asked = said.get("filters")
                wrong = filters.take(asked if isinstance(asked, dict) else {})
                if wrong:
                    return {"type": "error", "message": wrong}
                return {
                    "type": "subscribed",
                    "filters": filters.document,
                    "timestamp": self._timestamp(),
                }
            case {"type": "unsubscribe"}:
                filters.endpoints, filters.types, filters.interval = [], [], INTERVAL
                return {"type": "unsubscribed", "timestamp": self._timestamp()}
        return {"type": "error", "message": "say subscribe, unsubscribe or ping"}


def _deltas(after: Document, before: Document) -> Document:
    """Return how the totals moved since the last frame."""
    rates = ("total_requests_per_sec", "total_tokens_per_sec")
    return {
        "throughput": {
            name: round(after["throughput"][name] - before["throughput"][name], 6) for name in rates
        },
        "streaming": {
            f"{name}_delta": after["streaming"][name] - before["streaming"][name]
            for name in ("active_streams", "completed_streams", "failed_streams")
        },
    }
