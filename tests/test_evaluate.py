"""Absence never passes, and what does is what was asked."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.decoders import DECODERS
from validator.errors import Problems, SpecProblems
from validator.evaluate import evaluate
from validator.ledger import ledger
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.records.load import Exchange, LoadResult
from validator.records.observation import (
    Observations,
    Payload,
    Progress,
    Snapshot,
    Unreadable,
)
from validator.records.recording import Round
from validator.records.verdict import Severity, Status
from validator.source import read
from validator.spec.parse import Overrides, parse

CASES = Path(__file__).parent / "cases"
TODAY = date(2026, 11, 23)
HEAD = """version: 1
target: {url: http://localhost:9}
load: {model: m, requests: 4, prompts: [hi]}
endpoints:
  stats:
    get: /stats
    assert:
"""
NOTHING = object()
UNREADABLE = object()
UNSEEN = object()


def books(ok=4, failed=0, seconds=2.0):
    sent = [
        Exchange(n, "m", n / 10, n / 10, seconds, "ok" if n < ok else "status_500")
        for n in range(ok + failed)
    ]
    return ledger(LoadResult(tuple(sent)))


def snapshot(document):
    if document is UNREADABLE:
        # The error page's own body would satisfy everything; it must not be looked at.
        return Snapshot("stats", error=Unreadable("status", "HTTP 500, expected 200"), status=500)
    return Snapshot("stats", document, status=200)


def seen(before, after, during=()):
    return Observations(
        {} if before is UNSEEN else {"stats": snapshot(before)},
        {} if after is UNSEEN else {"stats": snapshot(after)},
        {"stats": tuple(during)},
    )


def sample(number, document, progress=None):
    """Return the sample taken after *number* seconds, with what had been [done, sent] by then."""
    counts = [{"ok": n, "sent": n} for n in progress or ()]
    found = snapshot(UNREADABLE if document == "UNREADABLE" else document)
    return replace(found, taken=float(number), progress=Progress(*counts) if counts else None)


def evaluated(spec, seen, load):
    return evaluate(spec, [Round("", load, seen)], TODAY)


def spec_of(assertion, head=HEAD):
    return parse(f"{head}      - {assertion}\n", overrides=Overrides(environment={}))


def judged(  # noqa: PLR0913 - what a run may have seen
    assertion, after, before=UNSEEN, *, head=HEAD, load=True, during=()
):
    """Return the verdict on one assertion; the documents are those of one endpoint."""
    observed = seen(before, after, during)
    found = evaluated(spec_of(assertion, head), observed, books() if load is True else load)
    (verdict,) = [v for v in found if v.section == "stats" and v.name != "reachable"]
    return verdict


# Cases


def page(text):
    if text == "NOT A PAGE":
        return {"x_total": 1}
    return DECODERS["prometheus"](Payload(text.encode(), "text/plain; version=0.0.4"), 200)


def judgement_cases():
    for folder in ("judgement", "measures"):
        for file in sorted((CASES / folder).glob("*.yaml")):
            node = read(file.read_text(encoding="utf-8"), file.name, Problems())
            for number, case in enumerate(node.plain()):
                yield pytest.param(case, id=f"{file.stem}-{number}")


@pytest.mark.parametrize("case", list(judgement_cases()))
def test_a_verdict_is_what_its_case_says(case):
    head = HEAD
    if "page" in case:  # a Prometheus page, and the one before
        head = HEAD.replace("get: /stats", "get: /stats\n    format: prometheus")
        case |= {"after": page(case["page"])}
        case |= {"before": page(case["page_before"])} if "page_before" in case else {}
    before = case.get("before", UNSEEN)
    if "during" in case:  # samples, a second apart
        missing = case.get("missing", 0)
        during = f"during: {{every: 1s, missing: {missing}}}"
        head = head.replace("get: /stats", f"get: /stats\n    {during}")
    progress = case.get("progress", [None] * len(case.get("during", ())))
    found = judged(
        case["assert"],
        UNREADABLE if case.get("after") == "UNREADABLE" else case.get("after"),
        UNREADABLE if before == "UNREADABLE" else before,
        head=head,
        during=[
            sample(n, page(d) if "format" in head and d != "UNREADABLE" else d, p)
            for n, (d, p) in enumerate(zip(case.get("during", ()), progress, strict=True), 1)
        ],
    )
    told = {
        "status": found.status.value,
        "actual": found.actual,
        "note": found.note,
        "expected": found.expected,
        "severity": found.severity.value,
        "vacuous": found.vacuous,
    }
    assert told["status"] == case["status"], told
    for key in ("actual", "note", "expected", "severity", "vacuous"):
        if key in case:
            assert told[key] == case[key], told


# Absence never passes

ARGUMENTS = {
    "eq": "5", "ne": "5", "gt": "-5", "ge": "0", "lt": "5", "le": "5", "between": "[-5, 5]",
    "approx": "{value: 0, abs: 9}", "in": "[0, 5, a]", "not_in": "[7, b]",
    "type": "[number, string, boolean, array, object, integer]", "exists": "true",
    "contains": "a", "starts_with": "''", "ends_with": "''", "matches": "''",
    "has_keys": "[a]", "unique": "true", "sorted": "true", "ordered": "[a, b]",
    "empty": "false", "spaced": "{at_least: 0s}",
    "dated": "{since: 1900-01-01, until: 2999-01-01, tolerance: 9h}",
}  # fmt: skip
"""As weak as each predicate can be made without asking for absence itself."""
ASKS_FOR_ABSENCE = {"absent"}
ASKS_ELSEWHERE = {"conforms", "schema", "tracks"}
QUESTIONS = [f"{name}: {argument}" for name, argument in ARGUMENTS.items()]
NUMERIC = ["ge: -1000", "le: 1000", "ne: 77", "eq: 5", "in: [1, 2]", "between: [-9, 9]"]
MEASURED = [
    f"{measure}: {{{question}}}"
    for measure in MEASURES
    if measure not in ("count", "length")
    for question in NUMERIC
]
NESTED = [
    f"{outer}: {{{inner}: {{ge: -1000}}}}"
    for outer, inner in itertools.permutations(MEASURES, 2)
    if "count" not in (outer, inner)
]
LENGTHS = ["length: {gt: 0}", "count: {gt: 0}"]
CONDITIONS = QUESTIONS + MEASURED + NESTED + LENGTHS
CONDITIONS += [f"{q}: {{{c}}}" for q in ("each", "any", "none") for c in CONDITIONS]


def allowed(condition):
    """Leave out the few combinations that the spec refuses to begin with."""
    try:
        spec_of(f'{{path: "$.a", {condition}}}')
    except SpecProblems:
        return False
    return True


CONDITIONS = [c for c in CONDITIONS if allowed(c)]
ABSENT = [{}, {"a": None}, [], None, 0, "", True, {"b": 5}]
EMPTY = [{"a": []}, {"a": {}}, {"a": ""}]
GOOD = {"a": {"a": 1, "b": 2}}


def test_every_predicate_is_among_the_questions():
    assert set(ARGUMENTS) | ASKS_FOR_ABSENCE | ASKS_ELSEWHERE == set(PREDICATES)
    assert len(CONDITIONS) > 300


@pytest.mark.parametrize(
    "path", ["$.a", "$['a']", "$.a[*]", "$..a", "$.a.x", "$.a[0]", "$.a[?(@ > 1)]"]
)
def test_no_condition_passes_on_what_is_not_there(path):
    spec = parse(HEAD + "".join(f'      - {{path: "{path}", {c}}}\n' for c in CONDITIONS))
    for document, before in itertools.product(ABSENT, [UNREADABLE, {}, {"a": None}]):
        found = evaluated(spec, seen(before, document), books())
        for verdict in found:
            if verdict.section == "stats" and verdict.name != "reachable":
                assert verdict.status in (Status.FAIL, Status.ERROR), (path, document, verdict)
                assert verdict.actual, verdict


@pytest.mark.parametrize("after", [UNREADABLE, UNSEEN])
def test_no_condition_passes_on_what_could_not_be_read(after):
    all_of_them = [*CONDITIONS, "absent: true", "count: {eq: 0}", "type: 'null'", "eq: null"]
    spec = parse(HEAD + "".join(f'      - {{path: "$.a", {c}}}\n' for c in all_of_them))
    for before in (UNSEEN, UNREADABLE, {"a": 1}):
        for verdict in evaluated(spec, seen(before, after), books()):
            if verdict.section == "stats" and verdict.name != "reachable":
                assert verdict.status is Status.ERROR, verdict
                assert "HTTP 500" in verdict.actual or "never looked at" in verdict.actual


@pytest.mark.parametrize("before", [UNREADABLE, UNSEEN])
def test_no_change_passes_without_a_look_before(before):
    changes = [c for c in CONDITIONS if "delta" in c or "rate" in c]
    spec = parse(HEAD + "".join(f'      - {{path: "$.a", {c}}}\n' for c in changes))
    for document in ({"a": 5}, {"a": [5]}, {"a": {"b": 5}}, {"a": "5"}):
        for verdict in evaluated(spec, seen(before, document), books()):
            if verdict.section == "stats" and verdict.name != "reachable":
                assert verdict.status is not Status.PASS, verdict


def test_no_condition_on_numbers_passes_on_an_empty_collection():
    numbers = [c for c in CONDITIONS if any(f"{m}:" in c for m in MEASURES)]
    for document in EMPTY:
        for path in ("$.a", "$.a[*]"):
            spec = parse(HEAD + "".join(f'      - {{path: "{path}", {c}}}\n' for c in numbers))
            for verdict in evaluated(spec, seen(document, document), books()):
                if verdict.section == "stats" and verdict.name != "reachable":
                    sized = "length" in verdict.expected or "count" in verdict.expected
                    assert verdict.status is not Status.PASS or sized, (document, verdict)


@pytest.mark.parametrize(
    "condition,document",
    [
        ("absent: true", {}),
        ("count: {eq: 0}", {}),
        ("empty: true", {"a": []}),
        ("empty: true", {"a": ""}),
        ("type: 'null'", {"a": None}),
        ("eq: null", {"a": None}),
        ("length: {eq: 0}", {"a": []}),
    ],
)
def test_what_asks_for_absence_gets_it_from_a_readable_document(condition, document):
    assert judged(f"{{path: $.a, {condition}}}", document).status is Status.PASS
    assert judged(f"{{path: $.a, {condition}}}", GOOD).status is Status.FAIL
    assert judged(f"{{path: $.a, {condition}}}", UNREADABLE).status is Status.ERROR


WRONG_KINDS = {"number": ["5", True, [5], {"a": 5}, None], "string": [5, False, ["a"], None]}


@pytest.mark.parametrize("condition", [*NUMERIC, "gt: -1", "lt: 99", "approx: {value: 5, abs: 99}"])
@pytest.mark.parametrize("quantifier", ["{}", "each: {{{}}}", "any: {{{}}}", "none: {{{}}}"])
def test_a_question_about_numbers_never_passes_on_another_kind(condition, quantifier):
    for value in WRONG_KINDS["number"]:
        found = judged(f"{{path: $.a, {quantifier.format(condition)}}}", {"a": value})
        assert found.status is Status.FAIL, (value, found)
        assert "not a" in found.note or "number" in found.note


SAMPLE = parse(
    HEAD
    + "".join(
        f'      - {{path: "{path}", {condition}}}\n'
        for condition in [*CONDITIONS[::7], "count: {ge: 0}", "absent: true"]
        for path in ("$.a", "$.a[*]", "$..b")
    )
    + "      - {expr: delta(a) >= 0 or sum(a) > len(a), let: {a: $.a}}\n"
)


@given(
    document=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
        ),
        max_leaves=8,
    ),
    before=st.sampled_from([UNSEEN, UNREADABLE, {}, {"a": 1}, {"a": [1, 2]}, {"a": {"a": 1}}]),
)
def test_judging_never_raises_whatever_the_documents(document, before):
    for verdict in evaluated(SAMPLE, seen(before, document), books()):
        assert verdict.status in (Status.PASS, Status.FAIL, Status.ERROR)
        assert verdict.actual


# Numbers that no float holds


@pytest.mark.parametrize(
    "condition",
    ["gt: 0", "approx: {value: 0.5, rel: 1}", "delta: {gt: 0.5}", "rate: {gt: 0}", "eq: 5"],
)
def test_an_integer_of_hundreds_of_digits_is_no_crash(condition):
    found = judged(f"{{path: $.a, {condition}}}", {"a": 10**400}, {"a": 0.5})
    assert found.status in (Status.PASS, Status.FAIL, Status.ERROR)
    found = judged(f'{{path: "$.a[*]", mean: {{{condition}}}}}', {"a": [10**400, 0.5]}, {"a": [1]})
    assert found.status in (Status.FAIL, Status.ERROR)


# References


@pytest.mark.parametrize(
    "load,note", [(None, "no load was sent"), (books(0, 4), "was not measured in this load")]
)
def test_a_missing_reference_is_an_error_that_names_it(load, note):
    found = judged('{path: $.a, ge: "${load.ttft_ms.p50}"}', {"a": 5}, load=load)
    assert found.status is Status.ERROR
    assert "load.ttft_ms.p50" in found.note
    assert note in found.note


def test_a_reference_shows_its_value_and_its_name():
    found = judged('{path: $.a, eq: "${load.ok}"}', {"a": 4})
    assert (found.status, found.expected) == (Status.PASS, "= 4 (load.ok)")


def test_a_condition_on_a_missing_load_is_an_error():
    found = judged("{path: $.a, delta: {ge: 0}}", {"a": 4}, {"a": 4}, load=None)
    assert (found.status, found.note) == (Status.ERROR, "the load did not take place")


# The load's own verdict


def load_verdicts(load, block=""):
    head = HEAD.replace("prompts: [hi]}", f"prompts: [hi]{block}}}")
    spec = spec_of("{path: $.a, exists: true}", head)
    found = evaluated(spec, seen({"a": 1}, {"a": 1}), load)
    return {v.name: v for v in found if v.section == "load"}


def test_success_rate_is_implied_and_critical():
    rate = load_verdicts(books(8, 2))["success_rate"]
    assert (rate.status, rate.severity) == (Status.FAIL, Severity.CRITICAL)
    assert load_verdicts(books(9, 1))["success_rate"].status is Status.PASS


@pytest.mark.parametrize("load", [books(0, 4), books(0, 0)])
def test_a_load_without_a_success_fails_whatever_its_spec_asks(load):
    weak = ", assert: [{path: $.sent, ge: 0, severity: info}]"
    found = load_verdicts(load, weak)
    (bad,) = [v for v in found.values() if v.bad]
    assert (bad.status, bad.severity) == (Status.FAIL, Severity.CRITICAL)


def test_a_load_that_was_not_sent_is_an_error():
    assert {v.status for v in load_verdicts(None).values()} == {Status.ERROR}


def test_several_matches_in_the_ledger_are_all_looked_at():
    head = HEAD.replace(
        "prompts: [hi]}", 'prompts: [hi], assert: [{path: "$.models[*].ok", le: 3}]}'
    )
    spec = spec_of("{path: $.a, exists: true}", head)
    sent = [Exchange(n, "xy"[n > 0], 0, 0, 1, "ok") for n in range(6)]
    found = evaluated(spec, seen({"a": 1}, {"a": 1}), ledger(LoadResult(tuple(sent))))
    assert found[0].status is Status.FAIL
    assert "$.models.y.ok" in found[0].note


# Reachable


def reachable(before, after, head=HEAD):
    spec = spec_of("{path: $.a, exists: true}", head)
    return next(v for v in evaluated(spec, seen(before, after), books()) if v.name == "reachable")


def test_an_endpoint_must_be_readable_before_and_after():
    assert reachable({}, {}).status is Status.PASS
    assert reachable(UNREADABLE, {}).status is Status.FAIL
    assert reachable(UNREADABLE, {}).note == "before the load"
    assert reachable({}, UNREADABLE).status is Status.FAIL
    assert reachable(UNSEEN, UNSEEN).status is Status.ERROR


def test_reachable_caps_the_severity_of_its_assertions():
    head = HEAD.replace("get: /stats", "get: /stats\n    reachable: {severity: warning}")
    assert reachable(UNREADABLE, UNREADABLE, head).severity is Severity.WARNING
    assert judged("{path: $.a, ge: 0}", {}, head=head).severity is Severity.WARNING
    info = judged("{path: $.a, ge: 0, severity: info}", {}, head=head)
    assert info.severity is Severity.INFO


# Announced failures


@pytest.mark.parametrize(
    "xfail,after,status,severity,note",
    [
        ("{reason: known}", {"a": -1}, "xfail", "critical", "announced: known"),
        ("{reason: known}", {}, "xfail", "critical", "announced: known; nothing at that path"),
        ("{reason: known}", UNREADABLE, "xfail", "critical", "announced: known"),
        ("{reason: known}", {"a": 1}, "fail", "warning", "passes, though a failure was announced"),
        ("{reason: known, until: 2026-11-23}", {"a": -1}, "xfail", "critical", "announced: known"),
        (
            "{reason: known, until: 2026-11-22}",
            {"a": -1},
            "fail",
            "warning",
            "announced only until",
        ),
        ("{reason: known, until: 2026-11-22}", {"a": 1}, "fail", "warning", "passes, though"),
    ],
)
def test_an_announced_failure(xfail, after, status, severity, note):
    found = judged(f"{{path: $.a, ge: 0, xfail: {xfail}}}", after)
    assert (found.status.value, found.severity.value) == (status, severity)
    assert found.note.startswith(note)


@pytest.mark.parametrize("after", [{"a": 1}, {"a": -1}, {}, UNREADABLE, UNSEEN])
def test_a_skipped_assertion_is_not_judged_and_says_why(after):
    found = judged("{path: $.a, ge: 0, skip: not yet}", after)
    assert (found.status, found.actual, found.note) == (Status.SKIP, "not judged", "not yet")


# Expressions


def across(expr, let, after, before=UNSEEN):
    return judged(f'{{expr: "{expr}", let: {let}}}', after, before)


@pytest.mark.parametrize(
    "expr,after,before,status,note",
    [
        ("a == b", {"a": 1, "b": 1}, {}, "pass", ""),
        ("a == b", {"a": 1, "b": 2}, {}, "fail", ""),
        ("a == b", {"a": 1}, {}, "error", "stats: nothing at $.b"),
        ("a == b", {"a": None, "b": None}, {}, "error", "stats: $.a is null"),
        ("a != b", {"a": 1, "b": None}, {}, "error", "stats: $.b is null"),
        ("a == b", {"a": 1, "b": "1"}, {}, "error", "number 1 cannot equal string"),
        ("a == b", {"a": True, "b": 1}, {}, "error", "boolean true cannot equal number 1"),
        ("a < b", {"a": True, "b": 5}, {}, "error", "true is not a number but boolean"),
        ("a / b > 1", {"a": 1, "b": 0}, {}, "error", "division by zero"),
        ("a > 0 or b > 0", {"a": 1}, {}, "error", "stats: nothing at $.b"),
        ("sum(a) > b", {"a": [], "b": -1}, {}, "error", "no values"),
        ("delta(a) == b", {"a": 5, "b": 2}, {"a": 3}, "pass", ""),
        ("delta(a) == b", {"a": 5, "b": 2}, {}, "error", "stats: a was absent before the load"),
        ("delta(a) == b", {"a": 5, "b": 2}, UNREADABLE, "error", "stats: unreadable before"),
        ("delta(a) == b", {"a": 5, "b": 2}, UNSEEN, "error", "stats: not looked at before"),
        ("delta(a) == b", {"a": 5, "b": 2}, {"a": None}, "error", "$.a is a null before"),
        ("before(a) <= b", {"a": 5, "b": 2}, {"a": None}, "error", "stats: $.a was null before"),
        ("a + b == load.ok", {"a": 3, "b": 1}, {}, "pass", ""),
        ("a + b == load.ttft_ms.p50", {"a": 3, "b": 1}, {}, "error", "load.ttft_ms.p50 was not"),
        ("a == b", UNREADABLE, {}, "error", "stats: could not look: HTTP 500"),
    ],
)
def test_an_expression(expr, after, before, status, note):
    found = across(expr, "{a: $.a, b: $.b}", after, before)
    assert (found.status.value, found.note.startswith(note)) == (status, True), found


def test_a_change_of_several_matches_misses_none_that_is_gone():
    before, after = {"w": [{"n": 1}, {"n": 9}]}, {"w": [{"n": 9}]}
    found = across("delta(n) == n", "{n: '$.w[*].n'}", after, before)
    assert found.status is Status.ERROR
    assert "gone after the load" in found.note


def test_a_failing_expression_shows_every_value():
    found = across("a == b", "{a: $.a, b: $.b}", {"a": 1, "b": [1, 2]})
    assert found.status is Status.ERROR
    found = across("a + b == 7", "{a: $.a, b: $.b}", {"a": 1, "b": 2.5})
    assert (found.actual, found.expected) == ("a 1, b 2.5", "a + b == 7")


# Order


def test_verdicts_stand_in_the_order_of_the_spec():
    spec = parse(
        HEAD + "      - {path: $.b, ge: 0}\n      - {path: $.a, ge: 0}\n"
        "  more: {get: /more, assert: [{path: $.c, ge: 0}]}\n"
        "assert:\n  - {expr: c > 0, let: {c: {endpoint: more, path: $.c}}}\n"
    )
    found = evaluated(spec, Observations(), None)
    names = [re.sub(r".*:", "", f"{v.section}:{v.name}") for v in found]
    assert names[-6:] == ["reachable", "b", "a", "reachable", "c", "c > 0"]
