"""Broken pages: what a spec notices, and what it would believe."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import click
import pytest
from command_line import validator
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import spec

from validator import read_recording
from validator.decoders import DECODERS
from validator.errors import UsageError
from validator.evaluate import evaluate
from validator.mutation.changes import MUTATIONS, Site
from validator.mutation.edits import GONE, at, edited
from validator.mutation.fields import Field, reachable
from validator.mutation.mutants import Breeder
from validator.mutation.showing import document, grouped, share, text
from validator.mutation.trials import Outcome, tried
from validator.records.observation import Observations, Payload, Phase, Snapshot
from validator.records.recording import Recording, Round
from validator.values import same
from validator.verbs import VERBS

TODAY = date(2026, 1, 1)
LEDGER = {"sent": 5, "ok": 5, "failed": 0, "duration_s": 1.0}


# One mutation of one value

PAGE = {
    "n": 4, "x": 2.5, "zero": 0, "no": False, "text": "a", "none": "", "void": None,
    "list": [1, 2], "object": {"k": 1}, "empty": [],
}  # fmt: skip
CASES = [
    ("drop", "n", GONE), ("drop", "void", GONE), ("drop", "list", GONE),
    ("null", "n", None), ("null", "object", None), ("null", "void", ()),
    ("zero", "n", 0), ("zero", "x", 0), ("zero", "zero", ()), ("zero", "no", ()),
    ("zero", "text", ""), ("zero", "none", ()), ("zero", "list", []), ("zero", "object", {}),
    ("negate", "n", -4), ("negate", "x", -2.5), ("negate", "zero", ()), ("negate", "no", True),
    ("negate", "text", ()), ("negate", "list", ()),
    ("stringify", "n", "4"), ("stringify", "no", "false"), ("stringify", "list", "[1, 2]"),
    ("stringify", "text", ()), ("stringify", "void", ()),
    ("+1", "n", 5), ("+1", "zero", 1), ("+1", "x", ()), ("+1", "no", ()), ("-1", "n", 3),
    ("double", "n", 8), ("double", "x", 5.0), ("double", "zero", ()), ("double", "text", ()),
    ("NaN", "n", ()), ("swap", "text", ""), ("swap", "object", ()),
]  # fmt: skip


@pytest.mark.parametrize("name, key, becomes", CASES)
def test_a_mutation_of_json(name, key, becomes):
    edits = MUTATIONS[name](Site(PAGE, (key,), "json"))
    if becomes == ():
        assert edits == ()
    else:
        assert edits[0].keys == (key,)
        assert edits[0].value is GONE if becomes is GONE else same(edits[0].value, becomes)


def test_every_mutation_has_a_case():
    assert {name for name, _, _ in CASES} | {"freeze"} == set(MUTATIONS)


@pytest.mark.parametrize(
    "earlier, edits", [(GONE, ()), (4, ()), (3, (3,)), (None, (None,)), ("4", ("4",))]
)
def test_freezing_puts_back_what_was_before(earlier, edits):
    found = MUTATIONS["freeze"](Site(PAGE, ("n",), "json", earlier))
    assert tuple(edit.value for edit in found) == edits


def test_swapping_takes_the_next_neighbour_of_its_kind_and_changes_both():
    (mine, other) = MUTATIONS["swap"](Site(PAGE, ("n",), "json"))
    assert (mine.keys, mine.value) == (("n",), 2.5)
    assert (other.keys, other.value) == (("x",), 4)
    assert not MUTATIONS["swap"](Site({"a": 1, "b": 1}, ("a",), "json"))
    assert not MUTATIONS["swap"](Site({"a": 1, "b": "x"}, ("a",), "json"))


def test_what_was_0_before_the_load_is_not_dropped_there_for_counters_are_born_at_0():
    assert not MUTATIONS["drop"](Site({"n": 0}, ("n",), "json", counted_from=True))
    assert MUTATIONS["drop"](Site({"n": 1}, ("n",), "json", counted_from=True))


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-9, 9) | st.text(max_size=2)
DOCUMENTS = st.dictionaries(
    st.text(max_size=2),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4),
    min_size=1,
    max_size=4,
)


@given(DOCUMENTS, st.data())
def test_a_mutant_is_never_equal_to_the_truth_and_the_truth_stays_as_it_was(page, data):
    seen = Observations(after={"p": Snapshot("p", page)}, before={"p": Snapshot("p", {})})
    one = data.draw(st.sampled_from([*reachable(seen)] or [Field("p", Phase.AFTER, (), "$")]))
    kept = json.dumps(page)
    for name, mutation in MUTATIONS.items():
        if edits := mutation(Site(page, one.keys, "json", data.draw(SCALARS))):
            assert not same(edited(page, edits), page), name
    assert json.dumps(page) == kept


def test_a_place_that_is_not_there_is_gone():
    assert at({"a": [1]}, ("a", 0)) == 1
    for keys in (("b",), ("a", 1), ("a", "0"), (0,), ("a", 0, "c")):
        assert at({"a": [1]}, keys) is GONE


# A spec on broken pages

COUNTS = """
  page:
    get: /page
    assert:
      - {path: $.total, delta: {eq: "${load.ok}"}, name: counted}
      - {path: $.rate, type: number, name: typed}
      - {path: $.latency, ordered: [p50, p99], name: ordered}
      - {path: "$.workers[*].done", each: {type: integer}, name: workers}
      - {path: $.error, absent: true, name: no error}
