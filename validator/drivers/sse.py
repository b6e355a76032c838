"""Cut a text/event-stream into events, wherever its bytes were split on the way.

The format is that of the HTML standard, "Server-sent events": the `data` field is kept, comments
and every other field are dropped, and an event that no blank line ends never happened.
"""

from __future__ import annotations

from typing import Final

LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one event; no chat server needs a hundredth of it."""

BOM = b"\xef\xbb\xbf"
CR = b"\r"
LF = b"\n"
OPEN: Final = b"data: "
"""What a line of data mostly begins with."""


class Cutter:
    """The state between two pieces of one stream."""

    __slots__ = ("_after_cr", "_data", "_limit", "_partial", "_partial_size", "_size", "_started")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._partial: list[bytes] = []  # joined only when its line ends, so that cost stays linear
        self._data: list[bytes] = []
        self._partial_size = 0
        self._size = 0
        self._after_cr = False
        self._started = False

    @property
    def between(self) -> bool:
        """Whether all that was fed so far is whole events, and nothing is pending."""
        return self._started and not (self._size or self._partial or self._after_cr)

    def begins(self, piece: bytes) -> bool:
        """Say whether *piece*, not fed yet, is the first, and begins with the data of an event.

        If so the stream has begun: a byte order mark that comes later is none.
        """
        if self._started or self._partial or not piece.startswith(OPEN):
            return False
        self._started = True
        return True

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of every event that *piece* completes.

        Raises ValueError when an event, or one line of it, exceeds the limit.
        """
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(LF)  # the second half of a CRLF that was split
        if not piece:
            return []
        if CR in piece:
            self._after_cr = piece.endswith(CR)
            piece = piece.replace(b"\r\n", LF).replace(CR, LF)
        *lines, tail = piece.split(LF)
        events: list[bytes] = []
        for line in lines:
            self._line(self._finished(line), events)
        if tail:
            self._partial.append(tail)
            self._partial_size += len(tail)
            self._check()
        return events

    def _finished(self, end: bytes) -> bytes:
        if not self._partial:
            return end
        line = b"".join([*self._partial, end])
        self._partial.clear()
        self._partial_size = 0
        return line

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not self._started:
            self._started = True
            line = line.removeprefix(BOM)
        if not line:
            if self._data:
                events.append(LF.join(self._data))
                self._data.clear()
            self._size = 0
            return
        self._size += len(line) + 1  # with its end, or a million empty lines would weigh nothing
        self._check()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))

    def _check(self) -> None:
        if self._size + self._partial_size > self._limit:
            raise ValueError(f"an event is larger than {self._limit} bytes")
