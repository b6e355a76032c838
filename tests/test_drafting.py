"""Drafted specs: what is claimed was true, is written so that it is read back, and can fail."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pytest
from command_line import validator
from demo_process import demo
from hostile_http import never, reply
from hypothesis import given, settings
from hypothesis import strategies as st
from unknown_engine import CHAT, MODEL, OPENMETRICS, TEXT, Engine, serving

from validator import Overrides, load_spec, parse, read_recording
from validator.conclusion import conclude
from validator.decoders import DECODERS
from validator.drafting import words
from validator.drafting.drafts import Page, drafted, holding
from validator.drafting.formats import recognised
from validator.drafting.looking import looking_spec, placed
from validator.drafting.writing import Frame, quoted
from validator.errors import DecodeError, Problems, UsageError
from validator.mutation.trials import tried
from validator.records.observation import Observations, Payload, Snapshot
from validator.records.recording import Recording, Round
from validator.source import read

PAGES = ("/metrics", "/openmetrics", "/v2/stats", "/stats.csv")
STARTED = "2026-01-01T00:00:00+00:00"

FIRST = Path(__file__).parents[1] / "examples" / "01-first.yaml"


def on_engine(*commands, engine=None, more=MappingProxyType({})):
    """Run command lines against an engine; `URL` in them stands for its URL."""

    async def go():
        async with serving(engine or Engine(), more) as server:
            done = []
            for command in commands:
                if callable(command):
                    command()
                    continue
                words_ = [str(word).replace("URL", server.url) for word in command]
                done.append(await asyncio.to_thread(validator, *words_))
            return done

    return asyncio.run(go())


# A whole draft, of an engine that nobody knows


@dataclass(frozen=True)
class Drafted:
    file: Path
    recording: Path
    text: str
    said: str


@pytest.fixture(scope="module")
def engine_spec(tmp_path_factory):
    """Draft a spec with a load, and run it against the same server."""
    folder = tmp_path_factory.mktemp("drafted")
    file, recording = folder / "spec.yaml", folder / "run.json"
    first, again = on_engine(
        ["init", *(f"URL{p}" for p in PAGES), "--load", 5, "--model", MODEL, "-o", file],
        ["run", file, "--record", recording],
    )
    assert first.returncode == 0, first.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    assert "PASSED" in again.stdout
    assert " fail" not in again.stdout.splitlines()[-1]
    return Drafted(file, recording, file.read_text(encoding="utf-8"), first.stderr)


@pytest.mark.parametrize(
    "line",
    [
        'metric: "vllm:prompt_tokens_total", delta: {eq: "${load.tokens.prompt}"}',
        'metric: "vllm:generation_tokens_total", delta: {eq: "${load.tokens.completion}"}',
        'metric: "vllm:request_success_total", delta: {sum: {eq: "${load.ok}"}}',
        """metric: 'vllm:request_success_total{finished_reason="length"}'""",
        'metric: "vllm:time_to_first_token_seconds_count", delta: {eq: "${load.ok}"}',
        "expr: delta(counted) == load.tokens.completion - load.ok",
        'metric: "vllm:num_requests_running", eq: 0',
        "conforms: prometheus, severity: warning",
        "# - {conforms: prometheus-naming}  # did not hold: ",  # colons are for recording rules
        'metric: "vllm:cache_config_info", eq: 1',
        "delta: {histogram_quantile: {q: 0.5, gt: 0}}",
        "0 < delta(took) / delta(count) <= load.wall_ms.max / 1000",
        'delta: {sum: {eq: "${load.ok}"}, absent_before: 0}',  # of $.models.*.inference_count
        "path: $.ttft, ordered: [p50_ms, p95_ms, p99_ms, max_ms]",
        'path: $.latency_ms.percentiles, ordered: ["50", "90", "99", "99.9"]',
        'path: "$.replicas[*].served", type: integer, delta: {sum: {eq: "${load.ok}"}}',
        "path: $.engine.max_batch_size, eq: 32",
        "path: $.engine.uptime_s, type: number",
        "expr: clock > before(clock)",
        'path: "$.replicas[*]", has_keys: [id, served, busy]',
        'path: "$.replicas[*].id", unique: true',
        "path: $.queue.depth, eq: 0",
        """path: "$['hit-rate %']", type: number, between: [0, 100]""",
        '# - {path: $.note, type: "null"}  # null: what is it when there is one?',
        'path: "$[*].served", type: integer, delta: {sum: {eq: "${load.ok}"}}',
        '# - {path: "$[*].utilization", type: number, between: [0, 1]}  # a share',
        '# - {path: "$[*].utilization", type: number, between: [0, 100]}  # a share, in hundredths',
    ],
)  # fmt: skip
def test_what_a_person_would_have_written_is_there(engine_spec, line):
    assert line in engine_spec.text


def test_nothing_that_moves_is_written_down(engine_spec):
    assert not re.search(r"eq: [\"']?(2\d{3}-|7b1f0a52|\d+\.\d+[,}])", engine_spec.text)
    assert "$.now, matches:" in engine_spec.text
    assert '$.replicas[*].id"\n        matches:' in engine_spec.text


def test_counters_that_matched_are_critical_and_all_else_is_a_warning(engine_spec):
    spec = load_spec(engine_spec.file)
    for endpoint in spec.endpoints:
        for assertion in endpoint.assertions:
            said = str(assertion)
            exact = "load." in said and "load.failed" not in said and "load.wall_ms" not in said
            assert (assertion.about.severity == "critical") == exact, assertion.about.name


def test_what_moves_by_itself_is_not_waited_for(engine_spec):
    assert "still moving" not in engine_spec.said
    assert "not settled" not in engine_spec.said


def test_a_draft_says_that_warnings_do_not_break_a_run(engine_spec):
    head = engine_spec.text.partition("version: 1")[0]
    assert "`validator run --fail-on warning`" in head


def test_a_draft_is_stricter_than_it_looks(engine_spec):
    """Every lost or frozen counter is noticed, and so is every page that is not there."""
    spec, seen = load_spec(engine_spec.file), read_recording(engine_spec.recording)
    outcome = tried(spec, seen, date(2026, 1, 1))
    counters = ("_tokens_total", "success_total{", "_seconds_count", "inference_count", "served")
    for trial in outcome.trials:
        path, mutation = trial.mutant.field.path, trial.mutant.mutation
        if any(c in path for c in counters) and mutation not in ("swap", "drop"):
            assert trial.caught_by, (path, mutation)
    assert outcome.share > 0.75
    assert "broken values" in engine_spec.said


def test_a_draft_fails_on_a_server_that_does_not_count(engine_spec):
    call = ["run", engine_spec.file, "--url", "URL", "--set", "settle.within=1s"]
    (done,) = on_engine(call, engine=Engine(counts=False))
    assert done.returncode == 1
    assert "unchanged while 5 requests succeeded" in done.stdout


OTHER_LOADS = [
    {"longer": 7, "reason": "length", "repeated": 3, "delay": 0.005},
    {"longer": 0, "repeated": 2, "delay": 0.2},
]


@pytest.mark.parametrize("other", OTHER_LOADS, ids=["longer answers", "slower answers"])
@pytest.mark.parametrize("repeated", [0, 2], ids=["nothing cached", "some cached"])
def test_a_draft_holds_of_another_load_of_a_truthful_server(tmp_path, other, repeated):
    """Nothing that is asserted was true by chance of the loads that it was drafted from."""
    engine, file = Engine(repeated=repeated), tmp_path / "spec.yaml"

    def serve_otherwise():
        for name, value in other.items():
            setattr(engine, name, value)

    pages = [f"URL{page}" for page in (*PAGES, "/v2/books")]
    load = ["--requests", 13, "--set", "load.concurrency=3", "--set", "load.max_tokens=9"]
    drafted_, run = on_engine(
        ["init", *pages, "--load", 5, "--model", MODEL, "-o", file],
        serve_otherwise,
        ["run", file, *load, "--set", "load.prompts=[Say why]", "--fail-on", "warning"],
        engine=engine,
    )
    assert drafted_.returncode == 0, drafted_.stderr
    assert run.returncode == 0, run.stdout


def test_a_draft_without_a_load_holds_and_only_suggests_counters(tmp_path):
    file = tmp_path / "spec.yaml"
    first, again = on_engine(
        ["init", "URL/metrics", "URL/v2/stats?verbose=1", "-o", file],
        ["run", file],
        more={"/v2/stats?verbose=1": reply(b'{"requests_total": 9, "workers": 4}')},
        engine=Engine(ok=7, prompt=70, completion=40),
    )
    assert first.returncode == 0, first.stderr
    assert again.returncode == 0, again.stdout
    text = file.read_text()
    assert "get: " in text
    assert "?verbose=1" in text
    assert '# - {path: $.requests_total, delta: {eq: "${load.ok}"}}' in text
    assert "path: $.workers, eq: 4" in text
    assert "\nload:" not in text
    assert "--fail-on warning" in text.partition("version: 1")[0]
    assert "--load N" in first.stderr


def test_secrets_are_named_and_never_written():
    call = ["init", "URL/stats.csv", "--load", 2, "--model", MODEL, "--api-key", "sk-hidden-1"]
    (done,) = on_engine([*call, "--header", "X-Pass: hidden-2"])
    assert done.returncode == 0, done.stderr
    assert "hidden" not in done.stdout + done.stderr
    assert "api_key: ${env.API_KEY}" in done.stdout
    assert '"${env.HEADER_X_PASS}"' in done.stdout


def uncommented(text):
    """Return a draft with all its suggestions taken, and the load that some of them need."""
    text = re.sub(r"(?m)^( +)# (?=- \{)", r"\1", text)
    return re.sub(r"(?m)^# (?=load:|  )", "", text) if "needs a load\n" in text else text


def wrong(text, recordings):
    """Return the lines of a spec that fail of any recording."""
    spec = parse(text, overrides=Overrides(environment={}))
    lines = text.splitlines()
    verdicts = [verdict for seen in recordings for verdict in conclude(spec, seen).verdicts]
    return [lines[v.span.line - 1] for v in verdicts if v.bad]


def test_suggestions_hold_when_they_are_uncommented_unless_they_say_they_did_not(engine_spec):
    text = uncommented(engine_spec.text)
    assert text != engine_spec.text
    for line in wrong(text, [read_recording(engine_spec.recording)]):
        assert "did not hold" in line


PAIRS = [
    ({"lastErr": None}, {"lastErr": None}, 'type: "null"'),
    ({"lastErr": None}, {"lastErr": "full"}, 'type: ["null", string]'),
    ({"gone": 1}, {}, "did not hold: gone"),
    ({"requests": {"ok": 9}}, {"requests": {"ok": 9}}, 'requests.ok, delta: {eq: "${load.ok}"}'),
    ({"requests": {"bad": 0}}, {"requests": {"bad": 0}}, 'bad, delta: {eq: "${load.failed}"}'),
    ({"hits": 9}, {"hits": 9}, "hits, delta: {gt: 0}"),
    ({"requests_total": 9}, {"requests_total": 9}, 'delta: {eq: "${load.ok}"}'),
]


@pytest.mark.parametrize("first, second, suggested", PAIRS)
def test_every_suggestion_is_a_line_of_a_spec(first, second, suggested):
    recordings = [looked(first), looked(second)]
    drafts = drafted([Page("page", "/x", "json")], recordings, "")
    text, _, _ = holding(Frame("any", "http://h", prompts=("hi",)), drafts, recordings, {})
    taken = uncommented(text)
    (line,) = [line.lstrip() for line in taken.splitlines() if suggested in line]
    assert line.startswith("- {")
    assert parse(taken) is not None
    if "delta" not in taken:
        assert all("did not hold" in line for line in wrong(taken, recordings))


# Histograms in JSON


def books(ok, *, failed=0, wall=200.0, reason="stop", cached=0):
    """Return the ledger of a load of *ok* requests, each as long."""
    prompt, completion = 12, 5
    return {
        "sent": ok + failed, "ok": ok, "failed": failed, "success_rate": ok / (ok + failed),
        "duration_s": 2.0, "chunks": ok * completion, "finish_reasons": {reason: ok},
        "tokens": {
            "prompt": ok * prompt, "completion": ok * completion, "cached": cached,
            "source": "usage",
        },
        "wall_ms": {"count": ok, "missing": 0, "mean": wall / 2, "max": wall},
    }  # fmt: skip


def loaded(before, after, ok, decoder="json", **more):
    """Return a recording of a load of *ok* requests between two looks."""
    looks = [
        {"page": Snapshot("page", decoded(d) if decoder == "prometheus" else d, status=200)}
        for d in (before, after)
    ]
    rounds = (Round(ledger=books(ok, **more), observations=Observations(*looks)),)
    return Recording("t", "s", "http://h", STARTED, rounds=rounds)


def draft_of(recordings, decoder="json"):
    """Return the text of a draft for a page that two loads moved."""
    frame = Frame("any", "http://h", requests=4, model="m", prompts=("hi",))
    drafts = drafted([Page("page", "/x", decoder)], recordings, "m")
    return holding(frame, drafts, recordings, {})[0]


def asserted(text):
    """Return the lines of a draft that are no suggestions."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("# - "))


