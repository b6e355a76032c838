"""What people would rather look at than read: bounded series of numbers, ready to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

MOST_POINTS: Final = 1000
"""Of one series, however long the load was."""


class Form(StrEnum):
    """How the points of a chart are meant to be drawn."""

    HISTOGRAM = "histogram"  # from, to, count
    SCATTER = "scatter"  # x, y
    STEPS = "steps"  # x, y, which holds until the next x
    LADDER = "ladder"  # percentile, value


class By(StrEnum):
    """Whose numbers they are."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one thing that was watched."""

    name: str
    points: tuple[tuple[float, ...], ...]
    by: By = By.CLIENT


@dataclass(frozen=True, slots=True)
class Chart:
    """Series that share their axes."""

    title: str
    form: Form
    series: tuple[Series, ...]
    section: str
    """Where a report shows it, as for verdicts."""
    x: str = ""
    """What the horizontal axis is, with its unit."""
    y: str = ""
    note: str = ""

    def named(self, told: Callable[[str], str]) -> Chart:
        """Return this chart with all its texts as *told* tells them."""
        series = tuple(replace(s, name=told(s.name)) for s in self.series)
        title, section = told(self.title), told(self.section)
        return replace(self, title=title, section=section, series=series, y=told(self.y))
