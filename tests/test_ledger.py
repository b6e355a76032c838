"""The ledger says what the exchanges say, and nothing of what is not known."""

import json
import math
import pickle
import random
import statistics
import sys
import time
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.columns import Columns
from validator.executors.local import Collector
from validator.ledger import ledger, look
from validator.query import compiled
from validator.records.load import Exchange, LoadResult
from validator.records.tally import Tally

LATENCIES = ("ttft_ms", "ttfc_ms", "itl_ms", "tpot_ms", "latency_ms", "wall_ms")
COUNTS = st.none() | st.integers(0, 10_000)
TIMES = st.floats(0.001, 100)


@st.composite
def exchanges(draw):
    sent = draw(st.floats(0, 1000))
    outcome = draw(st.sampled_from(["ok", "ok", "ok", "status_429", "timeout", "interrupted"]))
    first, token, *gaps = draw(st.lists(TIMES, min_size=2, max_size=8))
    streamed = draw(st.booleans())
    last = sent + first + token + sum(gaps)
    known = draw(st.booleans())
    return Exchange(
        index=draw(st.integers(0, 99)),
        model=draw(st.sampled_from(["small", "large"])),
        due=sent,
        sent=sent,
        done=last + draw(TIMES),
        outcome=outcome,
        detail="" if outcome == "ok" else draw(st.sampled_from("abcdefgh")),
        first_event=sent + first if streamed else None,
        first_token=sent + first + token if streamed else None,
        last_token=last if streamed or known else None,
        gaps=array("d", gaps if streamed else []),
        chunks=len(gaps) + 1 if streamed else 0,
        prompt_tokens=draw(COUNTS),
        completion_tokens=draw(COUNTS) if known else None,
        cached_tokens=draw(COUNTS),
        token_source=draw(st.sampled_from(["usage", "chunks"])) if known else None,
    )


def close(found, expected):
    return math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6)


def check_summary(found, samples, missing):
    assert (found["count"], found["missing"]) == (len(samples), missing)
    if not samples:
        assert found["mean"] is found["min"] is found["p50"] is found["max"] is None
        return
    assert close(found["mean"], statistics.mean(samples) * 1000)
    assert close(found["min"], min(samples) * 1000)
    assert close(found["max"], max(samples) * 1000)
    assert close(found["p50"], statistics.median(samples) * 1000)
    if len(samples) > 1:
        hundredths = statistics.quantiles(samples, n=100, method="inclusive")
        for percent in (90, 95, 99):
            assert close(found[f"p{percent}"], hundredths[percent - 1] * 1000)


@given(st.lists(exchanges(), max_size=25))
def test_the_ledger_is_the_arithmetic_of_its_exchanges(sent):
    found = ledger(LoadResult(tuple(sent), in_flight_max=3, lags=(0.002, 0.004), cpu_share=0.5))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    good = [e for e in sent if e.outcome == "ok"]
    assert found["sent"] == len(sent)
    assert found["ok"] == len(good)
    assert found["failed"] == len(sent) - len(good)
    assert sum(found["outcomes"].values()) == len(sent)
    assert found["outcomes"]["ok"] == len(good)
    assert set(found["errors"]) == set(found["outcomes"]) - {"ok"}
    for outcome, details in found["errors"].items():
        assert 1 <= len(details) == len(set(details)) <= 5
        assert set(details) <= {e.detail for e in sent if e.outcome == outcome}
    assert found["in_flight_max"] == 3
    assert found["client"]["cpu_share"] == 0.5
    assert close(found["client"]["lag_ms"]["p50"], 3)
    assert close(found["client"]["lag_ms"]["max"], 4)

    if sent:
        span = max(e.done for e in sent) - min(e.sent for e in sent)
        assert close(found["duration_s"], span)
        assert close(found["success_rate"], len(good) / len(sent))
        assert close(found["requests_per_s"], len(good) / span)

    for key in ("prompt", "completion", "cached"):
        counts = [getattr(e, f"{key}_tokens") for e in good]
        expected = sum(counts) if counts and all(c is not None for c in counts) else None
        assert found["tokens"][key] == expected
    if found["tokens"]["completion"] is None:
        assert found["tokens_per_s"] is None
    else:
        assert close(found["tokens_per_s"], found["tokens"]["completion"] / span)
    sources = {e.token_source for e in good if e.token_source}
    assert found["tokens"]["source"] == {0: None, 1: "".join(sources), 2: "mixed"}[len(sources)]
    assert found["chunks"] == sum(len(e.gaps) + 1 for e in good if e.first_token is not None)

    assert set(found["models"]) == {e.model for e in sent}
    for name, model in found["models"].items():
        assert model["sent"] == sum(e.model == name for e in sent)
        assert model["ok"] == sum(e.model == name for e in good)
        assert set(model["tokens"]) == {"prompt", "completion", "cached"}

    streamed = [e for e in good if e.first_token is not None]
    whole = len(good) - len(streamed)
    check_summary(found["ttft_ms"], [e.first_token - e.sent for e in streamed], whole)
    check_summary(found["ttfc_ms"], [e.first_event - e.sent for e in streamed], whole)
    check_summary(found["wall_ms"], [e.done - e.sent for e in good], 0)
    ended = [e.last_token - e.sent for e in good if e.last_token is not None]
    check_summary(found["latency_ms"], ended, len(good) - len(ended))
    gaps = [gap for e in good for gap in e.gaps]
    check_summary(found["itl_ms"], gaps, sum(len(e.gaps) == 0 for e in good))
    paced = [
        (e.last_token - e.first_token) / (e.completion_tokens - 1)
        for e in streamed
        if e.completion_tokens is not None and e.completion_tokens > 1
    ]
    check_summary(found["tpot_ms"], paced, len(good) - len(paced))