def rows(*counts):
    bounds = (10, 100, 1000, "+Inf")
    return {"h": [{"le": le, "count": n} for le, n in zip(bounds, counts, strict=True)]}


def keys(*counts):
    """Return buckets by key, in the order of their texts, as some write them."""
    bounds = ("10", "100", "1000", "+Inf")
    return {"h": dict(sorted(zip(bounds, counts, strict=True)))}


def arrays(*counts):
    return {"h": {"bounds": [10, 100, 1000], "counts": list(counts)}}


APART = ((0, 0, 0, 0), (1, 3, 0, 0), (1, 6, 2, 0)), (2, 6, 3, 3)
CUMULATIVE = ((0, 0, 0, 0), (1, 4, 4, 4), (1, 7, 9, 9)), (3, 8, 10, 14)
EQ = '{eq: "${load.ok}"}'


@pytest.mark.parametrize(
    "shape, counts, claimed",
    [
        (rows, APART, f'"$.h[*].count", type: integer, delta: {{sum: {EQ}}}'),
        (rows, CUMULATIVE, f'"$.h[-1].count", type: integer, delta: {EQ}'),
        (rows, CUMULATIVE, '"$.h[*].count", sorted: true'),
        (keys, APART, f"$.h.*, type: integer, delta: {{sum: {EQ}, absent_before: 0}}"),
        (keys, CUMULATIVE, f"\"$.h['+Inf']\", type: integer, delta: {EQ}"),
        (keys, CUMULATIVE, '$.h, ordered: ["10", "100", "1000", "+Inf"]'),
        (arrays, APART, f'"$.h.counts[*]", type: integer, delta: {{sum: {EQ}}}'),
        (arrays, CUMULATIVE, f'"$.h.counts[-1]", type: integer, delta: {EQ}'),
        (arrays, CUMULATIVE, "$.h.counts, sorted: true"),
    ],
)
def test_of_a_histogram_is_claimed_what_holds_wherever_answers_fall(shape, counts, claimed):
    (idle, first, second), third = counts
    recordings = [
        loaded(shape(*idle), shape(*first), 4), loaded(shape(*first), shape(*second), 5)
    ]  # fmt: skip
    text = draft_of(recordings)
    assert claimed in asserted(text)
    assert not re.search(r"\[\d\]|\['?10", asserted(text))
    assert wrong(text, [loaded(shape(*second), shape(*third), 5)]) == []


