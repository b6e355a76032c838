"""Faults in the pages about models, costs, usage, limits and GPUs."""

from __future__ import annotations

import re
from typing import Any

from validator.demo.faults import REGISTRY, Breakdown, Fault
from validator.demo.gpu import TOTAL_MIB
from validator.demo.limits import MINUTE
from validator.demo.tally import Minutes, Spent
from validator.demo.traffic import Ticket, Traffic

LIMITS = "/metrics/rate-limits"
GPUS = "/dcgm/metrics/json"
MODELS = "/metrics/by-model/prometheus"


@REGISTRY.register("unowned-streams")
class UnownedStreams(Fault):
    """Streams are missing from the models, the costs and the usage."""

    def owns(self, ticket: Ticket) -> bool:
        return not ticket.streaming


@REGISTRY.register("mixed-usage")
class MixedUsage(Fault):
    """Every page of usage shows the requests of all kinds."""

    def usage(self, minutes: Minutes, kind: str) -> Minutes:
        return {
            minute: {
                kind: Spent(
                    requests=sum(spent.requests for spent in kinds.values()),
                    prompt_tokens=sum(spent.prompt_tokens for spent in kinds.values()),
                    cached_tokens=sum(spent.cached_tokens for spent in kinds.values()),
                    completion_tokens=sum(spent.completion_tokens for spent in kinds.values()),
                )
            }
            for minute, kinds in minutes.items()
        }


@REGISTRY.register("doubled-costs")
class DoubledCosts(Fault):
    """The page of costs shows twice what the organization is charged."""

    def document(self, path: str, document: Any) -> Any:
        if path == "/metrics/costs":
            models = document["costs_by_model"]
            document["costs_by_model"] = {name: 2 * usd for name, usd in models.items()}
            document["total_cost_usd"] *= 2
        return document


@REGISTRY.register("unescaped-labels")
class UnescapedLabels(Fault):
    """Quotes, backslashes and newlines in a model's name stand as they are on its Prometheus page."""  # noqa: E501 - one sentence, printed whole

    def text(self, path: str, text: str) -> str:
        if path != MODELS:
            return text
        raw = {r"\n": "\n", r"\"": '"', r"\\": "\\"}
        return re.sub(r'\\[n"\\]', lambda found: raw[found[0]], text)


@REGISTRY.register("cost-gauge")
class CostGauge(Fault):
    """The counter of costs is declared a gauge."""

    def text(self, path: str, text: str) -> str:
        name = "# TYPE fakeai_model_cost_usd_total"
        return text.replace(f"{name} counter", f"{name} gauge") if path == MODELS else text


@REGISTRY.register("summary-without-count")
class SummaryWithoutCount(Fault):
    """The summary of each model's latency has quantiles, and neither sum nor count."""

    def text(self, path: str, text: str) -> str:
        if path != MODELS:
            return text
        return re.sub(r"(?m)^fakeai_model_latency_milliseconds_(sum|count)\b.*\n", "", text)


@REGISTRY.register("rate-limits-500")
class RateLimits500(Fault):
    """The pages of rate limits answer 500 for 60 seconds after a request was throttled."""

    def breakdown(self, path: str, traffic: Traffic, now: float) -> Breakdown | None:
        last = traffic.limits.last_throttled
        recent = last is not None and now - last <= MINUTE
        broken = path in (LIMITS, f"{LIMITS}/throttle-analytics")
        return Breakdown.ERROR if recent and broken else None


@REGISTRY.register("extrapolated-peak")
class ExtrapolatedPeak(Fault):
    """The peak of requests a minute is sixty times what was seen, and that of tokens is 0."""

    def document(self, path: str, document: Any) -> Any:
        if path.startswith(f"{LIMITS}/key/"):
            seen = document["usage_patterns"]["peak_rpm"]
            document["usage_patterns"] = {"peak_rpm": 60 * seen, "peak_tpm": 0}
        return document


@REGISTRY.register("unbalanced-limits")
class UnbalancedLimits(Fault):
    """A key's throttled requests are missing from those it attempted."""

    def document(self, path: str, document: Any) -> Any:
        if path.startswith(f"{LIMITS}/key/"):
            requests = document["requests"]
            requests["total_attempted"] = requests["total_allowed"]
        return document


@REGISTRY.register("idle-gpus")
class IdleGpus(Fault):
    """The GPUs do nothing, whatever the load."""

    def document(self, path: str, document: Any) -> Any:
        if path == GPUS:
            for gpu in document.values():
                gpu["gpu_utilization_pct"] = 0
        return document


@REGISTRY.register("stuck-gpus")
class StuckGpus(Fault):
    """The GPUs are as busy as they ever were seen, for ever."""

    def __init__(self) -> None:
        self._most = 0

    def document(self, path: str, document: Any) -> Any:
        if path == GPUS:
            for gpu in document.values():
                self._most = max(self._most, gpu["gpu_utilization_pct"])
                gpu["gpu_utilization_pct"] = self._most
        return document


@REGISTRY.register("lost-memory")
class LostMemory(Fault):
    """The free memory of a GPU is all of its memory, whatever is used."""

    def document(self, path: str, document: Any) -> Any:
        if path == GPUS:
            for gpu in document.values():
                gpu["memory_free_mib"] = TOTAL_MIB
        return document