def test_an_empty_load_has_counts_but_no_figures():
    found = ledger(LoadResult(()))
    assert (found["sent"], found["ok"], found["failed"]) == (0, 0, 0)
    assert found["outcomes"] == {"ok": 0}
    for name in ("success_rate", "requests_per_s", "tokens_per_s"):
        assert found[name] is None
    assert found["tokens"] == {"prompt": None, "completion": None, "cached": None, "source": None}
    assert found["client"] == {
        "lag_ms": {"p50": None, "p99": None, "max": None, "total": None},
        "prepare_ms": {"p50": None, "p99": None, "max": None},
        "cpu_share": None,
        "cpu_total": None,
        "processes": 1,
        "lost": [],
        "late_ms": {"p50": None, "p99": None, "max": None},
        "held_back": 0,
        "unsent": 0,
    }
    assert (found["aborted"], found["goodput"]) == (False, None)
    assert (found["models"], found["errors"], found["duration_s"]) == ({}, {}, 0)


def test_the_ledger_has_every_promised_key():
    assert set(ledger(LoadResult(()))) == {
        *("sent", "ok", "failed", "cancelled", "success_rate", "duration_s", "outcomes", "errors"),
        *("finish_reasons", "started_at", "ended_at"),
        *("requests_per_s", "tokens_per_s", "tokens", "chunks", "models", "in_flight_max"),
        *LATENCIES,
        *("percentiles", "client", "aborted", "goodput"),
    }
    for name in LATENCIES:
        figures = {"count", "missing", "mean", "min", "max", "p50", "p90", "p95", "p99"}
        assert set(ledger(LoadResult(()))[name]) == figures


@pytest.mark.parametrize("tokens", [None, 0, 1])
def test_time_per_token_needs_two_tokens(tokens):
    one = Exchange(
        *(0, "m", 0.0, 0.0, 9.0, "ok"), first_token=1.0, last_token=5.0, completion_tokens=tokens
    )
    assert one.tpot is None
    assert ledger(LoadResult((one,)))["tpot_ms"]["missing"] == 1


def test_a_hundred_thousand_exchanges_are_no_burden():
    chance = random.Random(7)
    gaps = array("d", (chance.random() for _ in range(10)))
    sent = tuple(
        Exchange(
            *(n, "m", n / 1000, n / 1000, n / 1000 + 1 + chance.random(), "ok"),
            first_event=n / 1000 + chance.random(),
            first_token=n / 1000 + chance.random(),
            last_token=n / 1000 + 1 + chance.random(),
            gaps=gaps,
            chunks=11,
            prompt_tokens=5,
            completion_tokens=11,
            cached_tokens=0,
            token_source="usage",
        )
        for n in range(100_000)
    )
    before = time.process_time()
    found = ledger(LoadResult(sent))
    if sys.gettrace() is None:  # under a tracer, such as coverage, time means nothing
        assert time.process_time() - before < 3
    assert found["tokens"]["completion"] == 1_100_000
    assert found["itl_ms"]["count"] == 1_000_000


