"""Ways to show a report. One format per file."""

from validator.registry import import_siblings
from validator.reporters.base import REPORTERS, Reporter

__all__ = ["REPORTERS", "Reporter"]

import_siblings(__name__, __path__)
