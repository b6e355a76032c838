"""The verbs of the command line. One verb per file."""

from validator.registry import import_siblings
from validator.verbs.base import VERBS

__all__ = ["VERBS"]

import_siblings(__name__, __path__)
