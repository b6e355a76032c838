"""Reports keep the contract that is published as JSON Schemas."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from command_line import report, validator
from demo_process import ROOT
from scripted_server import SETTLE, Books, judged, spec

from validator import Report, Severity, Status, run_async
from validator.bundled import located, names
from validator.records.verdict import Verdict
from validator.reporters import REPORTERS
from validator.reporters.csv import COLUMNS
from validator.schema import report_schema, spec_schema
from validator.server import free_port

CONTRACT = {
    "version", "title", "passed", "exit_code", "target", "started", "elapsed_s", "load", "settle",
    "verdicts",
}  # fmt: skip
PRESENT = "  counts: {get: /metrics, assert: [{path: $.total, ge: 0}]}"
PER_VERDICT = {
    "endpoint", "name", "path", "status", "severity", "expected", "actual", "note", "vacuous",
    "file", "line", "column",
}  # fmt: skip


@pytest.fixture(scope="module")
def schema():
    found = json.loads(report_schema())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(
        found, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def problems(schema, document):
    return [f"{list(e.absolute_path)}: {e.message}" for e in schema.iter_errors(document)]


def rendered(found: Report):
    return json.loads(REPORTERS["json"]([found]))


def test_a_report_has_the_contracted_fields(recorded):
    assert recorded.report.keys() >= CONTRACT
    for verdict in recorded.report["verdicts"]:
        assert verdict.keys() >= PER_VERDICT
    assert recorded.report["version"] == 1


def test_the_schema_describes_every_field_that_is_written(recorded):
    found = json.loads(report_schema())["$defs"]
    assert recorded.report.keys() == found["run"]["properties"].keys()
    assert recorded.report["verdicts"][0].keys() == found["verdict"]["properties"].keys()
    assert recorded.report["settle"].keys() == found["settle"]["properties"].keys()
    assert recorded.report["load"].keys() == found["ledger"]["properties"].keys()
    assert recorded.report["load"]["ttft_ms"].keys() == found["distribution"]["properties"].keys()


def test_a_passed_run_follows_the_schema(schema, recorded):
    assert problems(schema, recorded.report) == []


def test_a_failed_run_follows_the_schema(schema):
    found, _ = judged(Books(already=100, lost=5))
    assert problems(schema, rendered(found)) == []


def test_a_run_without_a_load_follows_the_schema(schema):
    found, _ = judged(load="", settle="", endpoints=PRESENT)
    assert found.load is None
    assert problems(schema, rendered(found)) == []


def test_a_run_whose_target_is_not_there_follows_the_schema(schema):
    found = asyncio.run(run_async(spec(f"http://127.0.0.1:{free_port()}")))
    assert problems(schema, rendered(found)) == []


def test_a_run_of_which_nothing_succeeded_follows_the_schema(schema):
    from hostile_http import reply
    from scripted_server import CHAT

    found, _ = judged(pages={CHAT: reply(b"null")}, settle=SETTLE)
    assert found.load["ttft_ms"]["mean"] is None
    assert problems(schema, rendered(found)) == []


def test_a_report_of_several_runs_follows_the_schema(schema, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(
            f"version: 1\ntitle: {name}\ntarget: {{url: 'http://127.0.0.1:{free_port()}'}}\n"
            "endpoints: {x: {get: /x, assert: [{path: $.a, exists: true}]}}\n"
        )
    found = report(validator("run", tmp_path, "--report", "json"))
    assert len(found["runs"]) == 2
    assert problems(schema, found) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"passed": "yes"},
        {"exit_code": 3},
        {"verdicts": None},
        {"load": {}},
        {"settle": {}},
        {"verdicts": [{}]},
        {"started": 5},
        {"tally": {"passed": 3}},
    ],
    ids=json.dumps,
)
def test_what_is_no_report_does_not_follow_the_schema(schema, recorded, change):
    assert problems(schema, {**recorded.report, **change})


def test_every_field_of_the_schema_is_described():
    def walk(node, path=""):
        for name, member in node.get("properties", {}).items():
            known = "description" in member or path.count("/") > 1
            assert known, f"{path}/{name}"
            yield from walk(member, f"{path}/{name}")

    found = json.loads(report_schema())
    for name, definition in found["$defs"].items():
        assert definition["description"]
        if name in ("run", "suite", "verdict", "settle", "ledger"):
            list(walk(definition))


# The schema of specs


@pytest.fixture(scope="module")
def of_specs():
    found = json.loads(spec_schema())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


class Core(yaml.SafeLoader):
    """YAML as editors read it: a date is a text."""


Core.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

SHIPPED = [
    *(located((name,))[0] for name in names() if name != "fakeai/all"),
    *sorted((ROOT / "examples").glob("*.yaml")),
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: Path(path).stem)
def test_every_shipped_spec_follows_the_schema_that_editors_use(of_specs, path):
    document = yaml.load(Path(path).read_text(encoding="utf-8"), Core)
    assert problems(of_specs, document) == []


@pytest.mark.parametrize(
    "text",
    [
        "{version: 2}",
        "{version: 1, titel: x}",
        "{version: 1, endpoints: {a: {get: a}}}",
        "{version: 1, endpoints: {a: {get: /a, assert: [{path: $.a, betwen: [0, 1]}]}}}",
        "{version: 1, endpoints: {a: {get: /a, assert: [{path: a, eq: 1}]}}}",
        "{version: 1, endpoints: {a: {get: /a, assert: [{path: $.a, severity: bad}]}}}",
        "{version: 1, settle: {within: 5}}",
        "{version: 1, load: {model: m}}",
    ],
)
def test_what_editors_should_underline_does_not_follow_the_schema(of_specs, text):
    assert problems(of_specs, yaml.safe_load(text))


# What a report concludes


def verdict(status=Status.PASS, severity=Severity.CRITICAL):
    return Verdict("name", status, severity, "expected", "actual")


@pytest.mark.parametrize(
    "verdicts,passed",
    [
        ((), False),  # a report with no verdicts has not passed
        ((verdict(),), True),
        ((verdict(), verdict(Status.FAIL)), False),
        ((verdict(), verdict(Status.ERROR)), False),
        ((verdict(Status.FAIL, Severity.WARNING),), True),
        ((verdict(Status.ERROR, Severity.INFO),), True),
        ((verdict(Status.SKIP),), True),
        ((verdict(Status.XFAIL),), True),
    ],
)
def test_a_report_passes_when_something_was_judged_and_nothing_broke(verdicts, passed):
    found = Report("title", "http://target", verdicts)
    assert found.passed is passed
    assert found.exit_code == (0 if passed else 1)


@pytest.mark.parametrize("why,code", [("interrupted", 130), ("run timeout", 1)])
def test_a_run_that_ended_early_has_not_passed(why, code):
    found = Report("title", "http://target", (verdict(),), interrupted=why)
    assert not found.passed
    assert found.exit_code == code


@pytest.mark.parametrize("name", REPORTERS)
def test_every_reporter_shows_every_status_and_severity(name):
    verdicts = tuple(verdict(status, severity) for status in Status for severity in Severity)
    text = REPORTERS[name]([Report("title", "http://target", verdicts)])
    assert text.endswith("\n")
    for status in ("fail", "error", "skip", "xfail"):
        assert status in text


@pytest.mark.parametrize("name", REPORTERS)
def test_every_reporter_shows_several_runs(name):
    runs = [Report(f"title {n}", "http://target", (verdict(),)) for n in range(3)]
    text = REPORTERS[name](runs)
    assert all(f"title {n}" in text for n in range(3))


@pytest.mark.parametrize("name", REPORTERS)
def test_every_reporter_shows_a_run_in_which_nothing_was_judged(name):
    assert REPORTERS[name]([Report("title", "http://target", ())])


def test_csv_has_a_row_per_verdict_and_its_columns_are_named():
    text = REPORTERS["csv"]([Report("title", "http://target", (verdict(), verdict()))])
    assert text.split("\r\n")[0] == ",".join(COLUMNS)
    assert text.count("\r\n") == 3


def test_a_large_report_lists_what_failed_and_counts_the_rest():
    many = [verdict() for _ in range(5000)] + [verdict(Status.FAIL) for _ in range(500)]
    text = REPORTERS["table"]([Report("title", "http://target", tuple(many))])
    assert len(text.splitlines()) < 1000
    assert "not listed" in text
    assert "500 fail" in text
    assert "5000 pass" in text
