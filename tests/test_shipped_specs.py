"""Every bundled spec is green on a truthful server, and each fault turns the right verdict red."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo_process import demo

from validator import Overrides, Report, Setting, Status, conclude, load_spec
from validator.bundled import located, names
from validator.demo import PAGE_FAULTS
from validator.run import run as watched
from validator.spec.suite import members

AT_ONCE = 4
REQUESTS, CONCURRENCY = "20", "4"
FIXED = {"fakeai/health": "30", "fakeai/embeddings": "12"}
"""Specs that need another number of requests."""
PATIENCE = {"fakeai/dcgm": "4s", "fakeai/metrics": "4s"}
"""Specs that wait on purpose before they read."""

SUITE = "fakeai/all"
SPECS = tuple(name for name in names() if name != SUITE)
DYNAMO, KV, METRICS = "fakeai/dynamo", "fakeai/kv-cache", "fakeai/metrics"
MODELS, COSTS, EMBEDDINGS = "fakeai/by-model", "fakeai/costs-and-usage", "fakeai/embeddings"
HEALTH, LIMITS, DCGM = "fakeai/health", "fakeai/rate-limits", "fakeai/dcgm"
CLIENT = "openai/client"

STREAMED = (("load.stream", "true"),)
SLOW = 100.0
"""Milliseconds a token takes where a stream must last: two seconds at least."""
IMPATIENT = (("load.stream", "true"), ("load.timeout", "1s"), ("load.requests", "4"))
ALONE = (("load.stream", "true"), ("load.requests", "1"))
SLOWLY = {IMPATIENT, ALONE}
THREE_CHOICES = (("vars.choices", "3"),)
HOSTILE = (("load.model", r'"a\"b\\c\nd"'),)

UNREADABLE = "*"
"""After a section: everything about it may be undecided, for the page could not be read."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, the spec that catches it, and the verdicts it turns bad there."""

    faults: str
    spec: str
    caught: frozenset[str]
    follows: frozenset[str] = frozenset()
    """What else may turn bad: it is about the same figures, or the same page."""
    settings: tuple[tuple[str, str], ...] = ()


def case(
    faults: str,
    spec: str,
    *caught: str,
    follows: tuple[str, ...] = (),
    settings: tuple[tuple[str, str], ...] = (),
) -> Case:
    return Case(faults, spec, frozenset(caught), frozenset(follows), settings)


