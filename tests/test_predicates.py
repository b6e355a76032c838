"""Every predicate does what its case file says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.errors import Problems
from validator.predicates import PREDICATES, Subject
from validator.reference import Reference, reference
from validator.source import read
from validator.values import KINDS, kind

CASES = Path(__file__).parent / "cases" / "predicates"
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def cases(key, name=None):
    for file in sorted(CASES.glob("*.yaml")):
        node = read(file.read_text(encoding="utf-8"), file.name, Problems())
        for number, case in enumerate(node.plain()):
            if key in case and name in (None, file.stem):
                yield pytest.param(file.stem, case, id=f"{file.stem}-{number}")


ANSWERS = list(cases("args"))
REFUSALS = list(cases("bad"))


@pytest.mark.parametrize("name", sorted(PREDICATES))
def test_every_predicate_has_cases_and_documentation(name):
    assert (CASES / f"{name}.yaml").is_file()
    found = [case.values[1] for case in cases("args", name)]
    assert all(case["holds"] and case["fails"] for case in found)
    assert "```yaml" in PREDICATES.documentation(name)


def test_every_case_file_is_about_a_predicate():
    assert {file.stem for file in CASES.iterdir()} == set(PREDICATES)


@pytest.mark.parametrize("name,case", ANSWERS)
def test_a_predicate_answers_as_its_case_says(name, case):
    predicate = PREDICATES[name].read(case["args"])
    assert str(predicate) == case["says"]
    for value in case["holds"]:
        assert predicate.fits(value), value
        assert predicate.holds(value), value
    for value in case["fails"]:
        assert predicate.fits(value), value
        assert not predicate.holds(value), value
    for value in case.get("refuses", []):
        assert not predicate.fits(value), value
        if predicate.subject is Subject.VALUE and kind(value) in predicate.accepts:
            assert predicate.explain(value)


@pytest.mark.parametrize("name,case", REFUSALS)
def test_a_predicate_refuses_bad_arguments_in_words(name, case):
    with pytest.raises(ValueError, match=r"\w") as refused:
        PREDICATES[name].read(case["bad"])
    assert str(refused.value) == case["error"]


@pytest.mark.parametrize("name,case", ANSWERS)
def test_predicates_compare_by_value_and_cannot_be_changed(name, case):
    one, other = (PREDICATES[name].read(case["args"]) for _ in range(2))
    assert one == other
    with pytest.raises((AttributeError, TypeError)):
        one.anything = 1


@pytest.mark.parametrize("name,case", ANSWERS)
@given(value=DOCUMENTS)
def test_no_predicate_raises_on_any_value_that_fits(name, case, value):
    predicate = PREDICATES[name].read(case["args"])
    if predicate.subject is not Subject.VALUE:
        value = value if isinstance(value, list) else [value]
    if kind(value) in predicate.accepts and predicate.fits(value):
        assert predicate.holds(value) or isinstance(predicate.explain(value), str)


@pytest.mark.parametrize("name,case", ANSWERS)
def test_only_those_that_name_null_hold_for_null(name, case):
    predicate = PREDICATES[name].read(case["args"])
    if predicate.subject is Subject.PRESENCE:
        assert not predicate.holds([None])
    elif predicate.subject is Subject.VALUE and predicate.fits(None) and predicate.holds(None):
        assert (name, case["args"]) in [
            ("eq", None),
            ("type", "null"),
            ("type", ["string", "null"]),
        ]


@pytest.mark.parametrize("name", sorted(PREDICATES))
def test_a_reference_is_looked_up_before_the_question_or_refused(name):
    asked = reference("${load.ok}")
    try:
        predicate = PREDICATES[name].read(asked)
    except ValueError as error:
        told = str(error)
        assert "known before the load" in told or "expected a" in told
        return
    assert isinstance(next(iter(predicate.references())), Reference)
    assert isinstance(str(predicate), str)
    assert "Reference(" not in str(predicate)
    assert "load.ok" in str(predicate)


def test_a_looked_up_argument_is_checked_like_a_written_one():
    predicate = PREDICATES["between"].read([reference("${load.ok}"), 5])
    assert predicate.resolved(lambda _: 3) == PREDICATES["between"].read([3, 5])
    with pytest.raises(ValueError, match="nothing lies between 7 and 5"):
        predicate.resolved(lambda _: 7)
    with pytest.raises(ValueError, match="expected a number, found nothing"):
        predicate.resolved(lambda _: None)


def test_the_kinds_are_those_of_json():
    assert {kind(value) for value in (None, True, 1, 1.5, "", [], {})} == KINDS
