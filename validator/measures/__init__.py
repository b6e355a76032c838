"""Measures: numbers derived from matches. One idea per file."""

from validator.measures.base import MEASURES, Measure, Reach
from validator.registry import import_plugins

__all__ = ["MEASURES", "Measure", "Reach"]

import_plugins(__name__, __path__)
