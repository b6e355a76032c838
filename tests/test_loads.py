"""Several loads, one after another: each has its own books, and all of them together too."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from datetime import date

import command_line
import jsonschema
import pytest
from command_line import validator
from demo_process import ROOT, demo
from hostile_http import hostile, never, reply
from scripted_server import SETTLE, document

from validator import Overrides, Status, UsageError, conclude, parse, recording
from validator.evaluate import evaluate
from validator.records.observation import Observations, Snapshot
from validator.records.recording import Recording, Round
from validator.reporters import REPORTERS
from validator.run import run
from validator.schema import report_schema

LOADS = """
loads:
  first: {driver: http, path: /first, requests: 3, ok: $.id}
  second: {driver: http, path: /second, requests: 4, concurrency: 2, ok: $.id}
"""
ENDPOINTS = """
  alone:
    get: /counts
    load: first
    assert:
      - {path: $.first, delta: {eq: "${load.ok}"}}
      - {path: $.first, delta: {eq: 3}, load: second, name: not counted again}
      - {path: $.second, delta: {eq: "${load.second.ok}"}, load: second}
  together:
    get: /counts
    assert:
      - {path: $.total, delta: {eq: 7}}
      - {path: $.total, over: before, eq: 0}
"""


def spec(url="http://127.0.0.1:9", endpoints=ENDPOINTS, *, loads=LOADS, more=""):
    head = f"version: 1\ntitle: several\ntarget: {{url: '{url}'}}\n{SETTLE}\n"
    text = f"{head}{loads}\n{more}\nendpoints:\n{endpoints}"
    return parse(text, "several.yaml", Overrides(environment={}))


class Counts:
    """Counts what each path was asked, `late` seconds behind."""

    def __init__(self, late=0.0):
        self.ended = Counter()
        self.late = late

    def page(self):
        known = {name: self.ended[name] for name in ("first", "second")}
        return {**known, "total": sum(known.values())}

    def counting(self, name, answer=b'{"id": 1}', status=200):
        async def script(writer):
            await reply(answer, status=status)(writer)
            asyncio.get_running_loop().call_later(self.late, self.ended.update, [name])

        return script


async def seen(counts=None, endpoints=ENDPOINTS, interrupt=None, scripts=None, **options):
    """Return the spec, what a run of it saw, and the server it ran against."""
    counts = counts or Counts()
    pages = {
        "/first": counts.counting("first"),
        "/second": counts.counting("second"),
        "/counts": document(counts.page),
        **(scripts or {}),
    }
    async with hostile(pages) as server:
        asked = spec(server.url, endpoints, **options)
        return asked, await run(asked, interrupt=interrupt), server


def judged(*arguments, **options):
    asked, found, _ = asyncio.run(seen(*arguments, **options))
    return conclude(asked, found)


def named(report):
    return {v.name: v for v in report.verdicts if v.name != "reachable"}


# Whole runs


def test_each_load_is_judged_by_what_was_seen_around_it_and_all_by_what_was_seen_around_all():
    report = judged()
    found = named(report)
    assert found["first: change of first"].status is Status.PASS
    assert found["first: change of first"].actual == "+3 (0 → 3)"
    assert found["not counted again"].status is Status.FAIL
    assert found["not counted again"].actual == "+0 (3 → 3)"
    assert found["not counted again"].load == "second"
    assert found["second: change of second"].actual == "+4 (0 → 4)"
    assert found["change of total"].actual == "+7 (0 → 7)"
    assert found["change of total"].load == ""
    assert found["total"].status is Status.PASS
    assert report.load is None
    assert {name: ledger["ok"] for name, ledger in report.loads.items()} == {
        "first": 3,
        "second": 4,
    }


def test_what_a_load_does_not_move_is_unchanged_while_its_own_requests_succeeded():
    assert named(judged())["not counted again"].note == "unchanged while 4 requests succeeded"


def test_the_requests_of_a_load_are_all_over_before_the_next_begins():
    _, _, server = asyncio.run(seen())
    sent = [r.path for r in server.requests if r.path != "/counts"]
    assert sent == ["/first"] * 3 + ["/second"] * 4


def test_a_load_without_a_success_fails_the_run_and_blames_no_other():
    broken = {"/second": reply(b"{}", status=500)}
    report = judged(endpoints="  s: {get: /counts}", scripts=broken)
    sections = {(v.section, v.name): v for v in report.verdicts}
    assert sections["load first", "success_rate"].status is Status.PASS
    assert sections["load first", "some request succeeded"].status is Status.PASS
    assert sections["load second", "success_rate"].status is Status.FAIL
    assert sections["load second", "some request succeeded"].status is Status.FAIL
    assert "4 × status_500" in sections["load second", "success_rate"].note
    assert report.exit_code == 1


def test_each_load_has_assertions_of_its_own():
    loads = LOADS.replace("ok: $.id}", "ok: $.id, assert: [{path: $.sent, eq: 3}]}")
    report = judged(endpoints="  s: {get: /counts}", loads=loads)
    found = {v.section: v.status for v in report.verdicts if v.name == "sent"}
    assert found == {"load first": Status.PASS, "load second": Status.FAIL}


def test_settling_waits_for_what_a_load_moves_before_the_next_begins():
    report = judged(Counts(late=0.4))
    found = named(report)
    assert found["first: change of first"].actual == "+3 (0 → 3)"
    assert found["not counted again"].actual == "+0 (3 → 3)"
    assert found["change of total"].actual == "+7 (0 → 7)"


def test_settling_waits_for_nothing_that_only_a_later_load_can_make_true():
    endpoints = """
  counts:
    get: /counts
    assert:
      - {path: $.total, delta: {eq: 7}, name: all}
      - {path: $.first, delta: {lt: "${load.second.ok}"}, load: first, name: compared}
      - expr: delta(first) < load.second.ok
        name: related
        load: first
        let: {first: $.first}
