"""The decoder reads every valid page as prometheus-client's parser does, and keeps wire names."""

from __future__ import annotations

import math
import time
from pathlib import Path

import prometheus_client as client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import exposition as openmetrics_writer
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from validator import exposition
from validator.decoders import DECODERS
from validator.errors import DecodeError
from validator.histogram import histogram_quantile
from validator.records.observation import Payload

CASES = Path(__file__).parent / "cases" / "prometheus"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def _decoded(text, content_type=TEXT):
    return DECODERS["prometheus"](Payload(text.encode(), content_type), 200)


def _ours(text, content_type):
    page = exposition.read(text, content_type)
    return sorted(
        (
            (s.name, sorted(s.labels.items()), _comparable(s.value), _comparable(s.timestamp))
            for s in page.samples
        ),
        key=repr,
    )


def _theirs(text, content_type):
    """Read with the library, and undo its renaming of counters."""
    if content_type == OPENMETRICS:
        families = openmetrics_parser.text_string_to_metric_families(text)
    else:
        families = text_string_to_metric_families(text)
    wire = {line.split(" ")[2] for line in text.split("\n") if line.startswith("# TYPE")}
    return sorted(
        (
            (
                sample.name.removesuffix("_total")
                if family.type == "counter" and content_type == TEXT and sample.name not in wire
                else sample.name,
                sorted(sample.labels.items()),
                _comparable(sample.value),
                _comparable(sample.timestamp),
            )
            for family in families
            for sample in family.samples
        ),
        key=repr,
    )


def _comparable(value):
    return None if value is None else repr(float(value) + 0.0)  # NaN is not NaN; -0 is 0


@pytest.mark.parametrize("name", ["clean.prom", "colons.prom", "clean.openmetrics"])
def test_the_clean_pages_are_read_as_the_library_reads_them(name):
    text = (CASES / name).read_text("utf-8")
    content_type = OPENMETRICS if name.endswith("openmetrics") else TEXT
    assert _ours(text, content_type) == _theirs(text, content_type)


_label = st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]{0,5}\Z").filter(lambda n: not n.startswith("__"))
_name = st.from_regex(r"\A[a-z_:][a-zA-Z0-9_:]{0,9}\Z")
_text = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
_number = st.floats() | st.integers(-(10**18), 10**18).map(float)


@st.composite
def _registries(draw):
    """Return a registry of the library's own metrics, filled."""
    registry = client.CollectorRegistry()
    kinds = [client.Counter, client.Gauge, client.Histogram, client.Summary, client.Info]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=4))):
        names = sorted(draw(st.sets(_label, max_size=2)) - {"le", "quantile"})
        metric = kind(f"acme_{number}", draw(_text) or "x", names, registry=registry)
        for _ in range(draw(st.integers(0, 3))):
            one = metric.labels(*[draw(_text) for _ in names]) if names else metric
            if kind is client.Counter:
                one.inc(draw(st.floats(0, 1e9)))
            elif kind is client.Gauge:
                one.set(draw(_number))
            elif kind is client.Info:
                one.info({"version": draw(_text)})
            else:
                one.observe(draw(st.floats(0, 1e6)))
    return registry


@given(_registries(), st.sampled_from([TEXT, OPENMETRICS]))
@settings(max_examples=60)
def test_what_the_library_exposes_is_read_back_and_breaks_no_rule_of_the_format(registry, kind):
    writer = openmetrics_writer if kind == OPENMETRICS else client
    text = writer.generate_latest(registry).decode()
    assert _ours(text, kind) == _theirs(text, kind)
    found = _decoded(text, kind)["violations"]["prometheus"]
    assert [v for v in found if v["rule"] != "samples"] == []