CAUGHT = [
    # Request metrics
    case(
        "ttft-is-total", DYNAMO,
        "dynamo: the first token comes well before the last", "dynamo: a token takes time",
        follows=(
            "dynamo: the first token comes after queue and prefill",
            "dynamo: half of each latency is more than nothing",
        ),
    ),
    case(
        "output-tokens-only", DYNAMO,
        "dynamo: the tokens of a model are its prompts and its answers",
    ),
    case(
        "throughput-over-60", DYNAMO,
        "dynamo: requests a second are those of the load, not of a minute",
    ),
    case(
        "empty-gauges", DYNAMO,
        "dynamo: the queue was seen", "dynamo: the batch was seen",
        "dynamo: the batch was measured", "dynamo: overlap is measured",
        "dynamo: matched blocks are counted",
    ),
    case(
        "vanishing-cancellations", DYNAMO,
        "dynamo: every request is counted", "dynamo: every failure is counted",
        # A request that was counted when it came, and is gone when it was broken off, falls between
        # two samples or within one.
        follows=("prometheus: every request is counted", "dynamo: the total never falls"),
        settings=IMPATIENT,
    ),
    case(
        "tokens-at-end", DYNAMO,
        "dynamo: tokens are counted while they are made, and not only at the end",
        settings=ALONE,
    ),
    case("counted-at-end", DYNAMO, "dynamo: a request is counted as soon as it is active"),
    case(
        "counted-at-rest", DYNAMO, "dynamo: the total keeps pace with the client",
        follows=("dynamo: a request is counted as soon as it is active",),
    ),
    case(
        "empty-histogram", DYNAMO,
        "prometheus: the first token of every answer is observed",
        "prometheus: the first tokens took no longer than the client waited",
    ),
    case(
        "histogram-counts-all failing", DYNAMO,
        "prometheus: the first token of every answer is observed",
        follows=("load: success_rate",),
    ),
    case("buckets-apart", DYNAMO, "prometheus: conforms to prometheus"),
    case("inf-is-not-count", DYNAMO, "prometheus: conforms to prometheus"),
    case(
        "backwards-counter", DYNAMO,
        "dynamo: every request is counted", "across: JSON and Prometheus count the same",
        follows=(f"dynamo: {UNREADABLE}", f"prometheus: {UNREADABLE}", f"across: {UNREADABLE}"),
    ),
    # Cache and router
    case("empty-gauges", KV, "kv_cache: the tree holds the blocks of the workers"),
    case("constant-hit-rate", KV, "kv_cache: the hit rate is hits ÷ (hits + misses)"),
    case(
        "planned-speedup", KV,
        "kv_cache: the times to first token were measured, and not only planned",
    ),
    case(
        "leaked-workers", KV, "kv_cache: no worker is active after the load",
        follows=(
            "kv_cache: some worker is active while the load runs",
            # Broken off before the first token, no prompt leaves blocks behind or a time.
            "kv_cache: the tree holds the blocks of the workers",
            "kv_cache: the times to first token were measured, and not only planned",
        ),
        settings=IMPATIENT,
    ),
    # Traffic
    case(
        "prometheus-500", METRICS, "prometheus: reachable",
        follows=(
            f"prometheus: {UNREADABLE}",
            "across: Prometheus and JSON show the same rate of requests",
            "across: Prometheus and JSON count the same streams",
            "across: first tokens are told apart by a dozen buckets",
            "across: errors are told apart by their reason",
        ),
    ),
    case(
        "zero-streaming-stats", METRICS,
        "metrics: every completed stream is counted",
        "metrics: streams are active while the load runs, and no more than were sent at once",
        "metrics: the first token came, and before the client saw it",
        "metrics: the speed of a stream was measured",
        "prometheus: every completed stream is counted",
    ),
    case(
        "headers-latency", METRICS, "metrics: a streamed response lasts until its end",
        follows=("across: the latency is that of the responses",),
    ),
    case(
        "decaying-rate", METRICS,
        "metrics: requests a second are those of the load",
        "metrics: there are no more responses than requests",
        follows=(
            "across: latencies and streams are as many as the responses",
            "metrics: tokens a second are at least those the client got",
            "metrics: tokens a second are the tokens of a response times the responses",
        ),
    ),
    case(
        "never-filled", METRICS,
        "metrics: requests are measured and not only counted",
        "metrics: tokens are measured and not only counted",
        "metrics: latency is measured", "metrics: streaming is measured",
        follows=(
            "metrics: tokens a second are the tokens of a response times the responses",
            "across: latencies and streams are as many as the responses",
            "across: the latency is that of the responses",
        ),
    ),
    case("empty-socket-cache", METRICS, "live: it shows the cache"),
    case(
        "filter-empties-latency", METRICS,
        "live_path: a path that is asked for has its latency",
        follows=("live_path: the latency of the path is shown",),
    ),
    case(
        "ignored-filter", METRICS, "live_latency: a kind that is not asked for is not shown",
    ),
    # Health
    case("uncounted-errors", HEALTH, "detailed: every failed request is an error"),
    case(
        "error-rate-of-two-spans", HEALTH, "detailed: errors are a share of the requests",
        follows=("detailed: metrics_summary.error_rate_percentage",),
    ),
    case(
        "negative-uptime", HEALTH,
        "detailed: the server has been up for some time",
        "detailed: the uptime goes on as the clock does",
    ),
    # Models
    case("cost-gauge", MODELS, "declared: the cost is declared a counter"),
    case(
        "summary-without-count", MODELS,
        "prometheus: conforms to prometheus", "prometheus: every latency is observed",
        "prometheus: latencies are no longer than the client saw them",
    ),
    case(
        "deadlock", MODELS, "all: reachable", "ranking: reachable", "alive: reachable",
        follows=(f"all: {UNREADABLE}", f"ranking: {UNREADABLE}", f"alive: {UNREADABLE}"),
    ),
    case(
        "unescaped-labels", MODELS, "prometheus: reachable", "prometheus: conforms to prometheus",
        follows=(f"prometheus: {UNREADABLE}",),
        settings=HOSTILE,
    ),
    # Costs and usage
    case(
        "doubled-costs", COSTS, "across: the organization is charged what the models cost",
    ),
    case(
        "unowned-streams", COSTS,
        "costs: the load costs something", "completions: every request is counted",
        "dimensions: every request is counted under its path",
        follows=(
            f"costs: {UNREADABLE}", f"organization: {UNREADABLE}", f"completions: {UNREADABLE}",
            f"dimensions: {UNREADABLE}", f"across: {UNREADABLE}",
            # Without any usage there is no bucket, and over nothing nothing holds.
            "embeddings: no chat is counted as an embedding",
            "images: no chat is counted as an image",
        ),
        settings=STREAMED,
    ),
    case(
        "mixed-usage", COSTS,
        "embeddings: no chat is counted as an embedding", "images: no chat is counted as an image",
    ),
    case(
        "mixed-usage", EMBEDDINGS, "completions: no embedding is counted as a completion",
    ),
    # Limits
    case(
        "rate-limits-500 rate-limited", LIMITS, "overview: reachable", "throttling: reachable",
        follows=(f"overview: {UNREADABLE}", f"throttling: {UNREADABLE}"),
    ),
    case(
        "extrapolated-peak rate-limited", LIMITS,
        "key: the peak of requests is no more than all requests",
        "key: the peak of tokens was seen",
    ),
    case(
        "unbalanced-limits rate-limited", LIMITS,
        "key: every attempt is counted", "key: attempted = allowed + throttled",
        "key: the throttle rate is throttled ÷ attempted",
        "key: the peak of requests is no more than all requests",
        follows=("tiers: attempted = allowed + throttled, in all tiers",),
    ),
    case(
        "uncounted-errors rate-limited", LIMITS,
        "metrics: throttled requests are errors",
        "health: throttled requests are in the share of errors",
    ),
    case(
        "refusals-as-responses rate-limited", LIMITS,
        "metrics: throttled requests are no responses",
    ),
    # GPUs
    case("idle-gpus", DCGM, "gpus: each GPU was busy while the load ran"),
    case("stuck-gpus", DCGM, "gpus: no GPU is busy after the load"),
    case(
        "lost-memory", DCGM,
        "gpus: the memory of GPU 0 is free or used", "gpus: all memory is free or used",
        "across: JSON and Prometheus show the same memory",
        follows=("across: JSON and Prometheus show the same free memory",),
    ),
    # Replies
    case(
        "max-tokens-ignored", CLIENT, "across: no answer is longer than its limit",
        follows=("limited: an answer that ran into its limit says so",),
    ),
    case("always-stop", CLIENT, "limited: an answer that ran into its limit says so"),
    case(
        "n-billed-once", CLIENT, "across: nothing is sent that is not counted",
        settings=THREE_CHOICES,
    ),
    case(
        "empty-streams", CLIENT, "load: streams arrive whole: content, finish reason, end",
        "load: some request succeeded",
        follows=(f"load: {UNREADABLE}", f"across: {UNREADABLE}", f"limited: {UNREADABLE}"),
    ),
    case(
        "truncated-streams", CLIENT, "load: streams arrive whole: content, finish reason, end",
        "load: some request succeeded",
        follows=(f"load: {UNREADABLE}", f"across: {UNREADABLE}", f"limited: {UNREADABLE}"),
    ),
]  # fmt: skip