"""
BEFORE = {"total": 2, "rate": 0, "latency": {"p50": 1, "p99": 2}, "workers": [{"done": 1}] * 2}
AFTER = {"total": 7, "rate": 9, "latency": {"p50": 3, "p99": 4}, "workers": [{"done": 3}] * 2}
UNASKED = {"total": 7, "more": {"a": 1, "b": [2, 3]}}


def recording(before=BEFORE, after=AFTER, during=()):
    seen = Observations(
        {"page": Snapshot("page", before, status=200)},
        {"page": Snapshot("page", after, status=200)},
        {"page": tuple(Snapshot("page", d, taken=float(i)) for i, d in enumerate(during))},
    )
    started = "2026-01-01T00:00:00+00:00"
    rounds = (Round(ledger=LEDGER, observations=seen),)
    return Recording("t", "s.yaml", "http://localhost", started, rounds=rounds)


def judged(endpoints=COUNTS, seen=None, **options):
    return tried(spec("http://localhost", endpoints), seen or recording(), TODAY, **options)


def survivors(outcome):
    return {(f.path, f.phase.value): set(mutations) for f, mutations in outcome.survivors.items()}


def test_a_delta_against_the_ledger_lets_nothing_through():
    assert not [path for path, _ in survivors(judged()) if path == "$.total"]


def test_survivors_are_the_lies_that_the_spec_would_believe():
    found = survivors(judged())
    assert found["$.rate", "after"] == {"zero", "negate", "freeze", "+1", "-1", "double"}
    assert found["$.latency.p50", "after"] == {"zero", "negate", "freeze", "+1", "-1"}
    assert "drop" in found["$.workers[0].done", "after"]


def test_survivors_of_like_values_are_one_line():
    (line,) = [key for key in grouped(judged().survivors) if "workers" in key[1]]
    assert line == ("page", "$.workers[*].done")
    assert grouped(judged().survivors)[line][1] == 2


RANGES = """
  page:
    get: /page
    assert:
      - {path: $.rate, type: number, between: [0, 20], name: rate}
      - {path: "$.workers[*].done", sum: {delta: {between: [0, 9]}}, name: workers}
      - {path: $.latency.p50, gt: 0, name: measured}
"""


def test_another_value_of_a_declared_range_is_tolerated():
    found = judged(RANGES)
    tolerated = {f.path: set(mutations) for f, mutations in found.within_range.items()}
    assert tolerated["$.rate"] == {"+1", "-1", "double", "swap"}  # with what nobody names
    assert tolerated["$.workers[0].done"] >= {"+1", "-1", "double"}
    assert "$.latency.p50" not in tolerated


def test_a_range_excuses_nothing_that_a_load_would_show():
    found = survivors(judged(RANGES))
    assert found["$.rate", "after"] == {"zero", "freeze"}
    assert found["$.latency.p50", "after"] >= {"+1", "double", "swap"}


def test_a_value_that_trades_places_with_one_outside_of_a_range_has_survived():
    page = """
  page:
    get: /page
    assert: [{path: $.total, between: [1, 9], name: total}, {path: $.rate, gt: 0, name: rate}]
