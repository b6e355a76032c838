"""Success is judged by content, and each way to fail has its own class."""

import asyncio
import errno
import gzip
import json
import os
import pickle
import socket

import pytest
from hostile_llm import (
    DONE,
    END,
    GOOD,
    ROLE,
    STREAM,
    Act,
    HostileLLM,
    answer,
    chunk,
    delta,
    event,
    head,
    stream,
)

from validator import openfiles
from validator.drivers import DRIVERS, Connection
from validator.drivers.chat import Chat
from validator.drivers.completion import Completion
from validator.drivers.failures import classify
from validator.executors.local import OTHER_FILES
from validator.ledger import ledger
from validator.load import Collector, LoadPlan, load

KEY = "sk-very-secret"


def chat(url, *, timeout=10.0, key=KEY, **fields):
    fields = {"model": "some-model", "prompts": ("Hello",), **fields}
    return Chat(Connection(url, key, timeout), **fields)


def exchange_and_request(*script, **fields):
    """Send one request to a server that follows *script*."""

    async def main():
        async with HostileLLM({}, script) as server:
            result = await load(LoadPlan(chat(server.url, **fields), 1, 1))
        return result.exchanges, server.requests

    (found,), (request,) = asyncio.run(main())
    assert "\n" not in found.detail
    assert len(found.detail) <= 300
    assert (found.detail == "") == found.ok
    pickle.dumps(found)
    return found, request


def exchange(*script, **fields):
    return exchange_and_request(*script, **fields)[0]


def request(**fields):
    found, sent = exchange_and_request(GOOD, **fields)
    assert found.ok == fields.get("stream", True)
    return sent


HI = delta("Hi")
STOP = delta(finish="stop")
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
CACHED = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}
CALL = [{"index": 0, "function": {"name": "look_up", "arguments": ""}}]


@pytest.mark.parametrize(
    "script, outcome, detail",
    [
        # nothing, or nothing that counts
        ((STREAM + END,), "empty", "no content"),
        ((stream(DONE),), "empty", "no content"),
        ((stream(ROLE, STOP, DONE),), "empty", "no content"),
        ((stream(ROLE, end=b""), Act.CLOSE), "empty", "peer closed"),
        ((answer(b""),), "empty", "body is empty"),
        ((answer(b" \n", content_type="text/event-stream"),), "empty", "no content"),
        # an end too early
        ((stream(HI),), "truncated", "[DONE]"),
        ((stream(HI, STOP),), "truncated", "[DONE]"),
        ((stream(HI, STOP, end=chunk(b"data: [DONE]\n") + END),), "truncated", "[DONE]"),
        ((stream(HI, end=b"ff\r\ndata: {"), Act.CLOSE), "truncated", "peer closed"),
        ((stream(HI, DONE),), "truncated", "finish_reason"),
        ((stream(HI, delta(finish=""), DONE),), "truncated", "finish_reason"),
        ((stream(HI, delta("Ho", 1), STOP, DONE),), "truncated", "finish_reason for choice 1"),
        # an error that the server tells
        ((stream(HI, {"error": {"message": "out of memory"}}),), "api_error", "out of memory"),
        ((stream({"error": "broken"}),), "api_error", "broken"),
        ((stream({"error": {}}),), "api_error", "{}"),
        ((stream('{"error": ' + '{"a":' * 900 + "1" + "}" * 901),), "api_error", ""),
        ((stream({"object": "error", "message": "no", "code": 40}),), "api_error", "no"),
        ((answer(b'{"error": {"message": "m", "type": "t"}}'),), "api_error", "t: m"),
        # what is no chat completion
        ((answer(b"null"),), "malformed", "a stream was asked for"),
        ((answer(b'{"choices": []}'),), "malformed", "application/json came"),
        ((answer(b"<html>", content_type="text/html"),), "malformed", "text/html came: <html>"),
        ((head(content_length=2) + b"hi",), "malformed", "without a content type"),
        ((stream("{nope"),), "malformed", "{nope"),
        ((stream(HI, ""),), "malformed", "not JSON"),
        ((stream("null"),), "malformed", "not null"),
        ((stream([HI]),), "malformed", "not array"),
        ((stream("true"),), "malformed", "not boolean"),
        ((stream({"choices": "Hi"}),), "malformed", "not string"),
        ((stream({"choices": {"delta": {}}}),), "malformed", "not object"),
        ((stream({"choices": [None]}),), "malformed", "not null"),
        ((stream({"choices": [{"delta": "Hi"}]}),), "malformed", "delta"),
        ((stream({"choices": [{"index": "0"}]}),), "malformed", "index"),
        ((stream({"choices": [{"index": True}]}),), "malformed", "index"),
        ((stream({"choices": [{"delta": {"content": 7}}]}),), "malformed", "content"),
        ((stream({"choices": [{"delta": {"tool_calls": {}}}]}),), "malformed", "tool_calls"),
        ((stream({"choices": [{"delta": {"tool_calls": [1]}}]}),), "malformed", "tool_calls"),
        ((stream('{"choices": NaN}'),), "malformed", "NaN"),
        ((stream("[" * 100_000),), "malformed", "not JSON"),
        ((stream("9" * 10_000),), "malformed", "not JSON"),
        ((STREAM + chunk(b"data: \xff\n\n"),), "malformed", "not JSON"),
        ((STREAM + b"what\r\n", Act.CLOSE), "malformed", "chunk"),
        ((b"what\r\n\r\n", Act.CLOSE), "malformed", "not HTTP"),
        (
            (answer(b"hi", content_type="text/event-stream", content_encoding="gzip"),),
            "malformed",
            "not gzip",
        ),
        # another status
        ((answer(b'{"error":{"message":"slow down"}}', "429 No"),), "status_429", "429: slow down"),
        ((answer(b'{"detail":"Invalid API key"}', "401 No"),), "status_401", "Invalid API key"),
        ((answer(b'{"detail":[{"loc":["n"]}]}', "422 No"),), "status_422", '"loc"'),
        ((answer(b"<h1>Oh\nno</h1>", "500 Oh"),), "status_500", "HTTP 500: <h1>Oh no</h1>"),
        ((answer(b"[" * 10_000, "500 Oh"),), "status_500", "[[["),
        ((answer(b"null", "503 Oh"),), "status_503", "null"),
        ((head("500 Oh", content_length=9) + b"Oh", Act.CLOSE), "status_500", "HTTP 500: Oh"),
        ((answer(b"", "502 Oh"),), "status_502", "HTTP 502"),
        ((head("204 No Content"),), "status_204", "HTTP 204"),
        ((answer(b"", "307 Go", location="/v1/elsewhere"),), "status_307", "HTTP 307"),
        # a broken connection
        ((Act.CLOSE,), "reset", "disconnected"),
        ((b"HTTP/1.1 200 OK\r\nContent-", Act.CLOSE), "reset", "disconnected"),
        ((Act.RESET,), "reset", "the connection broke"),
        ((stream(HI, end=b""), Act.RESET), "reset", "the connection broke"),
    ],
)
def test_a_stream_that_is_not_good_has_its_class(script, outcome, detail):
    found = exchange(*script)
    assert (found.outcome, found.outcome == "ok") == (outcome, False), found.detail
    assert detail in found.detail


