"""The pages beyond the two of the dashboard: traffic, models, costs, limits, GPUs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from validator.demo import gpu_pages, limit_pages, owner_pages, traffic_pages, usage_pages
from validator.demo.cache import Router
from validator.demo.families import MEDIA_TYPE
from validator.demo.faults import Fault
from validator.demo.reading import Reading, read
from validator.demo.tally import Minutes
from validator.demo.traffic import Traffic
from validator.demo.wire import problem

MOST_RANKED = 100
DEFAULT_RANKED = 10

Answer = Callable[[Request], Response]


class Site:
    """Writes each page from the accounts, and lets the faults bend it."""

    def __init__(
        self,
        traffic: Traffic,
        router: Router,
        faults: Sequence[Fault],
        clock: Callable[[], float],
    ) -> None:
        self.traffic = traffic
        self.router = router
        self.faults = faults
        self.clock = clock

    def routes(self) -> list[Route]:
        """Return a route for each page; the particular before the general."""
        owners, limits = self.traffic.owners, self.traffic.limits
        pages: dict[str, Answer] = {
            "/health/detailed": self._json(lambda: traffic_pages.health(self.reading())),
            "/metrics": self._json(lambda: self.reading().document),
            "/metrics/csv": self._csv,
            "/metrics/prometheus": self._text(lambda: traffic_pages.exposition(self.reading())),
            "/metrics/by-model": self._json(lambda: owner_pages.by_model(owners)),
            "/metrics/by-model/prometheus": self._text(lambda: owner_pages.exposition(owners)),
            "/metrics/by-model/{model:path}": self._model,
            "/metrics/ranking": self._ranking,
            "/metrics/compare": self._compare,
            "/metrics/costs": self._json(lambda: owner_pages.costs(owners)),
            "/metrics/multi-dimensional": self._json(lambda: owner_pages.dimensions(owners)),
            "/metrics/rate-limits": self._json(lambda: limit_pages.overview(limits)),
            "/metrics/rate-limits/throttle-analytics": self._json(
                lambda: limit_pages.throttling(limits)
            ),
            "/metrics/rate-limits/tier": self._json(lambda: limit_pages.tiers(limits)),
            "/metrics/rate-limits/abuse-patterns": self._json(lambda: limit_pages.abuse(limits)),
            "/metrics/rate-limits/key/{key:path}": self._key,
            "/dcgm/metrics/json": self._json(self._gpus),
            "/dcgm/metrics": self._text(self._gpu_text),
            "/v1/organization/costs": self._organization(None),
        }
        for kind in usage_pages.USAGES:
            pages[f"/v1/organization/usage/{kind}"] = self._organization(kind)
        return [Route(path, _endpoint(answer)) for path, answer in pages.items()]

    def reading(self) -> Reading:
        """Read the traffic as it is at this moment."""
        reading = read(self.traffic, self.clock())
        for fault in self.faults:
            reading = fault.reading(reading, self.traffic)
        return reading

    def _written(self, path: str, document: Any) -> Response:
        for fault in self.faults:
            document = fault.document(path, document)
        return Response(json.dumps(document), media_type="application/json")

    def _json(self, write: Callable[[], Any]) -> Answer:
        return lambda request: self._written(request.url.path, write())

    def _text(self, write: Callable[[], str], media_type: str = MEDIA_TYPE) -> Answer:
        def answer(request: Request) -> Response:
            text = write()
            for fault in self.faults:
                text = fault.text(request.url.path, text)
            return Response(text.encode(errors="replace"), media_type=media_type)

        return answer

    def _csv(self, request: Request) -> Response:
        answer = self._text(lambda: traffic_pages.table(self.reading()), "text/csv")
        response = answer(request)
        response.headers["content-disposition"] = "attachment; filename=metrics.csv"
        return response

    def _model(self, request: Request) -> Response:
        name = request.path_params["model"]
        tally = self.traffic.owners.models.get(name)
        if tally is None:
            return _missing(f"no such model: {name}")
        return self._written(request.url.path, owner_pages.model(name, tally))

    def _ranking(self, request: Request) -> Response:
        metric = request.query_params.get("metric", "request_count")
        limit = _integer(request.query_params.get("limit", str(DEFAULT_RANKED)))
        if limit is None or not 1 <= limit <= MOST_RANKED:
            return _unfit("limit", f"must be an integer from 1 to {MOST_RANKED}")
        if metric not in owner_pages.RANKINGS:
            return _unfit("metric", f"must be one of {', '.join(owner_pages.RANKINGS)}")
        ranked = owner_pages.ranking(self.traffic.owners, metric, limit)
        return self._written(request.url.path, ranked)

    def _compare(self, request: Request) -> Response:
        names = ("model1", "model2")
        for name in names:
            if name not in request.query_params:
                return _unfit(name, "is required")
        compared = []
        for model in (request.query_params[name] for name in names):
            tally = self.traffic.owners.models.get(model)
            if tally is None:
                return _missing(f"no such model: {model}")
            compared.append(owner_pages.model(model, tally))
        return self._written(request.url.path, owner_pages.compared(*compared))

    def _key(self, request: Request) -> Response:
        name = request.path_params["key"]
        account = self.traffic.limits.keys.get(name)
        if account is None:
            return _missing(f"no such key: {name}")
        return self._written(request.url.path, limit_pages.key(name, account, self.clock()))

    def _gpus(self) -> owner_pages.Document:
        blocks = sum(len(worker.cache.blocks) for worker in self.router.workers)
        return gpu_pages.gpus(self.traffic.machine, blocks, self.clock())

    def _gpu_text(self) -> str:
        document: Any = self._gpus()
        for fault in self.faults:
            document = fault.document("/dcgm/metrics/json", document)
        return gpu_pages.exposition(document)

    def _organization(self, kind: str | None) -> Answer:
        def answer(request: Request) -> Response:
            given = request.query_params
            times = [_integer(given.get(name, "")) for name in ("start_time", "end_time")]
            start, end = times
            if start is None or end is None:
                name = "start_time" if start is None else "end_time"
                return _unfit(name, "is required, in seconds since 1970")
            width = usage_pages.WIDTHS.get(given.get("bucket_width", "1d"))
            if width is None:
                return _unfit("bucket_width", f"must be one of {', '.join(usage_pages.WIDTHS)}")
            minutes: Minutes = self.traffic.owners.minutes
            if kind is None:
                page = usage_pages.costs(minutes, (start, end), width)
                return self._written(request.url.path, page)
            for fault in self.faults:
                minutes = fault.usage(minutes, kind)
            page = usage_pages.usage(minutes, kind, (start, end), width)
            return self._written(request.url.path, page)

        return answer


def _endpoint(answer: Answer) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:  # on the loop: no page sees half an event
        return answer(request)

    return endpoint


def _integer(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _missing(message: str) -> Response:
    return JSONResponse(problem(message, "invalid_request_error"), status_code=404)


def _unfit(name: str, message: str) -> Response:
    detail = {"type": "value_error", "loc": ["query", name], "msg": f"{name} {message}"}
    return JSONResponse({"detail": [detail]}, status_code=422)
