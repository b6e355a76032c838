"""A load is sent as its plan says: no earlier, no more at a time, and not after its end."""

import asyncio
from itertools import pairwise

import pytest
from hostile_llm import (
    DONE,
    GOOD,
    ROLE,
    STREAM,
    Act,
    HostileLLM,
    answer,
    chunk,
    delta,
    event,
    stream,
)

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.ledger import ledger
from validator.load import Collector, LoadPlan, load
from validator.pacing import Arrivals, Stages
from validator.plan import AbortOn, Cancel, Think
from validator.records.load import Slo

BAD = answer(b'{"error":{"message":"no"}}', "500 Oh")


def sent(script, requests=None, *, timeout=10.0, collector=None, transport="auto", **fields):
    """Send a load to a server that follows *script*."""

    async def main():
        async with HostileLLM({}, script) as server:
            connection = Connection(server.url, "", timeout)
            driver = Chat(connection, model="m", prompts=("Hello",), transport=transport)
            return await load(LoadPlan(driver, requests, **fields), collector=collector)

    return asyncio.run(main())


def rate(per_second, *stages):
    return Arrivals(Stages(per_second, stages))


# An open loop


def test_latencies_count_from_when_a_request_was_due():
    result = sent((GOOD,), 20, concurrency=1, pacer=rate(10**6))
    assert [e.index for e in result.exchanges] == list(range(20))
    assert all(e.sent >= e.due for e in result.exchanges)
    assert all(e.latency == e.last_token - e.due for e in result.exchanges)
    assert result.in_flight_max == 1
    latencies = [e.latency for e in result.exchanges]
    assert latencies == sorted(latencies)  # each waits for all before it, and that is counted
    client = ledger(result)["client"]
    assert (client["held_back"], client["unsent"]) == (19, 0)
    assert client["late_ms"]["max"] > 0


def test_all_that_wait_behind_the_one_that_found_no_room_are_held_back():
    result = sent((Act.HANG,), 9, concurrency=3, timeout=0.1, pacer=rate(10**6))
    assert result.held_back == 6  # three end at a time, and make room for three


def test_a_closed_loop_is_never_late():
    client = ledger(sent((GOOD,), 3))["client"]
    assert client["late_ms"] == {"p50": None, "p99": None, "max": None}


def test_requests_that_found_no_room_before_the_end_are_not_sent_and_counted():
    result = sent((Act.HANG,), timeout=0.5, duration=0.2, concurrency=2, pacer=rate(100))
    assert [e.outcome for e in result.exchanges] == ["timeout", "timeout"]
    assert (result.held_back, result.unsent) == (1, 18)


def test_a_rate_sends_what_is_due_before_the_end():
    result = sent((GOOD,), duration=0.5, concurrency=99, pacer=rate(0, (0.4, 100)))
    assert len(result.exchanges) + result.unsent == 30  # 20 on the ramp, 10 after it
    assert all(e.ok and e.due < 0.5 for e in result.exchanges)


