"""A selector picks what Prometheus would pick, and refuses the rest with a place and a hint."""

from __future__ import annotations

import contextlib
import copy
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator import re2
from validator.decoders import DECODERS
from validator.page import series
from validator.query import Match
from validator.records.observation import Payload
from validator.selector import Selector, SelectorError, compiled_selector, family_of

CASES = Path(__file__).parent / "cases" / "prometheus"


def _document(text, content_type="text/plain"):
    return DECODERS["prometheus"](Payload(text.encode(), content_type), 200)


PAGE = _document(
    r"""# TYPE jobs_total counter
jobs_total{state="ok",model="org/a"} 5
jobs_total{state="failed",model="org/a"} 1
jobs_total{state="ok",model="org/b"} 2
jobs_total 8
# TYPE wait_seconds histogram
wait_seconds_bucket{le="1"} 3
wait_seconds_bucket{le="+Inf"} 4
wait_seconds_sum 2.5
wait_seconds_count 4
# TYPE size_bytes summary
size_bytes_sum 9
size_bytes_count 2
app:depth{queue="q\"1\\\n"} NaN
# TYPE build gauge
build_info{version="1.2.3"} 1
"""
)


def _picked(text, document=PAGE):
    return {match.path: match.value for match in Selector(text).select(document)}


@pytest.mark.parametrize(
    "text,values",
    [
        ("jobs_total", [5, 1, 2, 8]),
        (" jobs_total { } ", [5, 1, 2, 8]),
        ('jobs_total{state="ok"}', [5, 2]),
        ('jobs_total{state="ok",model="org/a",}', [5]),
        ("jobs_total{state='ok', model != `org/a`}", [2]),
        ('jobs_total{state=""}', [8]),
        ('jobs_total{state!=""}', [5, 1, 2]),
        ('jobs_total{state!="ok"}', [1, 8]),
        ('jobs_total{model=~"org/.*"}', [5, 1, 2]),
        ('jobs_total{model=~"org"}', []),
        ('jobs_total{model=~"a|org/a|b"}', [5, 1]),
        ('jobs_total{model!~"org/a"}', [2, 8]),
        ('jobs_total{nothing=~".*",state="ok"}', [5, 2]),
        ('{__name__="jobs_total",state="failed"}', [1]),
        ('{__name__=~"jobs_.*",state="failed"}', [1]),
        ('{__name__=~"wait_seconds_(sum|count)"}', [2.5, 4]),
        ('{__name__!~"jobs.*",__name__!~"wait.*",__name__=~".*_sum"}', [9]),
        ('{state="failed"}', [1]),
        ('{"jobs_total",state="failed"}', [1]),
        ('wait_seconds_bucket{le="+Inf"}', [4]),
        ("wait_seconds_count", [4]),
        ("wait_seconds", []),
        ("app:depth", ["NaN"]),
        (r'app:depth{queue="q\"1\\\n"}', ["NaN"]),
        (r'app:depth{queue="q\x221\134\u000a"}', ["NaN"]),
        (r'build_info{version=~"\\d+\\.2\\.3"}', [1]),
        (r"build_info{version=~`\d+[.]2[.]3`}", [1]),
        ("absent", []),
        ("jobs", []),
    ],
)
def test_a_selector_picks_what_prometheus_picks(text, values):
    assert list(_picked(text).values()) == values


def test_a_match_is_named_by_its_series_with_the_labels_sorted():
    [match] = Selector('jobs_total{state="failed"}').select(PAGE)
    assert match == Match('jobs_total{model="org/a",state="failed"}', 1)
    assert list(_picked("wait_seconds_sum")) == ["wait_seconds_sum"]
    [path] = _picked("app:depth")
    assert path == r'app:depth{queue="q\"1\\\n"}'
    assert list(_picked(path)) == [path]