"""
    report = judged(endpoints=endpoints)
    assert {v.status for v in report.verdicts} == {Status.PASS}
    assert report.remarks == ()
    assert report.settled is not None
    assert report.settled.settled


def test_what_is_not_asked_after_a_load_is_not_polled_after_it():
    endpoints = "  counts: {get: /counts, assert: [{path: $.total, delta: {eq: 7}}]}"
    _, _, server = asyncio.run(seen(endpoints=endpoints))
    paths = [r.path for r in server.requests]
    between = paths[paths.index("/second") - 2 : paths.index("/second")]
    assert between == ["/counts", "/counts"]  # after the first, and before the second
    assert paths[: paths.index("/second")].count("/counts") == 3


def test_an_endpoint_read_last_is_read_once_after_the_last_load():
    endpoints = "  late: {get: /counts, read: last, load: second, assert: [{path: $.total, eq: 7}]}"
    asked, found, server = asyncio.run(seen(endpoints=endpoints))
    assert [r.path for r in server.requests].index("/counts") == 7
    assert len(server.requests) == 8
    assert conclude(asked, found).exit_code == 0


def test_each_load_is_sampled_by_itself():
    endpoints = """
  counts:
    get: /counts
    during: {every: 10ms}
    assert:
      - {path: $.second, over: during, max: {eq: 0}, load: first, name: first}
      - {path: $.first, over: during, min: {eq: 3}, load: second, name: second}
      - {path: $.total, over: during, min: {eq: 0}, name: all}
"""
    assert {v.status for v in judged(endpoints=endpoints).verdicts} == {Status.PASS}


def test_an_endpoint_is_reachable_as_far_as_its_own_load_goes():
    counts = Counts()

    async def page(writer):
        status = 200 if counts.ended["first"] < 3 else 503
        await reply(json.dumps(counts.page()).encode(), status=status)(writer)

    endpoints = """
  own: {get: /page, load: second, assert: [{path: $.total, ge: 0, over: before}]}
  all: {get: /page, assert: [{path: $.total, eq: 0, over: before}]}