def ended(*outcomes, reasons=()):
    return ledger(
        LoadResult(
            tuple(
                Exchange(n, "m", 0.0, 0.0, 1.0, outcome, finish_reasons=tuple(reasons))
                for n, outcome in enumerate(outcomes)
            )
        )
    )


@pytest.mark.parametrize(
    "path,found",
    [
        ("$.outcomes.status_429", [1]),
        ("$.outcomes.status_503", [0]),
        ("$.outcomes.timeout", [0]),
        ("$.outcomes['connect']", [0]),
        ("$.outcomes.made_up", []),
        ("$.outcomes.status_999", []),
        ("$.outcomes.timeout.x", []),
        ("$.outcomes[0]", []),
        ("$.errors.timeout", []),
        ("$.nothing.timeout", []),
        ("$.finish_reasons.stop", [4]),
        ("$.finish_reasons.length", [0]),
        ("$.finish_reasons.eos", []),
        ("$.outcomes[*]", [2, 1]),
    ],
)
def test_a_class_that_never_happened_counts_zero_and_nothing_else_does(path, found):
    document = ended("ok", "status_429", "ok", reasons=("stop", "stop"))
    assert [match.value for match in look(compiled(path), document)] == found
    assert all(match.path in (path, "$.outcomes.connect") for match in look(compiled(path), {}))


def test_of_endless_kinds_of_finish_reasons_some_are_kept_and_all_are_counted():
    found = ended(*["ok"] * 2, reasons=[f"{'x' * 99}{n}" for n in range(50)])["finish_reasons"]
    assert found == {"x" * 60: 100}
    found = ended("ok", reasons=[str(n) for n in range(50)])["finish_reasons"]
    assert len(found) == 21
    assert found["other"] == 30


@given(st.lists(exchanges(), max_size=25), st.integers(0, 25), st.integers(0, 25))
def test_a_load_too_large_to_keep_has_the_same_books(sent, kept, cut):
    exact = ledger(LoadResult(tuple(sent)))
    tallies = [Tally(sketched=True), Tally(sketched=True)]
    for n, one in enumerate(sent[kept:]):
        tallies[n < cut].add(one)
        if one.ok:
            tallies[n < cut].gaps.extend(one.gaps)
    tallies[0].merge(pickle.loads(pickle.dumps(tallies[1])))
    found = ledger(LoadResult(Columns(Exchange, sent[:kept]), beyond=tallies[0]))
    assert found.pop("percentiles") == {"exact": False, "relative_error": 0.001}
    assert exact.pop("percentiles") == {"exact": True, "relative_error": 0}
    for outcome, details in found.pop("errors").items():
        assert len(details) == len(exact["errors"][outcome])
    for name in LATENCIES:
        ours, theirs = found.pop(name), exact[name]
        for figure in ("count", "missing"):
            assert ours[figure] == theirs[figure]
        for figure in ("min", "mean", "max"):
            assert ours[figure] == pytest.approx(theirs[figure])
    assert found == {name: exact[name] for name in found}


def test_of_more_exchanges_than_are_kept_the_sums_are(monkeypatch):
    monkeypatch.setattr("validator.executors.local.KEPT", 3)
    collector = Collector()
    for n in range(5):
        collector.started()
        collector.ended(
            Exchange(
                *(n, "m", n, n, n + 1.0, ("ok", "timeout")[n == 4]), gaps=array("d", [0.1, 0.2])
            )
        )
    found = ledger(collector.result())
    assert (found["sent"], found["ok"], found["itl_ms"]["count"]) == (5, 4, 8)
    assert found["outcomes"] == {"ok": 4, "timeout": 1}
    assert not found["percentiles"]["exact"]
    assert found["wall_ms"]["p50"] == pytest.approx(1000, rel=0.001)
