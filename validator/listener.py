"""Somebody who wants to know how a run gets on."""

from __future__ import annotations

from typing import Protocol

from validator.plan import LoadPlan
from validator.records.load import Exchange


class Listener(Protocol):
    """Somebody who wants to know how a run gets on."""

    def load(self, name: str, plan: LoadPlan) -> None:
        """Hear which load the next phases are about; without a name when there is only one."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear what begins now."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear of a request that has ended."""

    def remark(self, text: str) -> None:
        """Hear of something that a person should know."""


class Silent:
    """A listener that does not listen."""

    def load(self, name: str, plan: LoadPlan) -> None:
        """Hear nothing."""

    def phase(self, name: str, detail: str = "") -> None:
        """Hear nothing."""

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Hear nothing."""

    def remark(self, text: str) -> None:
        """Hear nothing."""
