"""Rules about names and descriptions, after Prometheus's own advice and promtool's lint."""

from __future__ import annotations

import re
from collections.abc import Iterator

from validator.conformance.base import Finding, Subject, taste
from validator.page import Family, Page

_CAMEL = re.compile(r"[a-z][A-Z]")

BASE_UNITS = {
    unit: base
    for base, units in {
        "seconds": "ns us ms nanoseconds microseconds milliseconds millis minutes hours days",
        "bytes": "kb mb gb tb kib mib gib tib kilobytes megabytes gigabytes kibibytes mebibytes"
        " gibibytes bits",
        "joules": "mj kwh millijoules kilojoules calories",
        "volts": "mv millivolts",
        "amperes": "ma milliamperes",
        "grams": "kg kilograms",
        "meters": "mm cm km kilometers",
        "celsius": "fahrenheit",
    }.items()
    for unit in units.split()
}
_PERCENT = {"percent", "percentage", "pct"}


def _seen(page: Page) -> Iterator[tuple[Family, int]]:
    """Return every family that has samples, with the line a reader would mend."""
    lines: dict[str, int] = {}
    for declared in page.declarations:
        lines.setdefault(declared.name, declared.line)
    for family in page.families.values():
        if family.samples:
            yield family, lines.get(family.name, family.samples[0].line)


@taste("counter-total")
def counter_total(subject: Subject) -> Iterator[Finding]:
    """The name of a counter ends in `_total`."""
    if subject.page.openmetrics:
        return  # there the name of the series does, or breaks a rule of the format
    for family, line in _seen(subject.page):
        if family.type == "counter" and not family.name.endswith("_total"):
            yield Finding(line, f"the counter {family.name} is better called {family.name}_total")


@taste("total-counter")
def total_counter(subject: Subject) -> Iterator[Finding]:
    """Only a counter is called `_total`."""
    for family, line in _seen(subject.page):
        if family.type not in {"", "counter"} and family.name.endswith("_total"):
            yield Finding(line, f"{family.name} is a {family.type} and is named like a counter")


@taste("reserved-suffix")
def reserved_suffix(subject: Subject) -> Iterator[Finding]:
    """Only the series of a histogram or summary end in `_bucket`, `_sum` or `_count`."""
    for family, line in _seen(subject.page):
        suffix = next((s for s in ("_bucket", "_sum", "_count") if family.name.endswith(s)), "")
        if suffix and family.type:
            yield Finding(
                line, f"{family.name} is a {family.type}, and looks like a {suffix} series"
            )


@taste("help")
def help_present(subject: Subject) -> Iterator[Finding]:
    """Every family has a HELP line that says something."""
    for family, line in _seen(subject.page):
        if not (family.help or "").strip():
            yield Finding(line, f"{family.name} has no HELP")


@taste("type")
def type_present(subject: Subject) -> Iterator[Finding]:
    """Every family has a TYPE line."""
    for family, line in _seen(subject.page):
        if not family.type:
            yield Finding(line, f"{family.name} has no TYPE")


@taste("base-unit")
def base_unit(subject: Subject) -> Iterator[Finding]:
    """Times are in seconds and sizes in bytes, not in multiples of them."""
    for family, line in _seen(subject.page):
        for word in family.name.lower().replace(":", "_").split("_"):
            if word in BASE_UNITS:
                yield Finding(
                    line, f"{family.name} counts {word}; the base unit is {BASE_UNITS[word]}"
                )


@taste("ratio")
def ratio(subject: Subject) -> Iterator[Finding]:
    """A share is a ratio from 0 to 1, not a percentage."""
    for family, line in _seen(subject.page):
        if not _PERCENT.isdisjoint(family.name.lower().replace(":", "_").split("_")):
            yield Finding(line, f"{family.name} is in percent; better a ratio from 0 to 1")


@taste("colon")
def colon(subject: Subject) -> Iterator[Finding]:
    """Colons are for recording rules, not for what a server exposes."""
    for family, line in _seen(subject.page):
        if ":" in family.name:
            yield Finding(line, f"{family.name} has a colon, as only recording rules should")


@taste("snake-case")
def snake_case(subject: Subject) -> Iterator[Finding]:
    """The words of a name are joined by `_`, not by capitals."""
    for family, line in _seen(subject.page):
        if _CAMEL.search(family.name):
            yield Finding(line, f"{family.name} is not in snake_case")