"""
    report = judged(counts, endpoints=endpoints, scripts={"/page": page})
    reachable = {v.endpoint: v for v in report.verdicts if v.name == "reachable"}
    assert reachable["own"].load == "second"
    assert reachable["own"].note == ""
    assert reachable["all"].note == "after first"
    assert {v.status for v in reachable.values()} == {Status.FAIL}
    assert named(report)["second: total"].status is Status.ERROR
    assert named(report)["total"].status is Status.PASS


# Cut short


def interrupted(**options):
    """Interrupt a run while its second load hangs."""

    async def once():
        stop = asyncio.Event()

        async def hang(writer):
            stop.set()
            await never()(writer)

        return await asyncio.wait_for(
            seen(scripts={"/second": hang}, interrupt=stop, **options), 20
        )

    asked, found, _ = asyncio.run(once())
    return asked, found, conclude(asked, found)


def test_interrupted_in_the_second_load_the_first_is_judged_in_full():
    _, _, report = interrupted()
    assert report.exit_code == 130
    assert report.loads["second"]["outcomes"] == {"ok": 0, "interrupted": 2}
    found = {(v.section, v.name): v for v in report.verdicts}
    assert found["load first", "success_rate"].status is Status.PASS
    assert found["alone", "reachable"].status is Status.PASS
    assert found["alone", "first: change of first"].status is Status.PASS
    assert found["load second", "success_rate"].status is Status.ERROR
    assert found["load second", "success_rate"].note.startswith("the load was interrupted")
    for name in ("not counted again", "second: change of second"):
        assert found["alone", name].status is Status.ERROR
        assert "(interrupted)" in found["alone", name].actual
    assert found["together", "change of total"].status is Status.ERROR
    assert found["together", "total"].status is Status.PASS


def test_a_first_load_that_failed_is_a_failure_whatever_was_interrupted_later():
    loads = LOADS.replace("/first, requests: 3", "/missing, requests: 3")
    _, _, report = interrupted(loads=loads)
    found = {(v.section, v.name): v.status for v in report.verdicts}
    assert found["load first", "success_rate"] is Status.FAIL
    assert found["load second", "success_rate"] is Status.ERROR


def test_a_load_that_never_began_is_an_error_and_has_no_ledger():
    loads = f"{LOADS}  third: {{driver: http, path: /third, requests: 1, ok: $.id}}"
    endpoints = """
  s:
    get: /counts
    assert:
      - {path: $.total, over: before, ge: 0, load: third, name: unseen}
      - {path: $.total, over: before, lt: "${load.third.sent}", name: unknown}
