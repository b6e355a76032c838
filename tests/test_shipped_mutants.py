"""What the bundled specs do not notice, held down: a spec must not grow blunt unseen."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from demo_process import demo
from test_shipped_specs import CONCURRENCY, FIXED, REQUESTS, SPECS

from validator import Overrides, Setting, load_spec
from validator.bundled import located
from validator.mutation.trials import Outcome, tried
from validator.run import run as watched

AT_ONCE = 3
FLOORS = {
    **dict.fromkeys(SPECS, (1.0, 0.95)),
    # What one bucket and one minute hold is decided by the server's clock, which no client sees.
    "fakeai/metrics": (1.0, 0.94),
    # Few of its values are numbers: one mutant more or less is two per cent.
    "fakeai/embeddings": (1.0, 0.92),
    # What was asked for in tokens, and the most of a minute, only the server knows.
    "fakeai/rate-limits": (1.0, 0.93),
    # The p90 of what a GPU was is still one of its range, and no client knows a millijoule.
    "fakeai/dcgm": (1.0, 0.94),
}
"""The least share of drops, and of all other mutants that are not tolerated, that each spec
catches: all and 95 %, but for what is explained."""


def outcome_of(spec: str) -> Outcome:
    """Run a bundled spec against a truthful server of its own, and try it on the mutants."""
    given = {"load.requests": FIXED.get(spec, REQUESTS), "load.concurrency": CONCURRENCY}
    settings = tuple(Setting(k, tuple(k.split(".")), v) for k, v in given.items())
    with demo() as url:
        read = load_spec(located((spec,))[0], Overrides(url=url, settings=settings))
        seen = asyncio.run(watched(read))
    return tried(read, seen, date(2026, 1, 1))


@pytest.fixture(scope="module")
def outcomes():
    """Try all specs side by side: most of a run is waiting."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {spec: pool.submit(outcome_of, spec) for spec in SPECS}
        return {spec: future.result() for spec, future in running.items()}


def test_every_bundled_spec_has_a_floor():
    assert set(FLOORS) == set(SPECS)


@pytest.mark.parametrize("spec", FLOORS)
def test_a_bundled_spec_notices_what_it_noticed(spec, outcomes):
    counts = outcomes[spec].by_mutation
    caught, dropped = counts.pop("drop")
    others = sum(c for c, _ in counts.values()) / sum(t for _, t in counts.values())
    assert dropped
    least_dropped, least_others = FLOORS[spec]
    survivors = {f"{f.endpoint} {f.path}": m for f, m in outcomes[spec].survivors.items()}
    assert caught / dropped >= least_dropped, survivors
    assert others >= least_others, survivors


@pytest.mark.parametrize("spec", FLOORS)
def test_a_bundled_spec_has_no_assertion_that_notices_nothing(spec, outcomes):
    assert [v.name for v in outcomes[spec].idle] == []