@pytest.mark.parametrize(
    "body, outcome, detail",
    [
        (b"", "empty", "body is empty"),
        (b"null", "malformed", "not null"),
        (b"[]", "malformed", "not array"),
        (b"{}", "malformed", "no choices"),
        (b'{"choices": null}', "malformed", "no choices"),
        (b'{"choices": 1}', "malformed", "not number"),
        (b'{"choices": []}', "empty", "no content"),
        (b'{"choices": [{"finish_reason": "stop"}]}', "empty", "no content"),
        (b'{"choices": [{"message": {"content": null}}]}', "empty", "no content"),
        (b'{"choices": [{"message": {"content": "Hi"}}]}', "truncated", "finish_reason"),
        (b'{"choices": [{"message": []}]}', "malformed", "message"),
        (b'{"error": {"message": "no"}}', "api_error", "no"),
        (b"data: {}\n\n", "malformed", "not JSON"),
    ],
)
def test_a_whole_response_that_is_not_good_has_its_class(body, outcome, detail):
    found = exchange(answer(body), stream=False)
    assert found.outcome == outcome, found.detail
    assert detail in found.detail


def test_a_whole_response_cut_short_is_not_ok():
    script = head(content_type="application/json", content_length=99) + b'{"choices"', Act.CLOSE
    assert exchange(*script, stream=False).outcome == "empty"


@pytest.mark.parametrize("part", ["content", "reasoning", "reasoning_content"])
def test_a_whole_response_is_good_with_content_or_reasoning(part):
    message = {"role": "assistant", "content": None, part: "Hi"}
    body = {"choices": [{"message": message, "finish_reason": "length"}], "usage": CACHED}
    found = exchange(answer(json.dumps(body).encode()), stream=False)
    assert found.ok
    assert (found.first_event, found.first_token, found.chunks) == (None, None, 0)
    assert found.sent < found.last_token <= found.done
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == (7, 5, 4)
    assert found.token_source == "usage"
    assert found.tpot is None


