"""Every reporter says what the verdicts say, in words that its readers really read."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree
from markdown_it import MarkdownIt
from rich.console import Console

from validator import conclude, load_spec, read_recording
from validator.decoders import DECODERS
from validator.predicates import PREDICATES
from validator.records.chart import Chart, Form, Series
from validator.records.observation import Payload
from validator.records.recording import Recording
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters import REPORTERS
from validator.reporters.figures import request_lines
from validator.reporters.table import THEME, tables
from validator.span import Span
from validator.spec.parse import Overrides

CASES = Path(__file__).parent / "cases"
RUNS = sorted((CASES / "runs").iterdir())
TEXTS = ("csv", "github", "json", "junit", "markdown", "prometheus", "sarif", "table")
GIVEN = [
    pytest.param(folder, name, id=f"{folder.name}-{name}") for folder in RUNS for name in TEXTS
]


def judged(folder: Path, monkeypatch) -> Report:
    monkeypatch.chdir(folder)  # a report then names the spec as a user there would
    return conclude(
        load_spec("spec.yaml", Overrides(environment={})), read_recording("recording.json")
    )


@pytest.fixture
def everything(monkeypatch):
    """Every run of the case files, as one suite."""
    return [judged(folder, monkeypatch) for folder in RUNS]


@pytest.mark.parametrize("folder,name", GIVEN)
def test_a_report_reads_like_this(folder, name, monkeypatch, request):
    report = judged(folder, monkeypatch)
    text = REPORTERS[name]([report])
    golden = folder / f"out.{report.exit_code}.{name}"
    if request.config.getoption("--update"):
        golden.write_text(text, encoding="utf-8", newline="")
    assert text == golden.read_bytes().decode()


def test_there_is_no_golden_but_those_that_are_compared():
    goldens = {file.name.split(".")[-1] for folder in RUNS for file in folder.glob("out.*")}
    assert goldens == set(TEXTS)


def verdict(status=Status.FAIL, severity=Severity.CRITICAL, **more):
    given = {"name": "name", "expected": "expected", "actual": "actual", "section": "page"}
    return Verdict(status=status, severity=severity, **{**given, **more})


# JUnit

XSD = etree.XMLSchema(etree.parse(CASES / "schemas" / "junit-10.xsd"))


def cases_of(reports):
    suites = JUnitXml.fromstring(REPORTERS["junit"](reports).encode())
    return suites, [case for suite in suites for case in suite]


def test_junit_follows_the_schema_of_jenkins(everything):
    for reports in ([r] for r in everything):
        XSD.assertValid(etree.fromstring(REPORTERS["junit"](reports).encode()))
    XSD.assertValid(etree.fromstring(REPORTERS["junit"](everything).encode()))


SUREFIRE = {
    "testsuite": ({"name", "tests", "errors", "skipped", "failures"}, {"time", "group"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "time"}, {"classname", "group"}),
    "failure": ({"type"}, {"message"}),
    "error": ({"type"}, {"message"}),
    "skipped": (set(), {"message"}),
}
"""The elements of surefire-test-report.xsd that we write: what each must have, and may have."""


def test_each_junit_suite_is_one_that_surefire_could_have_written(everything):
    for suite in etree.fromstring(REPORTERS["junit"](everything).encode()):
        for element in suite.iter():
            needed, allowed = SUREFIRE[element.tag]
            assert needed <= {*element.keys()} <= needed | allowed, element.tag
            assert re.fullmatch(r"\d*(\.\d{0,3})?", element.get("time", ""))


def test_a_junit_case_stays_itself_when_its_line_moves(tmp_path):
    text = (
        "version: 1\ntarget: {url: http://x}\n"
        "endpoints: {a.b: {get: /a, assert: [{path: $.x, eq: 1}]}}\n"
    )
    names = []
    for lines in ("", "# a comment\n"):
        spec = tmp_path / "my.spec.yaml"
        spec.write_text(lines + text)
        report = conclude(load_spec(spec), Recording("t", "", "", "2026-01-01"))
        suite = etree.fromstring(REPORTERS["junit"]([report]).encode())
        names.append([(c.get("classname"), c.get("name")) for c in suite.iter("testcase")])
    assert names[0] == names[1] == [("my_spec.a_b", "reachable"), ("my_spec.a_b", "x")]


def test_specs_of_one_name_are_apart_in_junit():
    one = Verdict("x", Status.PASS, Severity.CRITICAL, "", "", section="page")
    for specs, classes in (
        (("a/dash.yaml", "b/dash.yaml"), ["a_dash.page", "b_dash.page"]),
        (("a/dash.yaml", "a/other.yaml"), ["dash.page", "other.page"]),
        (("dash.yaml", "a/dash.yaml"), ["dash.page", "a_dash.page"]),
        (("dash.yaml",), ["dash.page"]),
    ):
        reports = [Report("t", "", (one,), spec=spec) for spec in specs]
        root = etree.fromstring(REPORTERS["junit"](reports).encode())
        assert [case.get("classname") for case in root.iter("testcase")] == classes


def test_a_junit_parser_counts_what_broke_each_run(everything):
    suites, cases = cases_of(everything)
    assert suites.tests == len(cases)
    broken = sum(len(r.breaking) for r in everything)
    interrupted = sum(bool(r.interrupted) for r in everything)
    assert suites.failures + suites.errors == broken + interrupted
    assert len({suite.name for suite in suites}) == len(list(suites))


@pytest.mark.parametrize(
    "status,severity,found",
    [
        (Status.PASS, Severity.CRITICAL, None),
        (Status.FAIL, Severity.CRITICAL, Failure),
        (Status.ERROR, Severity.CRITICAL, Error),
        (Status.FAIL, Severity.WARNING, Skipped),
        (Status.ERROR, Severity.INFO, Skipped),
        (Status.SKIP, Severity.CRITICAL, Skipped),
        (Status.XFAIL, Severity.CRITICAL, Skipped),
    ],
)
def test_only_what_breaks_the_run_fails_in_junit(status, severity, found):
    _, (case,) = cases_of([Report("t", "u", (verdict(status, severity),))])
    assert [type(r) for r in case.result] == ([found] if found else [])
    assert case._elem.get("group") == severity


def test_what_fail_on_makes_break_the_run_fails_in_junit_too():
    wrong = (verdict(severity=Severity.WARNING), verdict(Status.PASS, vacuous=True))
    report = Report("t", "u", wrong, fail_on=Severity.WARNING, fail_on_vacuous=True)
    suites, _ = cases_of([report])
    assert suites.failures == 2


def test_a_run_that_failed_without_a_verdict_fails_in_junit():
    for report in (Report("t", "u", ()), Report("t", "u", (), interrupted="run timeout")):
        suites, _ = cases_of([report])
        assert suites.errors == 1


HOSTILE = "\x00\x1b[31m\ud800\ufffe<script>]]>&|`\n::error::x\r\n# x\u202e"


@pytest.mark.parametrize("name", REPORTERS)
def test_what_a_server_sent_is_harmless_text_in_every_report(name):
    hostile = dict.fromkeys(
        ("name", "expected", "actual", "note", "why", "section", "path"), HOSTILE
    )
    text = REPORTERS[name]([Report(HOSTILE, HOSTILE, (verdict(**hostile),), remarks=(HOSTILE,))])
    text.encode()
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", text)
    if name == "junit":
        etree.fromstring(text.encode())
    if name == "github":
        assert all(
            line.startswith(("::error file", "::error title", "FAILED "))
            for line in text.splitlines()
        )


# CSV


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "-", "-inf", "-1_0", "＝1"],
)
def test_no_cell_of_a_csv_is_a_formula(cell):
    text = REPORTERS["csv"]([Report("t", "u", (verdict(actual=cell, name=cell),))])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["actual"][0] not in "=+-@\t\r\n"
    assert row["name"] == row["actual"]


@pytest.mark.parametrize("cell", ["-5", "-1.5e-07", "+3", "5"])
def test_a_number_stays_a_number_in_a_csv(cell):
    text = REPORTERS["csv"]([Report("t", "u", (verdict(actual=cell),))])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["actual"] == cell


# Markdown


class Tags(HTMLParser):
    """What a browser would see: tags, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not attrs

    def handle_data(self, data):
        self.texts.append(data)


