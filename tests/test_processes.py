"""A load from several processes is the load from one, and a process lost is a part lost."""

import asyncio
import math
import os
import signal
import subprocess
import sys
from array import array
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from command_line import environment
from hostile_llm import GOOD, STREAM, Act, HostileLLM, chunk, delta, event
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import CHAT, Books, chat, scripted, spec

from validator import Status, run_async
from validator.columns import Columns
from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.errors import UsageError
from validator.executors import joining, processes
from validator.executors.local import Collector, Count
from validator.executors.processes import Processes
from validator.ledger import ledger
from validator.load import load
from validator.pacing import Arrivals, Stages
from validator.plan import AbortOn, LoadPlan, Share
from validator.records.load import Exchange, Slo

KEY = "sk-very-secret-indeed"


def plan(url, requests, concurrency, prompts=("a", "b")):
    driver = Chat(Connection(url, KEY, 20.0), model="m", prompts=prompts)
    return LoadPlan(driver, requests, concurrency)


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, in order."""
    found = []
    start = processes._started

    async def remembered():
        found.append(await start())
        return found[-1]

    monkeypatch.setattr(processes, "_started", remembered)
    return found


def gone(worker):
    """Say whether a process is no more."""
    with suppress(ProcessLookupError):
        os.kill(worker.pid, 0)
        return False
    return True


COUNTED = ("sent", "ok", "outcomes", "finish_reasons", "tokens", "chunks", "models", "percentiles")


def test_several_processes_send_what_one_does(started):
    seen = []

    def look(*_):
        seen.extend(Path(f"/proc/{w.pid}/cmdline") for w in started if not gone(w))

    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            one = await load(plan(server.url, 12, 5))
            alone = list(server.requests)
            several = await load(plan(server.url, 12, 5), on_exchange=look, executor=Processes(3))
        return one, several, alone, server.requests[len(alone) :]

    one, several, alone, together = asyncio.run(main())
    assert sorted(e.index for e in several.exchanges) == list(range(12))
    assert sorted(r.prompt for r in together) == sorted(r.prompt for r in alone)
    ours, theirs = ledger(one), ledger(several)
    assert {name: ours[name] for name in COUNTED} == {name: theirs[name] for name in COUNTED}
    assert theirs["ttft_ms"]["count"] == 12
    assert theirs["percentiles"]["exact"]
    assert (theirs["client"]["processes"], theirs["client"]["lost"]) == (3, [])
    assert 1 <= theirs["in_flight_max"] <= 5
    assert all(e.sent >= 0 for e in several.exchanges)
    assert len(started) == 3
    assert all(map(gone, started))


def test_what_became_of_a_load_comes_home_with_its_exchanges():
    slo = Slo({"latency": 60.0})

    async def main():
        async with HostileLLM({}, (Act.HANG,)) as server:
            driver = Chat(Connection(server.url, KEY, 0.5), model="m", prompts=("a",))
            due = LoadPlan(driver, None, 2, duration=0.2, pacer=Arrivals(Stages(100)), slo=slo)
            return await load(due, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    # Each has room for one of ten, which does not end in time: the next waits, and none is sent.
    assert [e.outcome for e in result.exchanges] == ["timeout", "timeout"]
    assert (result.held_back, result.unsent, result.slo) == (2, 18, slo)
    assert result.lags
    assert 0 < result.cpu_share <= result.cpu_total


def test_a_load_is_no_better_than_the_worst_of_its_clocks():
    late, punctual = (
        joining.Part("p", Share(), lags=array("d", [lag] * 9), cpu_share=share)
        for lag, share in ((0.5, 0.2), (0.001, 0.7))
    )
    for parts in ((late, punctual), (punctual, late)):
        found = Collector()
        joining.conclude(found, plan("http://127.0.0.1:1", 9, 2), parts)
        assert found.lags == late.lags
        assert (found.cpu_share, found.cpu_total) == (0.7, pytest.approx(0.9))


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc to look at")
def test_no_command_line_and_no_environment_shows_a_secret(started):
    shown = []

    def read(worker):
        return [Path(f"/proc/{worker.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]

    async def main():
        async def look(server):
            del server
            for worker in started:
                shown.extend(read(worker))

        async with HostileLLM({"a": (look, GOOD)}, (GOOD,)) as server:
            await load(plan(server.url, 2, 2), executor=Processes(2))
            return server.requests

    requests = asyncio.run(main())
    assert all(KEY in r.headers["authorization"] for r in requests)
    assert len(shown) == 4
    assert not any(KEY.encode() in text for text in shown)


def test_fewer_processes_are_started_than_have_room_to_send(started):
    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            return await load(plan(server.url, 3, 1), executor=Processes(4))

    result = asyncio.run(main())
    assert (len(started), result.processes, len(result.exchanges)) == (1, 1, 3)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_share_is_lost_with_its_process_and_the_rest_is_not(how, started, monkeypatch):
    if how is signal.SIGSTOP:
        monkeypatch.setattr(processes, "SILENT_FOR", 2.0)

    async def main():
        async def strike(server):
            await server.arrived(4)  # its neighbours are under way
            os.kill(started[1].pid, how)

        # Requests 0 2 4 … are the first process's, and 1 3 5 … the second's.
        scripts = {"second": (strike, Act.HANG)}
        async with HostileLLM(scripts, (GOOD,)) as server:
            load_plan = plan(server.url, 20, 4, prompts=("first", "second"))
            return await load(load_plan, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert sorted(e.index for e in result.exchanges) == list(range(0, 20, 2))
    (lost,) = result.lost
    assert lost.startswith("process 2 of 2 was lost (")
    assert ("SIGKILL" in lost) == (how is signal.SIGKILL)
    assert lost.endswith("nothing is known of 10 of its 10 requests: 1, 3, 5, 7, 9, … 19")
    assert all(map(gone, started))


def test_cancelling_stops_every_process_and_keeps_what_there_was(started):
    collector = Collector()

    async def main():
        scripts = {"good": (GOOD,), "half": (STREAM + chunk(event(delta("Hi"))), Act.HANG)}
        async with HostileLLM(scripts, (Act.HANG,)) as server:
            load_plan = plan(server.url, 50, 2, prompts=("good", "good", "half", "half"))
            task = asyncio.create_task(load(load_plan, collector=collector, executor=Processes(2)))
            await server.arrived(4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(main(), 60))
    document = ledger(collector.result())
    assert document["outcomes"] == {"ok": 2, "interrupted": 2}
    assert document["client"]["lost"] == []
    assert all(map(gone, started))


def test_a_hopeless_load_is_given_up_by_all_its_processes(started):
    async def main():
        async with HostileLLM({}, (Act.CLOSE,)) as server:
            hopeless = replace(plan(server.url, 100_000, 4), abort_on=AbortOn(failed=20))
            return await load(hopeless, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert result.aborted.endswith("requests failed")
    assert 20 <= len(result.exchanges) < 100_000
    assert {e.index % 2 for e in result.exchanges} == {0, 1}
    assert result.lost == ()
    assert all(map(gone, started))


@pytest.mark.parametrize(
    "limits, most, why",
    [
        (AbortOn(failed=10), 13, "10 of 10 requests failed"),
        (AbortOn(consecutive=10), 13, "10 requests in a row failed"),
        (AbortOn(share=0.5, after=20), 23, "20 of 20 requests failed, 100 %"),
    ],
)
def test_one_process_gives_up_as_soon_as_one_loop_does(limits, most, why):
    async def main():
        async with HostileLLM({}, (Act.CLOSE,)) as server:
            hopeless = replace(plan(server.url, 100_000, 4), abort_on=limits)
            return await load(hopeless, executor=Processes(1))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert result.aborted == why
    assert len(result.exchanges) <= most


def test_no_process_alone_exceeds_the_failures_that_all_may_have():
    async def main():
        async with HostileLLM({}, (Act.CLOSE,)) as server:
            hopeless = replace(plan(server.url, 100_000, 4), abort_on=AbortOn(failed=10))
            return await load(hopeless, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert result.aborted
    assert len(result.exchanges) <= 2 * (10 + 1)


@pytest.mark.parametrize("limits", [AbortOn(consecutive=30), AbortOn(share=0.7, after=30)])
def test_a_share_that_fails_alone_does_not_end_a_load_that_is_well(limits):
    async def main():
        both = asyncio.Barrier(2)

        async def together(_):
            await both.wait()

        # All that the first process sends fails, and nothing that the second does, by turns.
        async with HostileLLM({"a": (together, Act.CLOSE)}, (together, GOOD)) as server:
            load_plan = replace(plan(server.url, 1_000, 2), abort_on=limits)
            return await load(load_plan, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert result.aborted == ""
    assert len(result.exchanges) == 1_000


def test_a_lost_share_keeps_no_other_from_giving_up(started):
    async def main():
        async def strike(_):
            with suppress(ProcessLookupError):
                os.kill(started[1].pid, signal.SIGKILL)

        async with HostileLLM({"b": (strike, Act.HANG)}, (Act.CLOSE,)) as server:
            hopeless = replace(plan(server.url, 20_000, 2), abort_on=AbortOn(consecutive=100))
            return await load(hopeless, executor=Processes(2))

    result = asyncio.run(asyncio.wait_for(main(), 60))
    assert result.aborted == "100 requests in a row failed"
    assert len(result.exchanges) < 10_000
    assert len(result.lost) == 1


def ended(*exchanges):
    """Return the exchanges that ended at these instants, and how."""
    return Columns(
        Exchange, (Exchange(n, "m", 0.0, 0.0, done, how) for n, (done, how) in enumerate(exchanges))
    )


def hope_of(limits, count):
    parts = [joining.Part(f"process {n + 1}", Share(n, count)) for n in range(count)]
    whole = replace(plan("http://127.0.0.1:1", 100, count), abort_on=limits)
    return joining.Hope(whole, Collector(), parts)


def test_failures_are_counted_as_they_happened_whoever_tells_first():
    hope = hope_of(AbortOn(consecutive=3), 2)
    bad, well = hope.parts
    hope.take(bad, ended(*((n, "reset") for n in range(9))), 9.0)
    assert hope.found.aborted == ""  # what the other one did meanwhile nobody knows yet
    hope.take(well, ended(*((n + 0.5, "ok") for n in range(5))), 5.0)
    assert hope.found.aborted == ""
    hope.reaches(well, math.inf)
    assert hope.found.aborted == "3 requests in a row failed"
    assert hope.found.counted.ended == 14


def test_so_many_failures_are_enough_whatever_is_not_known_yet():
    hope = hope_of(AbortOn(failed=3), 2)
    hope.take(hope.parts[0], ended(*[(1.0, "reset")] * 3), 1.0)
    assert hope.found.aborted == "3 of 3 requests failed"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40),
    st.integers(1, 6),
    st.permutations(range(3)),
)
def test_three_workers_give_up_where_one_would_have(happened, limit, order):
    alone = Count()
    reasons = []
    for _, failed in happened:
        alone.add("reset" if failed else "ok")
        reasons.append(alone.failed_in_a_row >= limit)
    hope = hope_of(AbortOn(consecutive=limit), 3)
    for worker in order:
        mine = [
            (n, "reset" if bad else "ok") for n, (who, bad) in enumerate(happened) if who == worker
        ]
        hope.take(hope.parts[worker], ended(*mine), math.inf)
    assert bool(hope.found.aborted) == any(reasons)


@dataclass(frozen=True, slots=True)
class Broken:
    """A driver that cannot be opened."""

    name: ClassVar[str] = "broken"
    connection: Connection

    @asynccontextmanager
    async def open(self, _clock, _width):
        raise OSError("no such device")
        yield


def test_nothing_is_sent_when_a_process_cannot_start(started):
    broken = LoadPlan(Broken(Connection("http://127.0.0.1:1", KEY, 1.0)), 4, 2)
    with pytest.raises(UsageError, match=r"process . of 2 did not start: OSError: no such device"):
        asyncio.run(load(broken, executor=Processes(2)))
    assert all(map(gone, started))


def test_an_interpreter_that_ends_at_once_is_said_to(monkeypatch, started):
    monkeypatch.setattr(processes, "COMMAND", ("-c", "raise SystemExit('out of order')"))
    with pytest.raises(UsageError, match="did not start: ended with exit code 1: out of order"):
        asyncio.run(load(plan("http://127.0.0.1:1", 4, 2), executor=Processes(2)))
    assert all(map(gone, started))
    with pytest.raises(UsageError, match="at least 1"):
        Processes(0)


ASKING = """
load:
  {model: m, requests: 6, concurrency: 2, prompts: [a], assert: [{path: $.success_rate, ge: 0.1}]}
