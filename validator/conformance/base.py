"""What a rule is asked about, what it answers, and the tables the rules stand in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias, TypedDict

from validator.page import Family, Labels, Page, Sample, series
from validator.registry import Registry
from validator.values import printable

MOST = 100
"""Violations of one rule that are told one by one."""
_SHOWN = 120


class Violation(TypedDict):
    """One place where a page breaks a rule, as it stands in the document."""

    rule: str
    line: int | None
    """Counts from 1; None when it is about the page as a whole."""
    text: str
    sample: str
    """The offending line, printable and shortened."""


class Finding(NamedTuple):
    """A rule's answer: what is wrong, in which line."""

    line: int | None
    text: str


@dataclass(slots=True)
class Group:
    """The samples of one histogram or summary: one family, one set of labels."""

    family: Family
    labels: Labels
    """Without `le` and `quantile`."""
    line: int
    parts: list[Sample]
    """Its buckets or quantiles."""
    bounded: list[tuple[float, Sample]]
    """Those of them whose `le` or `quantile` is a number, with it, in the order of the page."""
    sum: Sample | None = None
    count: Sample | None = None

    @property
    def name(self) -> str:
        """The family's name with the labels."""
        return series(self.family.name, self.labels)


class Subject:
    """A page, and its histograms and summaries put together once for all rules."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @cached_property
    def histograms(self) -> tuple[Group, ...]:
        return self._groups("histogram", "_bucket", "le")

    @cached_property
    def summaries(self) -> tuple[Group, ...]:
        return self._groups("summary", "", "quantile")

    def typed(self, *kinds: str) -> Iterator[Family]:
        """Return the families of these types."""
        return (family for family in self.page.families.values() if family.type in kinds)

    def _groups(self, kind: str, suffix: str, label: str) -> tuple[Group, ...]:
        return tuple(
            group for family in self.typed(kind) for group in _grouped(family, suffix, label)
        )


def _grouped(family: Family, suffix: str, label: str) -> Iterator[Group]:
    groups: dict[object, Group] = {}
    bounds: dict[str, float | None] = {}  # few texts, written many times
    part, total, count = family.name + suffix, f"{family.name}_sum", f"{family.name}_count"
    for sample in family.samples:
        if sample.name not in {part, total, count}:
            continue  # `_created`, or what a rule of its own finds out of place
        labels = sample.labels
        if sample.name == part and label in labels:
            labels = {name: text for name, text in labels.items() if name != label}
        # OpenMetrics lets one series stand several times, each with its own timestamp.
        key = (frozenset(labels.items()), sample.timestamp)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(family, labels, sample.line, [], [])
        if sample.name == part:
            group.parts.append(sample)
            written = sample.labels.get(label, "")
            if written not in bounds:
                bounds[written] = _bound(written)
            bound = bounds[written]
            if bound is not None:
                group.bounded.append((bound, sample))
        elif sample.name == total:
            group.sum = group.sum or sample
        else:
            group.count = group.count or sample
    yield from groups.values()


def _bound(written: str) -> float | None:
    # Python reads more than Go does: blanks, 1_000 and the digits of every script.
    if not written.isascii() or "_" in written or written != written.strip():
        return None
    try:
        bound = float(written)
    except ValueError:
        return None
    return None if math.isnan(bound) else bound


Rule: TypeAlias = Callable[[Subject], Iterator[Finding]]

RULES: dict[str, Registry[Rule]] = {
    "prometheus": Registry("rule"),
    "prometheus-naming": Registry("rule"),
}
"""What breaks the format or its arithmetic, and what is a matter of taste."""


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule of the format."""
    return RULES["prometheus"].register(name)


def taste(name: str) -> Callable[[Rule], Rule]:
    """Register a rule about names and descriptions."""
    return RULES["prometheus-naming"].register(name)


def judge(page: Page) -> dict[str, list[Violation]]:
    """Ask every rule about the page; the answers are in the order of its lines."""
    subject = Subject(page)
    return {
        table: sorted(
            (found for name in rules for found in _asked(name, rules[name], subject)),
            key=lambda found: (found["line"] or 0, found["rule"]),
        )
        for table, rules in RULES.items()
    }


def _asked(name: str, ask: Rule, subject: Subject) -> Iterator[Violation]:
    told, line = 0, None
    for told, (line, text) in enumerate(ask(subject), 1):
        if told <= MOST:
            yield Violation(rule=name, line=line, text=text, sample=_shown(subject.page, line))
    if told > MOST:
        more = f"and {told - MOST} more like these"
        yield Violation(rule=name, line=line, text=more, sample=_shown(subject.page, line))


def _shown(page: Page, line: int | None) -> str:
    if line is None or not 1 <= line <= len(page.lines):
        return ""
    text = page.lines[line - 1][: _SHOWN + 1].rstrip("\r")
    text = printable(text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
