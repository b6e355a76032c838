"""A WebSocket is read within its bounds: so many frames, so long, so large; else it says why."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import pytest
from demo_process import demo
from hostile_http import endless, hostile, never, raw, redirect, reply, reset
from hostile_sockets import answers, breaks, closes, floods, says, sockets, waits, writes

from validator import library
from validator.errors import MissingExtra, ProbeError
from validator.observe import sampling, watching
from validator.probes import websocket
from validator.probes.base import Collect
from validator.probes.websocket import WebSocketProbe
from validator.run import run
from validator.server import free_port
from validator.spec.model import Endpoint, Target
from validator.spec.parse import Overrides, parse


def fetch(play, count=None, seconds=None, *, server=None, **options):
    """Fetch from a server that plays *play*; return the frames."""

    async def once():
        async with sockets(play, **(server or {})) as running:
            collect = Collect(count, seconds)
            payload = await WebSocketProbe(f"{running.url}/x", collect, **options).fetch()
            return json.loads(payload.body)

    return asyncio.run(once())


def refusal(play, count=None, seconds=None, **options):
    """Return the cause and the text of the error that such a fetch must end in."""
    began = time.monotonic()
    with pytest.raises(ProbeError) as refused:
        fetch(play, count, seconds, **options)
    assert time.monotonic() - began < 4
    assert str(refused.value).isprintable()
    return refused.value.cause, str(refused.value)


# How much is taken


def test_so_many_frames_are_taken_and_no_more():
    assert fetch(says("1", "two", "", "4"), 3) == ["1", "two", ""]


def test_frames_are_taken_for_so_long():
    began = time.monotonic()
    assert fetch(says("1", "2"), seconds=0.2) == ["1", "2"]
    assert 0.2 <= time.monotonic() - began < 2


def test_whichever_comes_first_ends_the_taking():
    assert fetch(says("1", "2", "3"), 2, 60, timeout=3) == ["1", "2"]
    assert fetch(says("1", "2"), 3, 0.2) == ["1", "2"]


def test_silence_for_so_long_is_nothing_to_judge():
    assert refusal(waits, seconds=0.1) == ("timeout", "0 frames within 100ms")
    assert refusal(waits, 2, 0.1) == ("timeout", "0 of 2 frames within 100ms")


def test_silence_costs_the_timeout_when_frames_are_wanted():
    assert refusal(waits, 1, timeout=0.3) == ("timeout", "0 of 1 frame within 300ms")
    assert refusal(says("1"), 3, timeout=0.3) == ("timeout", "1 of 3 frames within 300ms")


def test_what_was_taken_counts_though_the_goodbye_comes_late():
    async def deaf(connection, _running):
        await connection.send("1")
        connection.transport.pause_reading()
        await asyncio.Event().wait()

    began = time.monotonic()
    assert fetch(deaf, 1, timeout=1) == ["1"]
    assert time.monotonic() - began < 2


# An end that comes early


def test_a_close_before_enough_frames_says_how_many_there_were():
    play = says("1", "2", then=closes())
    assert refusal(play, 5) == ("protocol", "closed after 2 of 5 frames (code 1000)")
    assert refusal(play, 5, 3)[1] == "closed after 2 of 5 frames (code 1000)"


def test_a_close_is_a_fair_end_of_frames_taken_for_so_long():
    assert fetch(says("1", "2", then=closes()), seconds=3) == ["1", "2"]
    assert fetch(says("1", then=closes(1001)), seconds=3) == ["1"]


@pytest.mark.parametrize(
    "play,text",
    [
        (closes(), "closed after 0 frames (code 1000)"),
        (says("1", then=closes(1011, "out of\x1b memory")), "closed after 1 frame (code 1011 out"),
        (says("1", "2", then=breaks), "the connection broke after 2 frames"),
        (breaks, "the connection broke after 0 frames"),
    ],
    ids=["at-once", "error", "broken", "broken-at-once"],
)
def test_an_end_that_is_no_fair_one_is_an_error(play, text):
    cause, said = refusal(play, seconds=3)
    assert cause == "protocol"
    assert said.startswith(text)


# Bounds


@pytest.mark.parametrize("seconds", [None, 3])
def test_a_flood_is_bounded_by_its_bytes(seconds):
    found = refusal(floods("x" * 1000), 10_000, seconds, max_bytes=100_000)
    assert found == ("too_large", "frames larger than 100000 bytes")


def test_a_flood_is_left_once_there_is_enough():
    assert fetch(floods("x"), 3) == ["x"] * 3
    assert set(fetch(floods("x" * 1000), seconds=0.1)) == {"x" * 1000}


def test_a_flood_of_empty_frames_is_bounded_by_their_number(monkeypatch):
    monkeypatch.setattr(websocket, "MOST_FRAMES", 500)
    assert refusal(floods(""), seconds=3) == ("too_large", "more than 500 frames")


def test_a_huge_frame_is_refused_before_it_is_read():
    announced = b"\x81\x7f" + (1 << 40).to_bytes(8, "big")
    for play in (says("x" * 2000), writes(announced), writes(announced, again=b"x" * 65536)):
        found = refusal(play, 1, max_bytes=1024, timeout=10)
        assert found == ("too_large", "frames larger than 1 KiB")


def test_a_frame_in_pieces_without_end_is_bounded_too():
    first, more = b"\x01\x01x", b"\x00\x7e\x04\x00" + b"x" * 1024
    found = refusal(writes(first, again=more), 1, max_bytes=100_000, timeout=10)
    assert found == ("too_large", "frames larger than 100000 bytes")


def test_frames_as_large_as_the_bound_are_read():
    assert len(fetch(says("x" * 512, "y" * 512), 2, max_bytes=1024)) == 2


def test_a_compressed_frame_is_not_asked_for():
    async def offers(connection, running):
        await connection.send(running.headers[0].get("sec-websocket-extensions", "none"))
        await waits(connection, running)

    assert fetch(offers, 1) == ["none"]


# What cannot be read


def test_a_binary_frame_is_an_error():
    found = refusal(says("1", b"\x00\x01"), 3)
    assert found == ("decode", "frame 2 is binary (2 bytes), not text")


def test_a_text_frame_that_is_no_text_is_an_error():
    assert refusal(writes(b"\x81\x02\xff\xfe"), 1) == ("decode", "frame 1 is not UTF-8 text")


def test_what_is_no_websocket_frame_is_an_error():
    cause, text = refusal(writes(b"HTTP/1.1 500 Oops\r\n" * 9), 1)
    assert cause == "protocol"
    assert text.startswith("not valid WebSocket: ")


# Opening


def opening(script, **options):
    async def once():
        async with hostile({"/x": script}) as server:
            return await WebSocketProbe(f"{server.url}/x", Collect(1), **options).fetch()

    return asyncio.run(once())


def test_an_answer_that_opens_nothing_is_the_payload():
    payload = opening(reply(b"not found", status=404, headers={"Content-Type": "text/plain"}))
    assert (payload.status, payload.body, payload.content_type) == (404, b"not found", "text/plain")
    assert opening(redirect("http://elsewhere.invalid/")).status == 302


@pytest.mark.parametrize(
    "script,cause,text",
    [
        (never(), "timeout", "no answer within 300ms"),
        (reset(), "protocol", "the connection broke before an answer"),
        (raw(b""), "protocol", "the connection broke before an answer"),
        (raw(b"\x16\x03\x01 nonsense\r\n\r\n"), "protocol", "not valid HTTP: "),
        (raw(b"HTTP/1.1 101 Go\r\n\r\n", close=False), "protocol", "no WebSocket: "),
        (endless(b"HTTP/1.1 101 Go\r\n", b"X-Flood: " + b"x" * 99 + b"\r\n"), "protocol", "not "),
    ],
    ids=["silent", "reset", "closed", "nonsense", "no-upgrade", "headers"],
)
def test_an_answer_that_is_none(script, cause, text):
    with pytest.raises(ProbeError) as refused:
        opening(script, timeout=0.3 if cause == "timeout" else 3)
    assert refused.value.cause == cause
    assert str(refused.value).startswith(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nobody_listens(host):
    probe = WebSocketProbe(f"http://{host}:{free_port()}/x", Collect(1))
    with pytest.raises(ProbeError, match=r"^cannot connect: connection refused$") as refused:
        asyncio.run(probe.fetch())
    assert refused.value.cause == "connect"


def test_a_server_that_does_not_speak_tls():
    async def once():
        def refuse(_reader, writer):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await WebSocketProbe(f"https://127.0.0.1:{port}/x", Collect(1)).fetch()

    with pytest.raises(ProbeError, match=r"^cannot connect: TLS: \w") as refused:
        asyncio.run(once())
    assert refused.value.cause == "connect"


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(websocket, "find_spec", lambda _: None)
    told = r"^websocket: needs an extra: pip install 'metrics-validator\[websocket\]'$"
    with pytest.raises(ProbeError, match=told):
        asyncio.run(WebSocketProbe("http://127.0.0.1:1/x", Collect(1)).fetch())
    with pytest.raises(MissingExtra, match=told):
        asyncio.run(run(spec("http://127.0.0.1:1")))


def test_the_package_is_not_imported_before_it_is_used():
    code = "import sys, validator.run; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cancelled_fetch_is_cancelled_and_leaves():
    async def once():
        async with sockets(says("1")) as running:
            probe = WebSocketProbe(f"{running.url}/x", Collect(5), timeout=60)
            task = asyncio.create_task(probe.fetch())
            await asyncio.wait_for(running.came.wait(), 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(running.left.wait(), 2)

    asyncio.run(once())


# From a spec


def spec(url, block="collect: {frames: 2}, send: [{type: subscribe}, hello]", load=""):
    return parse(
        f"version: 1\ntarget: {{url: '{url}', headers: {{X-Key: sesame-street}}}}\n{load}"
        f"endpoints:\n  live: {{websocket: /x?a=1, {block},\n"
        "    assert: [{path: '$[0].type', eq: subscribe}, {path: '$[1]', eq: hello}]}\n",
        overrides=Overrides(environment={}),
    )


def look(play, found_spec):
    async def once():
        async with sockets(play) as running:
            target = Target(running.url, headers=found_spec(running.url).target.headers)
            async with watching(target, time.monotonic) as observer:
                seen = await observer.look(found_spec(running.url).endpoints)
            return seen["live"], running

    return asyncio.run(once())


def test_messages_and_headers_are_sent_and_frames_are_an_array():
    snapshot, running = look(answers, spec)
    assert running.heard == ['{"type": "subscribe"}', "hello"]
    assert running.paths == ["/x?a=1"]
    assert running.headers[0]["x-key"] == "sesame-street"
    assert running.headers[0]["user-agent"] == "metrics-validator"
    assert snapshot.document == [{"type": "subscribe"}, "hello"]
    assert (snapshot.error, snapshot.status) == (None, 101)


def test_a_socket_that_is_declined_says_so_as_every_endpoint_does():
    async def once():
        async with (
            hostile({"/x": reply(b"<p>gone</p>", status=410)}) as server,
            watching(Target(server.url), time.monotonic) as observer,
        ):
            endpoint = Endpoint(
                "live", "/x", method="WEBSOCKET", collect=Collect(1), statuses=(101,)
            )
            return await observer.read(endpoint)

    snapshot = asyncio.run(once())
    assert (snapshot.status, str(snapshot.error)) == (410, "HTTP 410: <p>gone</p>")


def test_a_socket_can_be_sampled():
    async def once():
        async with (
            sockets(says('{"n": 1}')) as running,
            watching(Target(running.url), time.monotonic) as observer,
        ):
            endpoint = Endpoint(
                "live", "/x", method="WEBSOCKET", decoder="frames", statuses=(101,),
                collect=Collect(1), during=0.01,
            )  # fmt: skip
            async with sampling(observer, [endpoint]) as samples:
                while len(samples["live"]) < 3:  # noqa: ASYNC110 - samples tell nobody
                    await asyncio.sleep(0)
            return samples["live"]

    assert [s.document for s in asyncio.run(once())[:3]] == [[{"n": 1}]] * 3


def test_the_demo_streams_its_traffic():
    text = """
        version: 1
        target: {url: "%s"}
        endpoints:
          live:
            websocket: /metrics/stream
            send: {type: subscribe, filters: {interval: 0.05}}
            collect: {frames: 4, for: 4s}
            assert:
              - {path: $, length: {eq: 4}}
              - {path: "$[0].type", eq: historical_data}
              - {path: "$[1].type", eq: subscribed}
              - {path: "$[2:].type", each: {eq: metrics_update}}
              - {path: "$[*].timestamp", sorted: ascending}
              - path: "$[2:]"
                schema: {required: [data, deltas], properties: {data: {required: [queue]}}}
    """
    with demo() as url:
        wanted = parse(text % url, overrides=Overrides(environment={}))
        report = library.run(wanted)
    assert [(v.name, str(v.status), v.note) for v in report.verdicts if v.status != "pass"] == []