"""

TOTALS = """
  counts:
    get: /metrics
    assert:
      - {path: $.total, name: counted, delta: {eq: "${load.ok}"}}
      - {name: related, expr: delta(total) == load.ok, let: {total: $.total}}
"""
PATIENT = "settle: {within: 2m, every: 50ms, stable_for: 100ms}"


def test_with_a_part_lost_nothing_about_the_ledger_is_decided(started):
    async def strike(writer):
        with suppress(ProcessLookupError):
            os.kill(started[0].pid, signal.SIGKILL)
        await chat(Books())(writer)

    async def main():
        async with scripted(Books(), {CHAT: strike}) as server:
            # Nor does settling wait for it, or this would take its whole two minutes.
            asked = spec(server.url, TOTALS, load=ASKING, settle=PATIENT)
            return await run_async(asked, executor=Processes(2))

    found = asyncio.run(asyncio.wait_for(main(), 60))
    assert found.exit_code == 1
    first = found.verdicts[0]
    assert (first.name, first.status, first.section) == ("complete", Status.ERROR, "load")
    assert "process 1 of 2 was lost (killed by SIGKILL)" in first.note
    assert found.settled.waiting_for == ()
    assert "settling waits for nothing that compares with its ledger" in " ".join(found.remarks)
    found = {v.name: v for v in found.verdicts[1:]}
    for name in ("success_rate", "counted", "related"):
        assert found[name].status is Status.ERROR
        assert "process 1 of 2 was lost" in found[name].note
    assert found["reachable"].status is Status.PASS


def test_a_script_needs_no_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys\n"
        "from validator import Processes, load_spec, run, Overrides\n"
        "print('once')\n"
        "found = run(load_spec(sys.argv[1]), executor=Processes(2))\n"
        "print(found.load['ok'], found.load['client']['processes'])\n"
    )

    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            file = tmp_path / "spec.yaml"
            file.write_text(
                f"version: 1\ntitle: t\ntarget: {{url: '{server.url}'}}\n"
                "load: {model: m, requests: 4, concurrency: 2, prompts: [a], "
                "assert: [{path: $.ok, eq: 4}]}\n"
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, script, file, stdout=subprocess.PIPE, env=environment()
            )
            said, _ = await asyncio.wait_for(process.communicate(), 60)
            return said

    assert asyncio.run(main()).split() == [b"once", b"4", b"2"]


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=30)


@given(SPANS)
def test_most_at_once_is_what_a_counter_would_have_shown(spans):
    spans = [(start, start + length) for start, length in spans]
    counted = 0
    for moment, _ in spans:
        counted = max(counted, sum(start <= moment < end for start, end in spans))
    instant = any(start == end for start, end in spans)
    found = joining.most_at_once([s for s, _ in spans], [e for _, e in spans])
    assert found == counted or (instant and found >= counted)
