"""A load from dask workers is the load from here, and a worker lost is a part lost."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from command_line import validator
from hostile_llm import GOOD, STREAM, Act, HostileLLM, chunk, delta, event
from scripted_server import Books, scripted, spec

from validator import run_async
from validator.benchmark.ladder import Ladder
from validator.benchmark.records import Axis
from validator.benchmark.sweep import sweep
from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.errors import MissingExtra, UsageError
from validator.executors import distributed, remote
from validator.executors.distributed import Cluster
from validator.executors.local import Collector
from validator.ledger import ledger
from validator.load import load
from validator.pacing import Arrivals, Stages
from validator.plan import AbortOn, LoadPlan, Share
from validator.records.load import Slo

pytestmark = pytest.mark.filterwarnings("default")  # what dask warns of is not ours

WITHIN = 120


def plan(url, requests, concurrency, prompts=("a", "b")):
    return LoadPlan(
        Chat(Connection(url, "sk-secret", 20.0), model="m", prompts=prompts), requests, concurrency
    )


def run(main):
    return asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_without_dask_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"--dask needs an extra: pip install .*\[dask\]"):
        run(lambda: load(plan("http://127.0.0.1:1", 1, 1), executor=Cluster("local:1")))


def test_dask_workers_send_what_one_process_does():
    pytest.importorskip("distributed")

    async def main():
        async with HostileLLM({}, (GOOD,)) as server:
            one = await load(plan(server.url, 9, 4))
            return one, await load(plan(server.url, 9, 4), executor=Cluster("local:2"))

    one, several = run(main)
    ours, theirs = ledger(one), ledger(several)
    for name in ("sent", "ok", "outcomes", "tokens", "chunks", "models", "percentiles"):
        assert ours[name] == theirs[name]
    assert sorted(e.index for e in several.exchanges) == list(range(9))
    assert (theirs["client"]["processes"], theirs["client"]["lost"]) == (2, [])
    assert 1 <= theirs["in_flight_max"] <= 4


@pytest.mark.parametrize(
    "how, why", [(signal.SIGKILL, "it died"), (signal.SIGSTOP, "silent for 2 s")]
)
def test_a_share_is_lost_with_its_worker_and_is_not_sent_again(how, why, monkeypatch):
    pytest.importorskip("distributed")
    if how is signal.SIGSTOP:
        monkeypatch.setattr(distributed, "SILENT_FOR", 2.0)
    pids = []
    start = distributed._Crew.start

    async def remembered(crew, shares, addresses):
        pids.extend([(await crew._client.run(os.getpid))[a] for a in addresses])
        await start(crew, shares, addresses)

    monkeypatch.setattr(distributed._Crew, "start", remembered)

    async def main():
        async def strike(server):
            await server.arrived(2)
            os.kill(pids[1], how)

        scripts = {"second": (strike, Act.HANG)}
        async with HostileLLM(scripts, (GOOD,)) as server:
            load_plan = plan(server.url, 8, 2, prompts=("first", "second"))
            result = await load(load_plan, executor=Cluster("local:2"))
            return result, server.requests

    result, requests = run(main)
    assert sorted(e.index for e in result.exchanges) == [0, 2, 4, 6]
    (lost,) = result.lost
    assert f"was lost ({why}): nothing is known of 4 of its 4 requests: 1, 3, 5, 7" in lost
    assert len(requests) == 5


def test_cancelling_stops_every_worker_and_keeps_what_there_was():
    pytest.importorskip("distributed")
    collector = Collector()

    async def main():
        scripts = {"good": (GOOD,), "half": (STREAM + chunk(event(delta("Hi"))), Act.HANG)}
        async with HostileLLM(scripts, ()) as server:
            load_plan = plan(server.url, 50, 2, prompts=("good", "good", "half", "half"))
            executor = Cluster("local:2")
            task = asyncio.create_task(load(load_plan, collector=collector, executor=executor))
            await server.arrived(4)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)
    document = ledger(collector.result())
    assert document["outcomes"] == {"ok": 2, "interrupted": 2}
    assert document["client"]["lost"] == []


@asynccontextmanager
async def workers_here(count=1):
    """Have dask workers in threads of this process; yield their scheduler's address."""
    dask = pytest.importorskip("distributed")
    async with dask.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        scheduler_kwargs={"allowed_failures": 0},
        asynchronous=True,
    ) as cluster:
        yield cluster.scheduler_address