def test_a_histogram_that_may_be_of_either_kind_is_only_suggested():
    recordings = [
        loaded(rows(0, 0, 0, 0), rows(0, 0, 0, 4), 4), loaded(rows(0, 0, 0, 4), rows(0, 0, 0, 9), 5)
    ]  # fmt: skip
    text = draft_of(recordings)
    assert "delta" not in asserted(text)
    assert "# if each bucket counts its own" in text
    assert "# if each bucket counts those below it too" in text


def test_buckets_that_come_into_being_are_counted_from_0():
    hists = [{}, {"8": 4}, {"8": 6, "16": 3}, {"8": 6, "16": 3, "64": 2}]
    looks = [{"batch_size_histogram": one, "ok": 1} for one in hists]
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    assert "absent_before: 0" in asserted(text)
    assert wrong(text, [loaded(looks[2], looks[3], 2)]) == []


def test_elements_that_moved_alike_are_only_suggested():
    def page(*numbers):
        return {"steps": [{"name": "abc"[i], "done": n} for i, n in enumerate(numbers)]}

    looks = page(0, 0, 0), page(1, 4, 4), page(4, 9, 9)
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    assert "delta" not in asserted(text)
    assert "other elements moved alike" in text


def test_percentiles_are_no_histogram():
    page = {"latency": {"50": 4, "90": 5, "99": 6}}
    text = draft_of([loaded(page, page, 4), loaded(page, page, 5)])
    assert '$.latency, ordered: ["50", "90", "99"]' in text


def test_what_is_counted_by_a_name_may_not_be_there_before_the_first_request():
    looks = [{"total": n, "by_rule": {"other": n}} for n in (1, 5, 10)]
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    assert "by_rule.other" in asserted(text)
    fresh = loaded({"total": 0, "by_rule": {}}, {"total": 4, "by_rule": {"other": 4}}, 4)
    assert not wrong(text, [fresh])


def test_what_has_a_label_of_requests_is_summed_up():
    """Another way to ask than that of the load is another series, which stands still."""
    page = (
        '# TYPE http_seconds histogram\nhttp_seconds_bucket{{handler="/chat",le="+Inf"}} {0}\n'
        'http_seconds_sum{{handler="/chat"}} {1}\nhttp_seconds_count{{handler="/chat"}} {0}\n'
    ).format
    looks = page(3, 0.3), page(7, 0.7), page(12, 1.2)
    text = draft_of(
        [loaded(a, b, n, "prometheus") for a, b, n in zip(looks, looks[1:], (4, 5), strict=False)],
        "prometheus",
    )
    assert 'metric: http_seconds_count, delta: {sum: {eq: "${load.ok}"}}' in asserted(text)
    assert "sum(delta(took)) / sum(delta(count))" in asserted(text)
    other = page(9, 0.9).replace("/chat", "/other").partition("\n")[2]
    assert not wrong(text, [loaded(looks[2] + other, page(16, 1.6) + other, 4, "prometheus")])


# Hits and misses