def judged(
    spec: str, url: str, settings: tuple[tuple[str, str], ...] = (), *, patient: bool = False
) -> Report:
    """Run a bundled spec with few requests."""
    (path,) = located((spec,))
    given = {
        "load.requests": FIXED.get(spec, REQUESTS),
        "load.concurrency": CONCURRENCY,
        **({} if patient else {"settle.within": PATIENCE.get(spec, "1500ms")}),
        **dict(settings),
    }
    overrides = Overrides(
        url=url,
        settings=tuple(Setting(k, tuple(k.split(".")), v) for k, v in given.items()),
    )
    read = load_spec(path, overrides)
    return conclude(read, asyncio.run(watched(read)))


def bad(found: Report) -> set[str]:
    return {f"{v.section}: {v.name}" for v in found.verdicts if v.bad}


def covered(name: str, follows: frozenset[str]) -> bool:
    section, _, _ = name.partition(": ")
    return name in follows or f"{section}: {UNREADABLE}" in follows


class Runs:
    """One run for each fault, spec and setting, on a server of its own; a few at a time."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._found: dict[tuple[str, str, object], Future[Report]] = {}

    def start(self, faults: str, spec: str, settings: tuple[tuple[str, str], ...]) -> None:
        def work() -> Report:
            with demo(*faults.split(), token=SLOW if settings in SLOWLY else 5) as url:
                return judged(spec, url, settings)

        key = (faults, spec, settings)
        if key not in self._found:
            self._found[key] = self._pool.submit(work)

    def __call__(self, faults: str, spec: str, settings: tuple[tuple[str, str], ...]) -> Report:
        self.start(faults, spec, settings)
        return self._found[faults, spec, settings].result()


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[Runs]:
    """Begin the runs of all the tests that were selected."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = Runs(pool)
        mine = [item for item in request.session.items if item.path == request.path]
        for chosen in (item.callspec.params for item in mine if hasattr(item, "callspec")):
            if isinstance(one := chosen.get("one"), Case):
                if one.settings:
                    found.start("", one.spec, one.settings)
                found.start(one.faults, one.spec, one.settings)
        yield found
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    with demo() as url:
        yield url


