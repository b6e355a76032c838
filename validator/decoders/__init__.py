"""Payload bytes to plain data. One format per file."""

from validator.decoders.base import ACCEPT, DECODERS, Decoder
from validator.registry import import_siblings

__all__ = ["ACCEPT", "DECODERS", "Decoder"]

import_siblings(__name__, __path__)
