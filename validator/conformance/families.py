"""Rules about TYPE, HELP and UNIT lines and the samples that belong to them."""

from __future__ import annotations

from collections.abc import Iterator

from validator.conformance.base import Finding, Subject, rule
from validator.page import (
    OPENMETRICS_SUFFIXES,
    SUFFIXES,
    TEXT_SUFFIXES,
    Family,
    Page,
)
from validator.values import brief


@rule("declared-once")
def declared_once(subject: Subject) -> Iterator[Finding]:
    """A family has one TYPE, one HELP and one UNIT line at most."""
    seen: dict[tuple[str, str], int] = {}
    for declared in subject.page.declarations:
        first = seen.setdefault((declared.keyword, declared.name), declared.line)
        if first != declared.line:
            yield Finding(
                declared.line, f"{declared.name} has its {declared.keyword} in line {first} already"
            )


@rule("declared-first")
def declared_first(subject: Subject) -> Iterator[Finding]:
    """TYPE, HELP and UNIT stand before the samples they speak of."""
    told = set()
    for declared in subject.page.declarations:
        key = (declared.keyword, declared.name)
        samples = subject.page.families[declared.name].samples
        # A second one is not late but one too many.
        if key not in told and samples and samples[0].line < declared.line:
            yield Finding(
                declared.line,
                f"{declared.keyword} after the first sample, in line {samples[0].line}",
            )
        told.add(key)


@rule("contiguous")
def contiguous(subject: Subject) -> Iterator[Finding]:
    """The samples of one family stand together."""
    homes = {
        sample.line: family.name
        for family in subject.page.families.values()
        for sample in family.samples
    }
    left: dict[str, int] = {}
    before = ""
    for sample in subject.page.samples:
        name = homes[sample.line]
        if name == before:
            continue
        if name in left:
            yield Finding(
                sample.line, f"{name} goes on here, after other samples since line {left[name]}"
            )
        if before:
            left[before] = sample.line
        before = name


@rule("type-known")
def type_known(subject: Subject) -> Iterator[Finding]:
    """TYPE says one of the types of the format, in lower case."""
    known = OPENMETRICS_SUFFIXES if subject.page.openmetrics else TEXT_SUFFIXES
    for declared in subject.page.declarations:
        if declared.keyword != "TYPE" or declared.text in known:
            continue
        if declared.text in OPENMETRICS_SUFFIXES:
            yield Finding(declared.line, f"only OpenMetrics has the type {declared.text}")
        else:
            yield Finding(
                declared.line, f"{brief(declared.text)} is no type; known: {', '.join(known)}"
            )


@rule("type-suffix")
def type_suffix(subject: Subject) -> Iterator[Finding]:
    """The series of a family are called as its type demands."""
    page = subject.page
    for family in page.families.values():
        fitting = page.suffixes(family.type)
        if family.type and fitting:
            yield from _misnamed(family, fitting)
        elif not family.type and family.samples:
            yield from _stray(page, family)


def _misnamed(family: Family, fitting: tuple[str, ...]) -> Iterator[Finding]:
    told = set()
    for sample in family.samples:
        suffix = sample.name.removeprefix(family.name)
        if suffix not in fitting and suffix not in told:
            told.add(suffix)
            yield Finding(sample.line, _foreign(sample.name, family, fitting))


def _stray(page: Page, family: Family) -> Iterator[Finding]:
    """Look whether a series without a TYPE is meant to belong to a family of another type."""
    for suffix in SUFFIXES:
        base = page.families.get(family.name.removesuffix(suffix))
        if base is None or base is family or not page.suffixes(base.type):
            continue
        if _meant(page, family, base, suffix):
            text = _foreign(family.name, base, page.suffixes(base.type))
            yield Finding(family.samples[0].line, text)


def _foreign(name: str, family: Family, fitting: tuple[str, ...]) -> str:
    wanted = ", ".join(family.name + suffix for suffix in fitting)
    return f"{name} is no series of the {family.type} {family.name}, only {wanted}"


def _meant(page: Page, family: Family, base: Family, suffix: str) -> bool:
    """A gauge's neighbour may be called `x_count` by chance; with `x_sum` beside it, it is not."""
    match suffix:
        case "_bucket":
            return any("le" in sample.labels for sample in family.samples)
        case "_sum" | "_count":
            names = {f"{base.name}_sum", f"{base.name}_count"}
            return all(n in page.families and not page.families[n].type for n in names)
        case "_total":
            return base.type == "counter"
    return page.openmetrics


@rule("unit")
def unit_last(subject: Subject) -> Iterator[Finding]:
    """In OpenMetrics a family's name ends in its UNIT."""
    for declared in subject.page.declarations:
        name, unit = declared.name, declared.text
        if declared.keyword == "UNIT" and unit and not name.endswith(f"_{unit}"):
            yield Finding(declared.line, f"{name} does not end in its unit, _{unit}")
