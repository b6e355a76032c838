"""Ways to show a report. One format per file."""

from validator.registry import import_plugins
from validator.reporters.base import REPORTERS, Reporter, check_usable

__all__ = ["REPORTERS", "Reporter", "check_usable"]

import_plugins(__name__, __path__)