"""
    assert "swap" in survivors(judged(page))["$.total", "after"]


def test_a_key_between_others_in_order_is_in_a_range():
    ordered = "{path: $, ordered: [zero, total, rate], name: ordered}"
    page = f"  page: {{get: /page, assert: [{ordered}]}}"
    found = judged(page, recording(after={**AFTER, "total": 4, "zero": 0}))
    tolerated = {f.path: set(mutations) for f, mutations in found.within_range.items()}
    assert tolerated == {"$.total": {"+1", "-1", "double"}}
    assert "double" in survivors(found)["$.rate", "after"]
    assert "that the spec declares by `ordered`\n" in text(
        spec("http://localhost", page), found, 80
    )


def test_a_range_that_the_truth_is_not_in_tolerates_nothing():
    page = "  page: {get: /page, assert: [{path: $.total, between: [50, 99], name: total}]}"
    assert not judged(page).tolerated


def test_the_tolerated_are_counted_beside_the_share_and_never_within_it():
    found = judged(RANGES)
    lies = sum(counted for _, counted in found.by_mutation.values())
    assert found.tolerated
    assert found.lies == lies == len(found.trials) - found.tolerated
    assert found.share == found.caught / lies
    shown = text(spec("http://localhost", RANGES), found, 80)
    assert f"{found.tolerated} more are tolerated" in shown
    assert "Tolerated: another value of the range that the spec declares by `between`\n" in shown
    written = document(spec("http://localhost", RANGES), "r.json", found, seed=0)
    assert written["tolerated_mutants"] == sum(len(t["mutations"]) for t in written["tolerated"])


def test_an_assertion_that_never_notices_is_named():
    weak = "\n      - {path: $.total, exists: true, name: there}"
    assert not judged(COUNTS + weak).idle  # it notices a drop
    idle = judged(COUNTS + "\n      - {path: $, type: object, name: page}").idle
    assert [verdict.name for verdict in idle] == ["page"]
    assert [v.name for v in judged().unasked] == ["no error"]


def test_what_only_sets_a_condition_is_not_broken():
    page = """
  page:
    get: /page
    assert:
      - {expr: before(a) > 9 or b > 0, name: related, let: {a: $.total, b: $.rate}}
"""
    paths = {t.mutant.field.path for t in judged(page).trials}
    assert paths == {"$.rate", "$"}


def test_an_assertion_that_something_is_absent_is_not_called_idle():
    page = """
  page:
    get: /page
    assert:
      - {path: $.workers, length: {eq: 2}, name: two}
      - {path: "$.workers[?(@.lost > 0)]", absent: true, name: none lost}
"""
    found = judged(page)
    assert "none lost" not in [v.name for v in found.idle]


def test_what_failed_before_is_said_and_not_called_idle():
    found = judged(seen=recording(after={**AFTER, "total": 8}))
    assert [v.name for v in found.broken] == ["counted"]
    assert "counted" not in [v.name for v in found.idle]


def test_a_skipped_assertion_is_neither_idle_nor_unasked():
    skipped = "\n      - {path: $.rate, gt: 0, name: later, skip: not yet}"
    found = judged(COUNTS + skipped)
    assert not [v for v in (*found.idle, *found.unasked) if v.name == "later"]


def test_the_value_before_is_broken_only_where_a_change_is_asked():
    page = "  page: {get: /page, assert: [{path: $.total, eq: 7, name: still}]}"
    phases = {trial.mutant.field.phase for trial in judged(page).trials}
    assert phases == {Phase.AFTER}
    assert Phase.BEFORE in {trial.mutant.field.phase for trial in judged().trials}


def test_a_value_over_the_samples_is_broken_in_all_of_them():
    page = """
  page:
    get: /page
    during: {every: 1s}
    assert:
      - {path: $.active, over: during, max: {between: [1, 5]}, name: active}
