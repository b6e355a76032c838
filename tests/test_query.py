"""A JSONPath selects what RFC 9535 says, with paths that lead back to it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse as other

from validator.errors import Problems, QueryError
from validator.query import compiled
from validator.source import read
from validator.values import same

CASES = Path(__file__).parent / "cases" / "queries"
KEYS = st.sampled_from(["a", "b", "c d", "it's", "x\ny", "ü", "0", "", "\\", "\ud800", "\x1f\\'"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
SEGMENTS = st.sampled_from(
    [".a", ".b", "['c d']", "[0]", "[-1]", "[*]", ".*", "..a", "..*", "[1:]", "[::-1]", "[0,1]",
     "['a','b']", "..[0]", "[?(@.a > 1)]", "[?(@.a == 'x')]", "[?(@.b)]"]
)  # fmt: skip
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda parts: "$" + "".join(parts))


def cases(name, key="path"):
    file = CASES / f"{name}.yaml"
    listed = read(file.read_text(encoding="utf-8"), file.name, Problems()).plain()
    return [pytest.param(case, id=f"{n}-{case[key]}") for n, case in enumerate(listed)]


@pytest.mark.parametrize("case", cases("rfc9535"))
def test_a_path_selects_what_its_case_says(case):
    found = compiled(case["path"]).select(case["document"])
    assert same([m.value for m in found], case["values"])
    if "paths" in case:
        assert [m.path for m in found] == case["paths"]


@pytest.mark.parametrize("case", cases("filters", "filter"))
def test_a_filter_keeps_what_its_case_says(case):
    members = case["members"]
    for path in (f"$[?{case['filter']}]", f"$[?({case['filter']})]", f"$[ ?{case['filter']} ]"):
        found = compiled(path).select(members)
        assert [m.path for m in found] == [f"$[{index}]" for index in case["keeps"]]
    named = dict(zip("abcdefghijkl", members, strict=False))
    kept = compiled(f"$.*[?{case['filter']}]").select({"x": named})
    assert same([m.value for m in kept], [members[index] for index in case["keeps"]])


@pytest.mark.parametrize("case", cases("refused"))
def test_what_is_no_path_is_refused_in_words(case):
    with pytest.raises(QueryError) as refused:
        compiled(case["path"])
    assert str(refused.value) == case["error"]
    assert refused.value.hint == case.get("hint", refused.value.hint)
    assert 0 <= refused.value.at <= len(case["path"])


@given(PATHS, DOCUMENTS)
def test_every_match_is_found_again_at_its_path(path, document):
    for match in compiled(path).select(document):
        (again,) = compiled(match.path).select(document)
        assert again.value is match.value
        assert compiled(match.path).definite


@given(PATHS, DOCUMENTS)
def test_a_definite_path_selects_one_value_at_most_and_is_known_as_such(path, document):
    query = compiled(path)
    assert query.definite == (re.search(r"\*|\.\.|:|,|\?", path) is None)
    if query.definite:
        assert len(query.select(document)) <= 1


@given(st.text(max_size=12) | st.text(alphabet="$.[]'\"*?@()0:a-\\ ,", max_size=12), DOCUMENTS)
def test_any_text_is_a_path_or_refused(text, document):
    for candidate in (text, f"${text}"):
        try:
            query = compiled(candidate)
        except QueryError as error:
            assert str(error)  # noqa: PT017 - either outcome is fine, but not without a word
        else:
            query.select(document)


COMPARISONS = st.tuples(
    st.sampled_from(["@", "@.a", "@.b", "@.a.b"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["1", "0", "2.5", "'x'", "''", "true", "false", "null", "@.b"]),
).map(" ".join)
FILTERS = st.recursive(
    COMPARISONS | st.sampled_from(["@.a", "!@.b"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join)
        | inner.map(lambda text: f"({text})")
    ),
    max_leaves=5,
)
MEMBERS = st.lists(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([0, 1, 2.5, True, False, None, "", "x"]))
    | st.sampled_from([0, 1, True, None, "x"]),
    max_size=6,
)


@given(FILTERS, MEMBERS)
def test_a_filter_keeps_what_jsonpath_ng_keeps(text, members):
    found = compiled(f"$[?{text}]").select(members)
    assert [m.path for m in found] == [
        f"${m.full_path}" for m in other(f"$[?({text})]").find(members)
    ]


def test_a_filter_may_nest_and_chain_as_far_as_anybody_needs():
    many = " || ".join(f"@ == {n}" for n in range(2000))
    assert len(compiled(f"$[?{many}]").select([5, 1999, 2000])) == 2
    with pytest.raises(QueryError, match="nests too deep"):
        compiled(f"$[?{'(' * 999}@{')' * 999}]")


PLAIN = st.recursive(
    st.integers() | st.text(max_size=2),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"a": inner, "b": inner, "w": st.lists(inner)}
    ),
    max_leaves=12,
)


@given(st.lists(st.sampled_from([".a", ".b", ".w[*]", ".w[0]", ".w[1:]"]), max_size=4), PLAIN)
def test_it_agrees_with_jsonpath_ng_where_that_keeps_to_the_standard(parts, document):
    path = "$" + "".join(parts)
    assert [m.value for m in compiled(path).select(document)] == [
        m.value for m in other(path).find(document)
    ]


def test_a_path_as_long_as_a_book_is_no_burden():
    deep = document = {}
    for _ in range(5000):
        deep["a"] = {}
        deep = deep["a"]
    assert len(compiled("$" + ".a" * 5000).select(document)) == 1
    assert len(compiled("$..a").select(document)) == 5000


def test_queries_are_compared_by_text_and_can_be_sent_elsewhere():
    query = compiled("$.a[*]")
    assert pickle.loads(pickle.dumps(query)) == query
    assert {query, compiled("$.a[*]")} == {query}
