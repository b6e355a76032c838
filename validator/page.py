"""A page of Prometheus metrics, as its lines have it: samples, families, and what was odd.

Every series has the name that it has on the wire, and every line its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from validator.values import Number

OPENMETRICS = "application/openmetrics-text"

Labels: TypeAlias = Mapping[str, str]

TEXT_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
    "untyped": ("",),
}
"""What the series of a family may be called, after the family's name, by type: format 0.0.4."""

OPENMETRICS_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "summary": ("", "_sum", "_count", "_created"),
    "info": ("_info",),
    "stateset": ("",),
    "unknown": ("",),
}

SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created", "_info", "_gsum", "_gcount")
"""Every ending that may follow the name of a family."""


class Exemplar(NamedTuple):
    """One observation that stands for the others of its sample."""

    labels: Labels
    value: float
    timestamp: Number | None


class Sample(NamedTuple):
    """One line that carries a value."""

    name: str
    labels: Labels
    value: float
    line: int
    timestamp: Number | None = None
    """Seconds since 1970, in both formats."""
    exemplar: Exemplar | None = None


class Declaration(NamedTuple):
    """One line of metadata: its *keyword* is TYPE, HELP or UNIT."""

    keyword: str
    name: str
    text: str
    line: int


class Remark(NamedTuple):
    """Something wrong in a line that could be read all the same; *about* says which rule it is."""

    about: str
    line: int
    text: str


@dataclass(slots=True)
class Family:
    """The series that one TYPE line speaks for, or the one name that none speaks for."""

    name: str
    type: str = ""
    """As the first TYPE line has it, in lower case; empty without one."""
    help: str | None = None
    unit: str | None = None
    samples: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """A page of metrics: what each line said, and what was wrong with it."""

    content_type: str
    openmetrics: bool
    lines: list[str]
    """Without their ends. A sample's line number counts from 1."""
    samples: list[Sample] = field(default_factory=list)
    declarations: list[Declaration] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    families: dict[str, Family] = field(default_factory=dict)
    quoted: set[str] = field(default_factory=set)
    """Names written in quotes, where every character is legal."""

    def suffixes(self, kind: str) -> tuple[str, ...]:
        """Return what may follow the name of a family of that type; `()` if there is none."""
        if not self.openmetrics and kind in TEXT_SUFFIXES:
            return TEXT_SUFFIXES[kind]
        return OPENMETRICS_SUFFIXES.get(kind, ())

    def remarked(self, about: str) -> Iterator[Remark]:
        """Return the remarks about one rule."""
        return (remark for remark in self.remarks if remark.about == about)


def series(name: str, labels: Labels) -> str:
    """Write the name of one series: labels sorted, and escaped as they are on the wire."""
    inside = [f"{_named(label)}={in_quotes(labels[label])}" for label in sorted(labels)]
    if not _METRIC.fullmatch(name):
        return f"{{{','.join([in_quotes(name), *inside])}}}"
    return f"{name}{{{','.join(inside)}}}" if inside else name


def _named(label: str) -> str:
    return label if _LABEL_NAME.fullmatch(label) else in_quotes(label)


def in_quotes(text: str) -> str:
    """Write a text as the value of a label."""
    escaped = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{escaped}"'


_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def media_type(content_type: str) -> str:
    """Return the type alone, without its parameters."""
    return content_type.partition(";")[0].strip().lower()