def cache(hits, misses, *, names="hits misses lookups hit_rate", scale=1):
    rate = round(scale * hits / (hits + misses), 3) if hits else 0.0
    numbers = {"hits": hits, "misses": misses, "lookups": hits + misses, "hit_rate": rate}
    return {"cache": {name: numbers[name] for name in names.split()}}


@pytest.mark.parametrize(
    "more, claimed",
    [
        ({}, ["hits + misses == lookups", "abs(rate * lookups - hits) <= 0.01 * lookups"]),
        ({"scale": 100}, ["abs(rate * lookups - 100 * hits) <= 1 * lookups"]),
        (
            {"names": "hits misses hit_rate"},
            [
                "delta(hits) + delta(misses) == load.ok",
                "abs(rate * (hits + misses) - hits) <= 0.01 * (hits + misses)",
            ],
        ),
        ({"names": "hits lookups"}, ["hits <= lookups"]),
    ],
)
def test_hits_misses_and_their_rate_are_held_against_one_another(more, claimed):
    looks = cache(0, 0, **more), cache(1, 3, **more), cache(5, 4, **more)
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    for relation in claimed:
        assert relation in asserted(text).replace('"', "")
    assert wrong(text, [loaded(looks[2], cache(9, 10, **more), 10)]) == []
    told = cache(9, 10, **more)["cache"]
    for key in told.keys() - {"lookups"} if len(claimed) > 1 else ["hits"]:
        lie = {"cache": {**told, key: told[key] * 3}}
        assert wrong(text, [loaded(looks[2], lie, 10)])


def test_that_all_were_misses_is_no_claim():
    looks = [{"hits": 0, "misses": n} for n in (0, 4, 9)]
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    assert wrong(text, [loaded(looks[2], {"hits": 3, "misses": 11}, 5)]) == []
    assert '# - {path: $.misses, type: integer, delta: {eq: "${load.ok}"}}' in text


def test_hits_of_a_metric_are_added_up():
    pages = [
        f'# TYPE c_hits_total counter\nc_hits_total{{w="a"}} {n}\nc_hits_total{{w="b"}} {n}\n'
        f'# TYPE c_queries_total counter\nc_queries_total{{w="a"}} {3 * n}\n'
        for n in (0, 2, 7)
    ]
    recordings = [
        loaded(pages[0], pages[1], 4, "prometheus"), loaded(pages[1], pages[2], 5, "prometheus")
    ]  # fmt: skip
    assert "expr: sum(hits) <= sum(lookups)" in asserted(draft_of(recordings, "prometheus"))


# Why answers ended, and how requests went


def outcomes(good, scrapes=0):
    return (
        "# TYPE r_total counter\n"
        f'r_total{{status="success",model="m"}} {good}\nr_total{{status="error",model="m"}} 0\n'
        f'r_total{{status="success",model="other"}} 0\n'
        "# TYPE http_total counter\n"
        f'http_total{{path="/chat"}} {good}\nhttp_total{{path="/metrics"}} {scrapes}\n'
        "# TYPE ended_total counter\n"
        f'ended_total{{reason="stop"}} {good}\n'
    )


def test_what_labels_tell_apart_is_asked_for_as_the_ledger_tells_it_apart():
    looks = [outcomes(good, i) for i, good in enumerate((3, 7, 7, 12))]
    seen = [
        loaded(looks[0], looks[1], 4, "prometheus"), loaded(looks[2], looks[3], 5, "prometheus")
    ]  # fmt: skip
    text = asserted(draft_of(seen, "prometheus"))
    for selector, wanted in [
        ("""'r_total{status="success"}'""", f"{{sum: {EQ}}}"),
        ("""'r_total{status="error"}'""", 'eq: "${load.failed}"'),
        ("""'r_total{model="${vars.model}"}'""", f"{{sum: {EQ}}}"),
        ("""'http_total{path="/chat"}'""", EQ),
        ("ended_total", f"{{sum: {EQ}}}"),
        ("""'ended_total{reason="stop"}'""", "${load.finish_reasons.stop}"),
    ]:
        assert re.search(rf"metric: {re.escape(selector)},?\s.*{re.escape(wanted)}", text), selector
    ended = f'{outcomes(16, 9).replace("stop", "length")}ended_total{{reason="stop"}} 12\n'
    before = f'{looks[3]}ended_total{{reason="length"}} 12\n'
    found = wrong(text, [loaded(before, ended, 4, "prometheus", reason="length")])
    assert found == []


def test_reasons_of_json_are_held_against_those_that_the_client_saw():
    pages = [{"finish_reason": {"stop": n, "length": 0, "eos": n}} for n in (0, 4, 9)]
    text = draft_of([loaded(pages[0], pages[1], 4), loaded(pages[1], pages[2], 5)])
    for reason in ("stop", "length"):
        assert f'delta: {{eq: "${{load.finish_reasons.{reason}}}"}}' in asserted(text)
    assert "# if all answers end so" in text


# What stood still


@pytest.mark.parametrize(
    "page, claimed",
    [
        ({"bad": 0}, "$.bad"),
        ({"requests": {"ko": 3}}, "$.requests.ko"),
        ({"errors": {"count": 0}}, "$.errors.count"),
        ({"numRejected": 0}, "$.numRejected"),
        ({"embeddings": 0}, None),
        ({"images_total": 7}, None),
    ],
)
def test_what_stood_still_failed_as_often_as_the_client_saw_or_is_suggested(page, claimed):
    text = draft_of([loaded(page, page, 4), loaded(page, page, 5)])
    if claimed:
        assert f'path: {claimed}, type: integer, delta: {{eq: "${{load.failed}}"}}' in text
    else:
        (path,) = page
        assert f"# - {{path: $.{path}, delta: {{eq: 0}}}}  # stood still" in text
        assert "delta" not in asserted(text)


@pytest.mark.parametrize("page", [{"error_rate": 0}, {"last_error": 0}, {"max_errors": 0}])
def test_what_speaks_of_failures_without_counting_them_is_not_compared_with_them(page):
    assert "load.failed" not in draft_of([loaded(page, page, 4), loaded(page, page, 5)])


def test_a_clock_of_whole_seconds_may_stand_still_for_one():
    seen = [loaded({"uptime_s": a}, {"uptime_s": b}, 4 + a) for a, b in [(0, 0), (1, 2)]]
    text = draft_of(seen)
    assert "clock >= before(clock)" in asserted(text)
    assert "delta" not in text
    assert wrong(text, [loaded({"uptime_s": 5}, {"uptime_s": 3}, 4)])