@pytest.mark.parametrize(
    "text,message,at,hint",
    [
        ("", "expected the name of a metric or {, found the end", 0, "name{label"),
        ("1abc", "expected the name of a metric or {, found '1'", 0, "name{label"),
        ("{}", "may match every series", 0, "one matcher"),
        ('{a=""}', "may match every series", 0, "one matcher"),
        ('{a=~".*"}', "may match every series", 0, "one matcher"),
        ('{a!="b"}', "may match every series", 0, "one matcher"),
        ('m{a="b"', "expected , or } but found the end", 7, ""),
        ('m{a="b', "the quote is not closed", 4, ""),
        ("m{a=b}", "expected a value in quotes, found 'b'", 4, 'write "b"'),
        ('m{a>"b"}', "expected = != =~ or !~ after a, found '>'", 3, ""),
        ('m{a-b="c"}', "expected = != =~ or !~ after a, found '-'", 3, ""),
        ('m{,a="b"}', "expected a label, found ','", 2, ""),
        ('m{a="b" c="d"}', "expected , or } but found 'c'", 8, ""),
        (r'm{a=~"\d+"}', r"\d is no escape", 6, r"write \\d, or the value in `backquotes`"),
        (r'm{a="\xZZ"}', r"\x is no escape", 5, "backquotes"),
        (r'm{a="\ud800"}', "is no escape", 5, ""),
        ('m{__name__="n"}', "the name is given twice", 2, ""),
        ('{__name__="m",__name__="n"}', "the name is given twice", 14, ""),
        ('m{a=~"("}', "not a regular expression: missing ), unterminated", 5, ""),
        ('m{a=~"(?=b)"}', "Prometheus has no lookaround: (?=…)", 5, "!~ refuses what matches"),
        ('m{a!~"x(?<!b)"}', "Prometheus has no lookaround: (?<!…)", 5, "!~"),
        (r"m{a=~`(.)\1`}", r"Prometheus has no backreferences: \1", 5, ""),
        ("m{a=~`(?P<x>.)(?P=x)`}", "Prometheus has no backreferences: (?P=…)", 5, ""),
        ('m{a=~"b++"}', "Prometheus has no possessive repetition: ++", 5, ""),
        ('m{a=~"(?>b)"}', "Prometheus has no such group: (?>…", 5, ""),
        (r"m{a=~`\pL`}", r"this validator share: \p", 5, ""),
        ("m[5m]", "a selector has no range", 1, "`delta:`"),
        ("m offset 5m", "a selector has no offset", 2, "`over: before`"),
        ("m @ 100", "a selector has no offset", 2, "`over: before`"),
        ("rate(m)", "a selector has no functions", 0, "`rate:`"),
        ("sum by (a) (m)", "a selector has no functions", 0, "`sum:`"),
        ("m / n", "a selector has no operators", 2, "`expr:`"),
        ("m > 1", "a selector has no operators", 2, "`expr:`"),
        ("m and n", "a selector has no operators", 2, "`expr:`"),
        ("m}", "unexpected '}' after the selector", 1, ""),
        ("$.a", "expected the name of a metric or {, found '$'", 0, ""),
    ],
)
def test_what_is_no_selector_is_refused_with_a_place_and_a_hint(text, message, at, hint):
    with pytest.raises(SelectorError) as refused:
        Selector(text)
    assert message in str(refused.value)
    assert refused.value.at == at
    assert hint in refused.value.hint
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "pattern,text,matches",
    [
        ("[[:alpha:]]+", "abc", True),
        ("[[:alpha:]]+", "ab1", False),
        ("[^[:digit:]x]", "x", False),
        ("[]a]", "]", True),
        ("[[a]", "[", True),
        ("[a&&b|~~]+", "&|~", True),
        (r"[\d.]+", "1.5", True),
        (r"\Qa.b\E+", "a.b", True),
        (r"\Qa.b\E", "axb", False),
        (r"a\z", "a", True),
        (r"\d", "٣", False),
        ("(?i)ABC", "abc", True),
        ("a(?i:B)c", "abc", True),
        ("(?P<n>a)", "a", True),
        ("(?<n>a)", "a", True),
        ("a.b", "a\nb", True),
        ("a|b", "ab", False),
        ("a+?b{2,3}", "aabb", True),
        (r"\++", "++", True),
        ("é", "é", True),
    ],
)
def test_a_pattern_means_what_it_means_to_prometheus(pattern, text, matches):
    assert (re2.compiled(pattern).fullmatch(text) is not None) is matches


