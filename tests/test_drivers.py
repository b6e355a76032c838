"""Every driver sends what its keys say, and judges what comes back by its content."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import socket
from pathlib import Path

import pytest
import yaml
from hostile_llm import Act, HostileLLM, answer, head, stream

from validator.drivers import DRIVERS, Connection
from validator.drivers.http import Http
from validator.errors import SpecProblems
from validator.executors.local import Collector
from validator.ledger import ledger
from validator.load import LoadPlan, load
from validator.query import Query
from validator.spec.parse import Overrides, parse

KEY = "sk-very-secret"
CASES = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parent / "cases" / "drivers").glob("*.yaml"))
}
WHOLE = sorted(CASES.keys() - {"chat"})  # test_load.py does all this to chat
EVERY = pytest.mark.parametrize("name", WHOLE)


def cases(quality):
    return [
        pytest.param(name, case, id=f"{name}: {case['name']}")
        for name, file in CASES.items()
        for case in file[quality]
    ]


def spec(block, url="http://localhost:1", key=KEY):
    """Return the spec with this load block."""
    written = {"version": 1, "target": {"url": url, "api_key": key}, "load": block}
    return parse(json.dumps(written), overrides=Overrides(environment={}))


def driver(name, url, key=KEY, timeout="10s", **more):
    own = {**CASES[name]["load"], **more}
    block = {"driver": name, "requests": 1, "timeout": timeout, **own}
    return spec(block, url, key).loads[0].plan.driver


def script(case):
    """Return the response of a case."""
    if "events" in case:
        return stream(*case["events"])
    body = case["text"] if "text" in case else json.dumps(case["whole"])
    headers = {"content_type": case["type"]} if "type" in case else {}
    return answer(body.encode(), case.get("status", "200 OK"), **headers)


def exchange_and_request(name, *steps, requests=1, **more):
    """Send one request to a server that answers with *steps*."""

    async def main():
        async with HostileLLM({}, steps) as server:
            result = await load(LoadPlan(driver(name, server.url, **more), requests, 1))
        return result, server.requests

    result, sent = asyncio.run(main())
    found = result.exchanges[0]
    assert (found.detail == "") == found.ok
    pickle.dumps(found)
    ledger(result)
    return found, sent


def exchange(name, *steps, **more):
    return exchange_and_request(name, *steps, **more)[0]


def unstreamed(name):
    return {"stream": False} if "stream" in CASES[name]["load"] else {}


def test_every_driver_has_its_cases():
    assert CASES.keys() == DRIVERS.keys()


@pytest.mark.parametrize("name", DRIVERS)
def test_the_example_of_a_driver_is_a_load_block(name):
    text = DRIVERS.documentation(name)
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])["load"]
    found = spec(example).loads[0].plan.driver
    assert type(found) is DRIVERS[name]
    assert found.name == name == example["driver"]
    assert pickle.loads(pickle.dumps(found)) == found
    assert KEY not in repr(found)


@pytest.mark.parametrize("name", DRIVERS)
def test_a_request_is_what_the_keys_say(name):
    expected = CASES[name]["sent"]
    _, (sent,) = exchange_and_request(name, script(CASES[name]["good"][0]))
    assert sent.line == expected["line"]
    assert sent.body == expected["body"]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert expected.get("headers", {}).items() <= sent.headers.items()
    _, (sent,) = exchange_and_request(name, script(CASES[name]["good"][0]), key="")
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_asked_for_is_not_sent(name):
    """Of all keys, the required ones alone."""

    async def main():
        async with HostileLLM({}, (answer(b"{}"),)) as server:
            required = {"model": "m", "prompts": ["Hello"]}
            if name == "http":
                required = {"path": "/", "ok": "$", "body": {"model": "m"}}
            block = {"driver": name, "requests": 1, **required}
            await load(LoadPlan(spec(block, server.url).loads[0].plan.driver, 1, 1))
            return server.requests[0].body

    defaults = {"voice", "encoding_format", "stream", "stream_options"}
    assert asyncio.run(main()).keys() <= {"model", "input", "prompt"} | defaults


@pytest.mark.parametrize("name, case", cases("good"))
def test_a_good_response_is_ok(name, case):
    found = exchange(name, script(case), **case.get("load", {}))
    assert found.ok, found.detail
    counts = [found.prompt_tokens, found.completion_tokens, found.cached_tokens]
    assert counts == case["tokens"]
    assert "reasons" not in case or [*found.finish_reasons] == case["reasons"]
    assert found.chunks == case.get("chunks", 0)
    assert found.sent < found.last_token <= found.done
    if "events" in case:
        assert found.token_source == ("chunks" if counts[0] is None else "usage")
        assert found.sent < found.first_event <= found.first_token <= found.last_token
    else:
        assert found.token_source == (None if counts[0] is None else "usage")
        assert (found.first_event, found.first_token, list(found.gaps)) == (None, None, [])
        assert (found.ttft, found.ttfc, found.tpot) == (None, None, None)


@pytest.mark.parametrize("name, case", cases("bad"))
def test_a_bad_response_has_its_class(name, case):
    found = exchange(name, script(case), **case.get("load", {}))
    assert found.outcome == case["outcome"], found.detail
    assert case["says"] in found.detail
    assert "secret" not in found.detail


@pytest.mark.parametrize(
    "steps, outcome, detail",
    [
        ((answer(b""),), "empty", "the body is empty"),
        ((answer(b'{"error": {"message": "m", "type": "t"}}'),), "api_error", "t: m"),
        ((answer(b'{"error":{"message":"slow down"}}', "429 No"),), "status_429", "429: slow down"),
        ((answer(b'{"detail":"Invalid key"}', "401 No"),), "status_401", "Invalid key"),
        ((answer(b"<h1>Oh\nno</h1>", "500 Oh"),), "status_500", "HTTP 500: <h1>Oh no</h1>"),
        ((answer(b"", "307 Go", location="/v1/elsewhere"),), "status_307", "HTTP 307"),
        ((head(content_type="application/json", content_length=9) + b"{", Act.CLOSE), "empty", ""),
        ((Act.CLOSE,), "reset", "disconnected"),
        ((Act.RESET,), "reset", ""),
        ((head(content_length=9) + b"{", Act.RESET), "reset", ""),
        ((b"what\r\n\r\n", Act.CLOSE), "malformed", ""),
    ],
)
@EVERY
def test_what_goes_wrong_has_the_same_class_everywhere(name, steps, outcome, detail):
    found = exchange(name, *steps, **unstreamed(name))
    assert found.outcome == outcome, found.detail
    assert detail in found.detail
    assert found.last_token is None


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"true", b'"hi"', b"{", b"\xff", b"<html>", b"[" * 100_000]
)
@EVERY
def test_what_is_no_answer_is_never_ok(name, body):
    found = exchange(name, answer(body), **unstreamed(name))
    assert found.outcome in ("malformed", "empty"), found.detail


@EVERY
def test_a_body_beyond_its_bound_is_malformed(name):
    steps = [head(content_type="audio/mpeg", content_length=2**27), *[b"x" * 2**20] * 66, Act.HANG]
    found = exchange(name, *steps, **unstreamed(name))
    assert (found.outcome, found.detail) == ("malformed", "response larger than 64 MiB")


@pytest.mark.parametrize("steps", [(Act.HANG,), (head(content_length=9) + b"{", Act.HANG)])
@EVERY
def test_a_hang_costs_the_timeout_of_the_exchange(name, steps):
    found = exchange(name, *steps, timeout="100ms", **unstreamed(name))
    assert found.outcome == "timeout"
    assert "no end within 0.1 s" in found.detail
    assert (found.prepared or 0) + found.wall >= 0.1


@EVERY
def test_nobody_listening_is_a_failure_to_connect(name):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (found,) = asyncio.run(load(LoadPlan(driver(name, url), 1, 1))).exchanges
    assert found.outcome == "connect"


@EVERY
def test_a_cancelled_request_is_told(name):
    collector = Collector()

    async def main():
        async with HostileLLM({}, (Act.HANG,)) as server:
            sending = load(LoadPlan(driver(name, server.url), 9, 2), collector=collector)
            task = asyncio.create_task(sending)
            await server.arrived(2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [e.outcome for e in collector.result().exchanges] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"http"}))
def test_prompts_are_taken_in_turn(name):
    good = script(CASES[name]["good"][0])
    result, sent = exchange_and_request(name, good, requests=4, prompts=["a", "b", "c"])
    assert [request.prompt for request in sent] == ["a", "b", "c", "a"]
    assert result.ok


@pytest.mark.parametrize("name", ["embeddings", "moderations"])
def test_a_request_carries_as_many_prompts_as_it_should(name):
    good = script(CASES[name]["good"][1])
    more = {"requests": 3, "prompts": ["a", "b", "c"], "per_request": 2}
    _, sent = exchange_and_request(name, good, **more)
    assert [request.body["input"] for request in sent] == [["a", "b"], ["c", "a"], ["b", "c"]]


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"http"}))
def test_a_load_of_no_prompts_is_refused(name):
    with pytest.raises(SpecProblems, match="prompts: at least one"):
        driver(name, "http://localhost", prompts=[])


def http(url, **fields):
    return Http(Connection(url, KEY, 10.0), **{"path": "/", "ok": Query("$.ok"), **fields})


def sent_by(requests=1, **fields):
    async def main():
        async with HostileLLM({}, (answer(b'{"ok": true}'),)) as server:
            result = await load(LoadPlan(http(server.url, **fields), requests, 1))
        assert all(e.ok for e in result.exchanges)
        return result, server.requests

    return asyncio.run(main())


def test_bodies_are_taken_in_turn():
    result, sent = sent_by(requests=3, bodies=({"model": "a"}, ["b"]))
    assert [request.body for request in sent] == [{"model": "a"}, ["b"], {"model": "a"}]
    assert [e.model for e in result.exchanges] == ["a", "", "a"]


def test_a_request_without_a_body_has_none():
    _, (sent,) = sent_by(method="GET", path="/health?deep=1")
    assert sent.line == "GET /health?deep=1 HTTP/1.1"
    assert sent.body is None
    assert "content-type" not in sent.headers
    _, (sent,) = sent_by(body={})
    assert sent.body == {}


def test_a_header_of_its_own_signs_the_request():
    _, (sent,) = sent_by(headers={"AUTHORIZATION": "Basic abc"})
    assert sent.headers["authorization"] == "Basic abc"
    assert sent.line == "POST / HTTP/1.1"


def test_header_values_are_secrets():
    headers = {"X-Api": "Bearer hidden-secret", "Accept": "application/json"}
    body = b"hidden-secret of application/json"

    async def main():
        async with HostileLLM({}, (answer(body, "403 No"),)) as server:
            return await load(LoadPlan(http(server.url, headers=headers), 1, 1))

    (found,) = asyncio.run(main()).exchanges
    assert found.detail == "HTTP 403: *** of application/json"
    assert "hidden" not in repr(http("http://localhost", headers=headers))
    block = {"driver": "http", "requests": 1, "path": "/", "ok": "$", "headers": headers}
    assert {"Bearer hidden-secret", "hidden-secret"} <= set(spec(block).secrets)


@pytest.mark.parametrize(
    "keys, problem",
    [
        ({"path": "health"}, "path: expected a path on the target that starts with /"),
        ({"method": "get"}, "method: expected one of GET, POST"),
        ({"tokens": {"promt": "$.a"}}, "unknown count 'promt': did you mean 'prompt'"),
        ({"tokens": {"prompt": "a"}}, "prompt: a JSONPath starts with $"),
        ({"ok": "rankings"}, "ok: a JSONPath starts with $"),
        ({"ok": None}, "ok: expected"),
        ({"headers": {"X": [1]}}, "headers: X: expected a text"),
        ({"bodies": [1], "body": {"a": 1}}, "bodies: expected mappings only"),
        ({"prompts": ["a"]}, "the driver http has no 'prompts'"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(keys, problem):
    block = {"driver": "http", "requests": 1, "path": "/", "ok": "$.ok", **keys}
    with pytest.raises(SpecProblems) as refused:
        spec(block)
    assert problem in refused.value.drawn()


def test_a_request_that_finds_nothing_good_is_refused():
    with pytest.raises(SpecProblems, match="the load needs ok"):
        spec({"driver": "http", "requests": 1, "path": "/"})


@pytest.mark.parametrize("name", ["embeddings", "moderations"])
def test_a_request_of_no_prompts_is_refused(name):
    with pytest.raises(SpecProblems, match="per_request: at least 1"):
        driver(name, "http://localhost", per_request=0)