def test_quantiles_of_a_summary_are_above_0_and_in_order():
    def page(count, *quantiles):
        lines = [f'lag{{quantile="{q}"}} {v}' for q, v in zip((0.5, 0.9), quantiles, strict=True)]
        return "\n".join(["# TYPE lag summary", *lines, f"lag_sum {count}", f"lag_count {count}\n"])

    looks = page(0, 0, 0), page(4, 2, 3), page(9, 3, 4)
    seen = [
        loaded(looks[0], looks[1], 4, "prometheus"),
        loaded(looks[1], looks[2], 5, "prometheus"),
    ]
    text = draft_of(seen, "prometheus")
    assert "metric: lag, type: number, gt: 0" in asserted(text)
    assert wrong(text, [loaded(looks[2], page(13, 0, 4), 4, "prometheus")])
    assert wrong(text, [loaded(looks[2], page(13, 5, 4), 4, "prometheus")])


# Like objects in an array


def workers(*ids, **more):
    return {"pool": [{"id": i, "pool_id": f"p{i}", "host_id": i, "n": 1, **more} for i in ids]}


def test_like_objects_have_their_keys_and_ids_of_their_own():
    text = draft_of([loaded(workers(1, 2), workers(1, 2), n) for n in (4, 5)])
    assert '"$.pool[*]", has_keys: [id, pool_id, host_id, n]' in asserted(text)
    assert '"$.pool[*].id", unique: true' in asserted(text)
    assert '"$.pool[*].pool_id", unique: true' in asserted(text)
    assert 'host_id", unique' not in text
    assert "# - {path: $.pool, length: {eq: 2}}" in text
    assert wrong(text, [loaded(workers(1, 2), workers(2, 2), 5)])
    pages = workers(1, 2)["pool"], workers(1, 2, error="full")["pool"]
    text = draft_of(
        [loaded({"pool": pages[0]}, {"pool": [pages[0][0], pages[1][1]]}, n) for n in (4, 5)]
    )
    assert "has_keys" not in text


# Shares


@pytest.mark.parametrize(
    "name, values, sure, suggested",
    [
        ("hit_rate", (0, 0.43), [], [1, 100]),
        ("hit_rate", (0, 43.5), [100], []),
        ("success_ratio", (0, 0.99), [1], []),
        ("busyRatio", (0, 0.0), [], [1, 100]),
        ("used_pct", (0, 0.5), [100], []),
        ("hit-rate %", (1, 12.5), [100], []),
        ("gpu_utilization", (0, 55), [100], []),
        ("gpu_utilization", (0.3, 0.4), [], [1, 100]),
        ("fraction_cached", (0.25, 0.5), [1], []),
        ("ratio_in_out", (0.43, 0.4), [], [1]),
        ("hit_miss_ratio", (0.4, 0.5), [], [1]),
        ("ratio_in_out", (0.43, 2.1), [], []),
        ("cpu_percent", (0, 0.9), [], [100]),
        ("cpu_percent", (0, 101), [], []),
        ("error_rate", (0, 2.5), [], []),
        ("memory_usage_bytes", (0.5, 1), [], []),
        ("temperature_ratio", (-1, 0.5), [], []),
    ],
)
def test_only_a_share_of_a_whole_has_an_upper_bound(name, values, sure, suggested):
    text = draft_of([loaded({name: values[0]}, {name: v}, 4 + i) for i, v in enumerate(values)])
    assert [top for top in (1, 100) if f"between: [0, {top}]" in asserted(text)] == sure
    found = [top for top in (1, 100) if f"between: [0, {top}]" in text]
    assert [top for top in found if top not in sure] == suggested


@pytest.mark.parametrize("told", ["1 means 100 percent usage.", "From 0.0 to 1.0", "Of the cache"])
def test_what_a_page_says_of_a_share_counts_for_more_than_its_name(told):
    page = f"# HELP cache_perc {told}\n# TYPE cache_perc gauge\ncache_perc 0\n"
    text = draft_of([loaded(page, page, n, "prometheus") for n in (4, 5)], "prometheus")
    assert f"between: [0, {1 if '1' in told else 100}]" in asserted(text)


# Tokens


@pytest.mark.parametrize("cached", [(20, 37), (0, 0), (44, 55)], ids=["some", "none", "nearly all"])
def test_prompts_that_were_computed_are_all_but_the_cached_ones(cached):
    """As llama.cpp counts them; where nothing was cached, they are those of the prompts."""
    page = '# TYPE prompt_tokens_total counter\nprompt_tokens_total{{engine="0"}} {}\n'.format
    rises = [12 * ok - told for ok, told in zip((4, 5), cached, strict=True)]
    looks = page(7), page(7 + rises[0]), page(7 + sum(rises))
    text = draft_of(
        [
            loaded(looks[0], looks[1], 4, "prometheus", cached=cached[0]),
            loaded(looks[1], looks[2], 5, "prometheus", cached=cached[1]),
        ],
        "prometheus",
    )
    if any(cached):
        assert "expr: delta(counted) == load.tokens.prompt - load.tokens.cached" in asserted(text)
        assert "let: {counted: {endpoint: page, metric: prompt_tokens_total}}" in text
    else:
        assert 'metric: prompt_tokens_total, delta: {eq: "${load.tokens.prompt}"}' in asserted(text)


# Times


def family(counted, seconds):
    return (
        "# TYPE wait_seconds histogram\n"
        f'wait_seconds_bucket{{le="1"}} {counted}\nwait_seconds_bucket{{le="+Inf"}} {counted}\n'
        f"wait_seconds_sum {seconds}\nwait_seconds_count {counted}\n"
    )


def sums(counted, milliseconds):
    return {"wait": {"count": counted, "sum_ms": milliseconds}}


def times(mean, most):
    return {"latency_ms": {"min": mean / 2, "mean": mean, "max": most}}


def test_a_mean_above_the_greatest_and_a_greatest_that_no_client_saw_are_noticed():
    looks = times(0, 0), times(50, 90), times(60, 90)
    text = draft_of([loaded(looks[0], looks[1], 4), loaded(looks[1], looks[2], 5)])
    assert "$.latency_ms, ordered: [min, mean, max]" in asserted(text)
    assert wrong(text, [loaded(looks[2], times(10, 90), 5, wall=20.0)]) == []
    assert wrong(text, [loaded(looks[2], times(95, 90), 5)])
    assert wrong(text, [loaded(looks[2], times(60, 400), 5)])


