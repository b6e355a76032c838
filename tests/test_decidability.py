"""A late client is no reason to call a server a liar, nor to believe one."""

from __future__ import annotations

import asyncio
import functools
import time
from datetime import date
from pathlib import Path

import pytest
from demo_process import demo
from hypothesis import given
from hypothesis import strategies as st

from validator import Overrides, Status, conclude, load_spec
from validator.errors import Problems
from validator.evaluate import evaluate
from validator.ledger import ledger
from validator.records.load import LoadResult
from validator.records.observation import Observations, Snapshot
from validator.records.recording import Round
from validator.run import run
from validator.source import read
from validator.spec import parse as parsing

CASES = Path(__file__).parent / "cases" / "decidability"
TODAY = date(2026, 11, 23)
SPEC = """version: 1
target: {{url: http://localhost:9}}
load: {{model: m, requests: 4, prompts: [hi], assert: [{load}]}}
endpoints:
  stats:
    get: /stats
    assert:
      - {assertion}
"""
ANY_LOAD = "{path: $.sent, ge: 0}"
ANYTHING = "{path: $, exists: true}"


def books(*, late, worst=None, total=None, share=0.2, ttft=100.0):
    """Return the ledger of 100 requests in 2 s; the event loop was *late* by so many ms."""
    empty = ledger(LoadResult(()))
    lag = {"p50": (late or 0) / 5, "p99": late, "max": late if worst is None else worst}
    lag["total"] = total
    return empty | {
        "sent": 100,
        "ok": 100,
        "duration_s": 2.0,
        "requests_per_s": 50.0,
        "ttft_ms": empty["ttft_ms"] | {"count": 100, "p50": ttft, "p99": 2 * ttft},
        "itl_ms": empty["itl_ms"] | {"count": 4900, "p50": 4.0, "p99": 8.0},
        "tpot_ms": empty["tpot_ms"] | {"count": 100, "p50": 4.0, "mean": 4.0},
        "wall_ms": empty["wall_ms"] | {"count": 100, "max": 400.0},
        "client": {"lag_ms": lag, "cpu_share": share},
    }


@functools.cache
def spec_of(load, assertion):
    text = SPEC.format(load=load, assertion=assertion)
    return parsing.parse(text, overrides=Overrides(environment={}))


def judged(case):
    spec = spec_of(case.get("load", ANY_LOAD), case.get("assert", ANYTHING))
    seen = Observations({}, {"stats": Snapshot("stats", {**case}, status=200)})
    given = {key: case[key] for key in ("late", "worst", "total", "share") if key in case}
    found = evaluate(spec, [Round("", books(**given), seen)], TODAY)
    section = "load" if "load" in case else "stats"
    return next(v for v in found if v.section == section and v.name != "reachable")


def cases():
    for file in sorted(CASES.glob("*.yaml")):
        node = read(file.read_text(encoding="utf-8"), file.name, Problems())
        for number, case in enumerate(node.plain()):
            yield pytest.param(case, id=f"{file.stem}-{number}")


@pytest.mark.parametrize("case", list(cases()))
def test_a_verdict_is_what_its_case_says(case):
    found = judged(case)
    assert found.status.value == case["status"], found
    if "note" in case:
        assert found.note == case["note"]
    assert ("not decidable" in found.note) == (
        case["status"] == "error" or (case["status"] == "xfail")
    )


TIMES = st.floats(0.1, 10_000)


@given(TIMES, TIMES, st.floats(0, 1.2))
def test_no_lag_excuses_a_server_that_is_slower_than_its_client_saw(server, late, share):
    given = {"assert": '{path: $.ttft, le: "${load.ttft_ms.p50}"}', "ttft": server}
    found = judged(given | {"late": late, "share": share})
    assert found.status is (Status.PASS if server <= 100.0 else Status.FAIL)


@given(TIMES, TIMES, st.floats(0, 1.2), st.sampled_from(["ge", "le", "eq", "lt", "gt"]))
def test_what_passes_passes_however_late_the_client_was(server, late, share, predicate):
    asked = f'{{path: $.ttft, {predicate}: "${{load.ttft_ms.p50}}"}}'
    in_time = judged({"assert": asked, "ttft": server, "late": 0})
    found = judged({"assert": asked, "ttft": server, "late": late, "share": share})
    assert (found.status is Status.PASS) == (in_time.status is Status.PASS)


@given(TIMES, TIMES)
def test_of_a_server_that_seems_too_fast_only_what_the_lag_explains_is_undecided(server, late):
    asked = {"assert": '{path: $.ttft, ge: "${load.ttft_ms.p50}"}', "ttft": server, "late": late}
    least = max(0.0, 100.0 - 2 * late)
    found = judged(asked)
    if server >= 100.0:
        assert found.status is Status.PASS
    elif server > least * 1.001:
        assert found.status is Status.ERROR
    elif server < least * 0.999:
        assert found.status is Status.FAIL


@given(st.floats(1, 89), st.floats(60, 100_000), st.floats(0.01, 0.1))
def test_no_lag_is_too_long_to_find_the_time_that_a_server_claims(server, late, rel):
    asked = f'{{path: $.ttft, approx: {{value: "${{load.ttft_ms.p50}}", rel: {rel}}}}}'
    assert judged({"assert": asked, "ttft": server, "late": late}).status is Status.ERROR


STARVED = """version: 1
title: A client that is kept from its work
target: {url: http://localhost:9}
load: {model: m, requests: 3, concurrency: 3, max_tokens: 5, prompts: [hi]}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    timeout: 30s
    assert:
      - name: the server's time is the client's
        path: $.latency.ttft.avg
        approx: {value: "${load.ttft_ms.mean}", rel: 0.1}
"""
BLOCKED = 0.03


def test_a_client_that_was_kept_from_its_work_does_not_call_its_server_a_liar(tmp_path):
    file = tmp_path / "starved.yaml"
    file.write_text(STARVED)

    async def block() -> None:
        while True:
            time.sleep(BLOCKED)  # noqa: ASYNC251 - to hold up the event loop is the point
            await asyncio.sleep(0)

    async def starved(spec):
        blocking = asyncio.create_task(block())
        try:
            return await run(spec)
        finally:
            blocking.cancel()

    with demo() as url:
        spec = load_spec(file, Overrides(url=url))
        seen = asyncio.run(starved(spec))
    (one,) = seen.rounds
    lag, ttft = one.ledger["client"]["lag_ms"], one.ledger["ttft_ms"]
    served = one.observations.after["dynamo"].document["latency"]["ttft"]["avg"]
    assert served < ttft["mean"]
    if served * 1.1 < ttft["mean"] - lag["p99"] - 5 * lag["p50"]:
        pytest.skip("other programs held the server up for longer than its client was late")
    found = conclude(spec, seen)
    (verdict,) = [v for v in found.verdicts if v.name == "the server's time is the client's"]
    assert verdict.status is Status.ERROR, (served, ttft, lag)
    assert verdict.note.startswith("not decidable: the client itself was late by up to ")
    assert found.exit_code == 1
