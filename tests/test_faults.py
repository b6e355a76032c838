"""Every fault of the demo server turns exactly the verdicts red that are about it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from command_line import bad, report, validator
from demo_process import demo

from validator import Overrides, Report, Setting, Severity, Status, conclude, load_spec
from validator.bundled import located
from validator.demo import FAULTS, SPEC
from validator.run import run as watched

REQUESTS = 20
AT_ONCE = 4
SETTLE = "1500ms"
LATE = "late-counters"
"""The one fault that is no lie; it needs the default patience."""
HONEST = ""

# Verdicts that several faults turn bad.

TOTAL = "dynamo: summary.total_requests"
COUNTED = "dynamo: every streamed request is counted"
SUCCESSES = "dynamo: every success is counted"
FAILURES = "dynamo: every failure is counted"
IDLE = "dynamo: nothing is active after the load"
SUM = "dynamo: total = successful + failed + active"
TTFT = "dynamo: latency.ttft.avg"
PERCENTILES = "dynamo: the percentiles of each latency are ordered"
FIRST_TOKEN = "dynamo: the first token comes after queue and prefill"
NOT_LATER = "dynamo: TTFT is no later than the client saw it"
RATE = "dynamo: throughput.requests_per_second"
TOKENS_RATE = "dynamo: throughput.tokens_per_second"
HALVES = "dynamo: half of each latency is more than nothing"
MADE_UP = "dynamo: the first token and decode make up the total"
TOKEN_TIME = "dynamo: a token takes time, and less than its whole answer"
NOT_LONGER = "dynamo: no latency is longer than the client saw one"
NOT_SLOWER = "dynamo: no slower than the client saw it"
UNDER_WAY = "dynamo: no more requests are answered a second than can be under way"
BREAKDOWN = "dynamo: latency_breakdown"
LIFECYCLES = "dynamo: request_lifecycles"
PER_MODEL = "dynamo: per_model"
EACH_MODEL = "dynamo: per_model[*].requests"
MODEL_COUNTED = "dynamo: every request is counted under its model"
WORKERS = "dynamo: worker_stats.workers"
EACH_WORKER = "dynamo: worker_stats.workers[*].total_requests"
TAKEN = "dynamo: the workers together took every request"

HITS = "kv_cache: hits and misses account for every request"
HIT_RATE = "kv_cache: the hit rate is hits ÷ (hits + misses)"
PROMPT_TOKENS = "kv_cache: every prompt token is processed"
LOOKUPS = "kv_cache: change of cache_performance.total_requests"
MISSES = "kv_cache: change of cache_performance.cache_misses"
SAVED = "kv_cache: change of cache_performance.tokens_saved"
FOUR = "kv_cache: all 4 workers"
STATISTICS = "kv_cache: statistics of each worker"
ROUTED = "kv_cache: the router sent every request to a worker"
NO_WORKER_ACTIVE = "kv_cache: no worker is active after the load"
WORKERS_TOKENS = "kv_cache: the workers together processed every token"
TOTAL_ROUTED = "kv_cache: change of smart_router.total_routed"
BLOCKS = "kv_cache: smart_router.workers[*].cached_blocks"
TREE = "kv_cache: the tree holds the blocks of the workers"

SUCCESS_RATE = "load: at least 90 % of the requests succeed"
SOME = "load: some request succeeded"

INVISIBLE = {
    TOTAL, COUNTED, SUCCESSES, TTFT, RATE, BREAKDOWN, LIFECYCLES, PER_MODEL, EACH_MODEL,
    MODEL_COUNTED, TOKENS_RATE, HALVES, TOKEN_TIME,
}  # fmt: skip
"""What a page without our requests shows."""

NOTHING_SUCCEEDED = {
    SUCCESS_RATE, SOME, TTFT, NOT_LATER, RATE, BREAKDOWN, HITS, PROMPT_TOKENS, LOOKUPS, MISSES,
    SAVED, ROUTED, WORKERS_TOKENS, TOTAL_ROUTED, TOKENS_RATE, HALVES, TOKEN_TIME, NOT_LONGER,
    NOT_SLOWER,
}  # fmt: skip
"""What is bad when every request fails: there are no samples, and nothing passes on none."""

BAD: dict[str, set[str]] = {
    # The numbers
    "uncounted-streams": INVISIBLE,
    "frozen-counter": {TOTAL, COUNTED, SUM},
    "prefilled-counter": {COUNTED, SUM},
    "swapped-percentiles": {PERCENTILES},
    "leaked-active": {IDLE, SUM},
    "zero-ttft": {TTFT, FIRST_TOKEN, HALVES, MADE_UP},
    "role-chunk-ttft": {FIRST_TOKEN, MADE_UP},
    "double-count": {COUNTED, SUM},
    "off-by-one": {TOTAL, COUNTED, SUM},
    "backwards-counter": {TOTAL, COUNTED, SUCCESSES, MODEL_COUNTED},
    "endless-counter": {COUNTED, SUM},
    "lost-errors": {TOTAL, COUNTED, FAILURES, TAKEN},
    "constant-hit-rate": {HIT_RATE},
    "hits-miscounted": {HITS, HIT_RATE},
    LATE: set(),
    # The form
    "missing-field": {TOTAL, COUNTED, SUM},
    "wrong-type": {RATE, UNDER_WAY, NOT_LONGER, NOT_SLOWER},
    "null-latency": {TTFT, PERCENTILES, FIRST_TOKEN, NOT_LATER, MADE_UP},
    "stale-snapshot": INVISIBLE | {TAKEN},
    "empty-workers": {
        WORKERS, EACH_WORKER, TAKEN, FOUR, STATISTICS, ROUTED, NO_WORKER_ACTIVE, WORKERS_TOKENS,
        BLOCKS, TREE,
    },
    "three-workers": {WORKERS, TAKEN, FOUR, ROUTED, WORKERS_TOKENS, TREE},
    # The load: the books are true, and the load is what is wrong
    "empty-streams": NOTHING_SUCCEEDED,
    "truncated-streams": NOTHING_SUCCEEDED,
    "error-in-stream": NOTHING_SUCCEEDED,
    "rate-limited": {SUCCESS_RATE, TAKEN},
    "failing": {SUCCESS_RATE, TAKEN},
}  # fmt: skip

WHOLE_PAGE: dict[str, tuple[str, ...]] = {
    "nan": ("dynamo",),
    "error-500": ("dynamo",),
    "hanging-endpoint": ("kv_cache",),
    "slow-body": ("kv_cache",),
}
"""Faults that make pages unreadable: nothing asserted about those can be decided."""

OF_CHANCE: dict[str, set[str]] = {
    # The p99 that stands at p50 is later than the client's p50, unless the client itself lagged.
    "swapped-percentiles": {NOT_LATER},
    # What has not been counted yet, a worker's page lacks in its averages too.
    "backwards-counter": {NOT_SLOWER, NOT_LATER, NOT_LONGER, TREE},
    # Nothing was answered, so nothing need be held.
    "empty-streams": {TREE},
}
"""What a fault may turn bad besides, depending on timing."""

ONLY_WARNS = {"role-chunk-ttft", "constant-hit-rate"}
"""Faults that no critical assertion is about: they show, and the run passes."""

CANNOT_FAIL = {
    # A counter is at least 0 whatever happens, and nothing failed that could be miscounted.
    "dynamo: summary.successful_requests", "dynamo: summary.failed_requests", FAILURES,
    EACH_WORKER, "kv_cache: cache_performance.total_cache_hits",
}  # fmt: skip
"""What passes vacuously on a truthful server."""

OUTCOMES = {
    "empty-streams": {"ok": 0, "empty": 20},
    "truncated-streams": {"ok": 0, "truncated": 20},
    "error-in-stream": {"ok": 0, "api_error": 20},
    "rate-limited": {"ok": 10, "status_429": 10},
    "failing": {"ok": 16, "status_500": 4},
    "lost-errors": {"ok": 19, "status_500": 1},
}


def judged(fault: str) -> Report:
    """Run the dashboard spec against a demo server with *fault*; few requests, little patience."""
    (path,) = located((SPEC,))
    settings = [("load.requests", str(REQUESTS)), ("target.timeout", "1s")]
    if fault != LATE:
        settings.append(("settle.within", SETTLE))
    with demo(*([fault] if fault else [])) as url:
        spec = load_spec(
            path,
            Overrides(
                url=url,
                settings=tuple(Setting(k, tuple(k.split(".")), v) for k, v in settings),
            ),
        )
        return conclude(spec, asyncio.run(watched(spec)))


class Runs:
    """One run per fault, each started before the first is asked for."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._found: dict[str, Future[Report]] = {}

    def start(self, faults: Iterable[str]) -> None:
        with self._lock:
            for fault in faults:
                if fault not in self._found:
                    self._found[fault] = self._pool.submit(judged, fault)

    def __getitem__(self, fault: str) -> Report:
        self.start([fault])
        return self._found[fault].result()


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """Begin the runs of all the tests that were selected, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = Runs(pool)
        mine = [item for item in request.session.items if item.path == request.path]
        asked = [item.callspec.params["fault"] for item in mine if hasattr(item, "callspec")]
        found.start([HONEST, *asked])
        yield found
        pool.shutdown(cancel_futures=True)


def names(found: Report) -> set[str]:
    return {f"{v.section}: {v.name}" for v in found.verdicts if v.bad}


def test_every_fault_is_expected_to_be_caught_by_name():
    assert set(BAD) | set(WHOLE_PAGE) | {"moved-names"} == set(FAULTS)


def test_without_a_fault_everything_is_green(runs):
    found = runs[HONEST]
    assert names(found) == set()
    assert {v.status for v in found.verdicts} == {Status.PASS}
    assert found.exit_code == 0
    assert {f"{v.section}: {v.name}" for v in found.verdicts if v.vacuous} == CANNOT_FAIL


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_turns_red_what_is_about_it_and_nothing_else(runs, fault):
    found = names(runs[fault])
    assert found - OF_CHANCE.get(fault, set()) == BAD[fault]


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != LATE])
def test_a_fault_breaks_the_run_or_shows_as_a_warning(runs, fault):
    found = runs[fault]
    assert found.exit_code == (0 if fault in ONLY_WARNS else 1)
    if fault in ONLY_WARNS:
        assert {v.severity for v in found.verdicts if v.bad} == {Severity.WARNING}


@pytest.mark.parametrize("fault", WHOLE_PAGE)
def test_of_a_page_that_cannot_be_read_nothing_is_decided_and_the_others_are(runs, fault):
    found = runs[fault]
    pages = WHOLE_PAGE[fault]
    for verdict in found.verdicts:
        if verdict.section not in pages:
            assert verdict.status is Status.PASS, verdict
        elif verdict.name != "reachable":
            assert verdict.status is Status.ERROR, verdict
        else:
            assert verdict.bad, verdict
    assert sum(v.section in pages for v in found.verdicts) > 10


@pytest.mark.parametrize("fault", ["moved-names"])
def test_when_all_names_moved_everything_reads_absent_and_nothing_passes(runs, fault):
    found = runs[fault]
    passed = {f"{v.section}: {v.name}" for v in found.verdicts if v.status is Status.PASS}
    # The two arrays stand beside the sections, so they did not move.
    untouched = {"dynamo: reachable", "kv_cache: reachable", BREAKDOWN, LIFECYCLES}
    assert passed == {SUCCESS_RATE, SOME} | untouched


@pytest.mark.parametrize("fault", OUTCOMES)
def test_failed_requests_are_counted_as_what_they_were(runs, fault):
    ledger = runs[fault].load
    assert isinstance(ledger, dict)
    assert ledger["outcomes"] == OUTCOMES[fault]
    assert ledger["sent"] == REQUESTS


@pytest.mark.parametrize("fault", [LATE])
def test_counters_that_are_published_late_are_waited_for(runs, fault):
    found = runs[fault]
    assert found.exit_code == 0
    assert found.settled is not None
    assert found.settled.settled
    assert 2.0 < found.settled.elapsed < 9.0


@pytest.mark.parametrize("fault", ["backwards-counter", "endless-counter"])
def test_counters_that_never_stop_moving_are_reported_as_not_settled(runs, fault):
    found = runs[fault]
    assert found.settled is not None
    assert not found.settled.settled
    assert found.settled.moving == ("dynamo",)
    assert found.settled.elapsed < 3.0
    assert any("not settled" in remark for remark in found.remarks)


@pytest.mark.parametrize("fault", ["uncounted-streams", "frozen-counter", "stale-snapshot"])
def test_a_counter_that_did_not_move_is_said_to_be_unchanged(runs, fault):
    (counted,) = [v for v in runs[fault].verdicts if f"{v.section}: {v.name}" == COUNTED]
    assert "unchanged while 20 requests succeeded" in counted.note
    assert (counted.before, counted.after) == ("0", "0")


# With every default, as people run it


def test_the_demo_as_shipped_passes_with_all_its_defaults():
    done = validator("demo", "--report", "json")
    assert done.returncode == 0, done.stderr
    found = report(done)
    assert found["passed"] is True
    assert {v["status"] for v in found["verdicts"]} == {"pass"}
    assert found["load"]["ok"] == found["load"]["sent"] == 100
    assert found["elapsed_s"] < 10


def test_the_demo_with_the_fault_of_the_real_server_fails_with_all_its_defaults():
    done = validator("demo", "--fault", "uncounted-streams", "--report", "json")
    assert done.returncode == 1, done.stderr
    assert set(bad(report(done))) == INVISIBLE
    assert "unchanged while 100 requests succeeded" in done.stderr


def test_two_faults_at_once_are_both_caught():
    done = validator(
        "demo", "--fault", "wrong-type", "--fault", "constant-hit-rate", "--requests", "20",
        "--report", "json",
    )  # fmt: skip
    assert set(bad(report(done))) == BAD["wrong-type"] | {HIT_RATE}
