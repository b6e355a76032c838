"""What other tools call the keys and the words of a spec, so that a stranger is told ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "SpecFile": {
        "url": "target: {url: …}", "base_url": "target: {url: …}", "model": "load: {model: …}",
        "requests": "load: {requests: …}", "name": "title", "description": "title",
        "variables": "vars", "checks": "assert", "tests": "assert", "suite": "include",
    },
    "TargetBlock": {
        "base_url": "url", "host": "url", "port": "url", "address": "url", "token": "api_key",
        "key": "api_key",
    },
    "ServerBlock": {
        "port": "${port} in the command", "timeout": "within", "health": "ready",
        "healthcheck": "ready", "run": "command", "start": "command",
    },
    "SettleBlock": {
        "timeout": "within", "for": "within", "max": "within", "wait": "within",
        "interval": "every", "poll": "every",
    },
    "DuringBlock": {"interval": "every", "poll": "every"},
    "EndpointBlock": {
        "url": "get", "path": "get", "uri": "get", "route": "get", "type": "format",
        "decoder": "format", "severity": "reachable: {severity: …}", "checks": "assert",
        "tests": "assert", "expect": "assert", "sample": "during: {every: …}",
    },
    "LoadBlock": {
        "rps": "rate", "qps": "rate", "messages": "prompts", "input": "prompts",
        "type": "driver", "kind": "driver", "users": "concurrency", "workers": "concurrency",
        "parallel": "concurrency", "threads": "concurrency", "count": "requests",
        "temperature": "body: {temperature: …}", "top_p": "body: {top_p: …}",
        "stop": "body: {stop: …}", "tools": "body: {tools: …}",
        "ignore_eos": "body: {ignore_eos: …}", "url": "target: {url: …}",
    },
    "SloBlock": {
        "e2e": "latency", "e2el": "latency", "e2e_latency": "latency",
        "inter_token_latency": "itl", "time_to_first_token": "ttft",
    },
    "Condition": {
        "all": "each", "every": "each", "some": "any", "jsonpath": "path", "query": "path",
        "field": "path", "key": "path", "description": "why", "reason": "why", "message": "why",
        "note": "why", "title": "name", "id": "name", "level": "severity", "sev": "severity",
        "priority": "severity", "importance": "severity", "value": "eq", "expected": "eq",
        "increased": "delta: {gt: 0}", "unchanged": "delta: {eq: 0}", "phase": "over",
        "absent_before": "delta: {…, absent_before: …}",
        "status": "status: …, beside get: of the endpoint",
        "endpoint": "let: {x: {endpoint: …, path: …}}, and expr:",
    },
}  # fmt: skip
"""By the name of the block: what is written there elsewhere, and what is written here."""

WORDS: Final[Mapping[str, str]] = {
    "error": "critical", "fatal": "critical", "high": "critical", "blocker": "critical",
    "major": "critical", "medium": "warning", "minor": "warning", "low": "info",
    "notice": "info", "prom": "prometheus", "openmetrics": "prometheus", "sse": "events",
    "plain": "text", "ws": "frames", "uniform": "constant", "random": "shuffled",
}  # fmt: skip
"""Words that are one of a few: what it is elsewhere, and what it is here."""


def key(block: type | None, name: str) -> str:
    """Return what *name* of *block* is here; nothing if nobody writes it elsewhere either."""
    for ancestor in block.__mro__ if block else ():
        if found := KEYS.get(ancestor.__name__, {}).get(name.lower()):
            return found
    return ""


def anywhere(name: str) -> str:
    """Return the only key that *name* is here, whatever block it stands in; nothing if several."""
    known = {keys[name.lower()] for keys in KEYS.values() if name.lower() in keys}
    return known.pop() if len(known) == 1 and all(key.isidentifier() for key in known) else ""
