"""Each rule of conformance has a page that only it catches, and promtool reads the same pages."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from validator.conformance import MOST, RULES
from validator.decoders import DECODERS
from validator.records.observation import Payload
from validator.values import printable

CASES = Path(__file__).parent / "cases" / "prometheus"
TYPES = {
    ".prom": "text/plain; version=0.0.4; charset=utf-8",
    ".openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
BROKEN = yaml.safe_load((CASES / "broken.yaml").read_text("utf-8"))
PROMTOOL = shutil.which("promtool")


def _page(case):
    page = CASES / case.get("page", "clean.prom")
    text = page.read_text("utf-8")
    if "replace" in case:
        old, new = case["replace"]
        assert text.count(old) == 1 or (case.get("all") and text.count(old) > 1), case
        text = text.replace(old, new)
    return case.get("only", text), case.get("content_type", TYPES[page.suffix])


def _violations(text, content_type=TYPES[".prom"]):
    document = DECODERS["prometheus"](Payload(text.encode(), content_type), 200)
    return [found for table in document["violations"].values() for found in table]


def _ids(case):
    return f"{case['rule']}-{str(case.get('replace', [''])[-1])[:20]!r}"


@pytest.mark.parametrize("name", ["clean.prom", "clean.openmetrics"])
def test_a_clean_page_breaks_no_rule(name):
    assert _violations(*_page({"page": name})) == []


def test_colons_in_names_are_a_matter_of_taste_and_of_nothing_else():
    document = DECODERS["prometheus"](
        Payload((CASES / "colons.prom").read_bytes(), "text/plain"), 9
    )
    assert document["violations"]["prometheus"] == []
    naming = document["violations"]["prometheus-naming"]
    assert [v["rule"] for v in naming] == ["colon"] * len(document["families"])


@pytest.mark.parametrize("case", BROKEN, ids=_ids)
def test_a_broken_page_breaks_its_rule_only(case):
    text, content_type = _page(case)
    found = _violations(text, content_type)
    # An edit that takes a TYPE line away from its samples has consequences for naming as well.
    expected = {case["rule"], *case.get("also", [])}
    assert {v["rule"] for v in found} == expected
    of_rule = [v for v in found if v["rule"] == case["rule"]]
    assert of_rule[0]["line"] == case["line"]
    for violation in of_rule:
        assert violation["text"].isprintable()
        if violation["line"]:
            line = text.split("\n")[violation["line"] - 1].rstrip("\r")
            assert violation["sample"].rstrip("…") in printable(line)
            assert len(violation["sample"]) <= 120


def test_every_rule_is_described_and_has_a_page_that_breaks_it():
    names = [name for rules in RULES.values() for name in rules]
    assert len(names) == len(set(names))
    assert set(names) == {case["rule"] for case in BROKEN}
    for rules in RULES.values():
        for name in rules:
            assert rules.documentation(name).endswith(".")
            assert "\n" not in rules.documentation(name)


def test_each_violation_is_its_own_entry_in_the_order_of_the_lines():
    text = "".join(f'# TYPE c{i}_total counter\nc{i}_total{{a="\\x"}} -1\n' for i in range(3))
    found = [(v["line"], v["rule"]) for v in _violations(text) if v["rule"] in RULES["prometheus"]]
    assert found == [(n, rule) for n in (2, 4, 6) for rule in ("counter-value", "escape")]


def test_a_rule_that_every_line_breaks_is_told_a_hundred_times_and_then_summed_up():
    text = "# HELP c c\n# TYPE c counter\n" + "".join(f'c{{i="{i}"}} -1\n' for i in range(1000))
    found = [v for v in _violations(text) if v["rule"] == "counter-value"]
    assert len(found) == MOST + 1
    assert found[-1]["text"] == f"and {1000 - MOST} more like these"


def test_an_offending_line_is_shown_shortened_and_printable():
    text = f'# TYPE c_total counter\n# HELP c_total c\nc_total{{a="\x1b[31m{"x" * 500}"}} -1\n'
    [violation] = _violations(text)
    assert violation["sample"].startswith('c_total{a="\\x1b[31mxxx')
    assert len(violation["sample"]) == 120
    assert violation["sample"].endswith("…")


HISTOGRAM = "# HELP h h\n# TYPE h histogram\n"


def _histogram(*lines):
    return [v["rule"] for v in _violations(HISTOGRAM + "\n".join(lines) + "\n")]


def test_a_sum_may_be_negative_when_buckets_are():
    below = ['h_bucket{le="-1"} 2', 'h_bucket{le="0"} 3', 'h_bucket{le="+Inf"} 3', "h_count 3"]
    assert _histogram(*below, "h_sum -20") == []
    assert _histogram(*below, "h_sum 1") == ["sum-value"]


def test_a_sum_of_floats_need_not_be_exact():
    buckets = ['h_bucket{le="0.1"} 0', 'h_bucket{le="0.2"} 3', 'h_bucket{le="+Inf"} 3', "h_count 3"]
    assert _histogram(*buckets, "h_sum 0.6000000000000001") == []
    assert _histogram(*buckets, "h_sum 0.2999999999999999") == []
    assert _histogram(*buckets, "h_sum 0.61") == ["sum-value"]


def test_observations_beyond_the_last_bound_may_add_up_to_anything():
    buckets = ['h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 2', "h_count 2"]
    assert _histogram(*buckets, "h_sum 1e300") == []
    assert _histogram(*buckets, "h_sum +Inf") == []
    assert _histogram(*buckets, "h_sum 0.5") == ["sum-value"]


def test_histograms_of_different_labels_are_judged_apart():
    lines = [
        f'h_bucket{{m="{m}",le="{le}"}} {n}' for m, n in (("a", 9), ("b", 1)) for le in (1, "+Inf")
    ]
    ends = [f'h_{end}{{m="{m}"}} {n}' for m, n in (("a", 9), ("b", 1)) for end in ("sum", "count")]
    assert _histogram(*lines, *ends) == []


def test_the_quantiles_of_nothing_are_nan_and_in_order():
    text = '# HELP s s\n# TYPE s summary\ns{quantile="0.5"} NaN\ns{quantile="0.9"} NaN\n'
    assert _violations(text + "s_sum 0\ns_count 0\n") == []


def test_a_gauge_beside_a_series_that_ends_in_count_is_no_histogram():
    text = "# HELP q q\n# TYPE q gauge\nq 1\nq_count 5\n"
    assert {v["rule"] for v in _violations(text)} == {"help", "type"}


def test_one_series_may_stand_in_openmetrics_at_several_times():
    text = "# HELP g g\n# TYPE g gauge\ng 1 1\ng 2 2\n# EOF\n"
    assert _violations(text, TYPES[".openmetrics"]) == []


def test_hostile_pages_are_judged_in_linear_time():
    many = 10_000
    pages = [
        "".join(f'# TYPE h histogram\nh_bucket{{le="{i % 7}"}} {i}\n' for i in range(many)),
        "".join(f'h_bucket{{le="{"0" * (i % 50)}1"}} {i}\n' for i in range(many)),
        "".join(f"x{i % 3} 1\n# HELP x{i % 3} a\n" for i in range(many)),
        "g{" + 'a="b",' * many + "} 1\n",
        'g{a="' + "\\x" * many + '"} 1\n',
        "# HELP g " + "\\" * many + "\ng 1\n",
        "\r\n" * many + "g 1\n",
    ]
    began = time.process_time()
    for page in pages:
        _violations(HISTOGRAM + page)
    assert time.process_time() - began < 8


def _promtool(text):
    assert PROMTOOL is not None
    ran = subprocess.run(
        [PROMTOOL, "check", "metrics"],
        input=text.encode(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    if not ran.returncode:
        return "accepts", ""
    said = ran.stderr.decode()
    return ("refuses" if "parsing error" in said else "lints"), said


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing (Debian package prometheus)")
def test_promtool_has_nothing_against_the_clean_page():
    assert _promtool((CASES / "clean.prom").read_text("utf-8")) == ("accepts", "")
    verdict, said = _promtool((CASES / "colons.prom").read_text("utf-8"))
    assert verdict == "lints"
    assert all("':'" in line for line in said.splitlines())


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing (Debian package prometheus)")
@pytest.mark.parametrize("case", [c for c in BROKEN if "promtool" in c], ids=_ids)
def test_promtool_says_nothing_that_contradicts_ours(case):
    text, content_type = _page(case)
    verdict, said = _promtool(text)
    assert verdict == case["promtool"], said
    tables = DECODERS["prometheus"](Payload(text.encode(), content_type), 200)["violations"]
    if verdict == "refuses":  # what cannot be parsed elsewhere is never only a matter of taste
        assert tables["prometheus"]
    if verdict == "lints":
        assert tables["prometheus"] or tables["prometheus-naming"]
