"""Content codings that a server uses although none was asked for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final, Self

from validator.drivers.failures import ExchangeError
from validator.drivers.sender import MAX_BODY, TOO_LARGE

CODINGS: Final = ("gzip", "deflate")
GZIP: Final = zlib.MAX_WBITS | 16
RAW: Final = -zlib.MAX_WBITS
PART: Final = 2**20
"""Bytes that are inflated at once."""


class Inflation:
    """Content codings taken off, the outermost first, never more than the bound at a time."""

    def __init__(self, codings: Sequence[str]) -> None:
        self._layers = [_Layer(coding) for coding in codings]

    @classmethod
    def of(cls, header: bytes) -> Self | None:
        """Return what undoes the Content-Encoding *header*; None if there is nothing to undo."""
        names = [name.strip().lower() for name in header.decode("latin-1").split(",")]
        codings = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
        for name in codings:
            if name not in CODINGS:
                raise ExchangeError("malformed", f"content-encoding {name} was not asked for")
        return cls(codings[::-1]) if codings else None

    def feed(self, piece: bytes) -> list[bytes]:
        """Return what *piece* stands for, in pieces."""
        pieces = [piece]
        for layer in self._layers:
            pieces = [part for one in pieces for part in layer.feed(one)]
        return pieces


class _Layer:
    """One coding."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._inflate = None if coding == "deflate" else zlib.decompressobj(GZIP)
        self._start = b""
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Return what *piece* stands for, in pieces."""
        if self._inflate is None:
            piece = self._start = self._start + piece
            if len(piece) < 2:  # noqa: PLR2004 - as many bytes as say what deflate means here
                return []
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS if _has_header(piece) else RAW)
        found: list[bytes] = []
        while piece and not self._inflate.eof:
            try:
                part = self._inflate.decompress(piece, PART)
            except zlib.error as failure:
                raise ExchangeError("malformed", f"not {self._coding}: {failure}") from failure
            self._size += len(part)
            if self._size > MAX_BODY:
                raise ExchangeError("malformed", TOO_LARGE)
            found.append(part)
            piece = self._inflate.unconsumed_tail
        return found


def _has_header(start: bytes) -> bool:
    """Say whether deflate means what the standard says; some servers leave out zlib's header."""
    return start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