def test_what_may_be_of_earlier_requests_is_only_suggested_to_be_as_short_as_these():
    pages = [{"avg_latency_ms": n, "ttft": {"p50_s": n / 2000, "p99_s": n / 1000}} for n in (9, 8)]
    text = draft_of([loaded(pages[0], pages[1], 4), loaded(pages[1], pages[0], 5)])
    assert '# - {path: $.avg_latency_ms, le: "${load.wall_ms.max}"}  # no server takes' in text
    assert '"took <= load.wall_ms.max / 1000", let: {took: $.ttft.p99_s}}  # no server' in text
    assert "wall_ms" not in asserted(text)
    assert wrong(uncommented(text), [loaded(pages[0], pages[1], 4)]) == []


def test_a_first_token_takes_time_and_nobody_has_to_wait_in_a_queue():
    page = {"time_to_first_token_ms": 3.5, "queue_wait_ms": 0.5}
    text = draft_of([loaded(page, page, 4), loaded(page, page, 5)])
    assert "$.time_to_first_token_ms, type: number, gt: 0" in asserted(text)
    assert "$.queue_wait_ms, type: number, gt: 0" in text
    assert wrong(text, [loaded(page, {**page, "queue_wait_ms": 0}, 5)]) == []


@pytest.mark.parametrize("page, decoder, second", [(family, "prometheus", 1), (sums, "json", 1000)])
def test_a_mean_of_zero_and_one_that_no_client_saw_are_noticed(page, decoder, second):
    looks = [page(0, 0.0), page(4, 0.4 * second), page(9, 0.9 * second)]
    text = draft_of(
        [loaded(looks[0], looks[1], 4, decoder), loaded(looks[1], looks[2], 5, decoder)], decoder
    )
    for took, lies in [(0.0, True), (0.2, False), (0.8, False), (1.0, True), (0.05, False)]:
        told = page(14, (0.9 + 5 * took * 0.25) * second)
        found = wrong(text, [loaded(looks[2], told, 5, decoder)])
        assert bool(found) == lies, (took, found)


# Adding to a spec that is there

