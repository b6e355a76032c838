"""The client's own curve is what the exchanges say, at the instant of each sample."""

from __future__ import annotations

import asyncio
import time

from hostile_llm import HostileLLM, answer
from hypothesis import given
from hypothesis import strategies as st

from validator.curve import marked
from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.executors.local import Collector
from validator.ledger import ledger
from validator.load import LoadPlan, load
from validator.records.load import Exchange, LoadResult, Zero
from validator.records.observation import CURVES, Snapshot

INSTANTS = st.integers(0, 40).map(lambda n: n / 4)


@st.composite
def exchanges(draw):
    sent = draw(INSTANTS)
    return Exchange(
        *(0, "m", sent, sent, sent + draw(INSTANTS), draw(st.sampled_from(["ok", "timeout"]))),
        prompt_tokens=draw(st.integers(0, 9)),
        completion_tokens=draw(st.none() | st.integers(0, 9)),
        cached_tokens=0,
    )


@given(st.lists(exchanges(), max_size=12), st.lists(st.tuples(INSTANTS, INSTANTS), max_size=5))
def test_a_sample_lies_between_what_had_ended_and_what_had_been_sent(sent, looks):
    late = 100.5  # the load's clock starts that long after the run's
    looks.sort()  # one after the other
    nexts = [at for at, _ in [*looks[1:], (99, 0)]][: len(looks)]
    looks = [(at, min(took, then - at)) for (at, took), then in zip(looks, nexts, strict=True)]
    samples = [Snapshot("s", taken=at + late, elapsed=took) for at, took in looks]
    result = LoadResult(tuple(sent), zero=Zero(1000.0 + late, 0.0))
    good = [e for e in sent if e.ok]
    for (at, took), sample in zip(looks, marked(samples, result, 1000.0), strict=True):
        done, begun = sample.progress.done, sample.progress.sent
        assert done["sent"] == sum(e.done <= at for e in sent)
        assert begun["sent"] == sum(e.sent <= at + took for e in sent)
        assert done["ok"] == sum(e.done <= at for e in good)
        assert begun["failed"] == sum(e.sent <= at + took for e in sent if not e.ok)
        assert done["tokens.prompt"] == sum(e.prompt_tokens for e in good if e.done <= at)
        assert ("tokens.completion" in done) == all(e.completion_tokens is not None for e in good)
        assert all(done[name] <= begun[name] for name in done)
        assert set(done) == set(begun) <= set(CURVES)


def test_without_a_common_clock_nothing_is_claimed():
    (sample,) = marked([Snapshot("s")], LoadResult(()), 0.0)
    assert sample.progress is None


def test_the_load_says_when_it_began_on_both_clocks():
    collector = Collector()
    before = time.monotonic(), time.time()

    async def main():
        async with HostileLLM({}, [answer(b"no")]) as server:
            connection = Connection(server.url, "sk-very-secret", 5.0)
            chat = Chat(connection, model="m", stream=False, prompts=("hi",))
            await load(LoadPlan(chat, 2, 1), collector=collector)

    asyncio.run(main())
    after = time.monotonic(), time.time()
    found = ledger(collector.result())
    assert before[0] <= collector.zero.monotonic <= after[0]
    assert before[1] <= found["started_at"] <= found["ended_at"] <= after[1]
