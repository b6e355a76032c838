"""Rules about the values of counters, histograms and summaries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from validator.conformance.base import Finding, Group, Subject, rule
from validator.page import Sample
from validator.values import brief, show

_SLACK = 1e-6
"""Relative; a sum of floats is not exact."""


@rule("counter-value")
def counter_value(subject: Subject) -> Iterator[Finding]:
    """A counter is finite and not negative."""
    for family in subject.typed("counter"):
        for sample in family.samples:
            if not math.isfinite(sample.value) or sample.value < 0:
                yield Finding(sample.line, f"a counter is {show(sample.value)}")


@rule("count-value")
def count_value(subject: Subject) -> Iterator[Finding]:
    """Buckets and `_count` are whole numbers, finite and not negative."""
    for group in (*subject.histograms, *subject.summaries):
        buckets = group.parts if group.family.type == "histogram" else []
        for sample in (*buckets, *filter(None, [group.count])):
            if not _is_count(sample.value):
                yield Finding(sample.line, f"a count of observations is {show(sample.value)}")


@rule("bucket-bound")
def bucket_bound(subject: Subject) -> Iterator[Finding]:
    """Every bucket has a label `le`, which is a number."""
    for group in subject.histograms:
        for sample in _unbounded(group):
            written = sample.labels.get("le")
            if written is None:
                yield Finding(sample.line, "a bucket without the label le")
            else:
                yield Finding(sample.line, f"le={brief(written)} is not a number")


@rule("bucket-order")
def bucket_order(subject: Subject) -> Iterator[Finding]:
    """Buckets stand in the order of their bounds, each bound once."""
    for group in subject.histograms:
        for (low, below), (high, sample) in itertools.pairwise(group.bounded):
            if high < low:
                yield Finding(sample.line, f"le={show(high)} after le={show(low)}")
            elif high == low and sample.labels["le"] != below.labels["le"]:
                # With the same text it is the same series, and a rule of its own says so.
                yield Finding(sample.line, f"a second bucket with le={show(high)}")


@rule("bucket-cumulative")
def bucket_cumulative(subject: Subject) -> Iterator[Finding]:
    """A bucket counts at least what the bucket below it counts."""
    for group in subject.histograms:
        for (low, below), (high, sample) in itertools.pairwise(_sorted(group)):
            if sample.value < below.value:
                yield Finding(
                    sample.line,
                    f"{show(sample.value)} at le={show(high)} is less than"
                    f" {show(below.value)} at le={show(low)}",
                )


@rule("bucket-infinite")
def bucket_infinite(subject: Subject) -> Iterator[Finding]:
    """A histogram has a bucket `+Inf`."""
    for group in subject.histograms:
        if _infinite(group) is None:
            yield Finding(group.line, f"{group.name} has no bucket le=+Inf")


@rule("bucket-count")
def bucket_count(subject: Subject) -> Iterator[Finding]:
    """The bucket `+Inf` counts as much as `_count`."""
    for group in subject.histograms:
        last = _infinite(group)
        if last is None or group.count is None:
            continue
        if last.value != group.count.value:
            yield Finding(
                group.count.line,
                f"_count is {show(group.count.value)}, the bucket +Inf {show(last.value)}",
            )


@rule("complete")
def complete(subject: Subject) -> Iterator[Finding]:
    """A histogram or summary has `_sum` and `_count`."""
    for group in (*subject.histograms, *subject.summaries):
        missing = [
            name for name, part in (("_sum", group.sum), ("_count", group.count)) if part is None
        ]
        if missing:
            yield Finding(group.line, f"{group.name} has no {' and no '.join(missing)}")


@rule("sum-value")
def sum_value(subject: Subject) -> Iterator[Finding]:
    """`_sum` is a number that the buckets and `_count` allow."""
    for group in (*subject.histograms, *subject.summaries):
        if group.sum is None:
            continue
        total = group.sum.value
        if math.isnan(total):
            yield Finding(group.sum.line, "_sum is NaN")
        elif group.count is not None and group.count.value == 0 and total != 0:
            yield Finding(group.sum.line, f"_sum is {show(total)} of no observations")
        else:
            yield from _outside(group, group.sum)


def _outside(group: Group, total: Sample) -> Iterator[Finding]:
    """Compare `_sum` with the least and the most that the buckets allow."""
    buckets = _sorted(group) if group.family.type == "histogram" else []
    counts = [sample.value for _, sample in buckets]
    if not buckets or not all(map(_is_count, counts)) or counts != sorted(counts):
        return  # other rules have said so, and nothing follows from such buckets
    least = most = below = 0.0
    # Below the first bucket there is no bound: if all bounds are positive, so are observations.
    start = 0.0 if buckets[0][0] >= 0 else -math.inf
    for bound, sample in buckets:
        inside = sample.value - below
        if inside:
            least += inside * start
            most += inside * bound
        start, below = bound, sample.value
    slack = _SLACK * max(abs(v) for v in (least, most, total.value, 1e-9) if math.isfinite(v))
    text = f"_sum is {show(total.value)}, but the buckets add up to"
    if total.value < least - slack:
        yield Finding(total.line, f"{text} {show(least)} at least")
    elif total.value > most + slack:
        yield Finding(total.line, f"{text} {show(most)} at most")


@rule("quantile-range")
def quantile_range(subject: Subject) -> Iterator[Finding]:
    """A quantile of a summary is labelled with a number between 0 and 1."""
    for group in subject.summaries:
        outside = (sample for q, sample in group.bounded if not 0 <= q <= 1)
        for sample in (*_unbounded(group), *outside):
            written = sample.labels.get("quantile")
            if written is None:
                yield Finding(sample.line, "a series of a summary without the label quantile")
            else:
                yield Finding(sample.line, f"quantile={brief(written)} is not between 0 and 1")


@rule("quantile-order")
def quantile_order(subject: Subject) -> Iterator[Finding]:
    """A higher quantile has no lower value."""
    for group in subject.summaries:
        known = [(q, s) for q, s in group.bounded if not math.isnan(s.value)]
        known.sort(key=lambda pair: pair[0])
        for (low, below), (high, sample) in itertools.pairwise(known):
            if sample.value < below.value:
                yield Finding(
                    sample.line,
                    f"{show(sample.value)} at quantile {show(high)} is less than"
                    f" {show(below.value)} at quantile {show(low)}",
                )


@rule("state-value")
def state_value(subject: Subject) -> Iterator[Finding]:
    """An info is 1, a state is 0 or 1."""
    for family in subject.typed("info", "stateset"):
        allowed = (1,) if family.type == "info" else (0, 1)
        for sample in family.samples:
            if sample.value not in allowed:
                yield Finding(
                    sample.line, f"the {family.type} {family.name} is {show(sample.value)}"
                )


def _is_count(value: float) -> bool:
    return math.isfinite(value) and value >= 0 and value.is_integer()


def _unbounded(group: Group) -> list[Sample]:
    if len(group.bounded) == len(group.parts):
        return []
    bounded = {sample.line for _, sample in group.bounded}
    return [sample for sample in group.parts if sample.line not in bounded]


def _sorted(group: Group) -> list[tuple[float, Sample]]:
    return sorted(group.bounded, key=lambda pair: pair[0])


def _infinite(group: Group) -> Sample | None:
    return next((s for bound, s in group.bounded if bound == math.inf), None)
