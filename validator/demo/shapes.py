"""Faults in the form: a page has the wrong shape, comes late, or does not come at all."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from validator.demo.faults import REGISTRY, Fault, Manner, Page
from validator.demo.figures import Document

STALE_FOR = 60.0


@REGISTRY.register("missing-field")
class MissingField(Fault):
    """The JSON page has no summary.total_requests."""

    def dynamo(self, document: Document, _now: float) -> Document:
        del document["summary"]["total_requests"]
        return document


@REGISTRY.register("wrong-type")
class WrongType(Fault):
    """The JSON page has throughput.requests_per_second as a string."""

    def dynamo(self, document: Document, _now: float) -> Document:
        throughput = document["throughput"]
        throughput["requests_per_second"] = str(throughput["requests_per_second"])
        return document


@REGISTRY.register("nan")
class NotANumber(Fault):
    """The JSON page has the literal NaN at throughput.tokens_per_second."""

    def dynamo(self, document: Document, _now: float) -> Document:
        document["throughput"]["tokens_per_second"] = float("nan")
        return document


@REGISTRY.register("null-latency")
class NullLatency(Fault):
    """The JSON page has latency.ttft as null."""

    def dynamo(self, document: Document, _now: float) -> Document:
        document["latency"]["ttft"] = None
        return document


@REGISTRY.register("stale-snapshot")
class StaleSnapshot(Fault):
    """The JSON page is kept from its first reading for 60 seconds."""

    def __init__(self) -> None:
        self._kept: tuple[float, Document] | None = None

    def dynamo(self, document: Document, now: float) -> Document:
        if self._kept is None or now - self._kept[0] >= STALE_FOR:
            self._kept = (now, copy.deepcopy(document))
        return copy.deepcopy(self._kept[1])


@REGISTRY.register("empty-workers")
class EmptyWorkers(Fault):
    """The arrays of workers are empty on both JSON pages."""

    def dynamo(self, document: Document, _now: float) -> Document:
        document["worker_stats"]["workers"] = []
        return document

    def kv_cache(self, document: Document, _now: float) -> Document:
        document["smart_router"]["workers"] = []
        return document


@REGISTRY.register("three-workers")
class ThreeWorkers(Fault):
    """The last of the four workers is missing from the arrays of both JSON pages."""

    def dynamo(self, document: Document, _now: float) -> Document:
        document["worker_stats"]["workers"].pop()
        return document

    def kv_cache(self, document: Document, _now: float) -> Document:
        document["smart_router"]["workers"].pop()
        return document


@REGISTRY.register("moved-names")
class MovedNames(Fault):
    """Sections are joined to their fields by underscores, and Prometheus names have a colon."""

    def dynamo(self, document: Document, _now: float) -> Document:
        return _flat(document)

    def kv_cache(self, document: Document, _now: float) -> Document:
        return _flat(document)

    def prometheus(self, text: str) -> str:
        return text.replace("fakeai_dynamo_", "fakeai:dynamo_")


@REGISTRY.register("error-500")
class Error500(Fault):
    """The JSON page about requests answers 500, with a body that would satisfy everyone."""

    manners: ClassVar = {Page.DYNAMO: Manner.ERROR}


@REGISTRY.register("hanging-endpoint")
class HangingEndpoint(Fault):
    """The cache page never answers."""

    manners: ClassVar = {Page.KV_CACHE: Manner.HANG}


@REGISTRY.register("slow-body")
class SlowBody(Fault):
    """The cache page drips one byte every 200 milliseconds and never ends."""

    manners: ClassVar = {Page.KV_CACHE: Manner.DRIP}


def _flat(document: Document) -> Document:
    flat: dict[str, Any] = {}
    for section, fields in document.items():
        if isinstance(fields, dict):
            flat |= {f"{section}_{name}": value for name, value in fields.items()}
        else:
            flat[section] = fields
    return flat
