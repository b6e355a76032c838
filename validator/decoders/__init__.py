"""Payload bytes to plain data. One format per file."""

from validator.decoders.base import ACCEPT, DECODERS, Decoder
from validator.registry import import_plugins

__all__ = ["ACCEPT", "DECODERS", "Decoder"]

import_plugins(__name__, __path__)