"""
    seen = recording(during=({"active": 0}, {"active": 3}, {"active": 2}))
    found = judged(page, seen)
    assert {t.mutant.mutation for t in found.trials if t.mutant.edits} == {
        "null", "zero", "negate"
    }  # fmt: skip
    assert found.share == 1


def test_a_json_page_with_nan_is_unreadable_and_counts_once():
    (nan,) = [t for t in judged().trials if t.mutant.mutation == "NaN"]
    assert nan.mutant.field.path == "$"
    assert nan.caught_by == ("reachable",)


def test_everything_on_the_page_can_be_broken():
    page = "  page: {get: /page, assert: [{path: $.total, eq: 7, name: total}]}"
    seen = recording(after=UNASKED)
    assert [f.path for f in judged(page, seen).unnamed] == [
        "$.more.a",
        "$.more.b[0]",
        "$.more.b[1]",
    ]
    found = survivors(judged(page, seen, everything=True))
    assert {path for path, _ in found} == {"$.more.a", "$.more.b[0]", "$.more.b[1]"}


def test_an_expression_is_broken_by_each_of_its_names():
    page = """
  page:
    get: /page
    assert:
      - name: related
        expr: delta(a) == load.ok and b > 0 and before(c) == 0
        let: {a: $.total, b: $.rate, c: $.rate}
"""
    found = judged(page)
    paths = {(t.mutant.field.path, t.mutant.field.phase.value) for t in found.trials}
    assert paths == {
        ("$.total", "before"), ("$.total", "after"), ("$.rate", "after"), ("$", "after")
    }  # fmt: skip


PROMETHEUS = """# HELP asked_total Requests.
# TYPE asked_total counter
asked_total{model="a"} 7
asked_total{model="b"} 3
# HELP wait_seconds Waiting.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="1"} 4
wait_seconds_bucket{le="+Inf"} 6
wait_seconds_sum 5.5
wait_seconds_count 6
"""


def prometheus(text):
    return DECODERS["prometheus"](Payload(text.encode(), "text/plain; version=0.0.4"), 100)


def of_prometheus(*assertions):
    lines = "".join(f"\n      - {a}" for a in assertions)
    page = f"  page:\n    get: /page\n    format: prometheus\n    assert:{lines}"
    before = PROMETHEUS.replace(" 7\n", " 2\n").replace('model="b"} 3', 'model="b"} 3')
    return judged(page, recording(prometheus(before), prometheus(PROMETHEUS)))


def test_samples_are_broken_series_by_series():
    found = of_prometheus("{metric: asked_total, type: integer, name: counted}")
    tried_ones = {(t.mutant.field.path, t.mutant.mutation) for t in found.trials}
    assert ('asked_total{model="a"}', "NaN") in tried_ones
    assert ('asked_total{model="a"}', "freeze") in tried_ones
    assert not [m for _, m in tried_ones if m in ("null", "stringify")]
    assert "drop" in survivors(found)['asked_total{model="b"}', "after"]
    counted = of_prometheus("{metric: asked_total, sum: {delta: {eq: 5}}, name: counted}")
    assert {m for names in survivors(counted).values() for m in names} <= {"drop", "swap"}


def test_a_broken_sample_that_breaks_a_rule_of_the_format_is_seen_by_conforms():
    count = "{metric: wait_seconds_count, type: integer, name: counted}"
    alone = survivors(of_prometheus(count))
    assert "+1" in alone["wait_seconds_count", "after"]
    both = of_prometheus(count, "{conforms: prometheus, name: conforms}")
    assert not survivors(both)  # +Inf is no longer the count
    assert "conforms" not in [v.name for v in both.idle]


def test_conforms_is_not_called_idle_for_values_it_is_not_about():
    found = of_prometheus(
        "{metric: wait_seconds_sum, delta: {eq: 0}, name: still}",
        "{conforms: prometheus-naming, name: conforms}",
    )
    assert not found.idle
    assert [v.name for v in found.unasked] == ["conforms"]


TABLE = [{"queue": "a", "waiting": 1}, {"queue": "b", "waiting": 2}]


def test_cells_of_a_table_are_broken_and_a_column_goes_once():
    page = """
  page:
    get: /page
    format: csv
    assert:
      - {path: "$[*].waiting", each: {type: integer, ge: 0}, name: waiting}
