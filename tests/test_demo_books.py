"""The demo server's books, compared with what a client of bare sockets saw; then each fault."""

from __future__ import annotations

import contextlib
import json
import math
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from demo_process import ROOT, command, demo, first_line, stop
from prometheus_client.parser import text_string_to_metric_families

from validator.demo import FAULTS, PAGE_FAULTS
from validator.demo.chat import Pace
from validator.demo.server import Server, application, listen

DYNAMO, PROMETHEUS, KV = "/dynamo/metrics/json", "/dynamo/metrics", "/kv-cache/metrics"
MODEL = "openai/gpt-oss-120b"
PROMPTS = ("Write a haiku about rain", "Describe an API", "Explain recursion, please", "Why? Why!")
PATIENCE = 10.0


# A client of bare sockets


@dataclass
class Reply:
    """What came back: each piece of the body with the second it had arrived."""

    sent: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[float, str]]:
        """Every SSE event; the server writes no event across two pieces."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return []
        return [
            (at, line.removeprefix("data: "))
            for at, data in self.pieces
            for line in data.decode().split("\n\n")
            if line
        ]

    @property
    def chunks(self) -> list[dict]:
        return [json.loads(data) for _, data in self.events if data != "[DONE]"]

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1][1] == "[DONE]"

    @property
    def contents(self) -> list[str]:
        texts = [c["choices"][0]["delta"].get("content") for c in self.chunks if c.get("choices")]
        return [text for text in texts if text]

    @property
    def finish_reason(self) -> str | None:
        reasons = [c["choices"][0]["finish_reason"] for c in self.chunks if c.get("choices")]
        return next((reason for reason in reasons if reason), None)

    @property
    def usage(self) -> dict:
        return self.chunks[-1]["usage"] if self.events else self.json["usage"]

    @property
    def ttft(self) -> float:
        at = next(
            at
            for at, data in self.events
            if data != "[DONE]" and json.loads(data)["choices"][0]["delta"].get("content")
        )
        return at - self.sent


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host, int(port)


def head(method: str, path: str, length: int = 0, key: str = "") -> bytes:
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    return (
        f"{method} {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n{bearer}"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def ask(
    url: str, path: str, body: bytes | None = None, *, method: str = "", key: str = ""
) -> Reply:
    with socket.create_connection(address(url), timeout=PATIENCE) as line:
        reply = Reply(sent=time.monotonic())
        method = method or ("GET" if body is None else "POST")
        line.sendall(head(method, path, len(body or b""), key) + (body or b""))
        with line.makefile("rb") as answer:
            reply.status = int(answer.readline().split()[1])
            while header := answer.readline().strip().decode():
                name, _, value = header.partition(": ")
                reply.headers[name.lower()] = value
            for data in pieces(answer, reply.headers):
                reply.pieces.append((time.monotonic(), data))
    return reply


def pieces(answer, headers: dict[str, str]) -> Iterator[bytes]:
    if headers.get("transfer-encoding") != "chunked":
        yield answer.read(int(headers["content-length"]))
        return
    while size := int(answer.readline(), 16):
        yield answer.read(size)
        answer.readline()
    answer.readline()


def order(prompt: str = PROMPTS[0], **fields) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "stream": True}
    return json.dumps({**asked, "stream_options": {"include_usage": True}, **fields}).encode()


def chat(url: str, prompt: str = PROMPTS[0], **fields) -> Reply:
    return ask(url, "/v1/chat/completions", order(prompt, **fields))


def load(url: str, count: int = 8, **fields) -> list[Reply]:
    with ThreadPoolExecutor(4) as threads:
        prompts = [PROMPTS[index % len(PROMPTS)] for index in range(count)]
        return list(threads.map(lambda prompt: chat(url, prompt, **fields), prompts))


def page(url: str, path: str = DYNAMO):
    return ask(url, path).json


def summary(url: str) -> dict:
    return page(url)["summary"]


def samples(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The Prometheus page by name on the wire and labels."""
    text = ask(url, PROMETHEUS).body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def until(question: Callable[[], bool]) -> None:
    """Ask again and again; each question is itself a request, so this does not spin."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, "it never came true"


# A server in this process, for the many faults: quicker to start, and its clock can be moved


@dataclass
class Local:
    url: str
    skipped: float = 0.0

    def clock(self) -> float:
        return time.monotonic() + self.skipped


THREADS: list[threading.Thread] = []
QUICK = Pace(prefill=0.004, token=0.0005, picture=0.01)


@contextlib.contextmanager
def local(*faults: str, pace: Pace = QUICK, rpm: int | None = None) -> Iterator[Local]:
    listener = listen("127.0.0.1", 0)
    demo = Local(f"http://127.0.0.1:{listener.getsockname()[1]}")
    app = application(faults, pace=pace, clock=demo.clock, rpm=rpm)
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    THREADS.append(thread)
    thread.start()
    try:
        yield demo
    finally:
        server.stop()


@pytest.fixture(scope="module", autouse=True)
def all_stopped() -> Iterator[None]:
    """Stopping takes a moment, so every local server is waited for once, at the end."""
    yield
    for thread in THREADS:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo() as url:
        yield url


@pytest.fixture
def truthful() -> Iterator[str]:
    with local() as server:
        yield server.url


# The API


def test_a_stream_has_a_role_then_content_then_a_reason_then_usage_then_the_end(url):
    reply = chat(url)
    first, *_, usage = reply.chunks
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert reply.finish_reason == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(reply.contents)
    assert 20 <= len(reply.contents) <= 40
    assert reply.ended


def test_a_stream_without_include_usage_has_none(url):
    assert not [chunk for chunk in chat(url, stream_options=None).chunks if "usage" in chunk]


def test_a_plain_reply_says_the_same_as_a_stream(url):
    streamed, plain = chat(url), chat(url, stream=False)
    assert plain.json["choices"][0]["message"]["content"] == "".join(streamed.contents)
    assert plain.json["choices"][0]["finish_reason"] == "stop"
    assert plain.usage["completion_tokens"] == streamed.usage["completion_tokens"]


@pytest.mark.parametrize("limit", [1, 2, 7, 19])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_is_kept_exactly_and_named_as_the_reason(truthful, field, limit):
    reply = chat(truthful, **{field: limit})
    assert (len(reply.contents), reply.finish_reason) == (limit, "length")
    assert chat(truthful, stream=False, **{field: limit}).usage["completion_tokens"] == limit


def test_the_same_prompt_is_cached_the_second_time(truthful):
    cold, warm = chat(truthful), chat(truthful)
    cached = [r.usage["prompt_tokens_details"]["cached_tokens"] for r in (cold, warm)]
    assert cached[0] == 0
    assert 0 < cached[1] <= warm.usage["prompt_tokens"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"messages": [{"role": "user", "content": "hi"}]}',
        b'{"model": "m", "messages": []}',
        b'{"model": "m"}',
        order(max_tokens=0),
        order(max_tokens=True),
        order(max_tokens="5"),
    ],
)
def test_a_bad_request_is_refused_and_counted_as_failed(truthful, body):
    reply = ask(truthful, "/v1/chat/completions", body)
    assert reply.status == 400
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert summary(truthful) == {
        "total_requests": 1,
        "successful_requests": 0,
        "failed_requests": 1,
        "active_requests": 0,
    }
    assert page(truthful, KV)["cache_performance"]["total_requests"] == 0


def test_health_and_models_and_an_unknown_path(url):
    health = page(url, "/health")
    assert (health["status"], health["ready"]) == ("healthy", True)
    assert page(url, "/v1/models")["data"][0]["id"] == MODEL
    assert ask(url, "/nowhere").status == 404


# The books


def test_before_anything_happened_the_books_hold_zeros_and_say_that_nothing_was_counted(truthful):
    books = page(truthful)
    assert set(books["summary"].values()) == {0}
    assert books["latency"]["ttft"] == dict.fromkeys(books["latency"]["ttft"], 0)
    assert books["latency"]["ttft"]["count"] == 0
    assert (books["latency_breakdown"], books["request_lifecycles"]) == ([], [])
    assert math.isnan(
        samples(truthful)["fakeai_dynamo_total_latency_seconds", (("quantile", "0.5"),)]
    )


def test_the_books_agree_with_what_a_bare_client_saw():
    with demo() as url:
        with ThreadPoolExecutor(8) as threads:
            jobs = [
                threads.submit(chat, url, PROMPTS[n % 4], stream=n % 3 > 0, max_tokens=20 + n)
                for n in range(40)
            ]
            bad = [threads.submit(ask, url, "/v1/chat/completions", b"{") for _ in range(3)]
            during = []
            while not all(job.done() for job in jobs + bad):
                during.append((page(url), page(url, KV)))
        replies = [job.result() for job in jobs]
        refused = [job.result() for job in bad]
        check_during(during)
        check_after(url, replies, refused)


def check_during(during: list[tuple[dict, dict]]) -> None:
    """At every instant each request is in one place, and no counter falls."""
    assert max(books["summary"]["active_requests"] for books, _ in during) > 1
    for books, cache in during:
        told = books["summary"]
        assert told["active_requests"] <= 11
        assert told["total_requests"] == (
            told["successful_requests"] + told["failed_requests"] + told["active_requests"]
        )
        router = cache["smart_router"]
        assert router["total_routed"] == sum(w["total_requests"] for w in router["workers"])
        assert sum(w["active_requests"] for w in router["workers"]) <= 8
    for (one, _), (later, _) in pairwise(during):
        for name in ("total_requests", "successful_requests", "failed_requests"):
            assert one["summary"][name] <= later["summary"][name]


def check_after(url: str, replies: list[Reply], refused: list[Reply]) -> None:
    books, cache = page(url), page(url, KV)
    sent, ok = len(replies) + len(refused), len(replies)
    prompt, completion, cached = tokens(replies)
    assert [reply.status for reply in refused] == [400] * len(refused)

    assert books["summary"] == {
        "total_requests": sent,
        "successful_requests": ok,
        "failed_requests": len(refused),
        "active_requests": 0,
    }
    model = books["per_model"][MODEL]
    assert (model["requests"], model["total_tokens"]) == (ok, prompt + completion)
    assert (model["prompt_tokens"], model["completion_tokens"]) == (prompt, completion)
    assert [books["latency"][name]["count"] for name in ("ttft", "total")] == [ok, ok]
    assert books["latency"]["itl"]["count"] == completion - ok
    for one in books["latency"].values():
        order = [one[name] for name in ("min", "p50", "p90", "p95", "p99", "max")]
        assert order == sorted(order)
    assert len(books["latency_breakdown"]) == ok
    lives = books["request_lifecycles"]
    assert len(lives) == sent
    assert sum(life["tokens"] for life in lives) == prompt + completion
    assert [life["status"] for life in lives].count("completed") == ok
    assert (books["queue"]["current_depth"], books["batch"]["current_size"]) == (0, 0)
    assert books["cache"]["total_cached_tokens"] == cached

    told = cache["cache_performance"]
    hits = sum(r.usage["prompt_tokens_details"]["cached_tokens"] > 0 for r in replies)
    assert (told["total_cache_hits"], told["total_cache_misses"]) == (hits, ok - hits)
    assert told["cache_hit_rate"] == pytest.approx(100 * hits / ok, abs=0.001)
    assert (told["total_requests"], told["cache_misses"]) == (ok, ok - hits)
    assert told["total_tokens_processed"] == prompt
    assert told["cached_tokens_reused"] == told["tokens_saved"] == cached
    assert told["average_prefix_length"] == pytest.approx(cached / hits, abs=0.001)

    router = cache["smart_router"]
    workers = router["workers"]
    assert books["worker_stats"] == {"total_workers": 4, "workers": workers}
    assert len({worker["worker_id"] for worker in workers}) == 4
    assert router["total_routed"] == sum(w["total_requests"] for w in workers) == ok
    assert sum(w["tokens_processed"] for w in workers) == prompt + completion
    assert {w["active_requests"] for w in workers} == {0}


def tokens(replies: Iterable[Reply]) -> tuple[int, int, int]:
    """Prompt, completion and cached tokens; of a stream, its chunks are counted."""
    prompt = completion = cached = 0
    for reply in replies:
        usage = reply.usage
        if reply.events:
            assert usage["completion_tokens"] == len(reply.contents)
        prompt += usage["prompt_tokens"]
        completion += usage["completion_tokens"]
        cached += usage["prompt_tokens_details"]["cached_tokens"]
    return prompt, completion, cached


def test_no_latency_is_longer_for_the_server_than_for_its_client(url):
    replies = load(url, 12)
    books = {one["request_id"]: one for one in page(url)["latency_breakdown"]}
    for reply in replies:
        told = books[reply.chunks[0]["id"]]
        assert 0 < told["ttft_ms"] <= reply.ttft * 1000
        assert told["total_ms"] <= (reply.events[-1][0] - reply.sent) * 1000
        assert told["queue_ms"] + told["prefill_ms"] == pytest.approx(told["ttft_ms"], abs=0.01)
        assert told["ttft_ms"] + told["decode_ms"] == pytest.approx(told["total_ms"], abs=0.01)


def test_throughput_is_what_was_done_over_the_time_it_took(truthful):
    started = time.monotonic()
    replies = load(truthful, 8)
    spent = time.monotonic() - started
    prompt, completion, _ = tokens(replies)
    told = page(truthful)["throughput"]
    assert told["requests_per_second"] >= 8 / spent
    span = 8 / told["requests_per_second"]
    assert told["output_tokens_per_second"] * span == pytest.approx(completion, rel=0.001)
    assert told["input_tokens_per_second"] * span == pytest.approx(prompt, rel=0.001)


def test_latency_and_throughput_forget_after_a_minute_and_counters_do_not():
    with local() as server:
        load(server.url, 3)
        server.skipped = 61.0
        books = page(server.url)
        assert books["latency"]["ttft"]["count"] == 0
        assert books["throughput"]["requests_per_second"] == 0
        assert books["summary"]["total_requests"] == 3


@pytest.mark.parametrize("streaming", [True, False])
def test_a_caller_that_hangs_up_is_a_failure_and_its_tokens_still_count(url, streaming):
    before, workers_before = page(url), page(url, KV)["smart_router"]["workers"]
    with socket.create_connection(address(url), timeout=PATIENCE) as line:
        body = order("hang up on me", stream=streaming)
        line.sendall(head("POST", "/v1/chat/completions", len(body)) + body)
        seen = b""
        while streaming and seen.count(b'"delta":{"content"') < 3:
            seen += line.recv(65536)
        until(lambda: streaming or summary(url)["active_requests"] == 1)
    until(lambda: summary(url)["active_requests"] == 0)
    after = page(url)
    for name, change in {"total": 1, "successful": 0, "failed": 1}.items():
        key = f"{name}_requests"
        assert after["summary"][key] - before["summary"][key] == change
    life = after["request_lifecycles"][-1]
    assert life["status"] == "failed"
    if streaming:
        assert seen.count(b'"delta":{"content"') <= life["completion_tokens"] < 20
    gained = sum(w["tokens_processed"] for w in page(url, KV)["smart_router"]["workers"])
    assert gained - sum(w["tokens_processed"] for w in workers_before) == life["tokens"]


def test_the_arrays_of_requests_are_bounded(truthful):
    for _ in range(3):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: ask(truthful, "/v1/chat/completions", b"{"), range(350)))
    books = page(truthful)
    assert books["summary"]["failed_requests"] == 1050
    assert len(books["request_lifecycles"]) == 1000


# The Prometheus page


def test_the_prometheus_page_says_what_the_json_page_says(url):
    load(url, 4)
    books, told = page(url), samples(url)

    def sample(name: str, **labels: str) -> float:
        return told[f"fakeai_dynamo_{name}", tuple(sorted(labels.items()))]

    for kind in ("", "successful_", "failed_"):
        total = "total_requests" if not kind else f"{kind}requests"
        assert sample(f"{kind}requests_total") == books["summary"][total]
    assert sample("active_requests") == books["summary"]["active_requests"]
    assert sample("cached_tokens_total") == books["cache"]["total_cached_tokens"]
    assert sample("cache_hit_ratio") == pytest.approx(books["cache"]["hit_rate"] / 100, abs=1e-5)
    for rate in ("requests_per_second", "tokens_per_second"):
        assert sample(rate) == books["throughput"][rate]
    for name, model in books["per_model"].items():
        assert sample("model_requests_total", model=name) == model["requests"]
        assert sample("model_tokens_total", model=name, type="prompt") == model["prompt_tokens"]
    completion = sum(model["completion_tokens"] for model in books["per_model"].values())
    assert sample("tokens_total", type="completion") == completion
    for worker in books["worker_stats"]["workers"]:
        name = worker["worker_id"]
        assert sample("worker_requests_total", worker=name) == worker["total_requests"]
    total = books["latency"]["total"]
    assert sample("total_latency_seconds_count") == books["summary"]["successful_requests"]
    for quantile, key in {"0.5": "p50", "0.9": "p90", "0.95": "p95", "0.99": "p99"}.items():
        seconds = sample("total_latency_seconds", quantile=quantile)
        assert seconds == pytest.approx(total[key] / 1000)


def test_the_histogram_holds_every_success_once_and_adds_up(truthful):
    load(truthful, 6)
    ask(truthful, "/v1/chat/completions", b"{")
    times = [one["ttft_ms"] / 1000 for one in page(truthful)["latency_breakdown"]]
    told = samples(truthful)
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in told.items()
        if name == "fakeai_dynamo_ttft_seconds_bucket"
    }
    for bound, count in buckets.items():
        assert count == sum(spent <= bound for spent in times)
    assert buckets[math.inf] == told["fakeai_dynamo_ttft_seconds_count", ()] == 6
    assert told["fakeai_dynamo_ttft_seconds_sum", ()] == pytest.approx(sum(times), abs=1e-5)


def test_the_prometheus_page_is_well_formed(url):
    reply = ask(url, PROMETHEUS)
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = reply.body.decode()
    assert text.endswith("\n")
    typed = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    helped = re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)
    assert [name for name, _ in typed] == helped
    assert len(set(helped)) == len(helped)
    assert all(name.endswith("_total") for name, kind in typed if kind == "counter")
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if line[0] != "#"]
    assert len(set(lines)) == len(lines)


def test_a_hostile_model_name_is_escaped_and_comes_back_whole(truthful):
    hostile = 'a"b\\c\nd} 1\n# TYPE x gauge'
    chat(truthful, model=hostile)
    assert samples(truthful)["fakeai_dynamo_model_requests_total", (("model", hostile),)] == 1


# The faults

CHECKS: dict[str, Callable[[Local], None]] = {}


def shows(name: str):
    def keep(check: Callable[[Local], None]) -> Callable[[Local], None]:
        CHECKS[name] = check
        return check

    return keep


def test_every_fault_is_described_and_has_a_check_here():
    assert list(CHECKS) == list(FAULTS)
    assert all(says.endswith(".") and "\n" not in says for says in FAULTS.values())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_the_pages_in_the_way_it_says(name):
    with local(name) as server:
        CHECKS[name](server)


def ok(server: Local, count: int = 6) -> list[Reply]:
    replies = load(server.url, count)
    assert all(reply.ended and reply.finish_reason for reply in replies)
    return replies


def both_totals(server: Local) -> set[float]:
    """total_requests on the JSON and on the Prometheus page."""
    told = samples(server.url)["fakeai_dynamo_requests_total", ()]
    return {summary(server.url)["total_requests"], told}


@shows("uncounted-streams")
def _(server):
    ok(server, 5)
    chat(server.url, stream=False)
    books = page(server.url)
    assert both_totals(server) == {1}
    assert books["summary"]["active_requests"] == 0
    assert books["per_model"][MODEL]["requests"] == books["latency"]["ttft"]["count"] == 1
    assert page(server.url, KV)["smart_router"]["total_routed"] == 6


@shows("frozen-counter")
def _(server):
    ok(server, 2)
    assert both_totals(server) == {2}
    ok(server, 3)
    assert both_totals(server) == {2}
    assert summary(server.url)["successful_requests"] == 5


@shows("prefilled-counter")
def _(server):
    assert both_totals(server) == {100_000}
    ok(server)
    assert both_totals(server) == {100_000}


@shows("swapped-percentiles")
def _(server):
    ok(server)
    total = page(server.url)["latency"]["total"]
    assert total["p50"] > total["p90"] > total["p99"]


@shows("leaked-active")
def _(server):
    ok(server)
    told = summary(server.url)
    assert told["active_requests"] >= 1
    assert told["total_requests"] == told["successful_requests"] == 6
    assert samples(server.url)["fakeai_dynamo_active_requests", ()] == told["active_requests"]


@shows("zero-ttft")
def _(server):
    ok(server)
    ttft = page(server.url)["latency"]["ttft"]
    assert ttft.pop("count") == 6
    assert set(ttft.values()) == {0}
    told = samples(server.url)
    assert told["fakeai_dynamo_ttft_seconds_sum", ()] == 0
    assert told["fakeai_dynamo_ttft_seconds_bucket", (("le", "0.001"),)] == 6


@shows("role-chunk-ttft")
def _(server):
    ok(server)
    books = page(server.url)
    true = [one["ttft_ms"] for one in books["latency_breakdown"]]
    assert books["latency"]["ttft"]["count"] == 6
    assert books["latency"]["ttft"]["avg"] < sum(true) / len(true) - 0.5
    assert (
        books["latency"]["ttft"]["avg"]
        < books["latency"]["prefill"]["avg"] + (books["latency"]["queue"]["avg"])
    )


@shows("double-count")
def _(server):
    ok(server)
    assert both_totals(server) == {12}
    assert summary(server.url)["successful_requests"] == 6


@shows("off-by-one")
def _(server):
    assert both_totals(server) == {0}
    ok(server)
    assert both_totals(server) == {5}


@shows("backwards-counter")
def _(server):
    ok(server)
    told = [summary(server.url)["total_requests"] for _ in range(4)]
    assert sorted(told) == [2, 2, 4, 4]
    assert any(one > later for one, later in pairwise(told))


@shows("endless-counter")
def _(server):
    first = summary(server.url)["total_requests"]
    server.skipped = 2.0
    assert summary(server.url)["total_requests"] >= first + 20


@shows("lost-errors")
def _(server):
    statuses = [reply.status for reply in load(server.url, 20)]
    assert statuses.count(500) == 1
    told = summary(server.url)
    assert (told["total_requests"], told["failed_requests"]) == (19, 0)


@shows("constant-hit-rate")
def _(server):
    rates = [page(server.url, KV)["cache_performance"]["cache_hit_rate"]]
    ok(server)
    rates.append(page(server.url, KV)["cache_performance"]["cache_hit_rate"])
    assert [*rates, page(server.url)["cache"]["hit_rate"]] == [42.0] * 3


@shows("hits-miscounted")
def _(server):
    ok(server, 12)
    told = page(server.url, KV)["cache_performance"]
    assert told["total_cache_hits"] == 2 * (12 - told["total_cache_misses"]) > 0


@shows("late-counters")
def _(server):
    ok(server)
    assert both_totals(server) == {0}
    server.skipped = 3.0
    assert both_totals(server) == {6}
    told = page(server.url)
    assert told["summary"]["successful_requests"] == told["latency"]["ttft"]["count"] == 6
    assert told["summary"]["active_requests"] == 0


@shows("missing-field")
def _(server):
    assert set(summary(server.url)) == {
        "successful_requests",
        "failed_requests",
        "active_requests",
    }


@shows("wrong-type")
def _(server):
    ok(server)
    told = page(server.url)["throughput"]["requests_per_second"]
    assert isinstance(told, str)
    assert float(told) > 0


@shows("nan")
def _(server):
    assert b'"tokens_per_second": NaN' in ask(server.url, DYNAMO).body


@shows("null-latency")
def _(server):
    ok(server)
    assert page(server.url)["latency"]["ttft"] is None


@shows("stale-snapshot")
def _(server):
    assert summary(server.url)["total_requests"] == 0
    ok(server)
    assert summary(server.url)["total_requests"] == 0
    assert samples(server.url)["fakeai_dynamo_requests_total", ()] == 6
    server.skipped = 60.0
    assert summary(server.url)["total_requests"] == 6


@shows("empty-workers")
def _(server):
    ok(server)
    assert page(server.url)["worker_stats"]["workers"] == []
    assert page(server.url, KV)["smart_router"]["workers"] == []


@shows("three-workers")
def _(server):
    ok(server)
    assert len(page(server.url)["worker_stats"]["workers"]) == 3
    assert len(page(server.url, KV)["smart_router"]["workers"]) == 3
    assert page(server.url)["worker_stats"]["total_workers"] == 4


@shows("moved-names")
def _(server):
    ok(server)
    assert page(server.url)["summary_total_requests"] == 6
    assert "summary" not in page(server.url)
    assert page(server.url, KV)["cache_performance_total_requests"] == 6
    assert samples(server.url)["fakeai:dynamo_requests_total", ()] == 6


@shows("error-500")
def _(server):
    ok(server)
    reply = ask(server.url, DYNAMO)
    assert reply.status == 500
    assert reply.json["summary"]["total_requests"] == 6


@shows("hanging-endpoint")
def _(server):
    with socket.create_connection(address(server.url), timeout=0.3) as line:
        line.sendall(head("GET", KV))
        with pytest.raises(TimeoutError):
            line.recv(1)
    ok(server)
    assert both_totals(server) == {6}


@shows("slow-body")
def _(server):
    with socket.create_connection(address(server.url), timeout=PATIENCE) as line:
        line.sendall(head("GET", KV))
        with line.makefile("rb") as answer:
            while answer.readline().strip():
                pass
            started = time.monotonic()
            assert [answer.readline() + answer.read(3) for _ in range(3)] == [
                b"1\r\n{\r\n",
                b'1\r\n"\r\n',
                b"1\r\nc\r\n",
            ]
            assert time.monotonic() - started > 0.3


@shows("empty-streams")
def _(server):
    reply = chat(server.url)
    assert (reply.status, reply.events) == (200, [])
    assert summary(server.url)["failed_requests"] == 1
    assert chat(server.url, stream=False).usage["completion_tokens"] > 0


@shows("truncated-streams")
def _(server):
    reply = chat(server.url)
    assert (len(reply.contents), reply.finish_reason, reply.ended) == (5, None, False)
    assert len(chat(server.url, max_tokens=2).contents) == 2
    assert summary(server.url)["failed_requests"] == 2
    assert page(server.url)["per_model"][MODEL]["completion_tokens"] == 7


@shows("error-in-stream")
def _(server):
    reply = chat(server.url)
    assert len(reply.contents) == 5
    assert reply.chunks[-1]["error"]["type"] == "server_error"
    assert not reply.ended
    assert summary(server.url)["failed_requests"] == 1


@shows("rate-limited")
def _(server):
    replies = [chat(server.url) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 429, 200, 429]
    assert replies[1].json["error"]["code"] == "rate_limit_exceeded"
    assert summary(server.url)["failed_requests"] == 2


@shows("failing")
def _(server):
    assert [chat(server.url).status for _ in range(5)] == [200, 200, 200, 200, 500]
    assert summary(server.url)["failed_requests"] == 1


def test_faults_can_be_joined():
    with local("double-count", "three-workers") as server:
        ok(server)
        assert both_totals(server) == {12}
        assert len(page(server.url)["worker_stats"]["workers"]) == 3


# The process


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        check=False,
    )


def test_fault_list_prints_a_line_for_each():
    listed = run("-m", "validator.demo", "--fault", "list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [*FAULTS, *PAGE_FAULTS]


def test_an_unknown_fault_is_a_usage_error_with_a_suggestion():
    refused = run("-m", "validator.demo", "--fault", "frozen-conter")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "error: unknown fault 'frozen-conter': did you mean 'frozen-counter'?\n"
    )


def test_a_port_in_use_is_a_usage_error(url):
    refused = run("-m", "validator.demo", "--port", str(address(url)[1]))
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: cannot listen on 127.0.0.1:")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(package):
    told = run(
        "-c",
        f"import sys; sys.modules[{package!r}] = None\n"
        "from validator.demo.__main__ import main; sys.exit(main([]))",
    )
    assert told.returncode == 2
    assert told.stderr == (
        "error: the demo server needs an extra: pip install 'metrics-validator[demo]'\n"
    )


def test_importing_the_package_brings_no_web_framework():
    told = run("-c", "import validator.demo, sys; print({'starlette', 'uvicorn'} & {*sys.modules})")
    assert told.stdout == "set()\n"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_and_quietly_with_streams_open(by):
    with subprocess.Popen(
        command("slow-body"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            url = first_line(process).split()[1]
            with socket.create_connection(address(url), timeout=PATIENCE) as line:
                line.sendall(head("GET", KV))
                assert line.recv(1)
                started = time.monotonic()
                process.send_signal(by)
                assert process.communicate(timeout=PATIENCE) == ("", "")
                assert time.monotonic() - started < 1.0
                assert process.returncode == 0
        finally:
            stop(process)


def test_it_ends_when_the_process_that_started_it_ends():
    starter = (
        "import subprocess, sys\n"
        f"server = subprocess.Popen({command()!r}, stdout=subprocess.PIPE, text=True)\n"
        "print(server.stdout.readline(), end='', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", starter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as parent:
        try:
            url = first_line(parent).split()[1]
            with socket.create_connection(address(url), timeout=PATIENCE) as line:
                line.sendall(b"GET ")  # a request that never ends keeps the connection open
                stop(parent)
                with contextlib.suppress(ConnectionResetError):
                    assert line.recv(1) == b""
        finally:
            stop(parent)