@pytest.mark.parametrize("pattern", ["[a--b]", "[[:nothing:]]", "(?U)a", "(?#x)", r"\Z", "(?(1)a)"])
def test_a_pattern_that_prometheus_or_python_does_not_know_is_refused(pattern):
    with pytest.raises(ValueError, match=r"Prometheus|hyphen"):
        re2.compiled(pattern)


def test_selectors_are_compared_hashed_copied_and_pickled_by_their_text():
    selector = Selector('jobs_total{state=~"o."}')
    assert selector == compiled_selector(str(selector))
    assert selector != Selector("jobs_total")
    assert {selector: 1}[Selector(selector.text)] == 1
    for twin in (pickle.loads(pickle.dumps(selector)), copy.deepcopy(selector)):
        assert twin == selector
        assert twin.select(PAGE) == selector.select(PAGE)
    assert repr(selector) == "Selector('jobs_total{state=~\"o.\"}')"
    assert compiled_selector("a") is compiled_selector("a")
    assert Selector.definite is False
    assert (selector.name, Selector('{a="b"}').name) == ("jobs_total", None)


@pytest.mark.parametrize(
    "document", [None, 5, [], {}, {"families": 1}, {"families": {"m": {"samples": [1, {}]}}}]
)
def test_a_document_of_another_shape_has_no_series(document):
    assert Selector("m").select(document) == ()
    assert Selector('{__name__=~".+"}').select(document) == ()
    assert family_of("m", document) == ""


def test_the_name_of_a_family_leads_to_its_series():
    listed = "wait_seconds_bucket{le=…}, wait_seconds_count or wait_seconds_sum"
    assert family_of("wait_seconds", PAGE) == f"wait_seconds is a histogram: select {listed}"
    assert family_of("size_bytes", PAGE) == (
        "size_bytes is a summary: select size_bytes{quantile=…}, size_bytes_count or size_bytes_sum"
    )
    assert family_of("jobs", PAGE) == "did you mean jobs_total?"
    assert family_of("build", PAGE) == "did you mean build_info?"
    assert family_of("jobs_total", PAGE) == ""
    assert family_of("nothing", PAGE) == ""


def test_openmetrics_series_have_the_names_they_have_on_the_wire():
    page = (CASES / "clean.openmetrics").read_text("utf-8")
    document = _document(page, "application/openmetrics-text; version=1.0.0")
    assert list(_picked("acme_requests_total", document).values()) == [118]
    assert list(_picked("acme_build_info", document).values()) == [1]
    assert family_of("acme_requests", document).startswith("acme_requests is a counter: select")


_names = st.from_regex(re.compile(r"[a-z_:][a-z0-9_:]{0,8}", re.ASCII), fullmatch=True)
_labels = st.dictionaries(
    st.from_regex(re.compile(r"[a-z][a-z0-9_]{0,4}", re.ASCII), fullmatch=True)
    | st.text("äé. -", min_size=1, max_size=3),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    max_size=4,
)


@given(_names | st.text('äé. {\\"', min_size=1, max_size=3), _labels)
def test_the_path_of_a_match_selects_that_match(name, labels):
    sample = {"name": name, "labels": labels, "value": 1, "line": 1}
    document = {"families": {name: {"type": "gauge", "help": None, "samples": [sample]}}}
    path = series(name, labels)
    assert [m.path for m in Selector(path).select(document)] == [path]


@given(st.text("am{}=~!\"`'\\,()[]*+?xdQE$^:|-1 ", max_size=20))
def test_any_text_is_a_selector_or_a_selector_error(text):
    at = 0
    try:
        Selector(text)
    except SelectorError as error:
        at = error.at
    assert 0 <= at <= len(text)


@given(st.text("ab()[]*+?{}\\QEzdpP<=!:^$|-&~1,i", max_size=12))
def test_any_pattern_is_compiled_or_a_value_error(pattern):
    with contextlib.suppress(ValueError):
        re2.compiled(pattern)
