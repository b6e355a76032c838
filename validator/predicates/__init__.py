"""Predicates: what a spec may ask of a value. One idea per file."""

from validator.predicates.base import PREDICATES, Predicate, Subject
from validator.registry import import_siblings

__all__ = ["PREDICATES", "Predicate", "Subject"]

import_siblings(__name__, __path__)