@st.composite
def _pages(draw):
    """Return a page of our own, with the blanks and spellings the library's writer never uses."""
    blank = st.sampled_from(["", " ", "\t", "  "])
    some = st.sampled_from([" ", "\t", "   "])
    lines = []
    for name in sorted(draw(st.sets(_name, max_size=5))):
        kind = draw(st.sampled_from(["counter", "gauge", "untyped"]))
        lines.append(draw(st.sampled_from(["", "# a comment", f"# HELP {name} {draw(_label)}"])))
        lines.append(f"# TYPE {name} {kind}")
        for _ in range(draw(st.integers(0, 3))):
            labels = draw(st.dictionaries(_label, _text, max_size=3))
            pairs = [f"{k}{draw(blank)}={draw(blank)}{_quoted(v)}" for k, v in labels.items()]
            block = ",".join(pairs) + draw(st.sampled_from(["", ","] if pairs else [""]))
            after = f"{{{draw(blank)}{block}{draw(blank)}}}" if draw(st.booleans()) or pairs else ""
            value = draw(
                _number.map(repr)
                | st.sampled_from(["NaN", "+Inf", "-Inf", "inf", "1E3", "1.", ".5", "+7", "-0"])
            )
            stamp = draw(st.just("") | st.integers(-(10**13), 10**13).map(lambda n: f" {n}"))
            lines.append(f"{draw(blank)}{name}{after}{draw(some)}{value}{stamp}{draw(blank)}")
    return "\n".join(lines) + "\n"


def _quoted(value):
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


@given(_pages())
@settings(max_examples=80)
def test_any_valid_page_is_read_as_the_library_reads_it(text):
    assert _ours(text, TEXT) == _theirs(text, TEXT)


_NOISE = st.binary(max_size=80) | st.text('ab_:{}=",\\ \n\t#1.5+-eNaInf\r', max_size=60).map(
    str.encode
)
_WORDS = st.lists(
    st.sampled_from(
        ["# TYPE ", "# HELP ", "a", "a_bucket", "a_sum", "a_count", " histogram\n", " summary\n",
         '{le="', '+Inf"} ', '"} ', '{quantile="0.5"} ', "1", "NaN", " ", "\n", "# EOF\n", " # {",
         "\\", "} 1\n", '"', ",", "counter\n", "\r\n", "# UNIT a s\n"]
    ),
    max_size=30,
).map(lambda words: "".join(words).encode())  # fmt: skip


@given(_NOISE | _WORDS, st.sampled_from([TEXT, OPENMETRICS, "", "text/plain; charset=latin-1"]))
@settings(max_examples=300)
def test_any_bytes_become_a_document_or_a_decode_error(body, content_type):
    said = ""
    try:
        document = DECODERS["prometheus"](Payload(body, content_type), 200)
    except DecodeError as error:
        said = str(error)
    else:
        for table in document["violations"].values():
            said += "".join(v["text"] + v["sample"] for v in table)
    assert said.isprintable()


@given(_WORDS)
@settings(max_examples=200)
def test_a_page_cut_anywhere_is_refused_or_said_to_be_cut(words):
    text = (CASES / "clean.openmetrics").read_text("utf-8")
    at = len(words) * 7 % (len(text) - len("# EOF\n"))
    with pytest.raises(DecodeError):
        _decoded(text[:at], OPENMETRICS)


def test_a_page_of_text_that_was_cut_in_a_line_says_so():
    text = (CASES / "clean.prom").read_text("utf-8")
    for at in range(1, len(text)):
        if text[at - 1] == "\n":
            continue  # the older format has no sign of its end
        try:
            found = _decoded(text[:at])["violations"]["prometheus"]
        except DecodeError as error:
            assert f"at line {text[:at].count(chr(10)) + 1}," in str(error)  # noqa: PT017
        else:
            assert "final-newline" in {v["rule"] for v in found}


def test_values_keep_their_kind():
    page = _decoded("a 1\nb 1.0\nc 1.5\nd 1e2\ne 9007199254740992\nf 9007199254740994\ng -0\n")
    values = [f["samples"][0]["value"] for f in page["families"].values()]
    assert list(map(repr, values)) == [
        "1", "1", "1.5", "100", "9007199254740992", "9007199254740994.0", "0"
    ]  # fmt: skip


