"""Every measure has cases, documentation, and the arithmetic its name says."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.measures import MEASURES

CASES = Path(__file__).parent / "cases" / "measures"  # judged in test_evaluate.py
NUMBERS = st.lists(st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6), min_size=1, max_size=20)


def test_every_measure_has_a_case_file_and_every_file_a_measure():
    assert {file.stem for file in CASES.iterdir()} == set(MEASURES)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_every_measure_documents_itself(name):
    assert "```yaml" in MEASURES.documentation(name)
    assert MEASURES[name].noun


@given(NUMBERS)
def test_measures_of_numbers_agree_with_the_standard_library(numbers):
    def of(name):
        return MEASURES[name]().of(numbers)

    assert math.isclose(of("sum"), math.fsum(numbers), abs_tol=1e-6)
    assert math.isclose(of("mean"), statistics.fmean(numbers), abs_tol=1e-6)
    assert (of("min"), of("max")) == (min(numbers), max(numbers))
    assert math.isclose(of("p50"), statistics.median(numbers), abs_tol=1e-6)
    assert of("min") <= of("p50") <= of("p90") <= of("p95") <= of("p99") <= of("max")


def test_a_sum_of_integers_is_exact():
    assert MEASURES["sum"]().of([10**20, 1, -(10**20)]) == 1
