"""A JSON report is read again as it was, and anything else is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import validator

from validator import conclude, load_spec, read_recording
from validator.errors import UsageError
from validator.records.chart import By, Chart, Form, Series
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters import REPORTERS
from validator.reporters.saved import read
from validator.span import Span
from validator.spec.parse import Overrides

RUNS = sorted((Path(__file__).parent / "cases" / "runs").iterdir())
TEXTS = [name for name in REPORTERS if name != "html"]
CHART = Chart(
    "TTFT",
    Form.HISTOGRAM,
    (Series("ok", ((0.0, 1.5, 3), (1.5, 3.0, 9))),),
    "load",
    "ms",
    "requests",
)


def given(folder):
    spec = load_spec(folder / "spec.yaml", Overrides(environment={}))
    return conclude(spec, read_recording(folder / "recording.json"))


def saved(tmp_path, reports):
    file = tmp_path / "report.json"
    file.write_text(REPORTERS["json"](reports), encoding="utf-8")
    return file


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_report_is_read_again_as_it_was(folder, tmp_path):
    report = given(folder)
    assert read(saved(tmp_path, [report])) == [report]


def test_what_a_case_does_not_have_is_read_again_too(tmp_path):
    ladder = Chart("t", Form.LADDER, (Series("s", ((50, 1.0),), By.SERVER),), "page", note="n")
    span = Span("a.yaml", 1, 2, 3, 4)
    verdict = Verdict(
        "n", Status.PASS, Severity.INFO, "e", "a", span=span, vacuous=True, source="s"
    )
    report = Report(
        "t", "u", (verdict,), fail_on=Severity.INFO, fail_on_vacuous=True, charts=(CHART, ladder)
    )
    assert read(saved(tmp_path, [report])) == [report]


def test_a_report_carries_the_lines_that_ask_what_failed_without_their_secrets(tmp_path):
    text = (
        "version: 1\nvars: {api_token: very-secret-1}\ntarget: {url: http://localhost:9}\n"
        "endpoints:\n  a:\n    get: /a\n    assert:\n"
        "      - path: $.x\n        eq: very-secret-1\n\n      # the next one\n"
        "      - {path: $.y, eq: 1}\n"
    )
    (tmp_path / "spec.yaml").write_text(text)
    spec = load_spec(tmp_path / "spec.yaml", Overrides(environment={}))
    report = conclude(spec, read_recording(RUNS[0] / "recording.json"))
    assert "very-secret" not in REPORTERS["json"]([report])
    reachable, first, second = report.verdicts
    assert first.source == "      - path: $.x\n        eq: *************"
    assert second.source == "      - {path: $.y, eq: 1}"
    assert reachable.source == "  a:"


def test_a_suite_is_read_again_run_by_run(tmp_path):
    reports = [given(folder) for folder in RUNS]
    file = saved(tmp_path, reports)
    assert read(file) == reports
    for name in REPORTERS:
        assert REPORTERS[name](read(file)) == REPORTERS[name](reports)


def test_an_older_report_without_what_came_later_is_read(tmp_path):
    file = saved(tmp_path, [given(RUNS[0])])
    document = json.loads(file.read_text())
    for name in ("fail_on", "fail_on_vacuous", "charts"):
        del document[name]
    for verdict in document["verdicts"]:
        for name in ("end_line", "end_column", "source"):
            del verdict[name]
    file.write_text(json.dumps(document))
    (report,) = read(file)
    assert report.exit_code == document["exit_code"]


@pytest.mark.parametrize(
    "text,told",
    [
        ("", "not a report, not even whole JSON"),
        ("\0", "not a report, not even whole JSON"),
        ("[" * 100_000, "not a report, not even whole JSON"),
        ('{"version": 1, "verdicts": [', "not a report, not even whole JSON"),
        ('{"version": 1, "load": {"sent": 1' + "0" * 400 + "}}", "a number of 401 digits"),
        ('{"version": 1, "elapsed_s": NaN}', "NaN is no number"),
        ("[]", "not a report of this tool"),
        ("{}", "not a report of this tool"),
        ('{"recording": 1}', "a recording, which `validator run SPEC --replay FILE` judges"),
        ('{"version": 2, "verdicts": []}', "a report of version 2; this tool reads 1"),
        ('{"verdicts": []}', "a report of version None; this tool reads 1"),
        ('{"version": 1, "verdicts": []}', "a damaged report: no `title`"),
        ('{"version": 1, "runs": 5}', "a damaged report: `runs` is a number"),
        ('{"version": 1, "runs": []}', "a damaged report: `runs` is empty"),
        ('{"version": 1, "runs": [5]}', "a number stands where an object should"),
    ],
)
def test_what_is_no_report_is_refused_in_a_line(tmp_path, text, told):
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        read(file)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [5], {"a": 5}, [[]], True], ids=repr)
def test_any_damage_is_told_or_does_no_harm(tmp_path, value):
    report = Report(
        "t", "u", (given(RUNS[0]).verdicts[0],), charts=(CHART,), load={"sent": 1, "ok": 1}
    )
    whole = json.loads(REPORTERS["json"]([report]))
    file = tmp_path / "x.json"

    def places(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield node, key
            if isinstance(node[key], dict | list):
                yield from places(node[key])

    for node, key in list(places(whole)):
        old, node[key] = node[key], value
        file.write_text(json.dumps(whole))
        try:
            reports = read(file)
        except UsageError as error:
            told = str(error)
        else:
            told = ""
            for name in TEXTS:
                REPORTERS[name](reports)
        assert "\n" not in told
        node[key] = old


# The verb


def test_the_verb_shows_a_report_again_in_any_format(tmp_path):
    file = saved(tmp_path, [given(RUNS[0])])
    out = tmp_path / "out.xml"
    done = validator("report", file, "--report", f"junit={out}", "--report", "markdown")
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8") == REPORTERS["junit"](read(file))
    assert done.stdout == REPORTERS["markdown"](read(file))
    assert "FAILED" in done.stderr


def test_several_reports_are_shown_as_one(tmp_path):
    file = saved(tmp_path, [given(RUNS[0])])
    done = validator("report", file, file, "-q")
    assert done.returncode == 0, done.stderr
    assert "2 specs" in done.stdout


@pytest.mark.parametrize("text", ["", "{}"])
def test_the_verb_refuses_what_is_no_report(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_text(text)
    for path in (file, tmp_path / "none.json", tmp_path):
        done = validator("report", path)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"error: {path}: ")
