"""Content codings, undone within a bound."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from validator.errors import ProbeError
from validator.values import printable

ACCEPTED = "gzip, deflate"
_GZIP = 31  # zlib's window size of 15 bits, plus 16 for a gzip header
_ZLIB = 15
_RAW = -15  # what some servers send as "deflate"


class TooLargeError(Exception):
    """The body decodes to more than it may."""


@dataclass(slots=True)
class Inflater:
    """Decodes a body piece by piece, and never to more than *room* bytes in all.

    HTTP libraries inflate whole pieces, so that a few kilobytes of several codings can fill
    the memory before anyone counts; and they take a body that was cut short for complete.
    """

    coding: str
    room: int
    _parts: list[bytes] = field(default_factory=list)
    _stream: zlib._Decompress | None = None
    _fed: bool = False

    def __post_init__(self) -> None:
        """Refuse a coding that was not asked for."""
        self.coding = self.coding.strip().lower().removeprefix("x-")
        if self.coding not in {"", "identity", "gzip", "deflate"}:
            shown = printable(self.coding[:40])
            raise ProbeError("protocol", f"content coding {shown!r}; asked for {ACCEPTED}")

    def feed(self, piece: bytes) -> bytes:
        """Return *piece* decoded; raise `TooLargeError` as soon as there is no room for it."""
        before = len(self._parts)
        try:
            self._feed(piece)
        except zlib.error as error:
            raise ProbeError("protocol", f"the body is not valid {self.coding}: {error}") from None
        new = self._parts[before:]
        return new[0] if len(new) == 1 else b"".join(new)

    def body(self) -> bytes:
        """Return the decoded body, once everything is fed."""
        if self._stream is not None and not self._stream.eof:
            raise ProbeError("protocol", f"the {self.coding} body is cut short")
        return self.so_far()

    def so_far(self) -> bytes:
        """Return what has been decoded of a body that goes on."""
        return b"".join(self._parts)

    def _feed(self, piece: bytes) -> None:
        if self.coding in {"", "identity"}:
            self._keep(piece)
            return
        while piece:
            if self._stream is None or self._stream.eof:
                piece = piece.lstrip(b"\0") if self._fed else piece  # padding between members
                if not piece:
                    return
                self._stream = zlib.decompressobj(self._window(piece))
                self._fed = True
            # One byte more than there is room for tells "full" from "too much".
            self._keep(self._stream.decompress(piece, self.room + 1))
            piece = self._stream.unused_data or self._stream.unconsumed_tail

    def _window(self, piece: bytes) -> int:
        if self.coding == "gzip":
            return _GZIP
        return _ZLIB if piece[0] & 0x0F == zlib.DEFLATED else _RAW

    def _keep(self, decoded: bytes) -> None:
        self.room -= len(decoded)
        if self.room < 0:
            raise TooLargeError
        self._parts.append(decoded)