PLAIN_TAGS = {
    "h1", "h2", "h3", "p", "br", "strong", "code", "ul", "li", "em", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td", "blockquote",
}  # fmt: skip


def test_markdown_shows_every_value_as_it_is_and_nothing_else(everything):
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    page = Tags(reader.render(REPORTERS["markdown"](everything)))
    assert page.tags <= PLAIN_TAGS
    for report in everything:
        for v in report.verdicts:
            assert any(v.name in text for text in page.texts), v.name
            assert v.actual in page.texts or not v.actual


def test_markdown_keeps_hostile_text_in_its_cell():
    cell = "a | b \\| `c` ``d`` **e** [f](http://g) <img src=x onerror=y> &amp; @h #1 ~~i~~ $j$"
    report = Report(
        cell, cell, (verdict(name=cell, actual=cell, expected=cell, note=cell, why=cell),)
    )
    reader = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
    html = reader.render(REPORTERS["markdown"]([report]))
    page = Tags(html)
    assert page.tags <= PLAIN_TAGS
    assert page.texts.count(cell) == 7  # target, expected and actual twice, name, why
    assert len(re.findall("<td", html)) == 7


def test_markdown_stays_below_what_github_takes():
    many = tuple(verdict(name=f"n{i}", actual="|" * 300, note="n" * 300) for i in range(3000))
    text = REPORTERS["markdown"]([Report("t", "u", many), Report("t", "u", many)])
    assert len(text.encode()) < 1024 * 1024
    assert text.count("not listed") == 2