def test_families_collect_their_series_also_when_the_type_comes_late():
    text = 'h_bucket{le="+Inf"} 1\nh_sum 1\n# TYPE h histogram\nh_count 1\nh_total 1\n'
    families = _decoded(text)["families"]
    assert [s["name"] for s in families["h"]["samples"]] == ["h_bucket", "h_sum", "h_count"]
    assert families["h_total"]["type"] == "untyped"


def test_a_page_of_ten_thousand_samples_is_read_and_judged_in_a_second():
    text = "".join(
        f'acme_requests_total{{model="org/{i}",worker="w-{i % 4}",code="200"}} {i}\n'
        for i in range(10_000)
    )
    began = time.process_time()
    page = _decoded(text)
    assert time.process_time() - began < 1.5
    assert len(page["families"]["acme_requests_total"]["samples"]) == 10_000


INF = math.inf


@pytest.mark.parametrize(
    "q,buckets,value",
    [
        # 10 in (0, 1], 10 in (1, 2]: the median is the bound between them.
        (0.5, [(1, 10), (2, 20), (INF, 20)], 1.0),
        (0.25, [(1, 10), (2, 20), (INF, 20)], 0.5),
        (0.75, [(1, 10), (2, 20), (INF, 20)], 1.5),
        (0.9, [(1, 10), (2, 20), (INF, 20)], 1.8),
        (0, [(1, 10), (2, 20), (INF, 20)], 0.0),
        (1, [(1, 10), (2, 20), (INF, 20)], 2.0),
        # In the +Inf bucket there is nothing to interpolate: the highest bound.
        (0.99, [(1, 10), (2, 20), (INF, 40)], 2.0),
        (0.5, [(1, 0), (INF, 4)], 1.0),
        # Empty buckets below: the first filled one begins at their bound.
        (0, [(1, 0), (3, 4), (INF, 4)], 1.0),
        (0.5, [(1, 0), (3, 4), (INF, 4)], 2.0),
        # A first bucket without a positive bound has no width.
        (0.5, [(-1, 4), (INF, 4)], -1.0),
        (0.75, [(-1, 2), (1, 4), (INF, 4)], 0.0),
        # Order does not matter, equal bounds are added up, a fallen count is raised.
        (0.5, [(INF, 20), (2, 20), (1, 10)], 1.0),
        (0.5, [(1, 5), (1, 5), (2, 20), (INF, 20)], 1.0),
        (0.75, [(1, 10), (2, 4), (4, 20), (INF, 20)], 3.0),
        (0.5, [(1, 0), (INF, 0)], None),
        (0.5, [(INF, 7)], None),
        (0, [(1, 0), (INF, 0)], None),
    ],
)
def test_a_quantile_is_interpolated_as_prometheus_does(q, buckets, value):
    assert histogram_quantile(q, buckets) == pytest.approx(value) if value else True
    assert (histogram_quantile(q, buckets) is None) is (value is None)


@pytest.mark.parametrize(
    "q,buckets",
    [(-0.1, [(INF, 1)]), (1.1, [(INF, 1)]), (math.nan, [(INF, 1)]), (0.5, []), (0.5, [(1, 1)]),
     (0.5, [(1, math.nan), (INF, 1)]), (0.5, [(math.nan, 1), (INF, 1)])],
)  # fmt: skip
def test_a_quantile_of_no_histogram_is_refused(q, buckets):
    with pytest.raises(ValueError, match=r"quantile|bucket"):
        histogram_quantile(q, buckets)


@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 10**6)), max_size=8),
    st.integers(0, 10**6),
)
def test_a_quantile_lies_within_the_finite_bounds_and_is_never_nan(q, buckets, total):
    value = histogram_quantile(q, [*buckets, (INF, total)])
    if value is not None:
        bounds = [bound for bound, _ in buckets]
        assert min(0.0, *bounds) <= value <= max(0.0, *bounds)
