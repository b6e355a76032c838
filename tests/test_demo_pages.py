"""Every page of the demo server, compared with what a bare client saw; then each fault."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import re
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from demo_process import ROOT, first_line, stop
from prometheus_client.parser import text_string_to_metric_families
from test_demo_books import (
    DYNAMO,
    KV,
    MODEL,
    PATIENCE,
    PROMETHEUS,
    PROMPTS,
    QUICK,
    Local,
    Reply,
    address,
    all_stopped,  # noqa: F401 - a fixture that stops the local servers of this module too
    ask,
    chat,
    head,
    local,
    order,
    page,
    summary,
    until,
)

from validator.demo import FAULTS, PAGE_FAULTS
from validator.demo.chat import Pace

CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
EMBEDDINGS, IMAGES, SPEECH = "/v1/embeddings", "/v1/images/generations", "/v1/audio/speech"
MODERATIONS, RANKING, RAG = "/v1/moderations", "/v1/ranking", "/rag/api/prompt"
MAPS = ("requests", "responses", "tokens", "errors", "latency", "streaming")
MEASURES = ("avg", "min", "max", "p50", "p90", "p99")
KEY = "sk-a-key-longer-than-twenty-characters"
EVER = "start_time=0&end_time=9999999999"
USAGE = "/v1/organization/usage"
SLOW = Pace(prefill=0.001, token=0.2)


def post(url: str, path: str, key: str = KEY, **fields) -> Reply:
    return ask(url, path, json.dumps(fields).encode(), key=key)


def said(**fields) -> dict:
    return {"messages": [{"role": "user", "content": PROMPTS[0]}], **fields}


def raw(url: str, path: str) -> str:
    return ask(url, path).body.decode()


def series(url: str, path: str) -> dict[tuple[str, frozenset], float]:
    """A Prometheus page by name on the wire and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(raw(url, path))
        for sample in family.samples
    }


def named(told: dict, name: str, **labels: str) -> float:
    return told[name, frozenset(labels.items())]


# A load of everything, and what its client knows of it


@dataclass
class Sent:
    path: str
    model: str
    streaming: bool
    reply: Reply

    @property
    def ok(self) -> bool:
        return self.reply.status == 200

    @property
    def tokens(self) -> tuple[int, int]:
        if not self.ok or self.path in (IMAGES, SPEECH):
            return 0, 0
        if self.path == MODERATIONS:
            return 4, 0  # "nothing to see here?" less what is no word: see `everything`
        if self.path == RANKING:
            return 8, 0
        usage = self.reply.usage
        prompt = usage.get("prompt_tokens", usage.get("input_tokens", 0))
        return prompt, usage.get("completion_tokens", usage.get("output_tokens", 0))


def everything() -> list[tuple[str, dict]]:
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    one = {"model": MODEL}
    return [
        *((CHAT, one | usage | said(max_tokens=8 + n)) for n in range(4)),
        *((CHAT, one | said(max_tokens=5)) for _ in range(2)),
        (CHAT, {"model": "demo/other", **said(n=3, max_tokens=4)}),
        (CHAT, {"model": "o3-mini", **usage, **said()}),
        (COMPLETIONS, one | {"prompt": "once upon", "max_tokens": 6}),
        (COMPLETIONS, one | usage | {"prompt": ["a", "b"], "n": 2, "max_tokens": 3}),
        (RESPONSES, one | {"input": "tell me", "max_output_tokens": 7}),
        (RESPONSES, one | {"input": [{"role": "user", "content": "tell me more"}]}),
        (RAG, {"query": "what is where?"}),
        *((EMBEDDINGS, {"model": "demo/embed", "input": ["one", "two", "three"]}),) * 3,
        (MODERATIONS, {"model": "demo/judge", "input": "nothing to see"}),
        (RANKING, {"model": "demo/rank", "query": {"text": "a b"},
                   "passages": [{"text": "c"}, {"text": "a b"}]}),
        (IMAGES, {"model": "demo/draw", "prompt": "a cat", "n": 2}),
        (SPEECH, {"model": "demo/speak", "input": "hello", "voice": "alloy"}),
        (CHAT, one | {"messages": []}),
        (EMBEDDINGS, {"model": "demo/embed"}),
        (EMBEDDINGS, {}),
    ]  # fmt: skip


@dataclass
class Seen:
    server: Local
    sent: list[Sent] = field(default_factory=list)
    spent: float = 0.0

    @property
    def url(self) -> str:
        return self.server.url

    def of(self, path: str) -> list[Sent]:
        return [one for one in self.sent if one.path == path]

    @property
    def paths(self) -> set[str]:
        return {one.path for one in self.sent}


def go(server: Local, requests: list[tuple[str, dict]], at_once: int = 4) -> Seen:
    def send(request: tuple[str, dict]) -> Sent:
        path, asked = request
        reply = post(server.url, path, **asked)
        return Sent(path, asked.get("model", ""), asked.get("stream", False), reply)

    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as threads:
        sent = list(threads.map(send, requests))
    return Seen(server, sent, time.monotonic() - started)


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    with local() as server:
        yield go(server, everything())


@pytest.fixture
def truthful() -> Iterator[Local]:
    with local() as server:
        yield server


@pytest.fixture
def slow() -> Iterator[Local]:
    with local(pace=SLOW) as server:
        yield server


# The requests


def test_all_is_answered_but_what_is_wrong(seen):
    statuses = Counter((one.path, one.reply.status) for one in seen.sent)
    assert {path: n for (path, status), n in statuses.items() if status != 200} == {
        CHAT: 1,
        EMBEDDINGS: 2,
    }


def test_a_stream_of_completions_has_text_then_reasons_then_usage_then_the_end(seen):
    reply = next(one.reply for one in seen.of(COMPLETIONS) if one.streaming)
    texts = [c["choices"][0] for c in reply.chunks if c["choices"] and c["choices"][0]["text"]]
    assert Counter(choice["index"] for choice in texts) == {0: 3, 1: 3}
    assert reply.usage["completion_tokens"] == len(texts) == 6
    assert reply.ended


def test_a_completion_says_the_same_streamed_or_not(truthful):
    asked = {"model": MODEL, "prompt": "once", "max_tokens": 9}
    plain, streamed = (post(truthful.url, COMPLETIONS, **asked, stream=s) for s in (False, True))
    texts = "".join(chunk["choices"][0]["text"] for chunk in streamed.chunks)
    assert plain.json["choices"][0]["text"] == texts
    assert not [chunk for chunk in streamed.chunks if "usage" in chunk]


TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    "asked",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "look_up"}}},
        {"messages": [{"role": "user", "content": "Please look_up the weather"}]},
    ],
)
def test_a_tool_is_called_when_it_is_asked_for(truthful, asked):
    fields = {"model": MODEL, **said(), "tools": TOOLS, **asked}
    choice = post(truthful.url, CHAT, **fields).json["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert call["function"]["name"] == "look_up"
    assert json.loads(call["function"]["arguments"])["question"]
    streamed = post(truthful.url, CHAT, **fields, stream=True)
    deltas = [c["choices"][0]["delta"] for c in streamed.chunks]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert "".join(c["function"]["arguments"] for c in calls) == call["function"]["arguments"]
    assert [c["function"].get("name") for c in calls][:2] == ["look_up", None]
    assert streamed.finish_reason == "tool_calls"


@pytest.mark.parametrize("asked", [{}, {"tool_choice": "none"}])
def test_a_tool_is_not_called_when_nobody_asks(truthful, asked):
    choice = post(truthful.url, CHAT, model=MODEL, **said(), tools=TOOLS, **asked).json["choices"][
        0
    ]
    assert choice["finish_reason"] == "stop"
    assert "tool_calls" not in choice["message"]


def test_a_reasoning_model_thinks_first_and_the_thoughts_count(truthful):
    asked = {"model": "deepseek-ai/DeepSeek-R1", **said()}
    plain = post(truthful.url, CHAT, **asked)
    streamed = post(
        truthful.url, CHAT, **asked, stream=True, stream_options={"include_usage": True}
    )
    deltas = [c["choices"][0]["delta"] for c in streamed.chunks if c["choices"]]
    kinds = [next(iter(delta)) for delta in deltas if delta and "role" not in delta]
    assert sorted(kinds, reverse=True) == kinds
    thoughts = [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta]
    assert "".join(thoughts) == plain.json["choices"][0]["message"]["reasoning_content"]
    assert streamed.usage["completion_tokens"] == len(kinds)
    assert streamed.usage["completion_tokens_details"]["reasoning_tokens"] == len(thoughts)
    assert streamed.ended


def test_every_choice_is_generated_and_billed(truthful):
    reply = post(truthful.url, CHAT, model=MODEL, n=3, max_tokens=5, **said())
    texts = {choice["message"]["content"] for choice in reply.json["choices"]}
    assert len(texts) == 3
    assert reply.usage["completion_tokens"] == 15
    assert page(truthful.url)["per_model"][MODEL]["completion_tokens"] == 15


@pytest.mark.parametrize(
    "path, asked",
    [
        (CHAT, {"model": "m", **said(n=0)}),
        (COMPLETIONS, {"model": "m"}),
        (RESPONSES, {"input": "x"}),
        (EMBEDDINGS, {"model": "m", "input": []}),
        (EMBEDDINGS, {"model": "m", "input": {"a": 1}}),
        (MODERATIONS, {}),
        (IMAGES, {"prompt": "x", "n": 99}),
        (SPEECH, {"model": "m", "input": "x"}),
        (RANKING, {"model": "m", "query": {"text": "x"}}),
        (RAG, {}),
    ],
)
def test_a_bad_request_is_refused_and_counted_as_an_error(truthful, path, asked):
    assert post(truthful.url, path, **asked).status == 400
    told = page(truthful.url, "/metrics")
    assert set(told["errors"]) == set(told["latency"]) == {path}
    assert told["responses"][path]["rate"] == 0


def test_other_replies_have_the_shapes_of_the_api(seen):
    vectors = seen.of(EMBEDDINGS)[0].reply.json
    assert [one["index"] for one in vectors["data"]] == [0, 1, 2]
    assert all(len(one["embedding"]) == 8 for one in vectors["data"])
    assert len(seen.of(IMAGES)[0].reply.json["data"]) == 2
    assert seen.of(SPEECH)[0].reply.headers["content-type"] == "audio/mpeg"
    assert seen.of(RANKING)[0].reply.json["rankings"][0]["index"] == 1
    assert seen.of(MODERATIONS)[0].reply.json["results"][0]["flagged"] is False
    assert seen.of(RAG)[0].reply.json["retrieved_docs"]
    assert [one.reply.json["object"] for one in seen.of(RESPONSES)] == ["response"] * 2


# The pages about traffic


def test_every_request_and_token_is_on_the_prometheus_page(seen):
    told = series(seen.url, "/metrics/prometheus")
    for path in seen.paths:
        sent = seen.of(path)
        good = [one for one in sent if one.ok]
        prompt, completion = (sum(one.tokens[i] for one in sent) for i in (0, 1))
        assert named(told, "fakeai_requests_total", endpoint=path) == len(sent)
        assert named(told, "fakeai_responses_total", endpoint=path) == len(good)
        assert named(told, "fakeai_tokens_total", endpoint=path, type="prompt") == prompt
        assert named(told, "fakeai_tokens_total", endpoint=path, type="completion") == completion
        assert named(told, "fakeai_latency_seconds_count", endpoint=path) == len(good)
        assert named(told, "fakeai_latency_seconds_bucket", endpoint=path, le="+Inf") == len(good)
    assert named(told, "fakeai_errors_total", endpoint=CHAT, reason="400") == 1
    assert named(told, "fakeai_errors_total", endpoint=EMBEDDINGS, reason="400") == 2
    assert named(told, "fakeai_completed_streams_total") == 6
    assert named(told, "fakeai_active_streams") == named(told, "fakeai_failed_streams_total") == 0
    assert named(told, "fakeai_ttft_seconds_count", endpoint=CHAT) == 5


def test_the_six_maps_are_about_the_same_requests_over_one_span(seen):
    told = page(seen.url, "/metrics")
    for path in seen.paths:
        sent = seen.of(path)
        good = [one for one in sent if one.ok]
        span = len(sent) / told["requests"][path]["rate"]
        assert span <= seen.spent
        assert told["responses"][path]["rate"] * span == pytest.approx(len(good), rel=1e-3)
        assert told["latency"][path]["rate"] * span == pytest.approx(len(sent), rel=1e-3)
        bad = told["errors"].get(path, {"rate": 0})["rate"]
        assert bad * span == pytest.approx(len(sent) - len(good), rel=1e-3)
        total = sum(sum(one.tokens) for one in sent)
        assert told["tokens"][path]["rate"] * span == pytest.approx(total, rel=1e-3)
        largest = max(sum(one.tokens) for one in good)
        assert told["tokens"][path]["max"] == largest
        assert 1 <= told["requests"][path]["min"] <= told["requests"][path]["max"] <= 4
        slowest = max(one.reply.pieces[-1][0] - one.reply.sent for one in good)
        assert 0 < told["responses"][path]["max"] <= slowest
    assert set(told["streaming"]) == {CHAT, COMPLETIONS}
    ttft = max(one.reply.ttft for one in seen.of(CHAT) if one.streaming and one.model == MODEL)
    assert 0 < told["streaming"][CHAT]["p50"] <= ttft


def test_percentiles_are_ordered_on_every_page(seen):
    def ordered(value) -> int:
        if isinstance(value, list):
            return sum(map(ordered, value))
        if not isinstance(value, dict):
            return 0
        ranks = [
            value[name] for name in ("min", "p50", "p90", "p95", "p99", "max") if name in value
        ]
        assert ranks == sorted(ranks)
        for quantity in ("temp", "power"):
            over = [value[f"{quantity}_{p}"] for p in ("p50", "p90", "p99") if "temp_p50" in value]
            assert over == sorted(over)
        return bool(ranks) + sum(map(ordered, value.values()))

    paths = ("/metrics", "/metrics/by-model", "/dcgm/metrics/json", DYNAMO)
    assert sum(ordered(page(seen.url, path)) for path in paths) > 20


def test_json_csv_prometheus_and_websocket_say_the_same(seen):
    told = page(seen.url, "/metrics")
    reply = ask(seen.url, "/metrics/csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert {(row["metric_type"], row["endpoint"]) for row in rows} == {
        (name, path) for name in MAPS for path in told[name]
    }
    for row in rows:
        one = told[row["metric_type"]][row["endpoint"]]
        assert float(row["rate"]) == one["rate"]
        assert all(float(row[f"{name}_latency"]) == one[name] for name in MEASURES)
    text = series(seen.url, "/metrics/prometheus")
    for name in ("requests", "responses", "tokens", "errors"):
        for path, row in told[name].items():
            assert named(text, f"fakeai_{name}_per_second", endpoint=path) == row["rate"]
    with websocket(seen.url) as line:
        data = line.read()["data"]
    for name in ("requests", "responses", "tokens"):
        rates = {path: row["rate"] for path, row in told[name].items()}
        assert data["throughput"][f"{name}_per_sec"] == rates
    for path, row in told["responses"].items():
        for name in MEASURES:
            assert data["latency"][path][name] == pytest.approx(1000 * row[name], abs=1e-3)
    assert data["streaming"] == {
        name: told["streaming_stats"][name]
        for name in ("active_streams", "completed_streams", "failed_streams")
    }
    cache = page(seen.url, KV)["cache_performance"]
    assert data["cache"]["total_hits"] == cache["total_cache_hits"]
    assert data["cache"]["cached_tokens"] == cache["cached_tokens_reused"]


def test_health_says_the_same_and_how_many_failed(seen):
    told, health = page(seen.url, "/metrics"), page(seen.url, "/health/detailed")
    share = 100 * sum(not one.ok for one in seen.sent) / len(seen.sent)
    summed = health["metrics_summary"]
    assert summed["error_rate_percentage"] == pytest.approx(share, abs=0.01)
    assert health["status"] == "unhealthy"
    assert health["uptime_seconds"] > seen.spent
    assert abs(health["timestamp"] - time.time()) < PATIENCE
    assert summed["active_streams"] == 0
    for path, row in health["endpoints"].items():
        assert row["requests_per_second"] == told["requests"][path]["rate"]
        assert row["latency_p50_ms"] == pytest.approx(
            1000 * told["responses"][path]["p50"], abs=0.01
        )


def test_rates_are_zero_after_a_minute_and_counters_stay():
    with local() as server:
        load = [(CHAT, {"model": MODEL, "stream": True, **said()})] * 3
        go(server, load)
        server.skipped = 61.0
        told = page(server.url, "/metrics")
        assert (told["errors"], told["streaming"]) == ({}, {})
        for name in ("requests", "responses", "tokens", "latency"):
            assert set(told[name][CHAT].values()) == {0}
        assert told["streaming_stats"]["completed_streams"] == 3
        text = series(server.url, "/metrics/prometheus")
        assert named(text, "fakeai_requests_total", endpoint=CHAT) == 3
        health = page(server.url, "/health/detailed")
        assert (health["endpoints"], health["status"]) == ({}, "healthy")


def test_while_streams_run_they_are_active_on_every_page_and_the_gpus_work(slow):
    with held_streams(slow.url, 3):
        assert page(slow.url, "/metrics")["streaming_stats"]["active_streams"] == 3
        health = page(slow.url, "/health/detailed")["metrics_summary"]
        assert health["active_streams"] == 3
        text = series(slow.url, "/metrics/prometheus")
        assert named(text, "fakeai_active_streams") == 3
        with websocket(slow.url) as line:
            assert line.read()["data"]["streaming"]["active_streams"] == 3
        model = page(slow.url, f"/metrics/by-model/{MODEL}")
        assert model["request_count"] == 3
        assert model["tokens"]["completion"] > 0
        gpus = page(slow.url, "/dcgm/metrics/json")
        assert all(gpu["gpu_utilization_pct"] > 0 for gpu in gpus.values())


def test_a_caller_that_hangs_up_is_an_error_of_its_own_kind(slow):
    with held_streams(slow.url, 2):
        pass
    until(lambda: page(slow.url, "/metrics")["streaming_stats"]["active_streams"] == 0)
    told = page(slow.url, "/metrics")
    assert told["streaming_stats"]["failed_streams"] == 2
    text = series(slow.url, "/metrics/prometheus")
    assert named(text, "fakeai_errors_total", endpoint=CHAT, reason="cancelled") == 2
    model = page(slow.url, f"/metrics/by-model/{MODEL}")
    assert (model["request_count"], model["errors"]["count"]) == (2, 2)
    assert model["tokens"]["completion"] == page(slow.url)["per_model"][MODEL]["completion_tokens"]


@contextmanager
def held_streams(url: str, count: int) -> Iterator[None]:
    """Streams whose replies have begun; the end hangs up on them."""
    body = order(PROMPTS[0])
    with contextlib.ExitStack() as lines:
        for _ in range(count):
            line = lines.enter_context(socket.create_connection(address(url), timeout=PATIENCE))
            line.sendall(head("POST", CHAT, len(body)) + body)
            heard = b""
            while b'"delta":{"content"' not in heard.replace(b'"content":""', b""):
                heard += line.recv(4096)
        yield


# The WebSocket


class Line:
    """A WebSocket as a client of bare sockets sees it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._answer = line.makefile("rb")

    def shake(self) -> None:
        key = base64.b64encode(b"a key of 16 byte").decode()
        self._line.sendall(
            b"GET /metrics/stream HTTP/1.1\r\nhost: demo\r\nupgrade: websocket\r\n"
            b"connection: Upgrade\r\nsec-websocket-version: 13\r\n"
            + f"sec-websocket-key: {key}\r\n\r\n".encode()
        )
        assert b" 101 " in self._answer.readline()
        while self._answer.readline().strip():
            pass

    def read(self) -> dict:
        _, length = self._answer.read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._answer.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._answer.read(8))
        return json.loads(self._answer.read(length))

    def say(self, said: object) -> dict:
        """Send a message; return its answer, which updates may come before."""
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        assert len(data) < 126
        self._line.sendall(bytes([0x81, 0x80 | len(data)]) + bytes(4) + data)
        while (frame := self.read())["type"] == "metrics_update":
            pass
        return frame

    def subscribe(self, **filters: object) -> dict:
        answer = self.say({"type": "subscribe", "filters": filters})
        assert answer["type"] == "subscribed"
        return self.read()


@contextmanager
def websocket(url: str) -> Iterator[Line]:
    pytest.importorskip("websockets")
    with socket.create_connection(address(url), timeout=PATIENCE) as line:
        talk = Line(line)
        talk.shake()
        yield talk


def test_the_websocket_begins_with_all_and_goes_on_as_often_as_asked(seen):
    with websocket(seen.url) as line:
        first = line.read()
        assert (first["type"], set(first)) == ("historical_data", {"type", "timestamp", "data"})
        update = line.subscribe(interval=0.05)
        assert update["type"] == "metrics_update"
        assert update["data"] == first["data"]
        assert update["deltas"]["throughput"]["total_requests_per_sec"] == 0
        started = time.monotonic()
        assert [line.read()["type"] for _ in range(4)] == ["metrics_update"] * 4
        assert 0.15 < time.monotonic() - started < PATIENCE


def test_the_websocket_keeps_to_the_filters(seen):
    with websocket(seen.url) as line:
        everything = line.read()["data"]
        data = line.subscribe(endpoint=EMBEDDINGS, interval=0.05)["data"]
        assert data["latency"] == {EMBEDDINGS: everything["latency"][EMBEDDINGS]}
        assert set(data["throughput"]["tokens_per_sec"]) == {EMBEDDINGS}
        assert set(data["error"]["errors_per_sec"]) == {EMBEDDINGS}
        total = everything["throughput"]["total_requests_per_sec"]
        assert data["throughput"]["total_requests_per_sec"] == total
        data = line.subscribe(metric_type="queue", interval=0.05)["data"]
        assert data == {"queue": everything["queue"]}
        assert line.say({"type": "unsubscribe"})["type"] == "unsubscribed"


def test_the_websocket_answers_pings_and_nonsense(seen):
    with websocket(seen.url) as line:
        line.read()
        assert line.say({"type": "ping"})["type"] == "pong"
        for nonsense in ([1], {}, b"{", {"type": "subscribe", "filters": {"interval": 0}}):
            assert line.say(nonsense)["type"] == "error"
        assert line.say({"type": "ping"})["type"] == "pong"
    assert page(seen.url, "/health")["ready"] is True


def test_without_its_package_the_websocket_is_501_and_all_else_works():
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "from validator.demo.__main__ import main; sys.exit(main(['--with-parent']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            url = first_line(process).split()[1]
            assert ask(url, "/metrics/stream").status == 501
            with (
                socket.create_connection(address(url), timeout=PATIENCE) as line,
                pytest.raises(AssertionError),
            ):
                Line(line).shake()
            assert chat(url).ended
            assert page(url, "/metrics")["streaming_stats"]["completed_streams"] == 1
        finally:
            stop(process)


# Models, costs, usage


def test_every_model_has_its_requests_and_tokens_whoever_streamed_them(seen):
    told = page(seen.url, "/metrics/by-model")
    models = {one.model for one in seen.sent if one.model}
    assert set(told) - {"demo/rag"} == models
    for name in models:
        sent = [one for one in seen.sent if one.model == name]
        prompt, completion = (sum(one.tokens[i] for one in sent) for i in (0, 1))
        assert told[name]["request_count"] == len(sent)
        assert told[name]["tokens"] == {
            "prompt": prompt,
            "completion": completion,
            "total": prompt + completion,
        }
        assert told[name]["errors"]["count"] == sum(not one.ok for one in sent)
        assert told[name]["endpoints"] == Counter(one.path for one in sent)
        assert told[name]["users"] == {KEY[:20]: len(sent)}
        assert page(seen.url, f"/metrics/by-model/{name}") == told[name]


def test_rankings_and_comparisons_follow_from_the_models(seen):
    told = page(seen.url, "/metrics/by-model")
    ranked = page(seen.url, "/metrics/ranking?metric=tokens&limit=3")
    totals = sorted((one["tokens"]["total"] for one in told.values()), reverse=True)
    assert [one["tokens"]["total"] for one in ranked] == totals[:3]
    two = page(seen.url, f"/metrics/compare?model1={MODEL}&model2=demo/embed")
    counts = two["comparison"]["request_count"]
    assert counts["delta"] == told["demo/embed"]["request_count"] - told[MODEL]["request_count"]
    assert two["winner"]["cost_efficiency"] == "demo/embed"


@pytest.mark.parametrize(
    "path, status",
    [
        ("/metrics/by-model/nobody", 404),
        ("/metrics/compare?model1=nobody&model2=nobody", 404),
        ("/metrics/compare?model1=nobody", 422),
        ("/metrics/ranking?limit=0", 422),
        ("/metrics/ranking?limit=many", 422),
        ("/metrics/ranking?metric=beauty", 422),
        ("/v1/organization/costs", 422),
        ("/v1/organization/costs?start_time=0", 422),
        (f"{USAGE}/images?start_time=-1&end_time=x", 422),
        (f"{USAGE}/images?{EVER}&bucket_width=2d", 422),
        (f"{USAGE}/nothing?{EVER}", 404),
        ("/metrics/rate-limits/key/nobody", 404),
        ("/metrics/stream", 426),
    ],
)
def test_what_cannot_be_answered_is_refused(seen, path, status):
    if status == 426:
        pytest.importorskip("websockets")
    assert ask(seen.url, path).status == status


def test_the_models_are_the_same_on_their_prometheus_page(seen):
    books = page(seen.url, "/metrics/by-model")
    told = series(seen.url, "/metrics/by-model/prometheus")
    for name, one in books.items():
        assert named(told, "fakeai_model_requests_total", model=name) == one["request_count"]
        assert named(told, "fakeai_model_errors_total", model=name) == one["errors"]["count"]
        assert named(told, "fakeai_model_cost_usd_total", model=name) == one["cost"]["total_usd"]
        for kind in ("prompt", "completion"):
            tokens = named(told, "fakeai_model_tokens_total", model=name, type=kind)
            assert tokens == one["tokens"][kind]
        latency = "fakeai_model_latency_milliseconds"
        count = named(told, f"{latency}_count", model=name)
        assert count == one["request_count"] - one["errors"]["count"]
        assert named(told, f"{latency}_sum", model=name) == pytest.approx(
            one["latency"]["avg_ms"] * count, abs=0.01
        )
        assert named(told, latency, model=name, quantile="0.5") == one["latency"]["p50"]


@pytest.mark.parametrize(
    "path", ["/metrics/prometheus", "/metrics/by-model/prometheus", "/dcgm/metrics"]
)
def test_prometheus_pages_are_well_formed(seen, path):
    reply = ask(seen.url, path)
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = reply.body.decode()
    typed = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    helped = re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)
    assert [name for name, _ in typed] == helped
    assert len(set(helped)) == len(helped)
    if path != "/dcgm/metrics":  # its names are the vendor's
        assert all(name.endswith("_total") for name, kind in typed if kind == "counter")
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    assert len(set(lines)) == len(lines)
    buckets: dict[frozenset, list[float]] = {}
    for (name, labels), value in series(seen.url, path).items():
        if name.endswith("_bucket"):
            rest = frozenset((k, v) for k, v in labels if k != "le") | {("name", name)}
            buckets.setdefault(rest, []).append(value)
    assert all(counts == sorted(counts) for counts in buckets.values())
    assert len(buckets) == (11 if path == "/metrics/prometheus" else 0)


def test_a_hostile_model_name_is_escaped_and_comes_back_whole(truthful):
    hostile = 'a"b\\c\nd} 1\n# TYPE x gauge'
    post(truthful.url, EMBEDDINGS, model=hostile, input="x")
    told = series(truthful.url, "/metrics/by-model/prometheus")
    assert named(told, "fakeai_model_requests_total", model=hostile) == 1


def total_of(url: str, path: str, *keys: str) -> Counter:
    """Sums over all buckets of an organization page."""
    found: Counter = Counter()
    for bucket in page(url, path)["data"]:
        for result in bucket["results"]:
            for key in keys:
                found[key] += result["amount"]["value"] if key == "usd" else result[key]
    return found


KINDS = {
    "completions": (CHAT, COMPLETIONS, RESPONSES, RAG),
    "embeddings": (EMBEDDINGS,),
    "images": (IMAGES,),
    "audio_speeches": (SPEECH,),
    "audio_transcriptions": (),
}


@pytest.mark.parametrize("width", ["1d", "1m"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_usage_has_its_own_requests_and_no_others(seen, kind, width):
    names = ("input_tokens", "output_tokens", "input_cached_tokens", "num_model_requests")
    told = total_of(seen.url, f"{USAGE}/{kind}?{EVER}&bucket_width={width}", *names)
    sent = [one for one in seen.sent if one.path in KINDS[kind] and one.ok]
    assert told["num_model_requests"] == len(sent)
    assert told["input_tokens"] == sum(one.tokens[0] for one in sent)
    assert told["output_tokens"] == sum(one.tokens[1] for one in sent)
    if kind == "completions":
        cache = page(seen.url, KV)["cache_performance"]
        assert told["input_cached_tokens"] == cache["cached_tokens_reused"]


def test_usage_of_another_time_is_not_shown(seen):
    now = int(time.time())
    for span in (
        f"start_time={now + 120}&end_time={now + 999}",
        f"start_time=0&end_time={now - 999}",
    ):
        assert page(seen.url, f"{USAGE}/completions?{span}")["data"] == []
    bucket = page(seen.url, f"{USAGE}/completions?{EVER}")["data"][0]
    assert bucket["start_time"] % 86_400 == 0
    assert bucket["start_time"] <= now + 60
    assert bucket["end_time"] == bucket["start_time"] + 86_400


def test_what_it_cost_is_the_same_on_every_page(seen):
    told = page(seen.url, "/metrics/costs")
    total = told["total_cost_usd"]
    assert total > 0.08  # two images, and more
    assert sum(told["costs_by_model"].values()) == pytest.approx(total, abs=1e-12)
    charged = total_of(seen.url, f"/v1/organization/costs?{EVER}", "usd")["usd"]
    assert charged == pytest.approx(total, abs=1e-12)
    for name, one in page(seen.url, "/metrics/by-model").items():
        assert one["cost"]["total_usd"] == told["costs_by_model"][name]
    dimensions = page(seen.url, "/metrics/multi-dimensional")
    for name, one in page(seen.url, "/metrics/by-model").items():
        assert dimensions["model_by_endpoint"][name] == one["endpoints"]
        assert dimensions["model_by_user"][name] == one["users"]
        hours = dimensions["model_by_time_24h"][name]
        assert sum(hour["count"] for hour in hours) == one["request_count"]
        assert all(hour["timestamp"] % 3600 == 0 for hour in hours)


def test_the_number_of_models_and_keys_that_are_remembered_is_bounded(truthful):
    def send(number: int) -> int:
        return post(truthful.url, EMBEDDINGS, f"key-{number}", model=f"m{number}").status

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(send, range(1010))) == {400}
    told = page(truthful.url, "/metrics/by-model")
    assert len(told) == 501
    assert sum(one["request_count"] for one in told.values()) == 1010
    limits = page(truthful.url, "/metrics/rate-limits")
    assert limits["summary"]["total_keys"] == 1001
    assert limits["tier_stats"]["demo"]["total_requests_attempted"] == 1010


# Rate limits


def test_what_was_attempted_was_allowed_or_throttled(seen):
    told = page(seen.url, f"/metrics/rate-limits/key/{KEY}")
    sent = len(seen.sent)
    assert told["requests"] == {
        "total_attempted": sent,
        "total_allowed": sent,
        "total_throttled": 0,
        "throttle_rate": 0,
        "success_rate": 1,
    }
    tokens = sum(sum(one.tokens) for one in seen.sent)
    assert told["tokens"] == {
        "total_requested": tokens,
        "total_consumed": tokens,
        "efficiency": 1,
    }
    assert told["usage_patterns"] == {"peak_rpm": sent, "peak_tpm": tokens}
    assert page(seen.url, "/metrics/rate-limits")["summary"]["total_throttle_events"] == 0


def test_the_limit_holds_for_each_key_and_says_when_to_come_back():
    with local(rpm=5) as server:
        asked = {"model": "m", "input": "x"}
        replies = [post(server.url, EMBEDDINGS, **asked) for _ in range(12)]
        assert [reply.status for reply in replies] == [200] * 5 + [429] * 7
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 60
        assert replies[-1].json["error"]["code"] == "rate_limit_exceeded"
        assert replies[4].headers["x-ratelimit-remaining-requests"] == "0"
        assert post(server.url, EMBEDDINGS, "sk-other", **asked).status == 200
        told = page(server.url, f"/metrics/rate-limits/key/{KEY}")["requests"]
        assert (told["total_attempted"], told["total_allowed"], told["total_throttled"]) == (
            12,
            5,
            7,
        )
        limits = page(server.url, "/metrics/rate-limits")
        assert limits["throttle_analytics"] == page(
            server.url, "/metrics/rate-limits/throttle-analytics"
        )
        assert limits["throttle_analytics"]["total_throttle_events"] == 7
        assert limits["throttle_analytics"]["duration_histogram"]["<60000ms"] == 7
        assert limits["tier_stats"] == page(server.url, "/metrics/rate-limits/tier")
        (abuser,) = page(server.url, "/metrics/rate-limits/abuse-patterns")
        assert (abuser["api_key"], abuser["severity"]) == (KEY, "medium")
        server.skipped = 61.0
        assert post(server.url, EMBEDDINGS, **asked).status == 200
        peaks = page(server.url, f"/metrics/rate-limits/key/{KEY}")["usage_patterns"]
        assert peaks["peak_rpm"] == 12


# GPUs


def test_the_gpus_rest_a_second_after_the_last_work(truthful):
    assert chat(truthful.url).ended
    busy = page(truthful.url, "/dcgm/metrics/json")
    assert set(busy) == {"gpu_0", "gpu_1", "gpu_2", "gpu_3"}
    truthful.skipped = 1.0
    idle = page(truthful.url, "/dcgm/metrics/json")
    for name, gpu in busy.items():
        rest = idle[name]
        assert gpu["gpu_utilization_pct"] > 0 == rest["gpu_utilization_pct"]
        assert gpu["power_usage_w"] > rest["power_usage_w"]
        assert gpu["total_energy_mj"] < rest["total_energy_mj"]
        assert gpu["uuid"] == rest["uuid"]
        for one in (gpu, rest):
            assert one["memory_free_mib"] + one["memory_used_mib"] == one["memory_total_mib"]
            assert len(one) == 39


def test_the_gpus_are_the_same_on_their_prometheus_page(seen):
    until(lambda: page(seen.url, "/dcgm/metrics/json")["gpu_0"]["gpu_utilization_pct"] == 0)
    gpus, told = page(seen.url, "/dcgm/metrics/json"), series(seen.url, "/dcgm/metrics")
    for number, gpu in enumerate(gpus.values()):
        labels = {
            "gpu": str(number),
            "UUID": gpu["uuid"],
            "device": f"nvidia{number}",
            "modelName": gpu["name"],
        }
        for name, key in {"GPU_TEMP": "temperature_c", "FB_USED": "memory_used_mib"}.items():
            assert named(told, f"DCGM_FI_DEV_{name}", **labels) == gpu[key]
        energy = named(told, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION_total", **labels)
        assert energy >= gpu["total_energy_mj"]


# The faults

CHECKS: dict[str, Callable[[Local], None]] = {}


def shows(name: str):
    def keep(check: Callable[[Local], None]) -> Callable[[Local], None]:
        CHECKS[name] = check
        return check

    return keep


LIMITED = ("rate-limits-500", "extrapolated-peak", "unbalanced-limits")
LENGTHY = (
    "counted-at-end",
    "counted-at-rest",
    "tokens-at-end",
    "leaked-workers",
    "vanishing-cancellations",
)


def test_every_fault_of_the_pages_is_described_and_has_a_check_here():
    assert set(CHECKS) == set(PAGE_FAULTS)
    assert not set(FAULTS) & set(PAGE_FAULTS)
    assert all(says.endswith(".") and "\n" not in says for says in PAGE_FAULTS.values())
    assert len({**FAULTS, **PAGE_FAULTS}) >= 45


@pytest.mark.parametrize("name", PAGE_FAULTS)
def test_a_fault_of_the_pages_shows_as_it_says(name):
    pace = SLOW if name in LENGTHY else QUICK
    with local(name, pace=pace, rpm=5 if name in LIMITED else None) as server:
        CHECKS[name](server)


def some(server: Local, count: int = 4, *, streaming: bool = True) -> list[Reply]:
    asked = {"model": MODEL, "stream": streaming, "stream_options": {"include_usage": True}}
    requests = [(CHAT, asked | said(max_tokens=4 + n)) for n in range(count)]
    replies = [one.reply for one in go(server, requests).sent]
    assert {reply.status for reply in replies} == {200}
    return replies


def completed(url: str) -> int:
    return page(url, "/metrics")["streaming_stats"]["completed_streams"]


@shows("ttft-is-total")
def _(server):
    some(server)
    latency = page(server.url)["latency"]
    assert latency["ttft"] == latency["total"]
    assert latency["decode"]["p99"] < 0.001 > latency["itl"]["p99"]
    assert latency["itl"]["count"] > 0


@shows("output-tokens-only")
def _(server):
    some(server)
    model = page(server.url)["per_model"][MODEL]
    assert model["total_tokens"] == model["completion_tokens"] > 0 < model["prompt_tokens"]


@shows("throughput-over-60")
def _(server):
    some(server)
    told = page(server.url)["throughput"]
    assert told["requests_per_second"] == round(4 / 60, 4)
    assert told["output_tokens_per_second"] == round((4 + 5 + 6 + 7) / 60, 4)


@shows("empty-gauges")
def _(server):
    some(server)
    books = page(server.url)
    told = [*books["queue"].values(), *books["batch"].values(), books["cache"]["avg_overlap_score"]]
    assert set(told) == {0}
    router = page(server.url, KV)["smart_router"]
    assert router["radix_tree"]["total_cached_blocks"] == 0
    assert sum(worker["cached_blocks"] for worker in router["workers"]) > 0


@shows("planned-speedup")
def _(server):
    chat(server.url)
    chat(server.url)
    speedup = page(server.url, KV)["cache_performance"]["speedup_stats"]
    assert speedup["avg_actual_ttft_ms"] == 4.0
    assert page(server.url)["latency"]["ttft"]["min"] != 4.0


def broken_off(server: Local, count: int = 2) -> None:
    with held_streams(server.url, count):
        assert summary(server.url)["active_requests"] == count
    until(lambda: summary(server.url)["active_requests"] == 0)


@shows("leaked-workers")
def _(server):
    chat(server.url, max_tokens=1)
    broken_off(server)
    for section in (page(server.url)["worker_stats"], page(server.url, KV)["smart_router"]):
        assert sum(worker["active_requests"] for worker in section["workers"]) == 2


@shows("vanishing-cancellations")
def _(server):
    chat(server.url, max_tokens=1)
    ask(server.url, CHAT, b"{")
    broken_off(server)
    told = summary(server.url)
    assert (told["total_requests"], told["failed_requests"]) == (2, 1)
    assert told["successful_requests"] == 1


@shows("counted-at-end")
def _(server):
    with held_streams(server.url, 2):
        told = summary(server.url)
        assert (told["total_requests"], told["active_requests"]) == (0, 2)
    until(lambda: summary(server.url)["total_requests"] == 2)


@shows("counted-at-rest")
def _(server):
    with held_streams(server.url, 2):
        chat(server.url, max_tokens=1)
        told = summary(server.url)
        assert (told["total_requests"], told["active_requests"]) == (0, 2)
    until(lambda: summary(server.url)["total_requests"] == 3)


@shows("tokens-at-end")
def _(server):
    with held_streams(server.url, 2):
        model = page(server.url)["per_model"][MODEL]
        assert (model["requests"], model["total_tokens"]) == (2, 0)
        live = page(server.url, f"/metrics/by-model/{MODEL}")["tokens"]
        assert live["total"] > 0
    until(lambda: page(server.url)["per_model"][MODEL]["total_tokens"] >= live["total"])


def ttft_histogram(url: str) -> tuple[list[float], float, float]:
    """The finite buckets, the last bucket, and the count."""
    told = series(url, PROMETHEUS)
    name = "fakeai_dynamo_ttft_seconds"
    buckets = [v for (key, labels), v in told.items() if key == f"{name}_bucket"]
    return buckets[:-1], buckets[-1], named(told, f"{name}_count")


@shows("empty-histogram")
def _(server):
    some(server)
    buckets, last, count = ttft_histogram(server.url)
    assert set(buckets) == {last} == {count} == {0}
    assert page(server.url)["latency"]["ttft"]["count"] == 4


@shows("histogram-counts-all")
def _(server):
    some(server)
    ask(server.url, CHAT, b"{")
    buckets, last, count = ttft_histogram(server.url)
    assert buckets == sorted(buckets)
    assert count == last == 5
    assert summary(server.url)["successful_requests"] == 4


@shows("buckets-apart")
def _(server):
    some(server)
    buckets, last, count = ttft_histogram(server.url)
    assert sum(buckets) == last == count == 4
    assert buckets != sorted(buckets)


@shows("inf-is-not-count")
def _(server):
    some(server)
    assert ttft_histogram(server.url)[1:] == (3, 4)


@shows("unowned-streams")
def _(server):
    some(server, 3)
    some(server, 2, streaming=False)
    assert page(server.url, f"/metrics/by-model/{MODEL}")["request_count"] == 2
    usage = total_of(server.url, f"{USAGE}/completions?{EVER}", "num_model_requests")
    assert usage["num_model_requests"] == 2
    assert completed(server.url) == 3


@shows("mixed-usage")
def _(server):
    some(server)
    post(server.url, EMBEDDINGS, model="m", input="x")
    for kind in KINDS:
        told = total_of(server.url, f"{USAGE}/{kind}?{EVER}", "num_model_requests")
        assert told["num_model_requests"] == 5


@shows("doubled-costs")
def _(server):
    some(server)
    told = page(server.url, "/metrics/costs")["total_cost_usd"]
    charged = total_of(server.url, f"/v1/organization/costs?{EVER}", "usd")["usd"]
    assert told == pytest.approx(2 * charged)
    assert told > 0


HOSTILE = 'a"b\\c\nd'


@shows("unescaped-labels")
def _(server):
    post(server.url, EMBEDDINGS, model=HOSTILE, input="x")
    assert f'{{model="{HOSTILE}"}}' in raw(server.url, "/metrics/by-model/prometheus")
    with pytest.raises(ValueError, match=r"\S"):
        series(server.url, "/metrics/by-model/prometheus")


@shows("cost-gauge")
def _(server):
    told = raw(server.url, "/metrics/by-model/prometheus")
    assert "# TYPE fakeai_model_cost_usd_total gauge\n" in told
    assert told.count(" counter\n") == 4


@shows("summary-without-count")
def _(server):
    some(server)
    told = raw(server.url, "/metrics/by-model/prometheus")
    assert "fakeai_model_latency_milliseconds{" in told
    assert "milliseconds_sum" not in told
    assert "milliseconds_count" not in told


def throttle(server: Local) -> None:
    asked = {"model": "m", "input": "x"}
    statuses = [post(server.url, EMBEDDINGS, **asked).status for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3


@shows("rate-limits-500")
def _(server):
    paths = ["/metrics/rate-limits", "/metrics/rate-limits/throttle-analytics"]
    assert [ask(server.url, path).status for path in paths] == [200, 200]
    throttle(server)
    assert [ask(server.url, path).status for path in paths] == [500, 500]
    assert ask(server.url, "/metrics/rate-limits/tier").status == 200
    server.skipped = 61.0
    assert [ask(server.url, path).status for path in paths] == [200, 200]


@shows("extrapolated-peak")
def _(server):
    throttle(server)
    told = page(server.url, f"/metrics/rate-limits/key/{KEY}")
    assert told["usage_patterns"] == {"peak_rpm": 480, "peak_tpm": 0}


@shows("unbalanced-limits")
def _(server):
    throttle(server)
    told = page(server.url, f"/metrics/rate-limits/key/{KEY}")["requests"]
    assert (told["total_attempted"], told["total_allowed"], told["total_throttled"]) == (5, 5, 3)


def utilization(server: Local) -> set[int]:
    gpus = page(server.url, "/dcgm/metrics/json").values()
    told = series(server.url, "/dcgm/metrics")
    text = {v for (name, _), v in told.items() if name == "DCGM_FI_DEV_GPU_UTIL"}
    return {gpu["gpu_utilization_pct"] for gpu in gpus} | text


@shows("idle-gpus")
def _(server):
    some(server)
    assert utilization(server) == {0}
    assert page(server.url, "/dcgm/metrics/json")["gpu_0"]["sm_active_pct"] > 0


@shows("stuck-gpus")
def _(server):
    some(server)
    busy = max(utilization(server))
    server.skipped = 100.0
    assert utilization(server) == {busy}
    assert busy > 0


@shows("lost-memory")
def _(server):
    gpu = page(server.url, "/dcgm/metrics/json")["gpu_3"]
    assert gpu["memory_free_mib"] + gpu["memory_used_mib"] > gpu["memory_total_mib"]


@shows("max-tokens-ignored")
def _(server):
    for reply in some(server, 2) + some(server, 2, streaming=False):
        assert reply.usage["completion_tokens"] >= 20


@shows("always-stop")
def _(server):
    assert {reply.finish_reason for reply in some(server)} == {"stop"}
    asked = {"model": MODEL, **said(), "tools": TOOLS, "tool_choice": "required"}
    choice = post(server.url, CHAT, **asked).json["choices"][0]
    assert (choice["finish_reason"], bool(choice["message"]["tool_calls"])) == ("stop", True)


@shows("n-billed-once")
def _(server):
    asked = {"model": MODEL, "n": 3, "max_tokens": 5, **said()}
    reply = post(server.url, CHAT, **asked)
    assert len(reply.json["choices"]) == 3
    assert reply.usage["completion_tokens"] == 5
    assert page(server.url)["per_model"][MODEL]["completion_tokens"] == 5


@shows("deadlock")
def _(server):
    some(server)
    assert ask(server.url, "/metrics/by-model").status == 200
    some(server, 1, streaming=False)
    assert ask(server.url, "/metrics/costs").status == 200
    for path in ("/metrics/by-model", "/health"):
        with socket.create_connection(address(server.url), timeout=0.3) as line:
            line.sendall(head("GET", path))
            with pytest.raises(TimeoutError):
                line.recv(1)


@shows("prometheus-500")
def _(server):
    path = "/metrics/prometheus"
    assert ask(server.url, path).status == 200
    some(server)
    assert ask(server.url, path).status == 500
    assert ask(server.url, "/metrics").status == 200
    server.skipped = 61.0
    assert ask(server.url, path).status == 200


@shows("zero-streaming-stats")
def _(server):
    some(server)
    told = page(server.url, "/metrics")
    assert set(map(str, told["streaming_stats"].values())) == {"0", "{}"}
    assert told["responses"][CHAT]["rate"] > 0
    text = series(server.url, "/metrics/prometheus")
    assert named(text, "fakeai_completed_streams_total") == 0


@shows("headers-latency")
def _(server):
    some(server)
    told = page(server.url, "/metrics")
    assert told["responses"][CHAT]["avg"] < told["streaming"][CHAT]["avg"]
    assert told["latency"][CHAT]["avg"] > told["responses"][CHAT]["avg"]


@shows("decaying-rate")
def _(server):
    some(server)
    one = page(server.url, "/metrics")
    server.skipped = 10.0
    later = page(server.url, "/metrics")
    assert later["requests"][CHAT]["rate"] < one["requests"][CHAT]["rate"] / 3
    rates = [one[name][CHAT]["rate"] for name in ("requests", "responses")]
    assert rates[0] != pytest.approx(rates[1], rel=1e-3)


@shows("never-filled")
def _(server):
    some(server)
    told = page(server.url, "/metrics")
    assert (told["latency"], told["streaming"]) == ({}, {})
    for name in ("requests", "tokens"):
        row = told[name][CHAT]
        assert row.pop("rate") > 0
        assert set(row.values()) == {0}
    assert told["responses"][CHAT]["avg"] > 0


def spoil(server: Local) -> None:
    some(server, 3)
    assert post(server.url, CHAT, model=MODEL).status == 400


@shows("uncounted-errors")
def _(server):
    spoil(server)
    assert page(server.url, "/metrics")["errors"] == {}
    text = series(server.url, "/metrics/prometheus")
    assert named(text, "fakeai_requests_total", endpoint=CHAT) == 4
    assert named(text, "fakeai_responses_total", endpoint=CHAT) == 3
    assert {value for (name, _), value in text.items() if "errors_total" in name} == {0}
    health = page(server.url, "/health/detailed")
    assert (health["metrics_summary"]["error_rate_percentage"], health["status"]) == (0, "healthy")


@shows("refusals-as-responses")
def _(server):
    spoil(server)
    told = page(server.url, "/metrics")
    assert told["responses"][CHAT]["rate"] == told["requests"][CHAT]["rate"]
    assert told["responses"][CHAT]["min"] <= told["errors"][CHAT]["min"]
    text = series(server.url, "/metrics/prometheus")
    assert named(text, "fakeai_responses_total", endpoint=CHAT) == 4


@shows("error-rate-of-two-spans")
def _(server):
    some(server, 3)
    server.skipped = 20.0
    assert post(server.url, CHAT, model=MODEL).status == 400
    told = page(server.url, "/health/detailed")["metrics_summary"]
    assert told["error_rate_percentage"] > 26


@shows("negative-uptime")
def _(server):
    assert page(server.url, "/health/detailed")["uptime_seconds"] < 0


@shows("empty-socket-cache")
def _(server):
    with websocket(server.url) as line:
        data = line.read()["data"]
        assert data["cache"] == {}
        assert data["queue"]


@shows("filter-empties-latency")
def _(server):
    some(server)
    with websocket(server.url) as line:
        assert CHAT in line.read()["data"]["latency"]
        data = line.subscribe(endpoint=CHAT, interval=0.05)["data"]
        assert data["latency"] == {}
        assert CHAT in data["throughput"]["requests_per_sec"]


@shows("ignored-filter")
def _(server):
    some(server)
    with websocket(server.url) as line:
        everything = line.read()["data"]
        data = line.subscribe(metric_type="queue", endpoint="/v1/x", interval=0.05)["data"]
        assert data == everything
