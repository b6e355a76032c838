"""Rules about names, labels and series."""

from __future__ import annotations

import re
from collections.abc import Iterator

from validator.conformance.base import Finding, Subject, rule
from validator.values import brief

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@rule("metric-name")
def metric_name(subject: Subject) -> Iterator[Finding]:
    """The name of a metric is letters, digits, `_` and `:`, and no digit is first."""
    lines: dict[str, int] = {}
    for declared in subject.page.declarations:
        lines.setdefault(declared.name, declared.line)
    for sample in subject.page.samples:
        lines.setdefault(sample.name, sample.line)
    for name, line in lines.items():
        if not _METRIC.fullmatch(name) and name not in subject.page.quoted:
            yield Finding(line, f"{brief(name)} is no legal name of a metric")


def _labels(subject: Subject) -> Iterator[tuple[str, int]]:
    """Return every label name with the first line it stands in."""
    lines: dict[str, int] = {}
    for sample in subject.page.samples:
        for name in sample.labels:
            lines.setdefault(name, sample.line)
        if sample.exemplar:
            for name in sample.exemplar.labels:
                lines.setdefault(name, sample.line)
    yield from lines.items()


@rule("label-name")
def label_name(subject: Subject) -> Iterator[Finding]:
    """The name of a label is letters, digits and `_`, and no digit is first."""
    for name, line in _labels(subject):
        if not _LABEL.fullmatch(name) and name not in subject.page.quoted:
            yield Finding(line, f"{brief(name)} is no legal name of a label")


@rule("reserved-label")
def reserved_label(subject: Subject) -> Iterator[Finding]:
    """Labels that begin with two underscores are Prometheus's own."""
    for name, line in _labels(subject):
        if name.startswith("__"):
            yield Finding(line, f"the label {brief(name)} is reserved for Prometheus itself")


@rule("duplicate-series")
def duplicate_series(subject: Subject) -> Iterator[Finding]:
    """Every series stands once: no two samples share name, labels and timestamp."""
    seen: dict[object, int] = {}
    for sample in subject.page.samples:
        key = (sample.name, frozenset(sample.labels.items()), sample.timestamp)
        first = seen.setdefault(key, sample.line)
        if first != sample.line:
            yield Finding(sample.line, f"the same series stands in line {first}")