"""
    found = judged(page, recording(TABLE, TABLE))
    dropped = [t for t in found.trials if t.mutant.mutation == "drop"]
    assert len(dropped) == 1
    assert dropped[0].caught_by
    assert not [t for t in found.trials if t.mutant.mutation == "stringify"]
    nan = [t for t in found.trials if t.mutant.mutation == "NaN"]
    assert len(nan) == 2
    assert all(t.caught_by for t in nan)


def test_only_what_a_mutant_concerns_is_judged_and_nothing_else_changes(recorded):
    """The short way says of every mutant what judging the whole spec again says."""
    from validator import load_spec
    from validator.bundled import located

    dashboard = load_spec(located(("fakeai/dashboard",))[0])
    seen = read_recording(recorded.file)
    (around,) = seen.rounds
    truth = evaluate(dashboard, [around], TODAY)
    breeder = Breeder(dashboard, around.observations)
    trials = tried(dashboard, seen, TODAY, most=150, seed=1).trials
    assert len(trials) == 150
    for trial in trials:
        broken = replace(around, observations=breeder.seen_instead(trial.mutant))
        now = evaluate(dashboard, [broken], TODAY)
        changed = [
            was.name
            for was, after in zip(truth, now, strict=True)
            if (was.status, was.vacuous) != (after.status, after.vacuous)
        ]
        if trial.mutant.edits:
            assert list(trial.caught_by) == changed, trial.mutant
        else:
            assert set(trial.caught_by) <= set(changed)


def test_of_several_loads_each_is_broken_by_itself_and_all_together():
    loads = "".join(
        f"  {name}: {{driver: http, path: /s, requests: 5, ok: $.id}}\n" for name in ("a", "b")
    )
    endpoints = """
  page:
    get: /page
    load: a
    assert:
      - {path: $.total, delta: {eq: 5}, name: right}
      - {path: $.total, delta: {ge: 0}, load: b, name: weak}
  same:
    get: /page
    assert:
      - {path: $.total, delta: {eq: 10}, name: together}