def test_an_open_loop_that_is_cancelled_keeps_what_it_had():
    collector = Collector()

    async def main():
        async with HostileLLM({}, (Act.HANG,)) as server:
            driver = Chat(Connection(server.url, "", 10.0), model="m", prompts=("Hello",))
            plan = LoadPlan(driver, 9, 3, pacer=rate(1000))
            task = asyncio.create_task(load(plan, collector=collector))
            await server.arrived(3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [e.outcome for e in collector.result().exchanges] == ["interrupted"] * 3
    assert collector.in_flight == 0


# A closed loop


def test_nothing_is_sent_after_the_end_and_what_is_in_flight_is_finished():
    result = sent((GOOD,), duration=0.2, concurrency=3)
    assert result.exchanges
    assert all(e.ok and e.sent < 0.2 + 0.05 * 20 for e in result.exchanges)
    assert sorted(e.index for e in result.exchanges) == list(range(len(result.exchanges)))


def test_the_number_ends_a_load_before_its_duration():
    result = sent((GOOD,), 4, duration=60.0, concurrency=2)
    assert len(result.exchanges) == 4


def test_no_more_are_in_flight_than_there_is_room_for_yet():
    room = Stages(1, ((0.2, 4),))
    result = sent((GOOD,), duration=0.4, concurrency=4, room=room)
    for one in result.exchanges:
        beside = sum(e.sent <= one.sent < e.done for e in result.exchanges)
        assert 1 <= beside <= room.at(one.sent) + 1e-6
    assert result.in_flight_max <= 4


def test_places_that_a_ramp_takes_away_send_no_more():
    result = sent((GOOD,), 40, concurrency=3, room=Stages(3, ((0.0, 1),)))
    assert len(result.exchanges) == 40
    assert result.in_flight_max == 1


def test_a_place_pauses_between_its_requests():
    result = sent((GOOD,), 4, think=Think(0.02, 0.02))
    pairs = pairwise(result.exchanges)
    assert all(later.sent - before.done >= 0.019 for before, later in pairs)


# Requests that are cut off

TOKENS = stream(ROLE, *[delta("x")] * 4, delta(finish="stop"), DONE)
HANGING = (STREAM + b"".join(chunk(event(delta("x"))) for _ in range(4)), Act.HANG)


@pytest.mark.parametrize("transport", ["fast", "auto", "openai"])
@pytest.mark.parametrize("script", [(TOKENS,), HANGING])
def test_a_share_of_the_streams_is_cut_off_and_no_failure(script, transport):
    cancel = Cancel(1.0, 3)
    result = sent(script, 4, cancel=cancel, abort_on=AbortOn(failed=1), transport=transport)
    assert [(e.outcome, e.chunks) for e in result.exchanges] == [("cancelled", 3)] * 4
    found = ledger(result)
    counts = {name: found[name] for name in ("sent", "ok", "failed", "cancelled", "success_rate")}
    assert counts == {"sent": 4, "ok": 0, "failed": 0, "cancelled": 4, "success_rate": None}
    assert (found["errors"], found["latency_ms"]["count"]) == ({}, 0)


def test_the_others_are_judged_as_ever():
    cancel = Cancel(0.5, 1)
    result = sent((TOKENS,), 8, cancel=cancel, slo=Slo({"latency": 60.0}))
    found = ledger(result)
    assert (found["sent"], found["ok"], found["cancelled"]) == (8, 4, 4)
    assert (found["success_rate"], found["goodput"]["share"]) == (1, 1)
    cut = {e.index for e in result.exchanges if e.outcome == "cancelled"}
    assert cut == {i for i in range(8) if cancel.hits(i)}


def test_a_stream_that_is_over_before_the_cut_is_good():
    result = sent((TOKENS,), 2, cancel=Cancel(1.0, 5))
    assert all(e.ok for e in result.exchanges)


# A hopeless load


@pytest.mark.parametrize("pacing", [{}, {"pacer": rate(1000)}])
@pytest.mark.parametrize(
    "limits, why",
    [
        (AbortOn(failed=3), "3 of 3 requests failed"),
        (AbortOn(consecutive=4), "4 requests in a row failed"),
        (AbortOn(share=0.5, after=5), "5 of 5 requests failed, 100 %"),
    ],
)
def test_a_hopeless_load_is_given_up(limits, why, pacing):
    result = sent((BAD,), 100, concurrency=1, abort_on=limits, **pacing)
    assert len(result.exchanges) == int(why[0])
    assert result.aborted == ledger(result)["aborted"] == why


def test_what_is_in_flight_when_a_load_is_given_up_is_finished():
    collector = Collector()
    result = sent((BAD,), 100, concurrency=5, abort_on=AbortOn(failed=1), collector=collector)
    assert 1 <= len(result.exchanges) <= 5
    assert {e.outcome for e in result.exchanges} == {"status_500"}
    assert collector.in_flight == 0


def test_giving_up_wakes_those_who_think():
    result = sent((BAD,), 9, think=Think(600.0, 600.0), abort_on=AbortOn(failed=1))
    assert len(result.exchanges) == 1


def test_a_load_that_succeeds_is_not_given_up():
    result = sent((GOOD,), 9, abort_on=AbortOn(failed=1, share=0.1, after=1, consecutive=1))
    assert (len(result.exchanges), ledger(result)["aborted"]) == (9, False)
