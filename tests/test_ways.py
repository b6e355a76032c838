"""Requests count the same whichever way they travel, however their bytes were cut."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import ssl
import zlib
from itertools import pairwise
from pathlib import Path

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
from hypothesis import given, settings
from hypothesis import strategies as st

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.drivers.completion import Completion, TextCompletion
from validator.drivers.completions import Completions
from validator.drivers.failures import ExchangeError
from validator.drivers.fast import pool
from validator.drivers.fast.events import events_of
from validator.drivers.fast.sender import Incoming
from validator.drivers.fast.wire import Conversation, Unfinished
from validator.drivers.sse import Cutter
from validator.errors import UsageError
from validator.ledger import ledger
from validator.load import LoadPlan, load
from validator.pacing import Arrivals, Stages
from validator.records.load import LoadResult

HI = delta("Hi")
STOP = delta(finish="stop")
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 4},
}
CALL = [{"index": 0, "id": "a", "function": {"name": "look_up", "arguments": ""}}]
ARGUMENTS = [{"index": 0, "function": {"arguments": '{"a": "b"}'}}]
FULL = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "some-model",
    "system_fingerprint": None,
}


def full(document):
    return {**FULL, **document, "usage": None}


def body(*documents, ending=b"\n"):
    return b"".join(event(d, ending) for d in documents)


WORDS = [full(delta(word)) for word in ("A", " story", " of", " 'one'", ' "two"', " and\n", " …")]

RECORDED = {
    "a role, then text": body(ROLE, delta("Hel"), delta("lo"), STOP, DONE),
    "chunks as servers write them": body(full(ROLE), *WORDS, full(STOP), DONE),
    "text equal to a key": body(*[full(delta("content"))] * 3, full(STOP), DONE),
    "usage with choices": body(HI, {**STOP, "usage": USAGE}, DONE),
    "usage without choices": body(HI, STOP, {"choices": [], "usage": USAGE}, DONE),
    "usage in every chunk": body(
        *({**HI, "usage": {"prompt_tokens": 7, "completion_tokens": n}} for n in (1, 2, 3)),
        {**STOP, "usage": USAGE},
        DONE,
    ),
    "reasoning": body(delta(reasoning="Hm"), delta(reasoning_content="Hm"), HI, STOP, DONE),
    "reasoning that is none": body(delta("Hi", reasoning=None, reasoning_content=""), STOP, DONE),
    "tool calls": body(delta(tool_calls=CALL), delta(tool_calls=ARGUMENTS), STOP, DONE),
    "no tool calls": body(delta("Hi", tool_calls=[]), delta("Ho", tool_calls=None), STOP, DONE),
    "several choices": body(
        delta("A"),
        delta("B", 1),
        delta("a"),
        delta("b", 1),
        STOP,
        delta(finish="stop", index=1),
        DONE,
    ),
    "a choice unfinished": body(delta("A"), delta("B", 1), STOP, DONE),
    "several choices in one": body(
        {"choices": [delta("A")["choices"][0], delta("B", 1)["choices"][0]]}, STOP, DONE
    ),
    "CRLF": body(ROLE, HI, delta("Ho"), STOP, DONE, ending=b"\r\n"),
    "CR": body(ROLE, HI, delta("Ho"), STOP, DONE, ending=b"\r"),
    "comments": b": hello\n\n" + body(HI) + b":\n\n: x\ndata: " + body(STOP, DONE)[6:],
    "several lines of data": b'data: {"choices":\ndata: [{"delta": {"content": "Hi"},\n'
    b'data: "finish_reason": "stop"}]}\n\n' + body(DONE),
    "other fields": b"event: chunk\nid: 7\nretry: 10\n"
    + body(HI, STOP)
    + b"event: end\n"
    + body(DONE),
    "no space after the colon": body(HI, HI, HI, STOP, DONE).replace(b"data: ", b"data:"),
    "extra blank lines": b"\n\n" + body(HI, HI, HI) + b"\n\n\n" + body(STOP, DONE),
    "a byte order mark": b"\xef\xbb\xbf" + body(HI, STOP, DONE),
    "a byte order mark later": body(HI) + b"\xef\xbb\xbf" + body(HI, HI, STOP, DONE),
    "a comment that looks like data": b":data: x\n\n" + body(HI, HI, STOP, DONE),
    "text beyond ASCII": body(*(full(delta(t)) for t in "äß漢字🙂é"), STOP, DONE).replace(
        b"\\u00e4", "ä".encode()
    ),
    "raw UTF-8": "".join(
        f"data: {json.dumps(full(delta(t)), ensure_ascii=False)}\n\n"
        for t in ("ä", "漢", "🙂", "a")
    ).encode()
    + body(STOP, DONE),
    "broken UTF-8": body(HI) + body(HI).replace(b"Hi", b"\xff\xfe") + body(STOP, DONE),
    "a control character": body(HI, HI) + body(HI).replace(b"Hi", b"H\x01i") + body(STOP, DONE),
    "an escape in the text": body(HI, HI, delta('a "quote" and \\ and \t'), HI, STOP, DONE),
    "a lone surrogate": body(HI, HI) + body(HI).replace(b"Hi", b"\\ud800") + body(STOP, DONE),
    "a bad escape": body(HI, HI) + body(HI).replace(b"Hi", b"\\q") + body(STOP, DONE),
    "an error inside": body(HI, {"error": {"message": "out of memory", "type": "oom"}}, STOP, DONE),
    "an error that is none": body({**HI, "error": None}, {**STOP, "error": False}, DONE),
    "an error as object": body(HI, {"object": "error", "message": "no"}, DONE),
    "an error beside choices": body(HI, {**HI, "error": "broken"}, DONE),
    "no [DONE]": body(HI, STOP),
    "no blank line after [DONE]": body(HI, STOP) + b"data: [DONE]\n",
    "more after [DONE]": body(HI, STOP, DONE, HI, "anything at all"),
    "no finish reason": body(HI, HI, DONE),
    "an empty finish reason": body(HI, delta(finish=""), DONE),
    "no content": body(ROLE, STOP, DONE),
    "nothing": b"",
    "empty data": body(HI) + b"data:\n\n" + body(STOP, DONE),
    "an event without data": body(HI) + b"event: ping\n\n" + body(STOP, DONE),
    "not JSON": body(HI, "{nope", STOP, DONE),
    "not a number": body(HI, '{"choices": NaN}', DONE),
    "not an object": body(HI, "[]", DONE),
    "null": body(HI, "null", DONE),
    "a text for choices": body(HI, {"choices": "Hi"}, DONE),
    "no choices": body(HI, {}, {"choices": None}, STOP, DONE),
    "a number for content": body(HI, delta(content=7), DONE),
    "a boolean for an index": body(HI, delta("Hi", index=True), DONE),
    "a text for an index": body(HI, delta("Hi", index="0"), DONE),
    "a huge event": body(HI, delta("x" * 20_000), STOP, DONE),
    "a key twice": b'data: {"choices": [{"delta": {"content": "a", "content": "b"}}]}\n\n' * 3
    + body(STOP, DONE),
    "text in other places": b'data: {"choices": [{"delta": {"content": "a"}, "x": "a"}]}\n\n' * 3
    + body(STOP, DONE),
}
"""Bodies of streams, by what is in them."""


def seen(reply):
    """Return all that a ledger can know of *reply*."""
    names = [field.name for field in dataclasses.fields(reply)]
    return {name: getattr(reply, name) for name in names}


def outcome(act, reply):
    try:
        act()
        reply.end_of_stream()
    except ExchangeError as failure:
        return failure.outcome, failure.detail
    return "ok", ""


def by_the_reply(pieces, kind=Completion):
    """Have every event decoded whole: the plain way."""
    reply, cutter = kind(), Cutter()

    def act():
        for now, piece in enumerate(pieces):
            for data in cutter.feed(piece):
                reply.event(data, float(now))

    return outcome(act, reply), seen(reply)


def by_a_glance(pieces, kind=Completion):
    """Have no more decoded than needed: the fast way."""
    reply = kind()
    events = events_of(reply, lambda: None)

    def act():
        for now, piece in enumerate(pieces):
            if reply.done is None:
                events.feed(piece, float(now))

    return outcome(act, reply), seen(reply)


def at_once(pieces, kind=Completion):
    """Have pieces that came in together taken, the fast way."""
    reply = kind()
    events = events_of(reply, lambda: None)
    return outcome(lambda: events.take(pieces, 0.0), reply), seen(reply)


@pytest.mark.parametrize("name", RECORDED)
def test_a_glance_sees_what_decoding_everything_sees(name):
    whole = RECORDED[name]
    single = [whole[i : i + 1] for i in range(len(whole))]
    if len(whole) < 10_000:
        assert by_a_glance(single) == by_the_reply(single)
    for event_end in (b"\n\n", b"\r\n\r\n", b"\r\r"):
        by_event = [part + event_end for part in whole.split(event_end)]
        assert by_a_glance(by_event) == by_the_reply(by_event)
        assert at_once(by_event) == by_the_reply([b"".join(by_event)])
    step = max(1, len(whole) // 1000)
    for cut in range(0, len(whole) + 1, step):
        pieces = [whole[:cut], whole[cut:]]
        assert by_a_glance(pieces) == by_the_reply(pieces), cut
        assert at_once(pieces) == by_the_reply([whole]), cut


TEXTS = st.text(st.sampled_from('ab"\\\n\x7f\x00ä漢🙂{}:,[]\ud800'), max_size=6)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": TEXTS | st.none() | st.just(1),
        "reasoning": TEXTS | st.none(),
        "tool_calls": st.sampled_from([None, [], CALL, ARGUMENTS, {}]),
        "role": TEXTS,
    },
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, 0.0, True, None, 2**70]),
        "delta": DELTAS | st.none(),
        "text": TEXTS | st.none() | st.just(1),
        "finish_reason": st.sampled_from([None, "", "stop", 1]),
        "logprobs": TEXTS,
    },
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(CHOICES, max_size=2) | st.none(),
        "usage": st.sampled_from([None, USAGE, {}, 7]),
        "error": st.sampled_from([None, False, "", "no", {}]),
        "object": st.sampled_from(["chunk", "error", None, 1]),
        "id": TEXTS,
    },
)
EVENTS = st.one_of(
    CHUNKS.map(json.dumps),
    st.builds(json.dumps, CHUNKS, indent=st.sampled_from([None, 1])).map(
        lambda text: text.replace("\n", "\ndata: ")
    ),
    CHUNKS.map(lambda chunk: json.dumps(chunk, ensure_ascii=False)).map(
        lambda text: text.encode("utf-8", "replace").decode().replace("\x00", "")
    ),
    st.sampled_from(
        ["[DONE]", "{", "NaN", '{"x": NaN, "choices": []}', '{"choices": [], "x": "\\q"}']
    ),
    TEXTS.map(lambda text: json.dumps(full(delta(text)))),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(EVENTS, max_size=12),
    st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]),
    st.lists(st.integers(0, 3000), max_size=8),
    st.sampled_from([Completion, TextCompletion]),
)
def test_a_glance_never_sees_anything_else(events, ending, cuts, kind):
    whole = "".join(f"data: {data}{ending}" for data in events).encode("utf-8", "replace")
    at = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(at)]
    by_event = [f"data: {data}{ending}".encode("utf-8", "replace") for data in events]
    assert by_a_glance(pieces, kind) == by_the_reply(pieces, kind)
    assert by_a_glance(by_event, kind) == by_the_reply(by_event, kind)
    assert at_once(pieces, kind) == at_once(by_event, kind) == by_the_reply([whole], kind)


class Recorder:
    """A link that carries nothing."""

    def write(self, data):
        self.written = data

    def quiet(self):
        return True

    def close(self):
        pass


def fed(pieces, reply, *, ended=False):
    """Give *pieces* to one exchange, as a link does; return how it ended."""

    async def main():
        conversation = Conversation()
        conversation.link = Recorder()
        incoming = Incoming(reply, lambda: None, streamed=True)
        waiter = conversation.ask(b"POST", incoming)
        for now, piece in enumerate(pieces):
            conversation.received(piece, float(now))
        if ended:
            conversation.ended()
        try:
            incoming.judge(waiter.result())
        except ExchangeError as failure:
            found = failure.outcome
        except Unfinished:
            found = "truncated" if reply.chunks else "empty"
        else:
            found = "ok"
        return found, conversation.link is not None

    return asyncio.run(main())


def chunked(data, size=50):
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return STREAM + b"".join(map(chunk, parts)) + END


STREAMED = {"content_type": "text/event-stream; charset=utf-8"}
WHOLE = body(ROLE, HI, delta("Ho"), delta("ha"), {**STOP, "usage": USAGE}, DONE)
RESPONSES = {
    "chunked": (chunked(WHOLE), False),
    "an event in each chunk": (
        STREAM + b"".join(chunk(event + b"\n\n") for event in WHOLE.split(b"\n\n")[:-1]) + END,
        False,
    ),
    "chunked with extensions and trailers": (
        chunked(WHOLE).replace(b"32\r\n", b"32;a=b\r\n", 1)[: -len(END)] + b"0\r\nX: y\r\n\r\n",
        False,
    ),
    "with a length": (answer(WHOLE, **STREAMED), False),
    "until the end": (head(**STREAMED) + WHOLE, True),
    "HTTP/1.0": ((head(**STREAMED) + WHOLE).replace(b"HTTP/1.1", b"HTTP/1.0"), True),
    "interim responses first": (
        head("100 Continue") + head("103 Early Hints", link="</a>") + chunked(WHOLE),
        False,
    ),
    "gzip": (answer(gzip.compress(WHOLE), content_encoding="gzip", **STREAMED), False),
    "gzip, chunked": (
        head(transfer_encoding="chunked", content_encoding="x-gzip", **STREAMED)
        + chunk(gzip.compress(WHOLE)[:60])
        + chunk(gzip.compress(WHOLE)[60:])
        + END,
        False,
    ),
    "deflate": (answer(zlib.compress(WHOLE), content_encoding="deflate", **STREAMED), False),
    "raw deflate": (
        answer(zlib.compress(WHOLE, wbits=-15), content_encoding="deflate", **STREAMED),
        False,
    ),
    "both": (
        answer(gzip.compress(zlib.compress(WHOLE)), content_encoding="deflate, gzip", **STREAMED),
        False,
    ),
    "spaces after the size of a chunk": (chunked(WHOLE).replace(b"32\r\n", b"32  \r\n"), False),
    "a folded header": (chunked(WHOLE).replace(b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n", 1), False),
    "a head whose lines end with LF alone": (
        head(content_length=len(WHOLE), **STREAMED).replace(b"\r\n", b"\n") + WHOLE,
        False,
    ),
    "header names in capitals": (chunked(WHOLE).replace(b"content-type", b"CONTENT-TYPE"), False),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_may_be_cut_anywhere(name):
    whole, ended = RESPONSES[name]
    expected = by_the_reply([WHOLE])[1]
    times = {"first_event", "first_token", "last_token", "gaps", "done", "answered", "sent"}
    for cut in range(1, len(whole)):
        reply = Completion()
        assert fed([whole[:cut], whole[cut:]], reply, ended=ended) == ("ok", not ended), cut
        found = seen(reply)
        assert {k: found[k] for k in found.keys() - times} == {
            k: expected[k] for k in expected.keys() - times
        }
    reply = Completion()
    single = [whole[i : i + 1] for i in range(len(whole))]
    assert fed(single, reply, ended=ended)[0] == "ok"
    assert len(reply.gaps) == 2
    assert reply.first_event < reply.first_token < reply.last_token < reply.done


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_that_ends_too_early_is_never_ok(name):
    whole, ended = RESPONSES[name]
    for cut in range(len(whole)):
        reply = Completion()
        found, kept = fed([whole[:cut]] if cut else [], reply, ended=True)
        if found == "ok":  # all that counts had come
            assert reply.done is not None
            assert ended
        assert not kept


def sent_by(script, transport, kind=Chat, url="", requests=1, **fields):
    """Send requests to a server that follows *script*; return what came of them, and the server."""
    fields = {"model": "m", "prompts": ("Hello",), "transport": transport, **fields}

    async def main():
        async with HostileLLM({}, script) as server:
            driver = kind(Connection(url or server.url, "sk-very-secret", 5.0), **fields)
            return await load(LoadPlan(driver, requests, 1)), server

    return asyncio.run(main())


def counted(result):
    """Return what a ledger counts, without its times and its words for a failure."""
    found = ledger(result)
    times = {name for name in found if name.endswith(("_ms", "_s", "_at"))}
    kept = {k: v for k, v in found.items() if k not in times | {"client", "errors"}}
    samples = {k: (found[k]["count"], found[k]["missing"]) for k in times if k.endswith("_ms")}
    return kept, samples, sorted(found["errors"])


WAYS = ("fast", "openai")
OTHERWISE = {"a byte order mark": "empty", "an event without data": "malformed"}
"""What the openai package reads otherwise than the standard for event streams has it."""


@pytest.fixture(scope="module")
def by_way():
    """Send every recorded stream by every way; return the exchanges by way and name."""
    scripts = {name: (chunked(whole, 1000),) for name, whole in RECORDED.items()}

    async def main(way):
        async with HostileLLM(scripts) as server:
            driver = chat(server.url, way, prompts=tuple(RECORDED))
            return await load(LoadPlan(driver, len(RECORDED), 1))

    return {way: dict(zip(RECORDED, asyncio.run(main(way)).exchanges, strict=True)) for way in WAYS}


@pytest.mark.parametrize("name", RECORDED)
def test_the_ledger_is_the_same_by_every_way(name, by_way):
    fast, openai = (counted(LoadResult((by_way[way][name],))) for way in WAYS)
    if name in OTHERWISE:
        assert (fast[2], openai[2]) == ([], [OTHERWISE[name]])
    else:
        assert fast == openai


@pytest.mark.parametrize("transport", WAYS)
@pytest.mark.parametrize("name", ["chunked", "gzip", "until the end"])
def test_a_response_may_be_cut_on_its_way(transport, name):
    """A sample of the cuts, over a socket: the server waits until each piece is out."""
    whole, ended = RESPONSES[name]

    async def pause(_):
        await asyncio.sleep(0)

    steps = 12
    cuts = [len(whole) * i // steps for i in range(steps + 1)]
    script = [step for a, b in pairwise(cuts) for step in (whole[a:b], pause)]
    result, _ = sent_by([*script, *[Act.CLOSE] * ended], transport)
    expected, _ = sent_by((chunked(WHOLE),), transport)
    assert counted(result) == counted(expected)


@pytest.mark.parametrize(
    "script, outcome",
    [
        ((Act.CLOSE,), "reset"),
        ((Act.RESET,), "reset"),
        ((b"HTTP/1.1 200 OK\r\nContent-", Act.CLOSE), "reset"),
        ((STREAM, Act.CLOSE), "empty"),
        ((stream(ROLE, end=b""), Act.CLOSE), "empty"),
        ((stream(HI, end=b""), Act.CLOSE), "truncated"),
        ((stream(HI, end=b""), Act.RESET), "reset"),
        ((stream(HI, STOP, DONE, end=b""), Act.RESET), "ok"),
        ((stream(HI, STOP, DONE, end=b""), Act.HANG), "ok"),
        ((STREAM + b"what\r\n", Act.CLOSE), "malformed"),
        ((b"what\r\n\r\n", Act.CLOSE), "malformed"),
        ((head(content_length="many"), Act.CLOSE), "malformed"),
        ((head("204 No Content"),), "status_204"),
        ((head("304 Not Modified"),), "status_304"),
        ((answer(b'{"error":{"message":"slow down"}}', "429 No"),), "status_429"),
        ((head("500 Oh", content_length=9) + b"Oh", Act.CLOSE), "status_500"),
        ((answer(b"hi", content_encoding="gzip", **STREAMED),), "malformed"),
        ((answer(b"{}"),), "malformed"),
        ((answer(b""),), "empty"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000, Act.HANG), "malformed"),
    ],
)
def test_what_goes_wrong_has_the_same_class_by_every_way(script, outcome):
    (fast,), (openai,) = (sent_by(script, way)[0].exchanges for way in WAYS)
    assert (fast.outcome, openai.outcome) == (outcome, outcome), (fast.detail, openai.detail)
    assert fast.chunks == openai.chunks


@pytest.mark.parametrize(
    "script, outcome",
    [
        ((b"SSH-2.0-OpenSSH\r\n", Act.HANG), "malformed"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, Act.HANG), "malformed"),
        ((head("101 Go", upgrade="x", connection="upgrade"), Act.HANG), "status_101"),
        ((head(content_length=2, transfer_encoding="chunked"), Act.HANG), "malformed"),
        ((head("500 Oh", content_length=9) + b"Oh", Act.HANG), "status_500"),
        ((head(content_encoding="br", content_length=9, **STREAMED), Act.HANG), "malformed"),
    ],
)
def test_what_is_no_answer_is_not_waited_for(script, outcome):
    (found,) = sent_by(script, "fast")[0].exchanges
    assert found.outcome == outcome, found.detail
    assert found.wall < 4


@pytest.mark.parametrize("kind", [Chat, Completions])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_request_is_the_same_by_every_way(kind, streamed):
    prompts = ("Hello", 'a "quote", ä, 漢字 and 🙂', "x" * 100_000)
    more = {
        "body": {"temperature": 0.5, "stop": ["a"], "n": 1},
        "max_tokens": 9,
        "stream": streamed,
    }
    found = []
    for way in WAYS:
        _, server = sent_by((GOOD,), way, kind, requests=6, prompts=prompts, **more)
        assert server.connections == 1
        requests = sorted(server.requests, key=lambda request: len(request.prompt))
        found.append([(request.line, request.headers, request.body) for request in requests])
    for (line, headers, body), (line_2, headers_2, body_2) in zip(*found, strict=True):
        assert (line, body) == (line_2, body_2)
        assert headers.pop("accept-encoding") == "identity"
        del headers_2["accept-encoding"]
        # JSON may be written with or without escapes, and is as long as it is.
        assert headers.pop("content-length")
        assert headers_2.pop("content-length")
        assert headers.pop("host") != headers_2.pop("host")  # each has a server of its own
        assert headers == headers_2


def test_what_cannot_be_kept_is_built_each_time():
    """A number too large for the encoder of kept requests, and one for which others are kept."""
    for large in (2**70, 7):
        result, server = sent_by((GOOD,), "fast", requests=3, body={"seed": large})
        assert [e.outcome for e in result.exchanges] == ["ok"] * 3
        assert [request.body["seed"] for request in server.requests] == [large] * 3


def test_a_connection_that_ended_meanwhile_is_not_written_to():
    """One exchange is one request: it is looked for before anything is written."""
    result, server = sent_by((GOOD, Act.CLOSE), "fast", requests=5)
    assert [e.outcome for e in result.exchanges] == ["ok"] * 5
    assert len(server.requests) == server.connections == 5
    result, server = sent_by((answer(b"no", "429 No"),), "fast", requests=5)
    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize(
    "seconds, outcomes",
    [(0.002, ["ok"] * 5), (0.2, ["ok", "reset", "ok", "ok", "ok"])],
    ids=["at once", "too late to tell"],
)
def test_a_server_that_does_not_keep_what_it_kept_is_left_alone(seconds, outcomes, monkeypatch):
    """As llama.cpp does after a stream: it hears out a request for a while, and then closes."""
    monkeypatch.setattr(pool, "MOMENT", 0.05)  # so that no other process can make it miss it

    async def leaves(_):
        await asyncio.sleep(seconds)

    result, _ = sent_by((GOOD, leaves, Act.CLOSE), "fast", requests=5)
    assert [e.outcome for e in result.exchanges] == outcomes


def test_a_request_that_is_due_does_not_wait_to_see_what_the_server_keeps(monkeypatch):
    monkeypatch.setattr(pool, "MOMENT", 3600)

    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            plan = LoadPlan(chat(server.url, "fast"), 3, 1, pacer=Arrivals(Stages(100)))
            return await load(plan), server

    result, server = asyncio.run(main())
    assert [e.outcome for e in result.exchanges] == ["ok"] * 3
    assert server.connections == 3


def test_what_nobody_asked_for_spoils_the_connection_only():
    result, server = sent_by((GOOD + GOOD,), "fast", requests=3)
    assert [e.outcome for e in result.exchanges] == ["ok"] * 3
    assert len(server.requests) == server.connections == 3


def test_a_request_is_sent_whole_however_large():
    prompt = "x" * 20_000_000  # more than a socket takes at once
    result, server = sent_by((GOOD,), "fast", prompts=(prompt,))
    assert result.exchanges[0].ok
    assert server.requests[0].prompt == prompt


def test_a_proxy_is_used_with_a_remark(monkeypatch):
    async def main():
        async with HostileLLM({}, (GOOD,)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            driver = chat("http://target.invalid", "auto")
            result = await load(LoadPlan(driver, 1, 1))
        return driver.remark(), result, proxy.requests

    for name in ("http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    remark, result, (request,) = asyncio.run(main())
    assert "slower way: the environment names a proxy for http (HTTP_PROXY)" in remark
    assert result.exchanges[0].ok, result.exchanges[0].detail
    assert request.line == "POST http://target.invalid/v1/chat/completions HTTP/1.1"
    with pytest.raises(UsageError, match="fast knows no proxies"):
        chat("http://target.invalid", "fast").remark()
    assert chat("http://target.invalid", "openai").remark() == ""
    assert chat("https://target.invalid", "fast").remark() == ""
    doubled = chat("https://target.invalid/v1", "fast").remark()
    assert doubled == "the target ends with /v1, so requests of the load go to /v1/v1"
    monkeypatch.setenv("NO_PROXY", "target.invalid")
    assert chat("http://target.invalid:8000", "fast").remark() == ""
    for written in ("::1", "[::1]"):
        monkeypatch.setenv("NO_PROXY", written)
        assert chat("http://[::1]:8000", "fast").remark() == ""


@pytest.mark.parametrize("transport", WAYS)
def test_a_proxy_that_cannot_be_used_is_said_in_one_line(transport, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1" if transport == "fast" else "")
    if transport == "fast":  # which sends nothing by it
        assert sent_by((GOOD,), transport)[0].exchanges[0].ok
    else:
        with pytest.raises(UsageError, match=r"cannot be used \(ImportError.*ALL_PROXY"):
            sent_by((GOOD,), transport)


def test_the_password_of_a_proxy_is_not_told(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://user:pa5s/w0rd@proxy:99")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(UsageError, match="HTTP_PROXY") as refused:
        sent_by((GOOD,), "openai")
    assert "pa5s" not in str(refused.value)


def test_certificates_that_are_not_there_fail_the_requests_and_not_the_run(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    result, _ = sent_by((GOOD,), "fast", url="https://127.0.0.1:9")
    assert result.exchanges[0].outcome == "client_error"
    assert "certificates that the environment names cannot be used" in result.exchanges[0].detail
    assert sent_by((GOOD,), "fast")[0].exchanges[0].ok


def chat(url, transport, prompts=("Hello",)):
    return Chat(Connection(url, "", 5.0), model="m", prompts=prompts, transport=transport)


@pytest.fixture
def certificate(monkeypatch):
    """Serve by a certificate for localhost, which the environment trusts."""
    folder = Path(__file__).parent / "cases" / "tls"
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "certificate.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def sent_over(name, transport, **options):
    async def main():
        try:
            async with HostileLLM({}, (GOOD,), **options) as server:
                url = server.url.replace("127.0.0.1", name)
                return await load(LoadPlan(chat(url, transport), 3, 1)), server
        except OSError as failure:
            pytest.skip(str(failure))  # no IPv6 here

    return asyncio.run(main())


@pytest.mark.parametrize("transport", WAYS)
def test_a_server_is_known_by_its_certificate(certificate, transport, monkeypatch):
    result, server = sent_over("localhost", transport, tls=certificate)
    assert [e.outcome for e in result.exchanges] == ["ok"] * 3, result.exchanges[0].detail
    assert server.connections == 1
    result, _ = sent_over("127.0.0.1", transport, tls=certificate)
    assert {e.outcome for e in result.exchanges} == {"connect"}
    assert "IP address mismatch" in result.exchanges[0].detail
    monkeypatch.delenv("SSL_CERT_FILE")
    result, _ = sent_over("localhost", transport, tls=certificate)
    assert {e.outcome for e in result.exchanges} == {"connect"}
    assert "self-signed" in result.exchanges[0].detail


@pytest.mark.parametrize("after", [Act.CLOSE, Act.RESET])
def test_a_secured_connection_ends_as_others_do(certificate, after):
    async def main(*script):
        async with HostileLLM({}, script, tls=certificate) as server:
            url = server.url.replace("127.0.0.1", "localhost")
            return await load(LoadPlan(chat(url, "fast"), 3, 1)), server

    result, server = asyncio.run(main(GOOD, after))
    assert {e.outcome for e in result.exchanges} <= {"ok", "reset"}  # it may come too late to see
    assert len(server.requests) <= 3
    result, _ = asyncio.run(main(stream(HI, end=b""), after))
    assert {e.outcome for e in result.exchanges} <= {"truncated", "reset"}


def test_an_address_that_does_not_answer_gives_way_to_one_that_does():
    """Where localhost is ::1 first, a server on 127.0.0.1 alone is found all the same."""
    result, _ = sent_over("localhost", "fast")
    assert [e.outcome for e in result.exchanges] == ["ok"] * 3


@pytest.mark.parametrize("transport", WAYS)
def test_a_server_may_live_at_an_ipv6_address(transport):
    result, server = sent_over("[::1]", transport, host="::1")
    assert [e.outcome for e in result.exchanges] == ["ok"] * 3, result.exchanges[0].detail
    assert server.requests[0].headers["host"] == server.url.removeprefix("http://")


def test_a_cancelled_request_leaves_its_connection():
    async def main():
        async with HostileLLM({}, (STREAM, Act.HANG)) as server:
            task = asyncio.create_task(load(LoadPlan(chat(server.url, "fast"), 1, 1)))
            await server.arrived(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.deserted()

    asyncio.run(asyncio.wait_for(main(), 10))