# GitHub


def test_annotations_stand_at_the_lines_of_the_spec_worst_first(everything):
    lines = REPORTERS["github"](everything).splitlines()
    told = [line for line in lines if line.startswith("::")]
    levels = [re.match(r"::(\w+) ", line)[1] for line in told]
    assert "::error file=spec.yaml,line=" in told[0]
    assert set(levels) == {"error", "warning", "notice"}
    one = REPORTERS["github"]([everything[0]]).splitlines()
    ranks = [("error", "warning", "notice").index(re.match(r"::(\w+)", x)[1]) for x in one[:-1]]
    assert ranks == sorted(ranks)


def test_an_annotation_is_escaped_as_the_runner_reads_it():
    span = Span("a,b:c.yaml", 3, 5, 3, 9)
    hostile = verdict(name="100 %, a:b", actual="50 %\n", span=span)
    line = REPORTERS["github"]([Report("t", "u", (hostile,))]).splitlines()[0]
    assert line.startswith(
        "::error file=a%2Cb%3Ac.yaml,line=3,col=5,endColumn=8,"
        "title=page%3A 100 %25%2C a%3Ab::found 50 %25"
    )


def test_an_annotation_names_files_from_the_folder_of_the_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside = verdict(span=Span(str(tmp_path / "specs" / "a.yaml"), 1, 1, 1, 2))
    outside = verdict(span=Span("/elsewhere/b.yaml", 1, 1, 1, 2))
    text = REPORTERS["github"]([Report("t", "u", (inside, outside))])
    assert "file=specs/a.yaml," in text
    assert "file=/elsewhere/b.yaml," in text


# SARIF


