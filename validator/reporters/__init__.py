"""Ways to show a report. One format per file."""

from validator.registry import import_plugins
from validator.reporters.base import REPORTERS, Reporter

__all__ = ["REPORTERS", "Reporter"]

import_plugins(__name__, __path__)
