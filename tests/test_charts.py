"""Charts show what was seen, in so many points and no more."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.charts import MOST, charts
from validator.ledger import ledger
from validator.records.chart import MOST_POINTS, By, Form
from validator.records.load import Exchange, LoadResult
from validator.records.observation import Observations, Snapshot, Unreadable
from validator.records.trace import Trace
from validator.records.verdict import ACROSS
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
    assert points(server) == [(0, 0), (0.1, 1), (0.2, 2), (1.0, 4)]
    assert points(client)[-1] == (1.0, 4)  # held until the last look


def test_looks_before_and_after_are_enough_for_a_counter():
    after = {"page": page(100, 0, 12.0)}
    client, server = drawn(during={}, after=after)["every request is counted"].series
    assert points(server) == [(0, 0), (10, 0)]
    assert points(client)[-1] == (10, 4)


def test_a_counter_moves_when_it_was_seen_to_move_while_settling():
    looks = (page(100, 0, 2.7), page(104, 0, 2.8))
    seen = {"during": {}, "settling": {"page": looks}, "after": {"page": page(104, 0, 12.0)}}
    client, server = drawn(**seen)["every request is counted"].series
    assert points(server) == [(0, 0), (0.7, 0), (0.8, 4)]
    assert points(client)[-1] == (0.8, 4)


@pytest.mark.parametrize("total", [100, 103])
def test_how_long_a_counter_did_not_come_as_far_as_the_client_is_shown(total):
    looks = (page(total, 0, 2.7),)
    seen = {"during": {}, "settling": {"page": looks}, "after": {"page": page(total, 0, 12.0)}}
    client, server = drawn(**seen)["every request is counted"].series
    assert [at for at, _ in points(server)] == [0, 0.7, 10]
    assert points(client)[-1] == (10, 4)


def asking(*assertions, bad=(), **seen):
    """Return the charts that *assertions* about the page bring, its own and all."""
    listed = "".join(f"      - {text}\n" for text in assertions)
    spec = parse(SPEC.partition("      - ")[0] + listed, overrides=Overrides(environment={}))
    spans = {a.about.name: a.about.span for a in spec.endpoints[0].assertions}
    given = {
        "before": {"page": page(5350, 0, 1.9)},
        "during": {"page": (page(5351, 2, 2.1),)},
        "after": {"page": page(5354, 0, 3.0)},
        **seen,
    }
    wrong = {spans[name] for name in bad}
    found = charts(spec, Observations(**given), ledger(RESULT), traced(RESULT, 2.0), bad=wrong)
    return [chart for chart in found if chart.section == "page"], found


def test_a_counter_that_tracks_the_load_is_shown_as_its_change():
    (chart,), _ = asking("{path: $.total, over: during, tracks: {load: ok}}")
    client, server = chart.series
    assert client.name == "load.ok, by the client"
    assert points(server) == [(0, 0), (0.1, 1), (1.0, 4)]


def test_of_many_assertions_on_one_path_there_is_one_chart():
    same = [f"{{path: $.total, delta: {{ge: {n}}}, name: at least {n}}}" for n in range(12)]
    gauges = [f"{{path: $.active, over: during, max: {{le: {n}}}, name: m{n}}}" for n in range(12)]
    counted = '{path: $.total, delta: {eq: "${load.ok}"}, name: counted}'
    found, _ = asking(*same, *gauges, counted)
    assert [chart.title for chart in found] == ["counted", "m0"]


def test_what_went_wrong_is_shown_first():
    bad = '{path: $.total, delta: {eq: "${load.sent}"}, name: wrong}'
    good = '{path: $.total, delta: {eq: "${load.ok}"}, name: good}'
    _, found = asking(good, bad, bad=["wrong"])
    own = ["TTFT", "ITL", "latency", "request by request", "in flight"]
    assert [chart.title for chart in found] == ["wrong", *own, "good"]


def test_of_hundreds_of_counters_some_are_drawn():
    workers = [{"n": n} for n in range(50)]
    many = {"page": Snapshot("page", {"workers": workers}, None, 200, 1.9)}
    asked = [f'{{path: "$.workers[{n}].n", delta: {{ge: 0}}}}' for n in range(50)]
    found, _ = asking(*asked, before=many, during={}, after=many)
    assert len(found) == MOST


def test_each_of_several_matches_has_its_own_line():
    (chart,), _ = asking('{path: "$.workers[*].n", delta: {le: "${load.ok}"}}')
    _, *server = chart.series
    assert [series.name for series in server] == ["$.workers[0].n", "$.workers[1].n"]


@pytest.mark.parametrize("condition", ["delta: {sum: {ge: 0}}", "sum: {delta: {ge: 0}}"])
def test_a_sum_is_one_line(condition):
    (chart,), _ = asking(f'{{path: "$.workers[*].n", {condition}}}')
    assert points(chart.series[0])[-1] == (1.0, 4)


@pytest.mark.parametrize("condition", ["each: {delta: {ge: 0}}", "delta: {each: {ge: 0}}"])
def test_a_quantifier_hides_no_change(condition):
    (chart,), _ = asking(f'{{path: "$.workers[*].n", {condition}}}')
    assert len(chart.series) == 2


def test_each_of_several_objects_has_its_ladder():
    (chart,), _ = asking("{path: $.ttft, each: {ordered: [p50, p90]}}")
    assert points(chart.series[0]) == [(50, 50), (90, 90)]


def test_a_percentile_under_another_name_is_one_rung():
    (chart,), _ = asking('{path: $.ttft.avg, le: "${load.ttft_ms.p50}"}')
    assert points(chart.series[1]) == [(50, 60)]


@pytest.mark.parametrize(
    "condition",
    ["delta: {max: {le: 5}}", "max: {delta: {le: 5}}", "count: {delta: {eq: 0}}", "ge: 0"],
)
def test_what_is_no_change_of_a_value_or_a_sum_is_no_curve(condition):
    assert asking(f'{{path: "$.workers[*].n", {condition}}}')[0] == []


def test_what_was_not_there_before_is_shown_if_it_counts_from_0():
    before = {"page": Snapshot("page", {}, None, 200, 1.9)}
    assert asking("{path: $.total, delta: {ge: 0}}", before=before)[0] == []
    (chart,), _ = asking("{path: $.total, delta: {ge: 0, absent_before: 0}}", before=before)
    assert points(chart.series[0])[-1] == (1.0, 5354)


def relating(expr, *assertions, **let):
    """Return the charts of an expression about the page, and of *assertions*."""
    bound = ", ".join(f"{name}: {path}" for name, path in let.items())
    related = f'{{name: related, expr: "{expr}", let: {{{bound}}}}}'
    worked = {"total": 5350, "workers": [{"n": 10}, {"n": 20}], "rest": 7}
    after = {"total": 5354, "workers": [{"n": 11}, {"n": 22}], "rest": 8}
    seen = {
        "before": {"page": Snapshot("page", worked, None, 200, 1.9)},
        "during": {},
        "after": {"page": Snapshot("page", after, None, 200, 3.0)},
    }
    found, _ = asking(related, *assertions, **seen)
    return [
        {series.name: points(series)[-1] for series in chart.series}
        for chart in found
        if chart.title == "related"
    ]


def test_a_counter_of_an_expression_is_shown_as_that_of_a_delta():
    (chart,) = relating("delta(x) == load.ok", x="$.total")
    assert chart == {"load.ok, by the client": (1.0, 4), "total, by the server": (1.0, 4)}
    same = '{path: $.total, delta: {eq: "${load.ok}"}}'
    (chart,), _ = asking(same, '{expr: "delta(x) == load.ok", let: {x: $.total}}')
    assert chart.title.startswith("change of")


def test_counters_that_are_added_up_are_shown_with_their_sum():
    (chart,) = relating(
        "delta(w) + sum(delta(v)) == load.ok", w="'$.workers[0].n'", v="'$.workers[*].n'"
    )
    assert chart == {
        "load.ok, by the client": (1.0, 4),
        "delta(w) + sum(delta(v)), by the server": (1.0, 4),
        "delta(w), by the server": (1.0, 1),
        "sum(delta(v)), by the server": (1.0, 3),
    }


def test_what_the_client_counted_is_added_up_as_well():
    (chart,) = relating("delta(x) <= load.tokens.prompt + load.tokens.completion", x="$.total")
    assert chart == {
        "load.tokens.prompt + load.tokens.completion, by the client": (1.0, 28),
        "total, by the server": (1.0, 4),
    }


def test_a_sum_of_counts_of_both_sides_is_no_line():
    (chart,) = relating("delta(x) + load.failed == load.sent", x="$.total")
    assert set(chart) == {
        "load.failed, by the client", "load.sent, by the client", "total, by the server",
    }  # fmt: skip


def test_what_is_added_to_a_product_is_no_line():
    (chart,) = relating("delta(x) + 2 * delta(y) >= load.ok", x="$.total", y="$.rest")
    assert set(chart) == {"delta(x), by the server", "delta(y), by the server"}


def test_each_of_several_matches_in_an_expression_has_its_own_line():
    (chart,) = relating("max(delta(w)) <= delta(x)", w="'$.workers[*].n'", x="$.total")
    assert set(chart) == {
        "delta(w): $.workers[0].n", "delta(w): $.workers[1].n", "delta(x), by the server",
    }  # fmt: skip


def test_what_is_multiplied_is_not_shown_beside_what_has_another_unit():
    (chart,) = relating("0 < delta(x) and delta(x) * 1000 <= load.ok * 5000", x="$.total")
    assert chart == {"total, by the server": (1.0, 4)}


@pytest.mark.parametrize("expr", ["x >= load.ok", "x - before(x) == load.ok"])
def test_an_expression_about_no_change_has_no_chart(expr):
    assert relating(expr, x="$.total") == []


def test_counters_that_stand_beside_the_client_already_are_not_shown_again():
    each = [f'{{path: $.{name}, delta: {{le: "${{load.ok}}"}}}}' for name in ("total", "rest")]
    assert relating("delta(x) >= delta(y)", *each, x="$.total", y="$.rest") == []


def test_an_expression_across_endpoints_has_its_chart_there():
    text = SPEC.partition("    assert:")[0] + (
        "    assert:\n      - {path: $.total, exists: true}\n"
        "assert:\n  - {name: agree, expr: 'delta(x) == load.ok',"
        " let: {x: {endpoint: page, path: $.total}}}\n"
    )
    spec = parse(text, overrides=Overrides(environment={}))
    seen = Observations({"page": page(1, 0, 1.0)}, {"page": page(5, 0, 3.0)})
    found = charts(spec, seen, ledger(RESULT), traced(RESULT, 2.0))
    (chart,) = (chart for chart in found if chart.title == "agree")
    assert chart.section == ACROSS


def test_ordered_percentiles_are_a_ladder():
    (chart,), _ = asking("{path: $.ttft, ordered: [min, p50, p90, avg]}")
    assert chart.form is Form.LADDER
    assert points(chart.series[0]) == [(50, 50), (90, 90)]
    assert asking("{path: $, ordered: [active, total]}")[0] == []


def test_what_was_seen_often_is_thinned_and_ends_where_it_ended():
    looks = tuple(page(5350 + n, n % 9, 2.1 + n / 1e4) for n in range(5000))
    counter, gauge = "delta: {ge: 4}", "over: during, max: {le: 9}"
    (total, active), _ = asking(
        f"{{path: $.total, {counter}}}", f"{{path: $.active, {gauge}}}",
        during={"page": looks}, after={"page": page(9999, 0, 4.0)},
    )  # fmt: skip
    assert len(total.series[0].points) <= 202
    assert points(total.series[0])[-1] == (2.0, 4649)
    assert max(value for _, value in active.series[0].points) == 8


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
        "      - {path: $.active, load: one, over: during, tracks: {load: ok}, name: tracked}\n"
    )
    spec = parse(text, overrides=Overrides(environment={}))
    seen = Observations(
        {"page": page(100, 0, 1.0)}, {"page": page(104, 0, 3.0)}, {"page": (page(101, 2, 2.1),)}
    )
    shown = {
        name: {
            c.title: c.series[0].name
            for c in charts(spec, seen, ledger(RESULT), traced(RESULT, 2.0), name)
        }
        for name in ("one", "two")
    }
    assert shown["one"]["counted"] == shown["one"]["tracked"] == "load.one.ok, by the client"
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
    assert "every request is counted" not in drawn(during={}, after={"page": broken})


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