def test_a_whole_response_without_usage_has_no_token_count():
    body = {"choices": [{"message": {"tool_calls": CALL}, "finish_reason": "tool_calls"}]}
    found = exchange(answer(json.dumps(body).encode()), stream=False)
    assert found.ok
    assert (found.completion_tokens, found.token_source) == (None, None)


@pytest.mark.parametrize(
    "documents, chunks",
    [
        ((ROLE, delta("Hel"), delta("lo"), STOP, DONE), 2),
        ((delta("Hi", finish="stop"), DONE), 1),
        ((delta(reasoning="Hm"), delta(reasoning_content="Hm"), HI, STOP, DONE), 3),
        ((delta(tool_calls=CALL), STOP, DONE), 1),
        ((delta(tool_calls=[{"function": {"arguments": "{}"}}]), STOP, DONE), 1),
        ((delta(tool_calls=None), HI, {"choices": None}, {}, STOP, DONE), 1),
        ((delta("A", 0), delta("B", 1), delta(finish="stop", index=1), STOP, DONE), 2),
        ((HI, STOP, DONE, "anything at all"), 1),
        (({"choices": [], "prompt_filter_results": []}, HI, STOP, DONE), 1),
        (({**HI, "error": None}, {**STOP, "error": False}, {"error": ""}, DONE), 1),
    ],
)
def test_a_stream_with_content_a_finish_reason_and_a_proper_end_is_good(documents, chunks):
    found = exchange(stream(*documents))
    assert found.ok, found.detail
    assert found.chunks == chunks
    assert len(found.gaps) == chunks - 1
    assert (found.completion_tokens, found.token_source) == (chunks, "chunks")


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_comments_do_not_matter(ending):
    comment = chunk(b": keep-alive" + ending * 2)
    body = b"".join(chunk(event(d, ending)) for d in (HI, STOP, DONE))
    found = exchange(STREAM + comment + body + comment + END)
    assert found.ok
    assert found.chunks == 1


def test_a_compressed_stream_is_read():
    body = gzip.compress(b"".join(event(d) for d in (ROLE, HI, STOP, DONE)))
    found = exchange(answer(body, content_type="text/event-stream", content_encoding="gzip"))
    assert found.ok
    assert found.chunks == 1


def test_the_role_alone_is_the_first_event_but_not_the_first_token():
    completion = Completion()
    for now, document in enumerate([ROLE, delta("Hel"), delta("lo"), STOP], start=1):
        completion.event(json.dumps(document).encode(), now)
    completion.event(b"[DONE]", 5)
    completion.event(b"[DONE] means done", 6)
    assert completion.first_event == 1
    assert (completion.first_token, completion.last_token, completion.done) == (2, 3, 5)
    assert list(completion.gaps) == [1]


def test_instants_are_in_order():
    found = exchange(GOOD)
    assert 0 <= found.due == found.sent < found.first_event
    assert found.first_event <= found.first_token <= found.last_token <= found.done
    assert found.ttfc <= found.ttft <= found.latency <= found.wall


@pytest.mark.parametrize(
    "documents",
    [
        (HI, {**STOP, "usage": CACHED}, DONE),
        (HI, STOP, {"choices": [], "usage": CACHED}, DONE),
        ({**HI, "usage": {"completion_tokens": 1}}, {**STOP, "usage": CACHED}, DONE),
        (HI, STOP, {"usage": CACHED}, {"choices": [], "usage": None}, DONE),
    ],
)
def test_tokens_are_those_of_the_last_usage(documents):
    found = exchange(stream(*documents))
    assert found.ok
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == (7, 5, 4)
    assert found.token_source == "usage"


@pytest.mark.parametrize("bad", [True, "5", -5, 5.0, None, [5], 10**400])
def test_what_is_no_count_of_tokens_is_ignored(bad):
    usage = {"prompt_tokens": bad, "completion_tokens": bad, "prompt_tokens_details": bad}
    found = exchange(stream(HI, {**STOP, "usage": usage}, DONE))
    assert found.ok
    assert (found.prompt_tokens, found.cached_tokens) == (None, None)
    assert (found.completion_tokens, found.token_source) == (1, "chunks")


@pytest.mark.parametrize("script", [(Act.HANG,), (STREAM + chunk(event(HI)), Act.HANG)])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_hang_costs_the_timeout_of_the_exchange(script, streamed):
    found = exchange(*script, timeout=0.2, stream=streamed)
    assert found.outcome == "timeout"
    assert "no end within 0.2 s" in found.detail
    assert found.prepared + found.wall >= 0.2


