"""The contract every reporter keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from validator.records.verdict import Report
from validator.registry import Registry

Reporter: TypeAlias = Callable[[Sequence[Report]], str]
"""The reports of one or several runs to text."""

REPORTERS: Registry[Reporter] = Registry("report format")

_CHECKS: dict[str, Callable[[], None]] = {}


def reporter(name: str, check: Callable[[], None] | None = None) -> Callable[[Reporter], Reporter]:
    """Register a reporter as *name*; *check* raises when it could not work here."""
    if check is not None:
        _CHECKS[name] = check
    return REPORTERS.register(name)


def check_usable(name: str) -> None:
    """Raise `MissingExtra` when what *name* needs is not installed: better before the load."""
    if name in _CHECKS:
        _CHECKS[name]()
