"""Measures: numbers derived from matches. One idea per file."""

from validator.measures.base import MEASURES, Measure, Reach
from validator.registry import import_siblings

__all__ = ["MEASURES", "Measure", "Reach"]

import_siblings(__name__, __path__)
