"""Statistics agree with the standard library, and nothing is invented for no samples."""

import math
import random
import statistics
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator import stats
from validator.sketch import Sketch

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=60)


@given(VALUES)
def test_percentiles_are_the_inclusive_quantiles_of_the_standard_library(values):
    values.sort()
    expected = statistics.quantiles(values, n=100, method="inclusive")
    for percent in range(1, 100):
        found = stats.percentile(values, percent / 100)
        assert math.isclose(found, expected[percent - 1], rel_tol=1e-9, abs_tol=1e-6)


@given(VALUES)
def test_a_summary_is_in_order(values):
    found = stats.summary(values, missing=3)
    order = [found[name] for name in ("min", "p50", "p90", "p95", "p99", "max")]
    assert order == sorted(order)
    assert found["min"] <= found["mean"] <= found["max"]
    assert (found["count"], found["missing"]) == (len(values), 3)


@given(st.floats(-1e9, 1e9), st.integers(1, 20))
def test_a_constant_is_its_own_every_figure(value, count):
    found = stats.summary([value] * count)
    assert {found[name] for name in stats.FIGURES} == {value}


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


MANY = {
    "smooth": lambda chance, _: chance.lognormvariate(-5, 0.5),
    "one value": lambda *_: 0.005,
    "mostly zero": lambda chance, n: chance.random() if n % 20 == 0 else 0.0,
    "two values": lambda _, n: float(n % 100 > 89),
    "in waves": lambda _, n: float(n % 3) + n / 1e7,
    "falling": lambda _, n: -float(n),
}


@pytest.mark.parametrize("kind", MANY)
def test_percentiles_of_very_many_are_exact_too(kind, monkeypatch):
    monkeypatch.setattr(stats, "SORTED", 10_000)
    monkeypatch.setattr(stats, "_SAMPLED", 2_000)
    chance = random.Random(kind)
    values = array("d", (MANY[kind](chance, n) for n in range(30_000)))
    assert stats.summary(values, 2, scale=1000) == stats.summary(list(values), 2, scale=1000)


def test_a_sample_that_misleads_changes_nothing(monkeypatch):
    monkeypatch.setattr(stats, "SORTED", 10_000)
    monkeypatch.setattr(stats, "_SAMPLED", 100)
    monkeypatch.setattr(stats, "_DEVIATIONS", 0)
    values = array("d", (float(n % 30_011) for n in range(0, 3_000_000, 100)))
    assert stats.summary(values) == stats.summary(list(values))


@given(
    st.lists(st.just(0.0) | st.floats(1e-7, 1e5), min_size=1, max_size=200),
    st.lists(st.floats(-5, 5), max_size=20),
)
def test_a_sketch_is_off_by_no_more_than_it_says(values, more):
    sketch, other = Sketch(), Sketch()
    sketch.extend(values)
    other.extend(more)
    sketch.merge(other)
    ordered = sorted(values + more)
    mean, low, high, *percentiles = sketch.figures()
    assert sketch.count == len(ordered)
    assert math.isclose(mean, math.fsum(ordered) / len(ordered), rel_tol=1e-9, abs_tol=1e-9)
    assert (low, high) == (ordered[0], ordered[-1])
    for found, quantile in zip(percentiles, stats.QUANTILES.values(), strict=True):
        exact = stats.percentile(ordered, quantile)
        near = max(map(abs, ordered)) if ordered[0] < 0 else exact  # of both signs much cancels out
        assert abs(found - exact) <= stats.SKETCH_ERROR * near + 1e-12


@pytest.mark.parametrize("values", [(1.0, 100.0), (0.0, 1.0), (0.02, 0.05)])
def test_a_sketch_of_two_halves_has_its_median_between_them(values):
    sketch = Sketch()
    sketch.extend(values * 50_000)
    assert sketch.figures()[3] == pytest.approx(sum(values) / 2, rel=stats.SKETCH_ERROR)


def test_a_sketch_of_a_heavy_tail_is_off_by_no_more_than_it_says():
    chance = random.Random(5)
    values = [chance.paretovariate(0.3) for _ in range(100_000)]
    sketch = Sketch()
    sketch.extend(values)
    for found, quantile in zip(sketch.figures()[3:], stats.QUANTILES.values(), strict=True):
        exact = stats.percentile(sorted(values), quantile)
        assert abs(found - exact) <= stats.SKETCH_ERROR * exact