def test_what_became_of_a_load_comes_home_from_dask_workers():
    slo = Slo({"latency": 60.0})

    async def main():
        async with workers_here(2) as address, HostileLLM({}, (Act.HANG,)) as server:
            driver = Chat(Connection(server.url, "", 0.5), model="m", prompts=("a",))
            due = LoadPlan(driver, None, 2, duration=0.2, pacer=Arrivals(Stages(100)), slo=slo)
            return await load(due, executor=Cluster(address))

    result = run(main)
    # Each has room for one of ten, which does not end in time: the next waits, and none is sent.
    assert [e.outcome for e in result.exchanges] == ["timeout", "timeout"]
    assert (result.held_back, result.unsent, result.slo) == (2, 18, slo)
    assert result.lags


def test_workers_whose_clocks_are_wrong_begin_with_the_others(monkeypatch):
    monkeypatch.setattr(remote, "wall", lambda: time.time() + 3600)

    async def main():
        async with workers_here() as address, HostileLLM({}, (GOOD,)) as server:
            return await load(plan(server.url, 2, 1), executor=Cluster(address))

    result = run(main)
    assert [e.outcome for e in result.exchanges] == ["ok", "ok"]
    assert all(0 <= e.sent < 60 for e in result.exchanges)


def test_a_hopeless_load_is_given_up_by_all_its_workers():
    async def main():
        # Of two shares one fails and stops by itself, and the other has to be told.
        async with workers_here(2) as address, HostileLLM({"a": (Act.CLOSE,)}, (GOOD,)) as server:
            hopeless = replace(plan(server.url, 20_000, 2), abort_on=AbortOn(failed=20))
            return await load(hopeless, executor=Cluster(address))

    result = run(main)
    assert result.aborted.endswith("requests failed")
    assert result.lost == ()
    assert {e.index % 2 for e in result.exchanges} == {0, 1}
    assert len(result.exchanges) < 10_000


def test_one_worker_gives_up_as_soon_as_one_loop_does():
    async def main():
        async with workers_here() as address, HostileLLM({}, (Act.CLOSE,)) as server:
            hopeless = replace(plan(server.url, 20_000, 4), abort_on=AbortOn(consecutive=10))
            return await load(hopeless, executor=Cluster(address))

    result = run(main)
    assert result.aborted == "10 requests in a row failed"
    assert len(result.exchanges) <= 13


@asynccontextmanager
async def under_way(server):
    """Run a share in a thread, as a dask worker does; yield its task."""
    share = asyncio.create_task(
        asyncio.to_thread(remote.send, plan(server.url, 1, 1), Share(), "mine")
    )
    while not remote.is_ready("mine"):  # noqa: ASYNC110 - a thread has no event to wait for
        await asyncio.sleep(0)
    remote.begin_at("mine", time.time())
    while not server.requests:
        assert remote.now("mine")
        await asyncio.sleep(0)
    try:
        yield share
    finally:
        remote.stop("mine")
        await share


def test_a_share_ends_when_nobody_asks_for_it_any_more(monkeypatch):
    monkeypatch.setattr(remote, "UNASKED_FOR", 1.0)

    async def main():
        async with HostileLLM({}, (Act.HANG,)) as server, under_way(server) as share:
            since = time.monotonic()
            while time.monotonic() < since + 2.0:  # twice as long
                assert remote.now("mine")
                await asyncio.sleep(0)
            assert not share.done()
            return await share

    outcome = asyncio.run(asyncio.wait_for(main(), 15))
    assert outcome.failure == "nobody asked for 1 s"
    assert [e.outcome for e in outcome.batch.exchanges] == ["interrupted"]
    assert not remote.is_busy()


