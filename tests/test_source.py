"""YAML as people mean it, and every value knows where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator import duration
from validator.errors import Problems
from validator.size import size
from validator.source import read, scalar
from validator.values import brief, show


def composed(text):
    problems = Problems()
    return read(text, "x.yaml", problems), problems.found


@pytest.mark.parametrize(
    "text,value",
    [
        ("on", "on"), ("yes", "yes"), ("No", "No"), ("12:30", "12:30"), ("010", "010"),
        ("1_000", "1_000"), ("0x1F", "0x1F"), ("0o7", "0o7"), ("2026-11-22", "2026-11-22"),
        ("1e-3", 0.001), ("1E3", 1000.0), ("-0", 0), ("+5", 5), (".5", 0.5), ("5.", 5.0),
        ("1.50", 1.5), ("true", True), ("TRUE", True), ("false", False), ("null", None),
        ("~", None), ("", None), (".", "."), ("-", "-"), ("+", "+"), (".nan", ".nan"),
        (".inf", ".inf"), ("1e999", "1e999"), ("٣", "٣"), ("1" * 500, "1" * 500), ("1 2", "1 2"),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_it_looks_like(text, value):
    assert (scalar(text), type(scalar(text))) == (value, type(value))


@given(st.text(max_size=20))
def test_any_scalar_means_something(text):
    assert scalar(text) is None or isinstance(scalar(text), bool | int | float | str)


def test_every_value_knows_its_line_and_column():
    node, problems = composed('a: 1\nb:\n  - {c: "x y", d: [2]}\n')
    assert problems == []
    assert str(node.at("b", 0, "c").span) == "x.yaml:3:9"
    assert str(node.at("b", 0, "c").key_span) == "x.yaml:3:6"
    assert node.at("b", 0, "c").span.end_column == 14
    assert str(node.at("b", 0, "d", 0).span) == "x.yaml:3:20"
    assert node.at("b", 1) is None
    assert node.at("a", "b") is None
    assert node.plain() == {"a": 1, "b": [{"c": "x y", "d": [2]}]}
    assert [n.value for n in node.scalars()] == [1, "x y", 2]


def test_aliases_and_merges_are_written_out():
    node, problems = composed(
        "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\nd: {<<: [*x, {r: 4}]}\n"
    )
    assert problems == []
    assert node.plain()["b"] == {"p": 1, "q": 3}
    assert node.plain()["c"] == {"p": 1, "q": 2}
    assert node.plain()["d"] == {"p": 1, "q": 2, "r": 4}


def test_a_quoted_merge_key_is_a_key():
    assert composed('{"<<": 1}')[0].plain() == {"<<": 1}


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#, \n\t?", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_complained_about(text):
    node, problems = composed(text)
    assert node is not None or problems
    for problem in problems:
        assert problem.span.line >= 1
        assert problem.span.column >= 1


@pytest.mark.parametrize(
    "text,found", [("250ms", 0.25), ("5s", 5), ("1.5s", 1.5), ("1m", 60), ("2h", 7200), ("0s", 0)]
)
def test_a_duration_has_a_unit(text, found):
    assert duration.seconds(text) == found


@pytest.mark.parametrize("text", ["5", "", "s", "-5s", "5 s", "5S", "1m30s", "1e3s", "٣s", "5s\n"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="expected a duration such as"):
        duration.seconds(text)


@given(st.floats(0.001, 1e5))
def test_a_written_duration_is_near_what_it_was(value):
    text = duration.written(value)
    minutes, _, rest = text.rpartition("m") if "m" in text and "ms" not in text else ("", "", text)
    total = (float(minutes) * 60 if minutes else 0) + (duration.seconds(rest) if rest else 0)
    assert abs(total - value) <= max(0.5, value * 0.01)


@pytest.mark.parametrize(
    "text,found",
    [("512 KiB", 524288), ("10MB", 10**7), ("64MiB", 2**26), ("1.5kB", 1500), ("7B", 7)],
)
def test_a_size_has_a_unit(text, found):
    assert size(text) == found


@pytest.mark.parametrize("text", ["5", "", "MB", "-5MB", "5 megabytes", "5TB", "5KIB", "5  MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="expected a size such as"):
        size(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
    st.integers(5, 80),
)
def test_a_brief_value_is_one_short_printable_line(value, limit):
    assert brief(value, limit).isprintable()
    assert len(brief(value, limit)) <= max(limit, 30)


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**21, 5, 1.0, 0.1 + 0.2, 1e300])
def test_every_number_can_be_shown(number):
    assert len(show(number)) < 310
