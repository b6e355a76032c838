"""Whether a page of metrics keeps the rules of its format: one function for each rule."""

from validator.conformance.base import MOST, RULES, Violation, judge
from validator.registry import import_siblings

__all__ = ["MOST", "RULES", "Violation", "judge"]

import_siblings(__name__, __path__)
