"""Where in a text/event-stream, met piece by piece, the last event that is wanted ends."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD = 8
"""Bytes of a line that tell what it is: a byte order mark and `data:`."""


@dataclass(slots=True)
class EventCounter:
    """Counts events as they pass; an event is data lines and the blank line after them."""

    wanted: int | None = None
    seen: int = 0
    _begun: bytes = b""
    """How the line begins whose end has not come yet."""
    _has_data: bool = False
    _after_return: bool = False
    _first: bool = True

    def feed(self, piece: bytes) -> int | None:
        """Return where in *piece* the last wanted event ends; None when it does not end here."""
        if not piece:
            return None
        # The second half of a line end whose first was the end of the piece before.
        start = 1 if self._after_return and piece[0] == ord("\n") else 0
        for end in _LINE_END.finditer(piece, start):
            self._take((self._begun + piece[start : min(end.start(), start + _HEAD)])[:_HEAD])
            start, self._begun = end.end(), b""
            if self.seen == self.wanted:
                return start
        self._begun = (self._begun + piece[start : start + _HEAD])[:_HEAD]
        self._after_return = piece.endswith(b"\r")
        return None

    def _take(self, head: bytes) -> None:
        """Take in one line, of which *head* is the beginning."""
        if self._first:
            head, self._first = head.removeprefix(_BYTE_ORDER_MARK), False
        if not head:
            self.seen += self._has_data
            self._has_data = False
        elif head == b"data" or head.startswith(b"data:"):
            self._has_data = True