@pytest.mark.parametrize("after", [Act.CLOSE, Act.RESET])
def test_what_breaks_after_done_breaks_nothing(after):
    found = exchange(stream(HI, STOP, DONE, end=b""), after)
    assert found.ok, found.detail


def test_a_stream_left_open_after_done_is_ended_by_the_client():
    found = exchange(stream(HI, STOP, DONE, end=b""), Act.HANG)
    assert found.ok, found.detail
    assert found.wall < 1


def test_a_response_beyond_its_bound_is_malformed():
    comment = chunk(b": " + b"x" * 2**20 + b"\n\n")
    found = exchange(STREAM, *[comment] * 64, END)
    assert (found.outcome, found.detail) == ("malformed", "response larger than 64 MiB")


def test_an_event_beyond_its_bound_is_malformed():
    found = exchange(STREAM, *[chunk(b"x" * 2**20)] * 9, END)
    assert found.outcome == "malformed"
    assert "larger than 8388608 bytes" in found.detail


def test_an_error_body_without_end_is_read_only_so_far():
    found = exchange(
        head("500 Oh", transfer_encoding="chunked"), *[chunk(b"x" * 2**16)] * 20, Act.HANG
    )
    assert found.outcome == "status_500"
    assert found.wall < 1


def test_nobody_listening_is_a_failure_to_connect():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = asyncio.run(load(LoadPlan(chat(url), 2, 1)))
    assert [e.outcome for e in result.exchanges] == ["connect", "connect"]
    assert "could not connect" in result.exchanges[0].detail
    assert result.exchanges[0].prepared is None