"""
    asked = spec("http://localhost", endpoints, load=f"loads:\n{loads}")

    def seen(total):
        return {name: Snapshot(name, {"total": total}, status=200) for name in ("page", "same")}

    rounds = (
        Round("a", LEDGER, Observations(seen(2), seen(7))),
        Round("b", LEDGER, Observations(seen(7), seen(12))),
    )
    started = "2026-01-01T00:00:00+00:00"
    outcome = tried(asked, Recording("t", "s", "u", started, rounds=rounds), TODAY)
    caught = {(t.mutant.field.load, t.mutant.mutation): t.caught_by for t in outcome.trials}
    assert caught["a", "+1"] == ("right",)
    assert caught["b", "+1"] == ()
    assert caught["b", "drop"] == ("weak",)
    assert caught["", "+1"] == ("together",)
    assert caught["a", "NaN"] == caught["", "NaN"] == ("reachable",)
    assert ("b", "NaN") not in caught
    (survivor,) = document(asked, "r", outcome, seed=0)["survivors"][:1]
    assert survivor["load"] == "b"
    assert "+1 (after b)" in text(asked, outcome, 80)


# How much is tried


def test_a_sample_is_the_same_for_the_same_seed_and_says_what_it_leaves_out():
    whole = judged()
    some, again = judged(most=10, seed=7), judged(most=10, seed=7)
    other = judged(most=10, seed=8)
    assert [t.mutant for t in some.trials] == [t.mutant for t in again.trials]
    assert [t.mutant for t in some.trials] != [t.mutant for t in other.trials]
    assert len(some.trials) == 10
    assert some.left_out == len(whole.trials) - 10


def test_of_more_values_than_that_only_a_sample_is_broken_and_the_rest_is_counted():
    page = '  page: {get: /page, assert: [{path: "$.n[*]", each: {type: integer}, name: all}]}'
    seen = recording(after={"n": list(range(1000))})
    found = judged(page, seen, most=20, seed=3)
    assert len(found.trials) == 20
    assert found.unbroken == 980
    assert "980 values were left alone" in text(spec("http://localhost", page), found, 100)


def test_no_mutant_is_tried_once_time_is_up():
    found = judged(go_on=lambda: False)
    assert not found.trials
    assert found.left_out == len(judged().trials)
    assert found.share is None


# What people and programs read


@pytest.mark.parametrize(
    "caught, total, said",
    [(0, 0, "no mutant"), (1, 2, "50 %"), (9497, 10000, "94.9 %"), (999999, 1000000, "99.9 %")],
)
def test_a_share_is_never_rounded_up(caught, total, said):
    trial = judged().trials[0]
    good, bad = replace(trial, caught_by=("x",)), replace(trial, caught_by=())
    assert share(Outcome([good] * caught + [bad] * (total - caught))) == said


def test_the_text_fits_the_terminal_and_says_what_lives():
    outcome = judged()
    shown = text(spec("http://localhost", COUNTS), outcome, 80)
    assert f"{outcome.caught} of {len(outcome.trials)} mutants caught" in shown
    assert "$.rate" in shown
    assert "no error" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_spec_that_names_nothing_says_so():
    page = "  page: {get: /page, assert: [{path: $.other, absent: true, name: other}]}"
    outcome = judged(page, recording(after=[]))
    shown = text(spec("http://localhost", page), replace_trials(outcome), 80)
    assert "no mutant" in shown


def replace_trials(outcome):
    outcome.trials = []
    return outcome


def test_the_document_lists_every_survivor():
    outcome = judged()
    found = document(spec("http://localhost", COUNTS), "run.json", outcome, seed=0)
    assert json.loads(json.dumps(found)) == found
    assert (
        found["caught"] + sum(len(s["mutations"]) for s in found["survivors"]) == found["mutants"]
    )
    assert found["nothing_broken"][0]["name"] == "no error"


# The command line


def mutate(*arguments, **options):
    return validator("mutate", *arguments, **options)


def test_the_verb_breaks_a_recorded_run(recorded, tmp_path):
    file = tmp_path / "mutants.json"
    done = mutate("fakeai/dashboard", "--replay", recorded.file, "--json", file)
    assert done.returncode == 0, done.stderr
    assert "mutants caught" in done.stdout
    found = json.loads(file.read_text())
    assert found["by_mutation"]["drop"]["caught"] == found["by_mutation"]["drop"]["mutants"] > 20
    piped = mutate("fakeai/dashboard", "--replay", recorded.file, "--json", "-")
    assert json.loads(piped.stdout) == found


def test_the_exit_code_says_whether_enough_is_caught(recorded):
    run = ("fakeai/dashboard", "--replay", recorded.file, "--at-least")
    assert mutate(*run, "10").returncode == 0
    done = mutate(*run, "99.99")
    assert done.returncode == 1
    assert "FAILED" in done.stderr


@pytest.mark.parametrize(
    "flags, said",
    [
        ((), "--replay FILE"),
        (("--demo", "--replay", "x"), "give one of"),
        (("--replay", "missing.json"), "No such file"),
        (("--replay", __file__), "not a recording"),
        (("--replay", "R", "--within", "5"), "expected a duration"),
        (("--replay", "R", "--limit", "0"), "not in the range"),
        (("--replay", "R", "--at-least", "101"), "not in the range"),
        (("--replay", "R", "--json", "/nowhere/x.json"), "there is no folder"),
    ],
)
def test_bad_calls_say_what_is_wrong(recorded, flags, said):
    arguments = [str(recorded.file) if f == "R" else f for f in flags]
    with pytest.raises((UsageError, click.UsageError)) as refused:
        VERBS["mutate"].main(["fakeai/dashboard", *arguments], standalone_mode=False)
    assert said in str(refused.value)


def test_a_recording_of_another_spec_is_refused(recorded):
    done = mutate("fakeai/health", "--replay", recorded.file)
    assert done.returncode == 2
    assert "a recording of another spec" in done.stderr
