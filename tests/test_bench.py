"""`validator bench`: the arithmetic of its findings, and real sweeps of the demo server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import COMMAND, environment, validator
from demo_process import ROOT, demo
from hostile_llm import GOOD, Act, HostileLLM
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from validator import cli, parse
from validator.benchmark import ladder as ladders
from validator.benchmark.doubts import client_bound, doubts
from validator.benchmark.findings import Findings
from validator.benchmark.knee import best, knee, power
from validator.benchmark.ladder import Ladder, default, warming
from validator.benchmark.records import METRICS, Axis, Bench, Level, spread
from validator.benchmark.reports import markdown, table
from validator.benchmark.saved import document, read, written
from validator.benchmark.showing import lines
from validator.benchmark.sweep import hopeless, sweep
from validator.benchmark.versus import SAMPLES, Verdict, compare, judged
from validator.errors import UsageError
from validator.executors.processes import Processes
from validator.pacing import Arrivals, Stages
from validator.plan import LoadPlan, Think, Warmup
from validator.schema import bench_schema

SPEC = ROOT / "examples" / "09-client-only.yaml"
SCHEMA = Draft202012Validator(json.loads(bench_schema()))


def run_of(rate: float, latency: float, *, sent: int = 200, ok: int | None = None, **more):
    """Return a ledger with this many requests a second, each so many ms long."""
    times = {"count": sent, "mean": latency, "p50": latency, "p99": 2 * latency}
    good = sent if ok is None else ok
    return {
        "sent": sent, "ok": good, "failed": sent - good, "success_rate": good / sent,
        "requests_per_s": rate, "tokens_per_s": 10 * rate, "in_flight_max": 1000,
        "latency_ms": times, "wall_ms": times, "ttft_ms": times, "goodput": None,
        "outcomes": {"ok": good, "status_429": sent - good}, "errors": {}, "aborted": False,
        "client": {"cpu_share": 0.1, "lag_ms": {"p50": 0.1, "p99": 0.2, "max": 1}}, **more,
    }  # fmt: skip


def bench_of(levels, *, axis: Axis = Axis.CONCURRENCY, **more) -> Bench:
    """Return a sweep of *levels*: the ledgers of each."""
    found = tuple(Level(at, tuple(ledgers)) for at, ledgers in sorted(levels.items()))
    told = {"repeat": max(len(one.ledgers) for one in found), "load": {"slo_ms": None}, **more}
    return Bench("t", "t.yaml", "http://x", axis, tuple(sorted(levels)), levels=found, **told)


def server(places: int, service: float = 100.0, levels=(1, 2, 4, 8, 16, 32)):
    """Sweep an ideal server that works on *places* requests at once, each for *service* ms."""
    return bench_of({
        n: [run_of(1000 * min(n, places) / service, service * max(n, places) / places)]
        for n in levels
    })  # fmt: skip


# The knee


@pytest.mark.parametrize("places", [2, 4, 8, 16])
def test_the_knee_of_an_ideal_server_is_where_all_its_places_are_taken(places):
    assert knee(server(places)).level == places


@given(st.sampled_from([2, 4, 8]), st.floats(1, 10_000))
def test_the_knee_depends_neither_on_the_speed_nor_on_the_length_of_the_ladder(places, service):
    assert knee(server(places, service)).level == places
    assert knee(server(places, service, levels=(1, 2, 4, 8, 16, 32, 64, 128))).level == places


def test_a_server_that_takes_one_request_at_a_time_has_its_knee_at_one():
    assert knee(server(1)).level == 1


def test_no_knee_is_named_where_the_ladder_does_not_enclose_it():
    above = knee(server(64))
    assert above.level is None
    assert above.why.endswith("concurrency 32: sweep higher")
    below = knee(server(2, levels=(8, 16, 32)))
    assert below.level is None
    assert below.why.endswith("concurrency 8: sweep lower")


def test_a_level_that_refuses_many_has_no_part_in_the_knee():
    found = server(8)
    flood = Level(64, (run_of(10_000, 1, ok=100),))
    assert knee(replace(found, levels=(*found.levels, flood))).level == 8
    few = replace(found, levels=(*found.levels[:2], flood))
    assert knee(few).level is None
    assert "2 levels with at least 90 % success, and it takes 3" in knee(few).why


def test_levels_that_the_noise_does_not_tell_from_the_knee_are_named():
    found = bench_of({
        1: [run_of(10, 100), run_of(10, 100)],
        2: [run_of(19, 100), run_of(22, 100)],
        4: [run_of(20, 100), run_of(23, 100)],
        8: [run_of(20, 200), run_of(20, 200)],
    })  # fmt: skip
    assert (knee(found).level, knee(found).alike) == (4, (2,))


def test_power_is_undefined_without_a_latency():
    assert power(run_of(10, 100)) == 100
    assert power({"sent": 1, "ok": 0, "requests_per_s": None}) is None
    assert power(run_of(10, 0)) is None


# The SLO


def good(rate: float, share: float):
    return {"goodput": {"requests_per_s": rate, "share": share}}


def test_the_best_level_has_the_most_goodput_of_those_within_the_slo():
    found = bench_of({
        1: [run_of(10, 100, **good(10, 1.0))],
        2: [run_of(20, 100, **good(19, 0.95))],
        4: [run_of(40, 100, **good(24, 0.6))],
    }, load={"slo_ms": {"ttft": 100}})  # fmt: skip
    assert best(found, 0.9).level == 2
    assert best(found, 0.5).level == 4
    none = best(found, 1.0)
    assert none.level == 1
    worst = best(replace(found, levels=found.levels[2:]), 0.9)
    assert worst.level is None
    assert worst.why == (
        "in no level 90 % of the requests met it: the most is 60 % at concurrency 4"
    )


def test_without_an_slo_no_level_is_the_best():
    assert best(server(4), 0.9) is None


def test_an_slo_that_nothing_could_meet_is_said():
    dead = {**run_of(0, 1, ok=0), "goodput": None}
    assert best(bench_of({1: [dead]}, load={"slo_ms": {"ttft": 1}}), 0.9).level is None


# Doubts


@pytest.mark.parametrize(
    "client, told",
    [
        ({"cpu_share": 0.95}, "the client was the bottleneck: it used 95 % of a CPU"),
        ({"lag_ms": {"p50": 30, "p99": 31}}, "event-loop lag p50 30 ms beside a TTFT of 100 ms"),
        ({"lag_ms": {"p50": 1, "p99": 150}}, "event-loop lag p99 150 ms beside a TTFT of 200 ms"),
        ({"cpu_share": 0.5, "lag_ms": {"p50": 1, "p99": 2}}, ""),
        ({"cpu_share": None, "lag_ms": {"p50": None}}, ""),
    ],
)
def test_a_level_at_which_the_client_was_the_bottleneck_is_marked(client, told):
    ledger = run_of(10, 100, client=client)
    assert told in client_bound(ledger)
    assert bool(client_bound(ledger)) == bool(told)
    untimed = {key: value for key, value in ledger.items() if key != "ttft_ms"}
    assert bool(client_bound(untimed)) == bool(told)


def test_a_level_says_what_kept_it_from_its_load():
    ledger = run_of(10, 100, in_flight_max=3, aborted="5 failed")
    ledger["client"] = {"held_back": 7, "unsent": 2}
    found = bench_of({8: [ledger, ledger]})
    assert doubts(found, found.levels[0]) == [
        "7 requests were due and waited in the client for room",
        "2 requests were due and never sent",
        "given up: 5 failed",
        "never more than 3 in flight: give more --requests",
    ]


@pytest.mark.parametrize(
    "ledger, told",
    [
        ({"ok": 1}, ""),
        ({"ok": 9, "aborted": "3 of 12 requests failed"}, "given up, 3 of 12 requests failed"),
        ({"ok": 0, "sent": 0, "outcomes": {}}, "no request was sent"),
        (
            {
                "ok": 0, "sent": 3, "outcomes": {"ok": 0, "timeout": 1, "connect": 2},
                "errors": {"connect": ["refused"]},
            },
            "all 3 requests failed, most of them connect (refused)",
        ),
        ({"ok": 0, "sent": 3, "outcomes": {"status_500": 3}},
         "all 3 requests failed, most of them status_500"),
    ],
)  # fmt: skip
def test_a_load_is_hopeless_when_nothing_came_back_or_it_was_given_up(ledger, told):
    assert hopeless(ledger) == told


# Comparing


values = st.lists(st.floats(0.1, 1000), min_size=1, max_size=5)
shares = st.floats(0, 1)


@given(values, shares, st.booleans())
def test_runs_are_the_same_as_themselves(runs, tolerance, more):
    assert judged(runs, runs, tolerance, more_is_better=more) is Verdict.SAME


@given(values, values, shares, st.booleans())
def test_better_turns_to_worse_when_less_is_wanted(was, now, tolerance, more):
    opposite = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    found = judged(was, now, tolerance, more_is_better=more)
    other = judged(was, now, tolerance, more_is_better=not more)
    assert other is opposite.get(found, found)


@given(values, values, shares)
def test_nothing_is_different_that_overlaps_or_is_within_tolerance_or_noise(was, now, tolerance):
    if judged(was, now, tolerance, more_is_better=True) is Verdict.SAME:
        return
    assert min(now) > max(was) or max(now) < min(was)
    change = abs(statistics.median(now) / statistics.median(was) - 1)
    assert change > tolerance * (1 - 1e-9)
    for runs in (was, now):
        assert change > (spread(runs) or 0) * (1 - 1e-9)


@pytest.mark.parametrize(
    "was, now, verdict",
    [
        ([100], [104], "same"),
        ([100], [106], "better"),
        ([100], [94], "worse"),
        ([100, 101, 102], [110, 111, 112], "better"),
        ([100, 111, 102], [110, 108, 112], "same"),
        ([100, 200], [210, 260], "same"),
        ([0], [0], "same"),
        ([0], [1], "better"),
        ([], [1], "new"),
        ([1], [], "gone"),
    ],
)
def test_a_figure_of_which_more_is_better_is_judged(was, now, verdict):
    assert judged(was, now, 0.05, more_is_better=True).value == verdict


def verdicts(comparison) -> dict[str, str]:
    return {change.metric.path: change.verdict.value for change in comparison.changes}


def test_a_slower_server_is_worse_and_a_faster_one_better():
    slow, fast = (bench_of({4: [run_of(rate, 4000 / rate)]}) for rate in (10, 20))
    assert compare(slow, slow, 0.05).worse is False
    found = compare(fast, slow, 0.05)
    assert found.worse
    assert verdicts(found) == {
        "success_rate": "same", "requests_per_s": "worse", "tokens_per_s": "worse",
        "ttft_ms.p50": "worse", "ttft_ms.p99": "worse",
        "latency_ms.p50": "worse", "latency_ms.p99": "worse",
    }  # fmt: skip
    assert set(verdicts(compare(slow, fast, 0.05)).values()) == {"same", "better"}
    assert compare(fast, slow, 1.0).worse is False


def test_what_few_samples_or_a_late_client_show_is_undecided():
    many, few = (bench_of({4: [run_of(9, 100, sent=n)]}) for n in (SAMPLES, SAMPLES - 1))
    slower = bench_of({4: [run_of(9, 200, sent=SAMPLES)]})
    assert verdicts(compare(many, slower, 0.05))["ttft_ms.p99"] == "worse"
    found = verdicts(compare(few, slower, 0.05))
    assert (found["ttft_ms.p50"], found["ttft_ms.p99"]) == ("worse", "undecided")
    late = bench_of({4: [run_of(3, 200, client={"cpu_share": 1.0})]})
    assert set(verdicts(compare(many, late, 0.05)).values()) == {"same", "undecided"}
    assert not compare(many, late, 0.05).worse


@pytest.mark.parametrize("name", ["ttft_ms", "itl_ms", "tpot_ms", "latency_ms"])
@pytest.mark.parametrize(
    "quantile, moved, verdict",
    [
        ("p50", 0.08, "undecided"), ("p50", 0.2, "worse"), ("p50", -0.08, "undecided"),
        ("p50", -0.2, "better"), ("p99", 0.2, "undecided"), ("p99", 0.4, "worse"),
    ],
)  # fmt: skip
def test_what_is_less_than_the_clients_lag_is_undecided(name, quantile, moved, verdict):
    client = {"cpu_share": 0.1, "lag_ms": {"p50": 0.15, "p99": 0.3, "max": 1}}
    was = {"count": 200, "mean": 1.2, "p50": 1.2, "p99": 1.3}
    now = {**was, quantile: was[quantile] + moved}
    before, after = (
        bench_of({4: [run_of(9, 100, client=one, **{name: times})]})
        for one, times in ((run_of(9, 100)["client"], was), (client, now))
    )
    assert verdicts(compare(before, after, 0.05))[f"{name}.{quantile}"] == verdict


def test_what_a_lost_share_of_a_load_hides_is_undecided():
    client = {"processes": 2, "lost": ["process 2 was lost (it died): 10 requests"]}
    whole, part = (bench_of({4: [run_of(n, 400 / n, **more)]}) for n, more in (
        (20, {}), (10, {"client": client}),
    ))  # fmt: skip
    assert set(verdicts(compare(whole, part, 0.05)).values()) == {"same", "undecided"}
    assert doubts(part, part.levels[0]) == [
        "part of the load is unknown: process 2 was lost (it died): 10 requests"
    ]
    assert "other clients: processes ? → 2" in compare(whole, part, 0.05).others


def test_requests_that_the_client_cut_short_are_no_failures():
    ledger = {**run_of(10, 100, ok=100), "failed": 0, "cancelled": 100}
    assert Level(1, (ledger,)).succeeded == 1


def test_a_figure_or_a_level_that_is_lost_is_worse():
    was = bench_of({1: [run_of(10, 100)], 2: [run_of(20, 100)]})
    untimed = {key: value for key, value in run_of(10, 100).items() if key != "ttft_ms"}
    assert verdicts(compare(was, bench_of({1: [untimed]}), 0.05))["ttft_ms.p50"] == "gone"
    one = replace(was, levels=was.levels[:1])
    assert compare(was, one, 0.05).lost == ()  # nobody says why it is missing
    stopped = compare(was, replace(one, stopped="concurrency 2: dead"), 0.05)
    assert (stopped.lost, stopped.worse) == ((2,), True)
    none = compare(was, replace(one, levels=(), stopped="the warmup: dead"), 0.05)
    assert (none.lost, none.worse) == ((1, 2), True)


def test_sweeps_that_have_nothing_in_common_are_not_compared():
    one, other = bench_of({1: [run_of(1, 1)]}), bench_of({2: [run_of(1, 1)]})
    with pytest.raises(UsageError, match="one has the levels 1, and the other 2"):
        compare(one, other, 0.05)
    with pytest.raises(UsageError, match="one sweeps concurrency, the other rate"):
        compare(one, replace(one, axis=Axis.RATE), 0.05)


def test_what_else_is_different_is_said():
    was = bench_of({1: [run_of(1, 1)], 2: [run_of(1, 1)]}, load={"model": "a", "slo_ms": None})
    now = bench_of({1: [run_of(1, 1)], 4: [run_of(1, 1)]}, load={"model": "b", "slo_ms": None})
    now = replace(now, title="u", target="http://y", interrupted="interrupted", stopped="4: dead")
    assert compare(was, now, 0.05).others == (
        'other specs: "t" → "u"',
        "other targets: http://x → http://y",
        'other loads: model "a" → "b"',
        "only in the earlier sweep: 2",
        "the earlier sweep ran each level once, so its noise is unknown: --repeat 3 shows it",
        "only in the later sweep: 4",
        "the later sweep was interrupted",
        "the later sweep stopped at 4: dead",
        "the later sweep ran each level once, so its noise is unknown: --repeat 3 shows it",
    )


def test_goodput_by_other_slos_is_not_compared():
    was = bench_of({1: [run_of(9, 9, **good(9, 1))]}, load={"slo_ms": {"ttft": 100}})
    now = bench_of({1: [run_of(9, 9, **good(1, 0.1))]}, load={"slo_ms": {"ttft": 10}})
    assert not any("goodput" in path for path in verdicts(compare(was, now, 0.05)))


@pytest.mark.parametrize(
    "runs, noise", [([], None), ([5], None), ([9, 10, 11], 0.2), ([0, 0], None)]
)
def test_noise_is_how_far_runs_are_apart(runs, noise):
    assert spread(runs) == noise


# The ladder


class Nothing:
    """A driver that is never opened."""

    name = "nothing"


def plan_of(**more) -> LoadPlan:
    return LoadPlan(**{"driver": Nothing(), "requests": 20, "concurrency": 5, **more})  # type: ignore[arg-type]


def test_levels_are_read_in_rising_order():
    assert ladders.read(Axis.CONCURRENCY, "8, 1,2") == (1, 2, 8)
    assert ladders.read(Axis.RATE, "10,0.5") == (0.5, 10)


@pytest.mark.parametrize("text", ["", "1,", "0", "-1", "1.5", "x", "1,1", "nan", "1e99", "2000000"])
def test_a_wrong_level_is_named(text):
    with pytest.raises(UsageError, match=f"--concurrency {text}: "):
        ladders.read(Axis.CONCURRENCY, text)


@pytest.mark.parametrize("text", ["0", "nan", "inf", "-1", "1,1.0"])
def test_a_wrong_rate_is_named(text):
    with pytest.raises(UsageError, match=f"--rate {text}: "):
        ladders.read(Axis.RATE, text)


def test_a_level_is_the_load_of_the_spec_with_another_pace():
    spec = plan_of(think=Think(1, 1), room=Stages(1, ((1, 5),)), warmup=Warmup(3))
    level = Ladder(Axis.CONCURRENCY, (1, 8)).plan(spec, 8, first=100)
    assert (level.concurrency, level.requests, level.first) == (8, 32, 100)
    assert (level.think, level.room, level.warmup) == (spec.think, None, None)
    assert not level.open_loop
    rated = Ladder(Axis.RATE, (5,)).plan(spec, 5)
    assert (rated.concurrency, rated.requests, rated.think) == (512, 50, None)
    assert [rated.due(n) for n in range(3)] == [0, 0.2, 0.4]
    assert list(ladders.left_out(spec, Axis.RATE)) == [
        "the spec's ramp is left out: every level has one pace",
        "the spec's think is left out: under a rate nothing waits",
    ]


def test_the_amount_of_each_level_can_be_given():
    for ladder in (Ladder(Axis.RATE, (5,), 7), Ladder(Axis.CONCURRENCY, (50,), 7)):
        assert ladder.plan(plan_of(), ladder.levels[0]).requests == 7
    timed = Ladder(Axis.CONCURRENCY, (50,), duration=2.0).plan(plan_of(), 50)
    assert (timed.requests, timed.duration) == (None, 2.0)
    own = Ladder(Axis.CONCURRENCY, (50,)).plan(plan_of(requests=None, duration=3.0), 50)
    assert (own.requests, own.duration) == (None, 3.0)


def test_a_spec_with_a_rate_is_swept_around_it():
    spec = plan_of(pacer=Arrivals(Stages(8), burstiness=1.0, seed=7))
    assert default(spec) == (Axis.RATE, (2, 4, 8, 16, 32))
    level = Ladder(*default(spec)).plan(spec, 16)
    assert level.pacer == Arrivals(Stages(16), burstiness=1.0, seed=7)
    assert level.concurrency == spec.concurrency
    assert default(plan_of()) == (Axis.CONCURRENCY, (1, 2, 4, 8, 16, 32))
    assert list(ladders.left_out(spec, Axis.CONCURRENCY)) == [
        "the spec's rate is left out: only concurrency limits a level"
    ]


def test_the_warmup_is_the_specs_own_or_a_small_one():
    assert warming(plan_of()).requests == 10
    assert warming(plan_of(warmup=Warmup(3))).requests == 3
    slow = warming(plan_of(pacer=Arrivals(Stages(0.01))))
    assert not slow.open_loop
    assert [*warming(plan_of()).indices(warming(plan_of()).shares(1)[0])] == [*range(-10, 0)]


def test_an_earlier_sweep_says_how_much_to_send_again():
    spec = plan_of()
    for ladder in (
        Ladder(Axis.CONCURRENCY, (1,)), Ladder(Axis.CONCURRENCY, (1,), 30, None),
        Ladder(Axis.RATE, (1,), None, 2.5),
    ):  # fmt: skip
        saved = bench_of({1: [run_of(1, 1)]}, load=ladders.settings(spec, ladder))
        assert ladders.amount(saved) == (ladder.requests, ladder.duration)


# Files


@given(
    st.dictionaries(
        st.integers(1, 64), st.lists(st.floats(1, 100), min_size=1, max_size=3), min_size=1
    )
)
def test_a_sweep_is_read_back_as_it_was_written(tmp_path_factory, levels):
    ledgers = {
        at: [run_of(rate, 100, **good(rate, 1.0)) for rate in runs] for at, runs in levels.items()
    }
    found = bench_of(ledgers, load={"slo_ms": {"ttft": 100}}, remarks=("said",))
    findings = Findings.of(found, 0.9, compare(found, found, 0.05))
    SCHEMA.validate(document(findings))
    file = tmp_path_factory.mktemp("sweep") / "sweep.json"
    file.write_text(written(findings), encoding="utf-8")
    assert read(file) == found


def damaged(**changed) -> str:
    whole = document(Findings.of(server(4), 0.9))
    return json.dumps({**whole, **changed})


@pytest.mark.parametrize(
    "text, told",
    [
        ("{", "not even whole JSON"),
        ("[]", "not a sweep of this tool; `validator bench SPEC --report json=FILE` writes one"),
        ('{"verdicts": []}', "a report of a run, which `validator diff` compares"),
        ('{"a": NaN}', "NaN is no number"),
        (damaged(version=2), "a sweep of version 2; this tool reads 1"),
        (damaged(axis="x"), "a damaged sweep: `axis` is 'x'"),
        (damaged(repeat=0), "`repeat` is no number of runs"),
        (damaged(elapsed_s="1"), "`elapsed_s` is no number"),
        (damaged(title=None), "no `title`"),
        (damaged(title=1), "`title` is a number"),
        (damaged(levels=None), "no `levels`"),
        (damaged(levels={}), "`levels` is a object"),
        (damaged(levels=[1]), "`levels`: a number stands where an object should"),
        (damaged(levels=[{"level": 1, "runs": []}]), "a level without runs"),
        (damaged(levels=[{"level": 1, "runs": [{"sent": 1}]}]), "`ok` of a run is no count"),
        (damaged(levels=[{"level": 1, "runs": [{"sent": 1, "ok": 1}]}] * 2), "stands there twice"),
        (damaged(planned=[0]), "`planned` holds something that is no number above 0"),
        (damaged(load=[]), "`load`: a array stands where an object should"),
    ],
)
def test_a_file_that_is_no_sweep_says_why(tmp_path, text, told):
    file = tmp_path / "sweep.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read(file)
    assert told in str(error.value)


def told_of(bench: Bench, width: int = 80, **more) -> str:
    return "\n".join(text for text, _ in lines(Findings.of(bench, 0.9, **more), width))


def test_the_tables_fit_into_80_columns():
    times = {"count": 500, "mean": 12345.6, "p50": 12345.6, "p99": 54321.0}
    ledger = run_of(1234.5, 100, **good(1234.5, 0.996), sent=500_000, ok=499_999)
    ledger |= dict.fromkeys(("ttft_ms", "itl_ms", "tpot_ms", "latency_ms"), times)
    found = bench_of({at: [ledger] * 3 for at in (1, 16, 512)}, load={"slo_ms": {"ttft": 1}})
    text = told_of(found, comparison=compare(found, found, 0.05))
    assert max(map(len, text.splitlines())) <= 80


def test_one_failure_in_very_many_is_not_rounded_away():
    assert " 99.9 % " in told_of(bench_of({1: [run_of(9, 9, sent=100_000, ok=99_999)]}))


def test_what_failed_at_a_level_is_told_with_an_example():
    outcomes = {"ok": 95, "empty": 1, "status_429": 3, "cancelled": 1}
    one = run_of(9, 9, sent=100, ok=95, outcomes=outcomes, errors={"status_429": ["slow down"]})
    text = " ".join(told_of(bench_of({1: [run_of(9, 9)], 2: [one, one]})).split())
    assert "Failed at concurrency 2: 6 × status_429 (slow down), 2 × empty" in text
    assert text.count("Failed") == 1


def test_findings_are_told_in_words():
    found = server(4)
    late = Level(8, (run_of(20, 200, client={"cpu_share": 0.97}),))
    found = replace(found, levels=(*found.levels[:3], late), stopped="concurrency 16: all failed")
    found = replace(found, interrupted="timeout", remarks=("\x1b[31mred",))
    text = " ".join(told_of(found).split())
    assert "Knee concurrency 4, 40 requests/s at a mean latency of 100 ms: the greatest" in text
    assert "it may be the client's own knee" in text
    assert "! concurrency 8 the client was the bottleneck: it used 97 % of a CPU" in text
    assert "Stopped at concurrency 16: all failed" in text
    assert "Interrupted (timeout) after 4 of 6 levels" in text
    assert "\\x1b[31mred" in text


def test_text_from_elsewhere_is_no_markup():
    found = replace(server(4), title="<b>|*t*", remarks=("[x](y)",))
    text = markdown(Findings.of(found, 0.9, compare(found, found, 0.05)))
    assert text.startswith("# &#60;b&#62;&#124;&#42;t&#42;\n")
    assert "[x]" not in text
    assert "not worse" in text


def test_csv_has_a_row_for_each_run():
    found = bench_of({1: [run_of(1, 1), run_of(2, 1)], 2: [run_of(4, 1)]})
    rows = list(csv.DictReader(io.StringIO(table(Findings.of(found, 0.9)))))
    assert [(r["concurrency"], r["run"], r["requests_per_s"]) for r in rows] == [
        ("1", "1", "1"), ("1", "2", "2"), ("2", "1", "4"),
    ]  # fmt: skip
    assert {metric.path for metric in METRICS} <= rows[0].keys()


# The command


@pytest.fixture(scope="module")
def url():
    with demo() as found:
        yield found


def test_a_sweep_is_shown_kept_replayed_and_compared(url, tmp_path):
    first = tmp_path / "first.json"
    done = validator(
        "bench", SPEC, "--url", url, "--concurrency", "4,1,2", "--requests", "8", "--repeat", "2",
        "--set", "load.slo.latency=30s", "--report", f"json={first}", "--report", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("concurrency,run,sent,ok")
    assert "SLO  best at concurrency" in done.stderr
    assert "concurrency 4, run 2 of 2" in done.stderr
    saved = json.loads(first.read_text(encoding="utf-8"))
    SCHEMA.validate(saved)
    assert [level["level"] for level in saved["levels"]] == [1, 2, 4]
    assert [len(level["runs"]) for level in saved["levels"]] == [2, 2, 2]
    assert all(run["ok"] == 8 for level in saved["levels"] for run in level["runs"])

    again = validator(
        "bench", SPEC, "--url", url, "--against", first, "--concurrency", "1,2", "--repeat", "1",
        "--tolerance", "100", "--quiet", "--report", f"json={tmp_path / 'second.json'}",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert "only in the earlier sweep: 4" in again.stdout
    second = json.loads((tmp_path / "second.json").read_text(encoding="utf-8"))
    SCHEMA.validate(second)
    assert second["load"]["requests"] == 8
    assert second["comparison"]["changes"]

    for other in (("--concurrency", "3"), ("--rate", "1")):
        apart = validator("bench", SPEC, "--url", url, "--against", first, *other)
        assert apart.returncode == 2
        assert apart.stderr.startswith("error: nothing to compare: one "), "and nothing was sent"

    replayed = validator("bench", "--replay", first, "--against", first, "--exit-code")
    assert replayed.returncode == 0, replayed.stderr
    assert "Not worse" in replayed.stdout


def test_a_worse_sweep_ends_with_1_when_asked(tmp_path):
    fast, slow = tmp_path / "fast.json", tmp_path / "slow.json"
    for file, service in ((fast, 100), (slow, 200)):
        file.write_text(written(Findings.of(server(4, service), 0.9)), encoding="utf-8")
    found = validator("bench", "--replay", slow, "--against", fast)
    assert (found.returncode, "Worse" in found.stdout) == (0, True)
    assert validator("bench", "--replay", slow, "--against", fast, "--exit-code").returncode == 1
    assert validator("bench", "--replay", fast, "--against", slow, "--exit-code").returncode == 0


def test_several_processes_send_a_sweep(url):
    done = validator(
        "bench", SPEC, "--url", url, "--concurrency", "2", "--requests", "4", "--processes", "2",
        "--report", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (level,) = json.loads(done.stdout)["levels"]
    assert [(run["ok"], run["client"]["processes"]) for run in level["runs"]] == [(4, 2)]


def test_no_level_asks_what_one_before_it_asked():
    prompts = [f"p{n}" for n in range(20_000)]
    text = f"load: {{model: m, timeout: 400ms, duration: 300ms, prompts: {json.dumps(prompts)}}}"

    async def main():
        # Of two processes one gets no further than its first request, and the other far.
        async with HostileLLM({"p1": (Act.HANG,)}, (GOOD,)) as target:
            asked = parse(f"version: 1\ntarget: {{url: '{target.url}'}}\n{text}", "s.yaml")
            levels = Ladder(Axis.CONCURRENCY, (2, 3))
            await sweep(asked, asked.loads[0], levels, executor=Processes(2))
            return [request.prompt for request in target.requests]

    sent = asyncio.run(main())
    assert {"p0", "p1", "p2"} <= {*sent}
    assert len(sent) == len({*sent})


def test_a_rate_is_swept(url):
    done = validator("bench", SPEC, "--url", url, "--rate", "20,40", "--requests", "8")
    assert done.returncode == 0, done.stderr
    assert "2 levels of rate" in done.stdout


def test_a_sweep_of_a_target_that_does_not_answer_stops_and_says_so():
    found = validator("bench", SPEC, "--url", "http://127.0.0.1:9", "--requests", "3")
    assert found.returncode == 1
    assert "Stopped  at the warmup: all 10 requests failed, most of them connect" in found.stdout
    stubborn = validator(
        "bench", SPEC, "--url", "http://127.0.0.1:9", "--requests", "3", "--concurrency", "1,2",
        "--keep-going",
    )  # fmt: skip
    assert stubborn.returncode == 1
    assert "2 levels of concurrency" in stubborn.stdout
    assert "the warmup failed: all 10" in stubborn.stdout


def test_one_report_that_cannot_be_written_does_not_take_the_others_with_it(tmp_path):
    file, more = tmp_path / "sweep.json", tmp_path / "sweep.csv"
    file.write_text(written(Findings.of(server(4), 0.9)), encoding="utf-8")
    found = validator(
        "bench", "--replay", file, "--report", "markdown=/dev/full", "--report", f"csv={more}"
    )
    assert (found.returncode, "Knee" in found.stdout) == (2, True)
    assert found.stderr.startswith("error: /dev/full: cannot be written")
    assert more.exists()


def test_showing_a_sweep_loads_nothing_that_only_a_load_needs(tmp_path):
    file = tmp_path / "sweep.json"
    file.write_text(written(Findings.of(server(4), 0.9)), encoding="utf-8")
    program = (
        "import sys; from validator import cli; "
        f"sys.argv = ['validator', 'bench', '--replay', {str(file)!r}]; code = cli._main(); "
        "print(code, {'openai', 'httpx', 'yaml'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(),
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0 set()"


def test_the_server_of_a_spec_is_started_and_stopped():
    own = ROOT / "examples" / "07-server.yaml"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = validator("bench", own, "--concurrency", "1,2", "--requests", "4", env={"PATH": path})
    assert found.returncode == 0, found.stderr
    assert "starting" in found.stderr


def test_ctrl_c_shows_the_levels_that_are_done(url):
    with subprocess.Popen(
        [*COMMAND, "bench", str(SPEC), "--url", url, "--concurrency", "1,2", "--requests", "5000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("concurrency 1"):
                process.send_signal(signal.SIGINT)
                break
        shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted  (interrupted) after 0 of 2 levels" in shown


def test_a_sweep_has_an_end_that_can_be_given(url):
    found = validator(
        "bench",
        SPEC,
        "--url",
        url,
        "--requests",
        "5000",
        "--concurrency",
        "1",
        "--timeout",
        "200ms",
    )
    assert found.returncode == 1
    assert "(timeout) after 0 of 1 levels" in found.stdout


@pytest.mark.parametrize(
    "arguments, told",
    [
        ([], "what is to be swept?"),
        ([SPEC, "--concurrency", "x"], "expected a whole number from 1 to 1000000, found 'x'"),
        ([SPEC, "--concurrency", "1", "--rate", "1"], "a sweep has one of the two"),
        ([SPEC, "--tolerance", "lots"], "'lots' is no share"),
        ([SPEC, "--tolerance", "101"], "'101' is no share"),
        ([SPEC, "--duration", "10"], "expected a duration such as 250ms"),
        ([SPEC, "--duration", "0s"], "nothing fits into that"),
        ([SPEC, "--requests", "0"], "0 is not in the range"),
        ([SPEC, "--repeat", "0"], "0 is not in the range"),
        ([SPEC, "--exit-code"], "worse than what?"),
        ([SPEC, "--replay", "x.json"], "--replay shows what was seen"),
        (["--replay", "x.json", "--requests", "3"], "--replay shows what was seen"),
        (["--replay", "nowhere.json"], "nowhere.json: No such file"),
        ([SPEC, "--against", "nowhere.json"], "nowhere.json: No such file"),
        ([SPEC, "--against", SPEC], "not a sweep"),
        ([SPEC, "--report", "jsn"], "--report jsn: did you mean 'json'?"),
        ([SPEC, "--report", "json=/nowhere/x"], "there is no folder"),
        ([SPEC, "--load", "x"], "has one load, and it has no name"),
        ([SPEC, "--processes", "2", "--dask", "local:2"], "--processes and --dask each say"),
        (["--replay", "x.json", "--processes", "2"], "--replay sends none: give one"),
        (["--replay", "x.json", "--url", "http://x"], "--replay shows what was seen"),
        ([ROOT / "examples"], "and one can be swept"),
        ([ROOT / "examples" / "02-no-load.yaml"], "a spec without a load"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(arguments, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["validator", "bench", *map(str, arguments)])
    assert cli._main() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err


def test_one_of_several_loads_is_chosen(url, tmp_path):
    spec = tmp_path / "two.yaml"
    one = "{model: m, requests: 2, max_tokens: 2, prompts: [hi]}"
    text = f"version: 1\ntarget: {{url: '{url}'}}\nloads: {{a: {one}, b: {one}}}\n"
    text += "endpoints: {e: {get: /health}}\n"
    spec.write_text(text, encoding="utf-8")
    assert "several loads: give one of --load a, b" in validator("bench", spec).stderr
    assert "--load c: " in validator("bench", spec, "--load", "c").stderr
    done = validator("bench", spec, "--load", "b", "--concurrency", "1", "--requests", "2")
    assert done.returncode == 0, done.stderr


def test_secrets_stay_out_of_what_is_written(url, tmp_path):
    file = tmp_path / "sweep.json"
    done = validator(
        "bench", SPEC, "--url", url, "--concurrency", "1", "--requests", "2",
        "--set", "target.api_key=sk-very-secret-1", "--set", "load.model=sk-very-secret-1",
        "--report", f"json={file}",
    )  # fmt: skip
    assert file.exists(), done.stderr
    assert "very-secret" not in file.read_text(encoding="utf-8") + done.stdout + done.stderr
