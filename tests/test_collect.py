"""A text/event-stream without end is read for so many events, or for so long, and then left."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib

import pytest
from hostile_http import drip, endless, hostile, never, raw, reply
from hypothesis import given
from hypothesis import strategies as st

from validator.decoders import DECODERS
from validator.errors import ProbeError
from validator.observe import watching
from validator.probes.base import Collect
from validator.probes.events import EventCounter
from validator.probes.http import HttpProbe, session
from validator.records.observation import Payload
from validator.spec.model import Endpoint, Target

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


WITHIN = 60.0
"""Seconds that a busy machine may take for what takes milliseconds."""


def fetch(script, count=None, seconds=None, **options):
    options = {"timeout": WITHIN, **options}

    async def once():
        async with hostile({"/x": script}) as server, session() as client:
            probe = HttpProbe(client, f"{server.url}/x", collect=Collect(count, seconds), **options)
            return await probe.fetch()

    return asyncio.run(once())


def refusal(script, count=None, seconds=None, **options):
    began = time.monotonic()
    with pytest.raises(ProbeError) as refused:
        fetch(script, count, seconds, **options)
    assert time.monotonic() - began < WITHIN / 2
    return refused.value.cause, str(refused.value)


def test_so_many_events_are_taken_and_no_more():
    script = never(STREAM + b": hello\n\ndata: 1\n\nevent: x\ndata: 2\r\n\r\ndata: 3\n\n")
    assert fetch(script, 2).body == b": hello\n\ndata: 1\n\nevent: x\ndata: 2\r\n\r\n"


def test_events_are_taken_for_so_long():
    began = time.monotonic()
    assert fetch(never(STREAM + b"data: 1\n\ndata: 2"), seconds=0.2).body == b"data: 1\n\ndata: 2"
    assert 0.2 <= time.monotonic() - began < WITHIN / 2


def test_silence_for_so_long_is_nothing_to_judge():
    assert refusal(never(STREAM), seconds=0.1) == ("timeout", "0 events within 100ms")
    script = never(STREAM + b": still here\n\ndata: cut")
    assert refusal(script, 2, 0.1) == ("timeout", "0 of 2 events within 100ms")


def test_whichever_comes_first_ends_the_taking():
    script = never(STREAM + b"data: 1\n\ndata: 2\n\n")
    assert fetch(script, 1, 60, timeout=3).body == b"data: 1\n\n"
    assert fetch(script, 3, 0.2).body == b"data: 1\n\ndata: 2\n\n"


def test_too_few_events_cost_the_timeout():
    script = never(STREAM + b"data: 1\n\n")
    assert refusal(script, 2, timeout=0.3) == ("timeout", "1 of 2 events within 300ms")
    assert refusal(never(), 2, timeout=0.3) == ("timeout", "no answer within 300ms")


def test_an_end_before_enough_events_says_how_many_there_were():
    page = reply(b'{"a": 1}', headers={"Content-Type": "application/json"})
    text = "the body ended after 0 of 2 events (application/json)"
    assert refusal(page, 2) == ("protocol", text)
    script = raw(STREAM + b"data: 1\n\n")
    text = "the body ended after 1 of 2 events (text/event-stream)"
    assert refusal(script, 2, 3) == ("protocol", text)


def test_an_end_is_a_fair_one_of_events_taken_for_so_long():
    assert fetch(raw(STREAM + b"data: 1\n\n"), seconds=3).body == b"data: 1\n\n"


def test_an_error_page_is_read_to_its_end():
    payload = fetch(reply(b"out of order", status=503), 2)
    assert (payload.status, payload.body) == (503, b"out of order")


@pytest.mark.parametrize("seconds", [None, 3])
def test_a_flood_is_bounded(seconds):
    script = endless(STREAM, b"data: " + b"x" * 1000 + b"\n")
    assert refusal(script, 5, seconds, max_bytes=100_000)[0] == "too_large"
    body = fetch(endless(STREAM, b"data: 1\n\n"), 3, seconds).body
    assert body == b"data: 1\n\n" * 3


def test_a_compressed_stream_is_left_in_the_middle():
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b"data: 1\n\ndata: 2\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    head = STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    assert fetch(never(head + packed), 2).body == b"data: 1\n\ndata: 2\n\n"
    assert fetch(never(head + packed), seconds=0.1).body == b"data: 1\n\ndata: 2\n\n"
    cut = raw(head + gzip.compress(b"data: 1\n\n")[:-4])
    assert refusal(cut, seconds=3) == ("protocol", "the gzip body is cut short")


def test_a_stream_without_end_and_without_collect_costs_the_timeout():
    def look(collect):
        async def once():
            async with (
                hostile({"/x": drip(b"data: 1\n\n" * 99, every=0.001)}) as server,
                watching(Target(server.url), time.monotonic) as observer,
            ):
                endpoint = Endpoint("x", "/x", decoder="events", timeout=0.3, collect=collect)
                return await observer.read(endpoint)

        return asyncio.run(once())

    assert look(None).error.cause == "timeout"
    assert [event["data"] for event in look(Collect(3)).document] == [1, 1, 1]


# Counting


def counted(pieces, wanted=None):
    counter, passed = EventCounter(wanted), 0
    for piece in pieces:
        if (end := counter.feed(piece)) is not None:
            return counter.seen, passed + end
        passed += len(piece)
    return counter.seen, None


@given(
    lines=st.lists(
        st.sampled_from([b"", b"", b"data", b"data:", b"data: x", b"dat", b"database: 1", b": c"]),
        max_size=12,
    ),
    ends=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=12, max_size=12),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    mark=st.booleans(),
    wanted=st.integers(1, 3),
)
def test_events_are_counted_as_the_decoder_reads_them(lines, ends, cuts, mark, wanted):
    body = b"\xef\xbb\xbf" * mark + b"".join(
        line + end for line, end in zip(lines, ends, strict=False)
    )
    pieces, rest = [], body
    while rest:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(rest[:size])
        rest = rest[size:]
    whole = DECODERS["events"](Payload(b": x\n" + body.removeprefix(b"\xef\xbb\xbf")), 9)
    assert counted(pieces) == (len(whole), None)
    seen, end = counted(pieces, wanted)
    assert seen == min(wanted, len(whole))
    assert (end is not None) == (len(whole) >= wanted)
    if end is not None:
        assert DECODERS["events"](Payload(body[:end]), 9) == whole[:wanted]
