"""The contract every reporter keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from validator.records.verdict import Report
from validator.registry import Registry

Reporter: TypeAlias = Callable[[Sequence[Report]], str]
"""The reports of one or several runs to text."""

REPORTERS: Registry[Reporter] = Registry("report format")
reporter = REPORTERS.register