def test_workers_that_still_send_another_load_are_refused_before_anything_is_looked_at():
    async def main():
        async with (
            workers_here() as address,
            HostileLLM({}, (Act.HANG,)) as other,
            under_way(other),
            scripted(Books(), {}) as server,
        ):
            asked = spec(server.url)
            with pytest.raises(UsageError, match="is still sending another load: try again"):
                await run_async(asked, executor=Cluster(address))
            ladder = Ladder(Axis.CONCURRENCY, (1,))
            with pytest.raises(UsageError, match="is still sending another load: try again"):
                await sweep(asked, asked.loads[0], ladder, executor=Cluster(address))
            assert server.requests == []

    run(main)


def test_of_two_loads_that_begin_together_one_is_sent_and_one_is_refused():
    async def main():
        async with workers_here() as address, HostileLLM({}, (GOOD,)) as server:
            asked = plan(server.url, 6, 2)
            both = [load(asked, executor=Cluster(address)) for _ in range(2)]
            first = await asyncio.gather(*both, return_exceptions=True)
            later = await load(asked, executor=Cluster(address))
            return first, later, len(server.requests)

    first, later, requests = run(main)
    (refused,) = [found for found in first if isinstance(found, UsageError)]
    assert "another load is being sent by this dask scheduler: try again" in str(refused)
    (sent,) = [found for found in first if found is not refused]
    assert len(sent.exchanges) == len(later.exchanges) == requests / 2 == 6


def test_a_scheduler_that_would_send_a_load_twice_is_refused():
    dask = pytest.importorskip("distributed")

    async def main():
        async with dask.LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, asynchronous=True
        ) as cluster:
            await load(
                plan("http://127.0.0.1:1", 1, 1), executor=Cluster(cluster.scheduler_address)
            )

    with pytest.raises(UsageError, match="ALLOWED_FAILURES=0"):
        run(main)


def test_a_scheduler_without_workers_and_a_worker_of_another_version_are_refused(monkeypatch):
    dask = pytest.importorskip("distributed")

    async def main(workers):
        async with dask.LocalCluster(
            n_workers=workers,
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"allowed_failures": 0},
            asynchronous=True,
        ) as cluster:
            await load(
                plan("http://127.0.0.1:1", 1, 1), executor=Cluster(cluster.scheduler_address)
            )

    with pytest.raises(UsageError, match="has no workers: start some"):
        run(lambda: main(0))
    monkeypatch.setattr("validator.__version__", "99.0")
    with pytest.raises(UsageError, match=r"and here is .* 99\.0\): install the same"):
        run(lambda: main(1))


@pytest.mark.parametrize("address", ["local:0", "local:x", "local:"])
def test_an_address_that_is_none_is_a_usage_error(address):
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match="expected local:N"):
        run(lambda: load(plan("http://127.0.0.1:1", 1, 1), executor=Cluster(address)))


def test_nobody_at_the_address_is_a_usage_error(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "CONNECT_WITHIN", 1.0)
    with pytest.raises(UsageError, match="no scheduler there"):
        run(lambda: load(plan("http://127.0.0.1:1", 1, 1), executor=Cluster("tcp://127.0.0.1:9")))


@pytest.mark.parametrize(
    "flags, said",
    [
        (("--processes", "2", "--dask", "local:2"), "give one"),
        (("--processes", "2", "--replay", "x.json"), "--replay sends none"),
        (("--processes", "0"), "not in the range"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags, said):
    done = validator("run", "fakeai/dashboard", *flags)
    assert done.returncode == 2
    assert said in done.stderr
