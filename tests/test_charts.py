"""Charts show what was seen, in so many points and no more."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.charts import charts
from validator.ledger import ledger
from validator.records.chart import MOST_POINTS, By, Form
from validator.records.load import Exchange, LoadResult
from validator.records.observation import Observations, Snapshot, Unreadable
from validator.records.trace import Trace
from validator.spec.parse import Overrides, parse
from validator.trace import MOST_EXCHANGES, traced


def exchange(sent, *, ttft=0.1, latency=0.3, ok=True, gaps=(0.01, 0.02), tokens=5):  # noqa: PLR0913 - what differs
    return Exchange(
        index=0,
        model="m",
        due=sent,
        sent=sent,
        done=sent + latency,
        outcome="ok" if ok else "timeout",
        first_token=sent + ttft if ok else None,
        last_token=sent + latency if ok else None,
        gaps=array("d", gaps if ok else ()),
        prompt_tokens=2,
        completion_tokens=tokens,
    )


EXCHANGES = st.lists(
    st.builds(
        exchange,
        st.floats(0, 100),
        ttft=st.floats(0, 10),
        latency=st.floats(0, 100),
        ok=st.booleans(),
        gaps=st.lists(st.floats(0, 10), max_size=4),
        tokens=st.none() | st.integers(0, 100),
    )
)


@given(EXCHANGES)
def test_a_trace_counts_what_the_ledger_counts(sent):
    result = LoadResult(tuple(sent))
    found, book = traced(result), ledger(result)
    for name, bins in found.histograms.items():
        assert sum(count for _, _, count in bins) == book[name]["count"]
        assert bins[0][0] == book[name]["min"]
        edges = [low for low, _, _ in bins]
        assert edges == sorted(edges)
    assert {n for n in ("ttft_ms", "itl_ms", "latency_ms") if book[n]["count"]} == set(
        found.histograms
    )
    for name in ("sent", "ok", "failed"):
        if sent:
            assert found.curves[name][-1][1] == book[name]
    if sent:
        assert found.curves["in_flight"][-1][1] == 0
    assert ("tokens.completion" in found.curves) <= (
        book["tokens"]["completion"] is not None or not book["ok"]
    )


def test_the_size_of_a_trace_does_not_grow_with_the_load():
    many = LoadResult(tuple(exchange(n / 100) for n in range(2 * MOST_EXCHANGES + 1)))
    found = traced(many)
    series = [*found.histograms.values(), *found.instants.values(), *found.curves.values()]
    assert max(map(len, series)) <= MOST_POINTS
    assert found.every == 3
    assert found.curves["sent"][-1][1] == pytest.approx(len(many.exchanges), abs=found.every)


def test_a_load_of_which_all_took_the_same_time_has_one_bar():
    found = traced(LoadResult((exchange(0.0), exchange(0.0))))
    assert [count for _, _, count in found.histograms["ttft_ms"]] == [2]


SPEC = """
version: 1
target: {url: http://localhost:8000}
load: {model: m, requests: 4, prompts: [hi]}
endpoints:
  page:
    get: /page
    during: {every: 100ms}
    assert:
      - {path: $.total, delta: {eq: "${load.ok}"}, name: every request is counted}
      - {path: "$.workers[*].n", delta: {sum: {eq: "${load.sent}"}}}
      - {path: $.active, over: during, max: {le: "${load.in_flight_max}"}}
      - {path: $.ttft.p50, le: "${load.ttft_ms.p50}"}
      - {path: $.ttft.p90, le: "${load.ttft_ms.p90}"}
      - {path: $.total, ge: 0}
"""
RESULT = LoadResult(tuple(exchange(n / 10) for n in range(4)), 3)


def page(total, active, taken):
    return Snapshot(
        "page",
        {
            "total": total,
            "workers": [{"n": total}, {"n": 0}],
            "active": active,
            "ttft": {"p50": 50, "p90": 90, "p99": None, "avg": 60},
        },
        None,
        200,
        taken,
    )


def drawn(**seen):
    given = {
        "before": {"page": page(100, 0, 1.0)},
        "during": {"page": (page(101, 2, 2.1), page(102, 3, 2.2))},
        "after": {"page": page(104, 0, 3.0)},
        **seen,
    }
    spec = parse(SPEC, overrides=Overrides(environment={}))
    found = charts(spec, Observations(**given), ledger(RESULT), traced(RESULT, 2.0))
    return {chart.title: chart for chart in found}


def points(series):
    return [tuple(round(n, 6) for n in point) for point in series.points]


def test_a_counter_is_shown_beside_what_it_should_count():
    client, server = drawn()["every request is counted"].series
    assert (client.by, server.by) == (By.CLIENT, By.SERVER)
    assert points(server) == [(0.1, 1), (0.2, 2), (1.0, 4)]
    assert points(client)[-1][1] == 4


def test_of_several_matches_the_sum_is_shown():
    (chart,) = (c for c in drawn().values() if "workers" in c.title)
    assert points(chart.series[1])[-1] == (1.0, 4)


def test_a_counter_of_one_of_several_loads_is_shown_beside_that_load():
    text = SPEC.replace(
        "load: {model: m, requests: 4, prompts: [hi]}",
        "loads: {one: {model: m,"
        " requests: 4, prompts: [hi]}, two: {model: m, requests: 4, prompts: [hi]}}",
    )
    text = text.partition("    assert:\n")[0] + (
        "    assert:\n"
        "      - {path: $.total, load: one, delta: {eq: '${load.one.ok}'}, name: counted}\n"
    )
    spec = parse(text, overrides=Overrides(environment={}))
    seen = Observations(
        {"page": page(100, 0, 1.0)}, {"page": page(104, 0, 3.0)}, {"page": (page(101, 2, 2.1),)}
    )
    shown = {
        name: {c.title for c in charts(spec, seen, ledger(RESULT), traced(RESULT, 2.0), name)}
        for name in ("one", "two")
    }
    assert "counted" in shown["one"]
    assert "counted" not in shown["two"]


def test_a_gauge_is_shown_as_it_was_sampled():
    (chart,) = (c for c in drawn().values() if "active" in c.title)
    client, server = chart.series
    assert client.name == "in flight, by the client"
    assert points(server) == [(0.1, 2), (0.2, 3)]


def test_percentiles_are_shown_as_two_ladders_once():
    ladders = [c for c in drawn().values() if c.form is Form.LADDER]
    (chart,) = ladders
    client, server = chart.series
    assert [p for p, _ in client.points] == [50, 90, 95, 99]
    assert points(server) == [(50, 50), (90, 90)]


def test_what_could_not_be_read_is_not_shown():
    broken = Snapshot("page", error=Unreadable("timeout", "too slow"))
    titles = set(drawn(during={"page": (broken,)}, after={"page": broken}))
    assert titles == {"TTFT", "ITL", "latency", "request by request", "in flight"}
    assert "every request is counted" not in drawn(before={"page": broken})
    assert "every request is counted" not in drawn(during={})


def test_a_number_that_no_axis_holds_is_not_shown():
    huge = page(10**400, 10**400, 3.0)
    titles = set(drawn(during={"page": (huge,)}, after={"page": huge}))
    assert "every request is counted" not in titles


def test_without_a_trace_there_are_no_charts():
    spec = parse(SPEC, overrides=Overrides(environment={}))
    assert charts(spec, Observations(), ledger(RESULT), None) == ()


def test_a_long_tail_is_told_beside_its_histogram():
    slow = LoadResult((*(exchange(0.0, latency=0.3 + n / 1e4) for n in range(300)),
                       exchange(0.0, latency=60)))  # fmt: skip
    spec = parse(SPEC, overrides=Overrides(environment={}))
    (chart,) = (
        c for c in charts(spec, Observations(), ledger(slow), traced(slow)) if c.title == "latency"
    )
    assert chart.note == "the last bar has all up to 60000 ms"


def test_a_trace_of_nothing_is_empty():
    assert traced(LoadResult(()), 1.0) == Trace(1.0)