def test_sarif_follows_its_schema(everything):
    schema = json.loads((CASES / "schemas" / "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator.check_schema(schema)
    validator = jsonschema.Draft4Validator(schema)
    document = json.loads(REPORTERS["sarif"](everything))
    assert [e.message for e in validator.iter_errors(document)] == []
    assert list(validator.iter_errors({**document, "runs": [{}]}))


def test_sarif_tells_what_is_wrong_and_where(everything):
    (run,) = json.loads(REPORTERS["sarif"]([everything[0]]))["runs"]
    wrong = everything[0].speaking(v for v in everything[0].verdicts if v.bad)
    announced = [v for v in everything[0].verdicts if v.status is Status.XFAIL]
    assert len(run["results"]) == len(wrong) + len(announced)
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "spec.yaml", "uriBaseId": "%SRCROOT%"}
    assert sum("suppressions" in r for r in run["results"]) == len(announced)


def test_a_sarif_result_keeps_its_fingerprint_when_lines_move():
    def prints(line):
        moved = verdict(span=Span("a.yaml", line, 1, line, 2))
        (run,) = json.loads(REPORTERS["sarif"]([Report("t", "u", (moved,))]))["runs"]
        return run["results"][0]["partialFingerprints"]

    assert prints(1) == prints(50)


# Prometheus


def test_prometheus_conforms_to_its_own_format_and_naming(everything):
    text = REPORTERS["prometheus"]([*everything, *everything])
    document = DECODERS["prometheus"](Payload(text.encode(), "text/plain; version=0.0.4"), 50)
    for rules in ("prometheus", "prometheus-naming"):
        predicate = PREDICATES["conforms"].read(rules)
        assert predicate.fits(document)
        assert predicate.explain(document) == ""


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_about(everything):
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=REPORTERS["prometheus"](everything),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_prometheus_counts_the_verdicts(everything):
    from prometheus_client.parser import text_string_to_metric_families as families

    found = {f.name: f.samples for f in families(REPORTERS["prometheus"](everything))}
    total = sum(s.value for s in found["validator_assertions"])
    assert total == sum(len(r.verdicts) for r in everything)
    passed = {s.labels["title"]: s.value for s in found["validator_run_passed"]}
    assert passed == {r.title: float(r.passed) for r in everything}


# Several at once


def test_two_reports_do_not_go_into_one_file(tmp_path):
    from validator.errors import UsageError
    from validator.verbs.output import chosen

    with pytest.raises(UsageError, match="two reports"):
        chosen([f"json={tmp_path}/a", f"csv={tmp_path}/../{tmp_path.name}/a"])


def test_a_vacuous_pass_that_breaks_the_run_is_told(everything):
    vacuous = replace(everything[0].verdicts[1], vacuous=True, status=Status.PASS)
    report = Report("t", "u", (vacuous,), fail_on_vacuous=True)
    for name in ("github", "markdown", "sarif", "junit"):
        assert "vacuous" in REPORTERS[name]([report])


@pytest.mark.parametrize("name,level", [("github", "::warning "), ("sarif", '"level": "warning"')])
def test_what_was_no_better_in_the_baseline_is_a_warning(name, level):
    report = Report("t", "u", (verdict(known=True),), fail_on_new=True)
    assert report.passed
    text = REPORTERS[name]([report])
    assert level in text
    assert "::error" not in text
    assert "as in the baseline" in text


# The request summary


@pytest.mark.parametrize("source, unit", [("usage", "tokens"), ("chunks", "chunks")])
def test_chunks_are_not_called_tokens(source, unit):
    tokens = {"completion": 6, "source": source}
    first, averages, *_ = request_lines({"sent": 3, "ok": 3, "tokens": tokens, "tokens_per_s": 9.0})
    assert first.endswith(f", 9.0 {unit}/s")
    assert averages.endswith(f", 2.0 {unit} a request")


def test_distributions_are_drawn_where_they_can_be_shown():
    bins = tuple((float(n), n + 1.0, count) for n, count in enumerate([1, 0, 4, 8, 1000]))
    chart = Chart("TTFT", Form.HISTOGRAM, (Series("TTFT", bins),), "load", "ms", "requests")
    report = Report("t", "u", (verdict(),), load={"sent": 1, "ok": 1}, charts=(chart,))

    def shown(**how):
        console = Console(file=io.StringIO(), width=80, theme=THEME)
        console.print(tables([report], 80, **how))
        return console.file.getvalue()

    assert " Shape     TTFT    ▁ ▁▁█  0.0 ms – 5.0 ms\n" in shown()
    assert "Shape" not in shown(bars=False)