@pytest.fixture
def few_files():
    """Have this process begin with a limit of 90 open files."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (90, hard))
    yield resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("transport", ["fast", "openai"])
def test_as_many_files_may_be_open_as_requests_are_in_flight(few_files, transport):
    async def main():
        async def all_there(server):
            await server.arrived(100)

        async with HostileLLM({}, (all_there, GOOD)) as server:
            return await load(LoadPlan(chat(server.url, transport=transport), 100, 100))

    result = asyncio.run(main())
    assert [e.outcome for e in result.exchanges] == ["ok"] * 100
    assert few_files.getrlimit(few_files.RLIMIT_NOFILE)[0] == 100 + OTHER_FILES


def test_too_many_open_files_are_our_own_limit_and_it_says_which():
    said = {}
    for name in ("EMFILE", "ENFILE"):
        number = getattr(errno, name)
        outer = RuntimeError("wrapped")
        outer.__cause__ = OSError(number, os.strerror(number))
        outcome, said[name] = classify(outer, answered=False, content=False)
        assert outcome == "client_error"
        assert len(said[name]) <= 300
    assert f"may have {openfiles.limit()} files open" in said["EMFILE"]
    assert "raise `ulimit -n`" in said["EMFILE"]
    assert "fs.file-max" in said["ENFILE"]


@pytest.mark.parametrize(
    "options, detail",
    [({"key": "sk-with\nline-break"}, "Bearer ***"), ({"body": {"seed": {1, 2}}}, "TypeError")],
)
def test_an_argument_that_cannot_be_sent_is_our_own_error(options, detail):
    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            return await load(LoadPlan(chat(server.url, **options), 1, 1))

    (found,) = asyncio.run(main()).exchanges
    assert found.outcome == "client_error"
    assert detail in found.detail
    assert "line-break" not in found.detail


def test_a_request_is_what_the_fields_say():
    sent = request()
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "some-model",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in request(usage=False).body
    more = {"temperature": 0, "model": "another"}
    assert request(stream=False, system="Be kind", max_tokens=9, body=more).body == {
        "model": "another",
        "messages": [
            {"role": "system", "content": "Be kind"},
            {"role": "user", "content": "Hello"},
        ],
        "stream": False,
        "max_tokens": 9,
        "temperature": 0,
    }


def test_nothing_of_the_environment_reaches_the_target(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-private")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-private")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid")
    custom = "Authorization: Bearer sk-private\nX-Team: private"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", custom)
    for key in (KEY, ""):
        headers = request(key=key).headers
        assert "private" not in str(headers)
        assert headers.get("authorization") == (f"Bearer {key}" if key else None)
    assert os.environ["OPENAI_CUSTOM_HEADERS"] == custom


def test_the_key_is_not_in_a_detail():
    body = json.dumps({"error": {"message": f"{'x' * 190} {KEY} is unknown"}}).encode()
    found = exchange(answer(body, "401 No"))
    assert found.outcome == "status_401"
    assert KEY[:6] not in found.detail
    assert KEY not in repr(chat("http://localhost"))


def test_a_chat_without_prompts_is_refused():
    with pytest.raises(ValueError, match="prompts"):
        chat("http://localhost", prompts=())


def test_drivers_can_be_sent_to_another_process():
    assert DRIVERS["chat"] is Chat
    driver = chat("http://localhost", body={"n": 2})
    assert pickle.loads(pickle.dumps(driver)) == driver


def test_prompts_are_taken_in_turn_and_connections_are_reused():
    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            result = await load(LoadPlan(chat(server.url, prompts=("a", "b", "c")), 7, 2))
            return server, result

    server, result = asyncio.run(main())
    assert sorted(r.prompt for r in server.requests) == list("aaabbcc")
    assert server.connections <= 2
    assert [e.index for e in sorted(result.exchanges, key=lambda e: e.index)] == list(range(7))
    assert all(e.due == e.sent for e in result.exchanges)
    sent = [e.sent for e in result.exchanges]
    assert sent == sorted(sent)


def test_one_slow_request_holds_up_no_other():
    async def main():
        async def until_all_others_have_come(server):
            await server.arrived(10)

        scripts = {"0": (until_all_others_have_come, GOOD)}
        told = []
        async with HostileLLM(scripts, (GOOD,)) as server:
            result = await load(
                LoadPlan(chat(server.url, prompts=tuple(map(str, range(10)))), 10, 3),
                on_exchange=lambda e, in_flight: told.append((e.index, in_flight)),
            )
        return result, told

    result, told = asyncio.run(main())
    assert all(e.ok for e in result.exchanges)
    assert result.in_flight_max == 3
    assert len(told) == 10
    assert told[-1][1] == 0
    assert all(0 <= in_flight < 3 for _, in_flight in told)
    slow = next(e for e in result.exchanges if e.index == 0)
    assert sum(e.done < slow.done for e in result.exchanges) >= 7


def test_there_are_never_more_in_flight_than_asked_for():
    async def main():
        held = 0
        most = 0

        async def hold(server):
            nonlocal held, most
            held += 1
            most = max(most, held)
            await server.arrived(4)
            held -= 1

        async with HostileLLM({}, (hold, GOOD)) as server:
            result = await load(LoadPlan(chat(server.url), 20, 4))
        return result, most

    result, most = asyncio.run(main())
    assert all(e.ok for e in result.exchanges)
    assert most == result.in_flight_max == 4


def test_a_cancelled_load_keeps_what_it_had():
    collector = Collector()

    async def main():
        scripts = {"good": (GOOD,), "half": (STREAM + chunk(event(HI)), Act.HANG)}
        async with HostileLLM(scripts, (Act.HANG,)) as server:
            driver = chat(server.url, prompts=("good", "good", "half", "never"))
            task = asyncio.create_task(load(LoadPlan(driver, 50, 2), collector=collector))
            await server.arrived(4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    # By number: the second may be written after the third, whose connection was open already.
    result = collector.result()
    ended = sorted(result.exchanges, key=lambda e: e.index)
    assert [e.outcome for e in ended] == ["ok", "ok", "interrupted", "interrupted"]
    assert collector.in_flight == 0
    assert all(e.done >= e.sent for e in result.exchanges)
    document = ledger(result)
    assert document["outcomes"] == {"ok": 2, "interrupted": 2}
    assert (document["sent"], document["success_rate"]) == (4, 0.5)


def test_a_paced_request_is_not_sent_before_it_is_due():
    class Ramp:
        def due(self, index):
            return index / 100

    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            return await load(LoadPlan(chat(server.url), 5, 5, pacer=Ramp()))

    result = asyncio.run(main())
    found = {e.index: e.due for e in result.exchanges}  # which come in the order of their ends
    assert found == {0: 0, 1: 0.01, 2: 0.02, 3: 0.03, 4: 0.04}
    assert all(e.sent >= e.due for e in result.exchanges)


def test_a_load_of_nothing_sends_nothing():
    async def main():
        async with HostileLLM({}) as server:
            return await load(LoadPlan(chat(server.url), 0, 3)), server.requests

    result, requests = asyncio.run(main())
    assert (result.exchanges, requests) == ((), [])
    assert ledger(result)["success_rate"] is None


def test_the_client_is_watched_while_it_sends():
    async def main():
        async with HostileLLM({}, (Act.HANG,)) as server:
            return await load(LoadPlan(chat(server.url, timeout=0.1), 1, 1))

    result = asyncio.run(main())
    assert result.lags
    assert min(result.lags) >= 0
    assert result.cpu_share > 0