OWN = """# mine
version: 1
target: {url: http://localhost:1}   # no such server
load: {model: m, requests: 2, prompts: [hi]}
endpoints:
    stats:
        get: /v2/stats
        assert:
            # the one I care about
            - {path: $.status, eq: ok}
            - path: $.engine.version
              matches: '^3'   # three

    # the end of my endpoints

settle: {within: 1s}
# over
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
def test_what_a_spec_lacks_is_appended_and_every_byte_of_it_stays(tmp_path, ending):
    file = tmp_path / "own.yaml"
    own = OWN.replace("\n", ending)
    file.write_bytes(own.encode())
    call = ["init", "URL/v2/stats", "URL/stats.csv", "--add", file]
    first, again = on_engine(call, call)
    assert first.returncode == 0, first.stderr
    assert load_spec(file).endpoints
    text = file.read_bytes().decode()
    mine = iter(text.split(ending))
    assert all(line in mine for line in own.split(ending))  # in their order
    added = [line for line in text.split(ending) if line not in own.split(ending)]
    assert not [line for line in added if "$.status" in line or "$.engine.version" in line]
    assert "            - {path: $.engine.max_batch_size, eq: 32, severity: warning}" in added
    assert "    stats_csv:" in added
    assert text.index("max_batch_size") < text.index("stats_csv:") < text.index("settle:")
    assert ("\r" in text) == (ending == "\r\n")
    assert text.count("\r") == (text.count("\n") if ending == "\r\n" else 0)
    assert again.returncode == 0
    assert "nothing to add" in again.stderr
    assert file.read_bytes().decode() == text


def test_a_draft_without_a_load_is_gone_on_with(tmp_path):
    file = tmp_path / "own.yaml"
    with_load = ["--load", 2, "--model", MODEL, "--add", file]
    on_engine(["init", "URL/stats.csv", "-o", file])
    own = file.read_text() + "# over"  # and no line end
    file.write_text(own)
    added, again, run = on_engine(
        ["init", "URL/stats.csv", *with_load],
        ["init", "URL/stats.csv", *with_load],
        ["run", file, "--url", "URL"],
    )
    assert added.returncode == 0, added.stderr
    assert "a load added" in added.stderr
    text = file.read_text()
    lines = iter(text.splitlines())
    assert all(line in lines for line in own.splitlines())  # in their order
    assert '{path: "$[*].served", type: integer, delta: {sum: {eq: "${load.ok}"}}}' in text
    assert len(load_spec(file).loads) == 1
    assert "nothing to add" in again.stderr
    assert run.returncode == 0, run.stdout
    assert " fail" not in run.stdout.splitlines()[-1]


FLOW = """version: 1
target: {url: http://localhost:1}
endpoints: {a: {get: /v2/stats, assert: [{path: $.status, eq: ok}]}}
"""


@pytest.mark.parametrize(
    "text, said",
    [
        (OWN.replace("get: /v2/stats", "get: /v2/stats\n        assrt: 1"), "assrt"),
        (FLOW, "written in one line with brackets"),
    ],
    ids=["a problem", "one line"],
)
def test_a_spec_that_cannot_be_added_to_stays_as_it_is(tmp_path, text, said):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    (done,) = on_engine(["init", "URL/v2/stats", "--add", file])
    assert done.returncode == 2
    assert said in done.stderr
    assert file.read_text() == text


# Bad input

HTML = b"<!DOCTYPE html><html><body>metrics</body></html>"
BAD_PAGES = [
    ("/nowhere", reply(b"no", status=404), "HTTP 404"),
    ("/html", reply(HTML, headers={"Content-Type": "text/html"}), "HTML"),
    ("/empty", reply(b""), "empty"),
    ("/hangs", never(), "no answer within"),
]


def test_all_pages_that_cannot_be_drafted_for_are_named_at_once_and_nothing_is_written(tmp_path):
    file = tmp_path / "spec.yaml"
    call = ["init", "URL/metrics", *(f"URL{path}" for path, _, _ in BAD_PAGES), "-o", file]
    (done,) = on_engine([*call, "--timeout", "500ms"], more={p: s for p, s, _ in BAD_PAGES})
    assert done.returncode == 1
    for path, _, said in BAD_PAGES:
        (line,) = [line for line in done.stderr.splitlines() if f"{path}:" in line]
        assert said in line
    assert "Traceback" not in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_load_that_fails_is_no_ground_for_a_draft(tmp_path):
    file = tmp_path / "spec.yaml"
    call = ["init", "URL/stats.csv", "--load", 2, "--model", "m", "-o", file]
    (done,) = on_engine(call, more={CHAT: reply(b"busy", status=503)})
    assert done.returncode == 1
    assert "only 0 of 2 requests of the load succeeded" in done.stderr
    assert not file.exists()


def test_a_file_that_is_there_is_kept_unless_force_is_given(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("mine")
    call = ["init", "URL/v2/stats", "-o", file]
    refused, forced = on_engine(call, [*call, "--force"])
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert forced.returncode == 0
    assert load_spec(file).endpoints


@pytest.mark.parametrize(
    "urls, said",
    [
        (["localhost:8000/x"], "write http://localhost:8000/x"),
        (["ftp://h/x"], "only http and https"),
        (["http:///x"], "no host"),
        (["http://h:99999/x"], "not a URL"),
        (["http://h/a b"], "a space"),
        (["http://h/\x1b"], "control character"),
        (["http://me:secret@h/x"], "--header"),
        (["http://a/x", "http://b/x"], "one target"),
    ],
)
def test_what_is_no_url_of_one_target_is_refused(urls, said):
    with pytest.raises(UsageError) as refused:
        placed(urls)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_pages_may_be_elsewhere_than_the_target():
    place = placed(["http://h:2/metrics", "http://h:1/v/stats", "http://h:1/x"], "http://h:1/v/")
    assert place.base == "http://h:1/v"
    assert place.paths == ("http://h:2/metrics", "/stats", "http://h:1/x")
    assert list(map(place.url, place.paths))[1:] == ["http://h:1/v/stats", "http://h:1/x"]


def test_a_draft_names_pages_that_are_elsewhere_whole(tmp_path):
    async def go():
        async with serving(Engine(), {}) as engine, serving(Engine(), {}) as other:
            urls = [f"{one.url}/metrics" for one in (engine, other)]
            flags = ["--url", engine.url, "--header", "X-Key: k", "-o", tmp_path / "spec.yaml"]
            return urls, await asyncio.to_thread(validator, "init", *urls, *map(str, flags))

    (_, elsewhere), done = asyncio.run(go())
    assert done.returncode == 0, done.stderr
    spec = load_spec(tmp_path / "spec.yaml", Overrides(environment={"HEADER_X_KEY": "k"}))
    assert [(e.id, e.path) for e in spec.endpoints] == [
        ("metrics", "/metrics"),
        ("metrics_2", elsewhere),
    ]


def test_urls_of_one_target_share_it_and_none_is_read_twice():
    place = placed(["http://h:1/a?x=1#top", "http://h:1", "http://h:1/a?x=1"])
    assert place.base == "http://h:1"
    assert place.paths == ("/a?x=1", "/")


# Formats


@pytest.mark.parametrize(
    "body, content_type, found",
    [
        (b'{"a": 1}', "", "json"),
        (b'{"a": 1}', "text/plain", "json"),
        (b'\n [{"a": 1}]', "text/html", "json"),
        (b"# TYPE a counter\na 1\n", TEXT, "prometheus"),
        (b'a{b="c"} 1\n', "text/plain", "prometheus"),
        (b"a 1\n# EOF\n", OPENMETRICS, "prometheus"),
        (b"a,b\n1,2\n", "text/csv", "csv"),
        (b"a;b\n1;2\n", "text/plain", "csv"),
        (HTML, "text/html", "HTML or XML"),
        (b"<?xml version='1.0'?><a/>", "", "HTML or XML"),
        (b"", "", "empty"),
        (b" \n", "application/json", "empty"),
        (b"{}", "", "empty document"),
        (b"[]", "", "empty document"),
        (b"3", "application/json", "only 3"),
        (b"# TYPE a counter\n", TEXT, "without any sample"),
        (b"a,b\n", "text/csv", "empty document"),
        (b"OK", "text/plain", "neither JSON nor Prometheus text nor CSV"),
        (b'{"a": NaN}', "application/json", "NaN"),
        (b'{"a": ', "", "not JSON"),
        (b"\x00\x01\x02", "application/octet-stream", "binary"),
        (b"\xff\xfe\xfa", "", "neither"),
        (b"data: 1\n\n", "text/event-stream", "format: events"),
    ],
)
def test_a_format_is_told_by_what_the_body_is(body, content_type, found):
    payload = Payload(body, content_type)
    if found in ("json", "prometheus", "csv"):
        assert recognised(payload) == found
    else:
        with pytest.raises(DecodeError, match=re.escape(found)):
            recognised(payload)


# Any page at all

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
KEYS = st.text(max_size=6) | st.sampled_from(
    ["p50", "p99", "max", "50", "99", "total_requests", "model", "a b", "${load.ok}", "it's", "[0]"]
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
).filter(lambda document: isinstance(document, dict | list) and document)


def decoded(text):
    return DECODERS["prometheus"](Payload(text.encode(), TEXT), 100)


def looked(document):
    seen = {"page": Snapshot("page", document, status=200)}
    rounds = (Round(observations=Observations(seen, seen)),)
    return Recording("t", "s", "http://h", STARTED, rounds=rounds)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.data())
def test_a_draft_of_any_page_lints_clean_and_holds(first, data):
    second = data.draw(st.just(first) | DOCUMENTS)
    recordings = [looked(first), looked(second)]
    drafts = drafted([Page("page", "/x", "json")], recordings, "")
    text, spec, _ = holding(Frame("any", "http://h"), drafts, recordings, {})
    assert parse(text, overrides=Overrides(environment={})) is not None
    assert spec.endpoints[0].assertions
    assert text.encode("utf-8")


NUMBERS = st.integers(0, 9) | st.floats(0, 9)
BUCKETS = st.lists(
    st.fixed_dictionaries({"le": NUMBERS | st.just("+Inf"), "count": st.integers(0, 9)})
)
MOVED = st.dictionaries(
    KEYS
    | st.sampled_from(["hits", "misses", "hit_rate", "lookups", "uptime_s", "sum_ms", "count"]),
    NUMBERS | BUCKETS | st.dictionaries(st.sampled_from(["1", "2", "+Inf"]), st.integers(0, 9)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVED, min_size=4, max_size=4))
def test_a_draft_of_any_page_that_loads_moved_lints_clean_and_holds(pages):
    recordings = [loaded(pages[0], pages[1], 4), loaded(pages[2], pages[3], 5)]
    text = draft_of(recordings)
    assert wrong(text, recordings) == []
    assert parse(uncommented(text), overrides=Overrides(environment={})) is not None


ODD_METRICS = """# TYPE my.metric gauge
{"my.metric"} 3
{"my.metric","odd label"="a"} 4
# TYPE plain_total counter
plain_total{path="/a b\\\\c",say="\\"x\\"",brace="${load.ok}{}"} 7
# TYPE wait summary
wait{quantile="0.5"} 1
wait{quantile="0.99"} NaN
wait_sum 9
wait_count 3
bare 1 1754000000000
"""


def test_odd_names_and_labels_of_metrics_are_written_so_that_they_are_read_back():
    page = decoded(ODD_METRICS)
    recordings = [looked(page), looked(page)]
    drafts = drafted([Page("page", "/x", "prometheus")], recordings, "")
    text, spec, _ = holding(Frame("any", "http://h"), drafts, recordings, {})
    assert len(spec.endpoints[0].assertions) > 4
    assert """metric: '{"my.metric"}'""" in text


@pytest.mark.parametrize(
    "decoder, earlier, later, waits",
    [
        (
            "json",
            {"ts": 1, "engine": {"up": 1, "ok": 2}, "rows": [{"n": 1}]},
            {"ts": 2, "engine": {"up": 2, "ok": 2}, "rows": [{"n": 1}]},
            ["path: $.engine.ok", "path: $.rows..*"],
        ),
        ("json", {"ok": 1}, {"ok": 1}, ['path: "$..*"']),
        (
            "prometheus",
            decoded("up 1\nok 2\nprocess_cpu_seconds_total 3\n"),
            decoded("up 2\nok 2\nprocess_cpu_seconds_total 3\n"),
            ["""metric: '{__name__=~".+",__name__!="up",__name__!="process_cpu_seconds_total"}'"""],
        ),
    ],
    ids=["json", "all still", "prometheus"],
)
def test_a_look_waits_only_for_what_was_still_while_idle(decoder, earlier, later, waits):
    frame = Frame("any", "http://h", requests=2, model="m", prompts=("hi",))
    text = looking_spec(frame, [Page("page", "/x", decoder)], [looked(earlier), looked(later)])
    assert parse(text) is not None
    asked = re.findall(r"- \{(.+), delta", text)
    assert asked == waits


def test_a_large_page_is_cut_and_says_so():
    page = {f"field_{i}": {"n": i, f"own_{i}": 1} for i in range(2500)}
    recordings = [looked(page), looked(page)]
    drafts = drafted([Page("page", "/x", "json")], recordings, "")
    text, spec, _ = holding(Frame("any", "http://h"), drafts, recordings, {})
    assert "were left out" in text
    assert len(spec.endpoints[0].assertions) < 1500


@given(st.text(max_size=12), st.booleans())
def test_a_quoted_text_is_read_back_as_it_was(text, outside):
    if any("\ud800" <= c <= "\udfff" for c in text):
        return
    problems = Problems()
    written = f"a: {quoted(text, outside=True)}" if outside else f"a: {{b: {quoted(text)}}}"
    node = read(f"{written}\n", "x", problems)
    assert not problems.found
    assert node.at("a").plain() == (text if outside else {"b": text})


@pytest.mark.parametrize(
    "key, found",
    [
        ("p50", ("", "", 50.0)), ("p99_ms", ("", "_ms", 99.0)), ("ttft_p95", ("ttft_", "", 95.0)),
        ("p999", ("", "", 99.9)), ("p99.9", ("", "", 99.9)), ("p100", ("", "", 100.0)),
        ("50", ("", "bare", 50.0)), ("99.9", ("", "bare", 99.9)), ("step50", None), ("p", None),
        ("500", None), ("mp50x", None),
    ],
)  # fmt: skip
def test_percentiles_are_known_by_their_keys(key, found):
    assert words.quantile(key) == found


@pytest.mark.parametrize(
    "name, same",
    [("maxQueueSize", "max_queue_size"), ("vllm:num-running", "vllm num running"), ("a.B", "a_b")],
)
def test_the_words_of_a_name_do_not_depend_on_how_they_are_joined(name, same):
    assert words.words(name) == words.words(same)


@pytest.mark.parametrize(
    "name, found",
    [
        ("vllm:request_success_total", {"eq": "${load.ok}"}),
        ("vllm:prompt_tokens_total", {"eq": "${load.tokens.prompt}"}),
        ("vllm:generation_tokens_total", {"eq": "${load.tokens.completion}"}),
        ("vllm:time_to_first_token_seconds_sum", {"gt": 0}),
        ("vllm:time_to_first_token_seconds_count", {"eq": "${load.ok}"}),
        ("tokens_total", {"gt": 0}),
        ("request_failures_total", {"eq": "${load.failed}"}),
    ],
)
def test_what_a_counter_may_count_is_guessed_by_its_name(name, found):
    assert words.counted(name) == found


def test_a_draft_of_a_server_with_a_past_holds_of_one_that_was_just_started(tmp_path):
    file = tmp_path / "drafted.yaml"
    pages = ("/dynamo/metrics/json", "/kv-cache/metrics", "/dynamo/metrics")
    with demo() as used, demo() as fresh:
        assert validator("run", FIRST, "--url", used).returncode == 0
        done = validator(
            "init", *(f"{used}{page}" for page in pages),
            "--load", "10", "--model", "openai/gpt-oss-120b", "--output", file,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = validator("run", file, "--url", fresh, "--fail-on", "warning")
    assert done.returncode == 0, done.stdout
    text = file.read_text(encoding="utf-8")
    assert "absent_before: 0" in text
    assert "- {path: $.batch.max_size, eq:" not in asserted(text)
