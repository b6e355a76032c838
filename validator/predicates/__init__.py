"""Predicates: what a spec may ask of a value. One idea per file."""

from validator.predicates.base import PREDICATES, Predicate, Subject
from validator.registry import import_plugins

__all__ = ["PREDICATES", "Predicate", "Subject"]

import_plugins(__name__, __path__)
