"""Prometheus text, format 0.0.4, one family after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


def escaped(value: str) -> str:
    """Write a label value so that no quote, backslash or newline ends it early."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@dataclass(slots=True)
class Families:
    """A page that is being written."""

    lines: list[str] = field(default_factory=list)

    def head(self, name: str, kind: str, says: str) -> None:
        """Begin a family."""
        self.lines += [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]

    def add(
        self,
        name: str,
        kind: Literal["counter", "gauge"],
        says: str,
        samples: Iterable[tuple[Labels, float]],
    ) -> None:
        """Write a family of counters or gauges."""
        self.head(name, kind, says)
        for labels, value in samples:
            self.sample(name, labels, value)

    def histogram(
        self, name: str, labels: Labels, bounds: Sequence[float], apart: Sequence[int], total: float
    ) -> None:
        """Write one series of a histogram from buckets that each hold their own."""
        for bound, count in zip((*bounds, math.inf), accumulate(apart), strict=True):
            le = "+Inf" if bound == math.inf else repr(bound)
            self.sample(f"{name}_bucket", {**labels, "le": le}, count)
        self.sample(f"{name}_sum", labels, total)
        self.sample(f"{name}_count", labels, sum(apart))

    def summary(
        self, name: str, labels: Labels, quantiles: Mapping[str, float], total: float, count: int
    ) -> None:
        """Write one series of a summary; the quantiles of nothing are NaN."""
        for quantile, value in quantiles.items():
            self.sample(name, {**labels, "quantile": quantile}, value if count else math.nan)
        self.sample(f"{name}_sum", labels, total)
        self.sample(f"{name}_count", labels, count)

    def sample(self, name: str, labels: Labels, value: float) -> None:
        """Write one line."""
        inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
        shown = "NaN" if math.isnan(value) else repr(value)
        self.lines.append(f"{name}{{{inside}}} {shown}" if inside else f"{name} {shown}")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
