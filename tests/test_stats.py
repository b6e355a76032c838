"""Statistics agree with the standard library, and nothing is invented for no samples."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validator import stats

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=60)


@settings(deadline=None)
@given(VALUES)
def test_percentiles_are_the_inclusive_quantiles_of_the_standard_library(values):
    values.sort()
    expected = statistics.quantiles(values, n=100, method="inclusive")
    for percent in range(1, 100):
        found = stats.percentile(values, percent / 100)
        assert math.isclose(found, expected[percent - 1], rel_tol=1e-9, abs_tol=1e-6)


@settings(deadline=None)
@given(VALUES)
def test_a_summary_is_in_order(values):
    found = stats.summary(values, missing=3)
    order = [found[name] for name in ("min", "p50", "p90", "p95", "p99", "max")]
    assert order == sorted(order)
    assert found["min"] <= found["mean"] <= found["max"]
    assert (found["count"], found["missing"]) == (len(values), 3)


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.integers(1, 20))
def test_a_constant_is_its_own_every_figure(value, count):
    found = stats.summary([value] * count)
    assert {found[name] for name in stats.FIGURES} == {value}


@settings(deadline=None)
@given(VALUES)
def test_scaling_a_summary_is_scaling_its_values(values):
    scaled = stats.summary(values, scale=1000)
    direct = stats.summary([value * 1000 for value in values])
    for name in stats.FIGURES:
        assert math.isclose(scaled[name], direct[name], rel_tol=1e-9, abs_tol=1e-3)


def test_no_samples_give_no_numbers():
    assert stats.summary([], missing=2) == {
        "count": 0,
        "missing": 2,
        **dict.fromkeys(("mean", "min", "max", "p50", "p90", "p95", "p99")),
    }
    for empty in (stats.mean, lambda values: stats.percentile(values, 0.5)):
        with pytest.raises(ValueError, match="no values"):
            empty([])
