"""Faults in the pages about traffic: rates, times, errors, streams, the WebSocket."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from validator.demo.faults import REGISTRY, Breakdown, Fault
from validator.demo.reading import MEASURES, SHORTEST, Document, Reading, measured
from validator.demo.traffic import REFUSED, WINDOW, PathAccount, Ticket, Traffic


@REGISTRY.register("deadlock")
class Deadlock(Fault):
    """After a plain request, reading all models or their ranking hangs the whole server for good."""  # noqa: E501 - one sentence, printed whole

    def breakdown(self, path: str, traffic: Traffic, _now: float) -> Breakdown | None:
        plain = any(ticket.ok and ticket.model and not ticket.streaming for ticket in traffic.ended)
        hazardous = path in ("/metrics/by-model", "/metrics/ranking")
        return Breakdown.DEADLOCK if plain and hazardous else None


@REGISTRY.register("prometheus-500")
class Prometheus500(Fault):
    """The Prometheus page of the traffic answers 500 for 60 seconds after any request."""

    def breakdown(self, path: str, traffic: Traffic, now: float) -> Breakdown | None:
        ended = traffic.ended[-1].ended if traffic.ended else None
        busy = bool(traffic.active) or (ended is not None and now - ended <= WINDOW)
        return Breakdown.ERROR if busy and path == "/metrics/prometheus" else None


@REGISTRY.register("zero-streaming-stats")
class ZeroStreamingStats(Fault):
    """No stream is ever active, completed or failed."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        none = dict.fromkeys(("active_streams", "completed_streams", "failed_streams"), 0)
        return replace(reading, streaming_stats={**none, "ttft": {}, "tokens_per_second": {}})


@REGISTRY.register("headers-latency")
class HeadersLatency(Fault):
    """The clock of a response stops at its headers, so that a stream takes no time."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        for path, group in reading.groups.items():
            reading.maps["responses"][path] |= measured(map(_to_headers, group.good))
        return reading


@REGISTRY.register("decaying-rate")
class DecayingRate(Fault):
    """Each rate divides by the age of its own oldest event, so that it falls when nothing happens."""  # noqa: E501 - one sentence, printed whole

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        for path, group in reading.groups.items():
            arrived = min(ticket.arrived for ticket in group.tickets)
            ended = min((ticket.ended or 0.0 for ticket in group.ended), default=arrived)
            for name in ("requests", "responses", "tokens"):
                age = max(reading.now - (arrived if name == "requests" else ended), SHORTEST)
                row = reading.maps[name][path]
                row["rate"] = round(row["rate"] * group.span / age, 6)
        return reading


@REGISTRY.register("never-filled")
class NeverFilled(Fault):
    """Requests and tokens have rates and nothing else, and latency and streaming are empty."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        for name in ("requests", "tokens"):
            for row in reading.maps[name].values():
                row.update(dict.fromkeys(MEASURES, 0.0))
        reading.maps |= {"latency": {}, "streaming": {}}
        return reading


@REGISTRY.register("uncounted-errors")
class UncountedErrors(Fault):
    """Refused, broken and cancelled requests appear in no error count and no error rate."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        reading.maps["errors"] = {}
        totals = {
            path: replace(account, errors=Counter(dict.fromkeys(account.errors, 0)))
            for path, account in reading.totals.items()
        }
        return replace(reading, totals=totals, error_share=0.0)


@REGISTRY.register("refusals-as-responses")
class RefusalsAsResponses(Fault):
    """Refused requests count as responses too, and pull their latency down."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        for path, group in reading.groups.items():
            shown = [t for t in group.ended if t.ok or t.status >= REFUSED]
            rate = round(len(shown) / group.span, 6)
            row = {"rate": rate, **measured(ticket.seconds for ticket in shown)}
            reading.maps["responses"][path] = row
        totals = {path: _with_refusals(account) for path, account in reading.totals.items()}
        return replace(reading, totals=totals)


@REGISTRY.register("error-rate-of-two-spans")
class ErrorRateOfTwoSpans(Fault):
    """The error percentage divides errors since the first error by requests since the first one."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        bad = [ticket for group in reading.groups.values() for ticket in group.bad]
        tickets = [ticket for group in reading.groups.values() for ticket in group.tickets]
        if not bad:
            return reading

        def rate(of: list[Ticket]) -> float:
            return len(of) / max(reading.now - min(t.arrived for t in of), SHORTEST)

        return replace(reading, error_share=100 * rate(bad) / rate(tickets))


@REGISTRY.register("negative-uptime")
class NegativeUptime(Fault):
    """The server has been up for a few microseconds less than nothing."""

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        return replace(reading, uptime=-3e-6)


@REGISTRY.register("empty-socket-cache")
class EmptySocketCache(Fault):
    """The WebSocket has nothing to say about the cache."""

    def frame(self, shown: Document, _all: Document, _filters: Document) -> Document:
        return {**shown, "cache": {}} if "cache" in shown else shown


@REGISTRY.register("filter-empties-latency")
class FilterEmptiesLatency(Fault):
    """A WebSocket that asks for one endpoint is shown the latency of none."""

    def frame(self, shown: Document, _all: Document, filters: Document) -> Document:
        return {**shown, "latency": {}} if filters["endpoints"] and "latency" in shown else shown


@REGISTRY.register("ignored-filter")
class IgnoredFilter(Fault):
    """A WebSocket is shown everything, whatever it asks for."""

    def frame(self, _shown: Document, everything: Document, _filters: Document) -> Document:
        return everything


def _to_headers(ticket: Ticket) -> float:
    assert ticket.headers is not None
    return ticket.headers - ticket.arrived


def _with_refusals(account: PathAccount) -> PathAccount:
    refused = sum(count for reason, count in account.errors.items() if reason.isdecimal())
    return replace(account, responses=account.responses + refused)