@pytest.mark.parametrize("spec", SPECS)
def test_a_bundled_spec_says_what_it_is_about(spec):
    (path,) = located((spec,))
    text = Path(path).read_text()
    assert text.startswith("# yaml-language-server: $schema=../../docs/spec.schema.json\n#\n")
    assert load_spec(path).title


def test_the_suite_has_all_specs_of_its_folder_and_the_hazardous_one_last():
    (path,) = located((SUITE,))
    suite = [member.stem for member in members((path,))]
    assert sorted(suite) == sorted(n.removeprefix("fakeai/") for n in SPECS if n != CLIENT)
    assert suite[-1] == "by-model"


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_is_bad_on_a_truthful_server_that_others_use_too(spec, shared):
    found = judged(spec, shared, patient=True)
    # On a busy machine the client may be too late to decide about a latency.
    decided = [v for v in found.verdicts if not v.note.startswith("not decidable: the client")]
    assert {(v.name, v.status) for v in decided if v.status is not Status.PASS} == set()
    assert found.exit_code == 0


def test_every_fault_is_caught_by_some_spec():
    assert {name for one in CAUGHT for name in one.faults.split()} >= set(PAGE_FAULTS)


def test_every_spec_but_the_first_one_has_a_fault_that_it_catches():
    assert {one.spec for one in CAUGHT} == set(SPECS) - {"fakeai/dashboard"}


@pytest.mark.parametrize("one", CAUGHT, ids=lambda one: f"{one.faults}-{one.spec}")
def test_a_fault_is_caught_by_what_is_about_it_and_by_nothing_else(runs, one):
    found = bad(runs(one.faults, one.spec, one.settings))
    usual = bad(runs("", one.spec, one.settings)) if one.settings else set()
    assert one.caught <= found
    assert not one.caught <= usual
    assert {n for n in found - usual - one.caught if not covered(n, one.follows)} == set()
