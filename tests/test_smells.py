"""What `validator lint` warns of: allowed, and likely not meant."""

from __future__ import annotations

import pytest
from command_line import validator

from validator.smells import smells
from validator.spec.parse import parse

HEAD = """\
version: 1
target: {url: http://localhost:1}
load: {model: m, requests: 5, prompts: [hi]}
endpoints:
  page:
    get: /page
    assert:
"""
COUNTED = "- {path: $.requests_total, delta: {eq: '${load.ok}'}}"


def found(text: str) -> list[str]:
    return [f"{p.span.line}: {p.message}" for p in smells(parse(text))]


def of(*assertions: str, head: str = HEAD) -> list[str]:
    return found(head + "".join(f"      {line}\n" for line in assertions))


@pytest.mark.parametrize(
    "assertions",
    [
        [COUNTED],
        [COUNTED, "- {path: $.requests_total, ge: 0}", "- {path: $.requests_total, type: integer}"],
        ["- {path: $.status, eq: ok}"],
        ["- {path: $.latency.avg, gt: 0, le: '${load.ttft_ms.max}'}"],
        ["- {path: '$.latency_breakdown', length: {ge: '${load.ok}'}}"],
        ["- {path: $.requests_total, over: before, ge: 1}"],
        ["- {path: $.requests_total, ge: 5, skip: later}"],
        ["- {path: $.x, exists: true}", "- {path: $.x, gt: 1}", "- {path: $.x, lt: 9}"],
        [COUNTED, "- {path: $.requests_total, ge: '${load.ok}'}"],
        [
            "- {expr: delta(n) == load.ok, let: {n: $.requests_total}}",
            "- {path: $.requests_total, ge: '${load.ok}'}",
        ],
        ["- {path: $.config.total_workers, eq: 4}"],
        ["- {path: $.active_most, eq: '${load.in_flight_max}'}"],
        ["- {path: $.mode, eq: load balanced}"],
        ["- {path: $.log, length: {eq: '${load.ok}'}}"],
    ],
)
def test_a_spec_that_means_what_it_says_gets_no_warning(assertions):
    assert of(*assertions) == []


@pytest.mark.parametrize(
    "assertions, warned",
    [
        (
            ["- {path: $.served, ge: '${load.ok}'}"],
            "8: served: also true of a server that had counted before the load",
        ),
        (
            ["- {path: $.requests_total, eq: 5}"],
            "8: requests_total looks like a counter, and nothing asks for its change",
        ),
        (
            ["- {path: $.summary.total_errors, eq: 0}"],
            "8: summary.total_errors looks like a counter, and nothing asks for its change",
        ),
        (
            ["- {path: $.served, eq: '${load.ok}'}"],
            "8: served: true only of a server that had counted nothing before",
        ),
        (
            ["- {path: '$.workers[*].n', sum: {eq: '${load.sent}'}}"],
            "8: sum of workers[*].n: true only of a server that had counted nothing before",
        ),
        (["- {path: $.served, eq: load.ok}"], '8: served: "load.ok" is a text, and stays one'),
        (["- {path: $.depth, ge: 0}"], "8: depth: ≥ 0 is true of whatever counts or measures"),
        (["- {path: $.depth, gt: -1}"], "8: depth: > -1 is true of whatever counts or measures"),
        ([COUNTED, COUNTED], "9: change of requests_total: asked already in line 8"),
        (
            ["- {path: $.a, gt: 1, name: same}", "- {path: $.b, gt: 1, name: same}"],
            "9: the name 'same' stands in line 8 already",
        ),
        (
            ["- {path: $.a, gt: 1, severity: info}", "- {path: $.b, gt: 1, severity: warning}"],
            "5: no assertion is critical: whatever the values are, the run passes",
        ),
    ],
)
def test_what_is_likely_not_meant_gets_one_warning_with_its_place(assertions, warned):
    assert of(*assertions) == [warned]


def test_samples_that_nobody_asks_about():
    head = HEAD.replace("get: /page", "get: /page\n    during: {every: 1s}")
    (warned,) = of("- {path: $.status, eq: ok}", head=head)
    assert warned.endswith("page is sampled during the load, and nothing asks about the samples")
    assert of("- {path: $.active, over: during, max: {le: 5}}", head=head) == []


def test_a_server_that_is_always_fresh_may_be_asked_for_absolute_values():
    head = HEAD.replace("load:", "server: {command: serve, ready: /, reuse: false}\nload:")
    assert of("- {path: $.served, ge: '${load.ok}'}", head=head) == []


def test_metrics_of_prometheus_are_known_by_their_names():
    head = HEAD.replace("get: /page", "get: /page\n    format: prometheus")
    (warned,) = of("- {metric: served_total, gt: 0}", head=head)
    assert "served_total looks like a counter" in warned
    assert of("- {metric: served, gt: 0}", head=head) == []


def test_without_a_load_nothing_is_asked_to_change():
    head = HEAD.replace("load: {model: m, requests: 5, prompts: [hi]}\n", "")
    assert of("- {path: $.requests_total, gt: 3}", head=head) == []


def test_lint_shows_warnings_and_passes_unless_it_is_strict(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"{HEAD}      - {{path: $.depth, ge: 0}}\n")
    done = validator("lint", spec)
    assert done.returncode == 0
    assert done.stdout == f"{spec}: 3 assertions, 1 warning\n"
    assert done.stderr.startswith("warning: depth: ≥ 0 is true")
    assert f"--> {spec}:8:9" in done.stderr
    assert validator("lint", "--strict", spec).returncode == 2


def test_a_target_that_ends_with_the_v1_of_the_requests_is_noticed():
    head = HEAD.replace("http://localhost:1", "http://localhost:1/v1/")
    assert of(COUNTED, head=head) == [
        "3: the target ends with /v1, so requests of the load go to /v1/v1"
    ]
    assert of("- {path: $.ok, eq: 1}", head=head.replace("load:", "vars:")) == []