"""
    _, seen_, report = interrupted(loads=loads, endpoints=endpoints)
    assert report.loads["third"] is None
    found = {(v.section, v.name): v for v in report.verdicts}
    assert found["load third", "success_rate"].status is Status.ERROR
    assert found["load third", "success_rate"].note == "the load was not sent"
    assert found["s", "unseen"].status is Status.ERROR
    assert found["s", "unknown"].status is Status.ERROR
    assert found["s", "unknown"].note == "load.third.sent is unknown: third was not sent"
    again = recording._recording(json.loads(recording.written(seen_)))
    assert again == seen_


def test_the_time_for_the_whole_run_is_for_all_loads():
    report = judged(scripts={"/second": never()}, more="timeout: 2s")
    assert report.interrupted == "run timeout"
    assert report.exit_code == 1
    assert named(report)["first: change of first"].status is Status.PASS


# Flags


@pytest.fixture(scope="module")
def demo_url():
    with demo() as url:
        yield url


EXAMPLE = ROOT / "examples" / "11-loads.yaml"


def test_flags_are_for_every_load_and_a_key_of_one_is_for_that_one(demo_url):
    done = validator(
        "run", EXAMPLE, "--url", demo_url, "--requests", "4", "--concurrency", "2",
        "--set", "loads.plain.requests=6", "--set", "load.max_tokens=3", "--report", "json",
    )  # fmt: skip
    loads = command_line.report(done)["loads"]
    assert done.returncode == 0, done.stderr
    assert {name: one["sent"] for name, one in loads.items()} == {"streams": 4, "plain": 6}
    assert {one["in_flight_max"] for one in loads.values()} == {2}
    assert loads["streams"]["tokens"]["completion"] == 4 * 3
    assert loads["plain"]["tokens"]["completion"] == 6 * 3


def test_who_waits_is_told_which_load_is_sent(demo_url):
    done = validator("run", EXAMPLE, "--url", demo_url, "--requests", "10")
    lines = done.stderr.splitlines()
    for load in ("streams", "plain"):
        at = lines.index(f"{load}: sending the load")
        assert lines.index(f"{load}: looking before the load") < at
        assert lines.index(f"{load}: looking after the load") > at
        assert lines[at + 10].startswith(f"  100 % 10/10 {load} ")


@pytest.mark.parametrize(
    "flag,said",
    [
        ("loads.plian.requests=5", "the spec has no load 'plian' (did you mean 'plain'?)"),
        ("loads.plain.requests=many", "error: --set loads.plain.requests: requests: expected"),
        ("load.requests=many", "error: --set load.requests: requests: expected"),
        ("load.request=5", "unknown key 'request'"),
    ],
)
def test_a_flag_for_no_load_or_no_key_is_refused_once(flag, said):
    done = validator("run", EXAMPLE, "--set", flag)
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1
    assert said in done.stderr


def test_loads_cannot_be_set_where_there_are_none():
    done = validator("run", ROOT / "examples" / "01-first.yaml", "--set", "loads.a.requests=1")
    assert done.returncode == 2
    assert "the spec has no loads: block" in done.stderr


def test_a_lie_about_one_load_is_not_blamed_on_the_other():
    with demo("uncounted-streams") as url:
        done = validator(
            "run", EXAMPLE, "--url", url, "--set", "settle.within=500ms", "--report", "json"
        )
    assert set(command_line.bad(command_line.report(done))) == {
        "dynamo: streams: change of summary.total_requests",
        "across: both loads together",
    }


# Judged from data alone


def snapshot(value, taken=0.0):
    return Snapshot("s", {"n": value}, status=200, taken=taken)


def around(load, before, after, ledger, samples=()):
    during = {"s": tuple(snapshot(n) for n in samples)}
    found = Observations({"s": snapshot(before)}, {"s": snapshot(after)}, during)
    return Round(load, ledger, found)


FIRST = {"sent": 5, "ok": 5, "duration_s": 2.0}
SECOND = {"sent": 30, "ok": 30, "duration_s": 3.0}
ROUNDS = (around("first", 10, 15, FIRST, (12, 14)), around("second", 20, 50, SECOND, (30, 45)))


def decided(assertion, rounds=ROUNDS):
    asked = spec(endpoints=f"  s: {{get: /s, during: {{every: 1s}}, assert: [{assertion}]}}")
    found = evaluate(asked, rounds, date(2026, 1, 1))
    (one,) = [v for v in found if v.section == "s" and v.name != "reachable"]
    return one


@pytest.mark.parametrize(
    "assertion,actual",
    [
        ("{path: $.n, delta: {eq: 5}, load: first}", "+5 (10 → 15)"),
        ("{path: $.n, delta: {eq: 30}, load: second}", "+30 (20 → 50)"),
        ("{path: $.n, delta: {eq: 40}}", "+40 (10 → 50)"),
        ("{path: $.n, eq: 15, load: first}", "15"),
        ("{path: $.n, eq: 50}", "50"),
        ("{path: $.n, eq: 20, over: before, load: second}", "20"),
        ("{path: $.n, eq: 10, over: before}", "10"),
        ("{path: $.n, rate: {eq: 2.5}, load: first}", "+2.5 (10 → 15)"),
        ("{path: $.n, rate: {eq: 10}, load: second}", "+10 (20 → 50)"),
        ("{path: $.n, rate: {eq: 8}}", "+8 (10 → 50)"),
        ("{path: $.n, over: during, max: {eq: 14}, load: first}", "max 14"),
        ("{path: $.n, over: during, min: {eq: 30}, load: second}", "min 30"),
        ("{path: $.n, over: during, mean: {eq: 25.25}}", "mean 25.25"),
        ('{path: $.n, delta: {eq: "${load.ok}"}, load: first}', "+5 (10 → 15)"),
        ('{path: $.n, delta: {eq: "${load.second.sent}"}, load: second}', "+30 (20 → 50)"),
        ('{path: $.n, gt: "${load.first.ok}", load: second}', "50"),
        ('{path: $.n, ge: "${load.second.ok}"}', "50"),
        ("{expr: delta(n) == load.ok, load: second, let: {n: $.n}}", "delta(n) 30, load.ok 30"),
        (
            "{expr: delta(n) > load.first.ok + load.second.ok, let: {n: $.n}}",
            "delta(n) 40, load.first.ok 5, load.second.ok 30",
        ),
        ("{expr: before(n) == load.ok + 15, load: second, let: {n: $.n}}", None),
    ],
)
def test_an_assertion_sees_the_load_that_it_names_or_all_of_them(assertion, actual):
    one = decided(assertion)
    if actual is None:
        assert one.status is Status.FAIL
    else:
        assert (one.status, one.actual) == (Status.PASS, actual)


def test_a_rate_over_all_loads_is_undecided_when_one_was_not_sent():
    one = decided("{path: $.n, rate: {gt: 0}}", (ROUNDS[0], around("second", 20, 20, None)))
    assert one.status is Status.ERROR


def test_a_pass_is_vacuous_when_its_own_load_could_not_make_it_fail():
    still = (around("first", 10, 10, FIRST), ROUNDS[1])
    assert decided("{path: $.n, delta: {ge: 0}, load: first}", still).vacuous
    assert not decided("{path: $.n, delta: {ge: 0}, load: second}", still).vacuous


def test_skipped_and_announced_failures_keep_their_load():
    skipped = decided("{path: $.n, eq: 0, load: first, skip: later}")
    announced = decided("{path: $.n, eq: 0, load: second, xfail: {reason: known}}")
    assert (skipped.status, skipped.load) == (Status.SKIP, "first")
    assert (announced.status, announced.load) == (Status.XFAIL, "second")


# Recorded and reported


def recorded(rounds=ROUNDS):
    return Recording("t", "t.yaml", "http://a", "2026-11-23T00:00:00+00:00", rounds=rounds)


def test_a_replay_gives_the_same_report(tmp_path):
    asked, found, _ = asyncio.run(seen())
    file = tmp_path / "run.json"
    file.write_text(recording.written(found))
    again = conclude(asked, recording.read(file))
    assert again == conclude(asked, found)
    assert list(again.loads) == ["first", "second"]


def test_one_of_the_recorded_loads_can_be_judged_alone():
    one = spec(
        endpoints="  s: {get: /s, assert: [{path: $.n, delta: {eq: '${load.ok}'}}]}",
        loads="loads: {second: {driver: http, path: /s, requests: 1, ok: $.id}}",
    )
    report = conclude(one, recorded())
    assert named(report)["change of n"].actual == "+30 (20 → 50)"
    assert list(report.loads) == ["second"]


@pytest.mark.parametrize(
    "loads,rounds,said",
    [
        (LOADS, (Round(),), "has one load without a name, and the spec the loads first, second"),
        (LOADS.replace("second", "third"), ROUNDS, "the loads first, second, and the spec the"),
        (
            "load: {driver: http, path: /s, requests: 1, ok: $.id}",
            ROUNDS,
            "has the loads first, second, and the spec one load without a name",
        ),
    ],
)
def test_a_recording_of_other_loads_is_refused(loads, rounds, said):
    endpoints = "  s: {get: /s, assert: [{path: $.n, ge: 0}]}"
    with pytest.raises(UsageError, match=said):
        conclude(spec(endpoints=endpoints, loads=loads), recorded(rounds))


def test_a_spec_without_a_load_is_judged_by_what_was_last_seen():
    alone = spec(endpoints="  s: {get: /s, assert: [{path: $.n, eq: 50}]}", loads="")
    assert conclude(alone, recorded()).exit_code == 0


def test_every_report_says_which_load():
    report = judged()
    document_ = json.loads(REPORTERS["json"]([report]))
    jsonschema.validate(document_, json.loads(report_schema()))
    assert document_["load"] is None
    assert {name: one["sent"] for name, one in document_["loads"].items()} == {
        "first": 3,
        "second": 4,
    }
    loads = {v["name"]: v["load"] for v in document_["verdicts"]}
    assert loads["not counted again"] == "second"
    assert loads["change of total"] is None
    rows = list(csv.DictReader(io.StringIO(REPORTERS["csv"]([report]))))
    assert {row["name"]: row["load"] for row in rows}["not counted again"] == "second"
    text = REPORTERS["table"]([report])
    for said in ("3 of 3 succeeded", "4 of 4 succeeded", "Load first  2 of 2 passed"):
        assert said in text
    assert "Pass rates  Load first 2/2, Load second 2/2, alone 3/4, together 3/3" in text
