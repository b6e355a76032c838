"""Which books a request is written in, and which books the next page is read from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from validator.demo.books import Books, Entry, Recorder, Status


class Shelf(Protocol):
    """Where the books stand."""

    def book_for(self, entry: Entry) -> Recorder:
        """Return whoever is to be told what happens to *entry*."""

    def read(self, now: float) -> Books:
        """Return the books that a page written at *now* shows."""


class OneBook:
    """Everything is written in one place and read from there: the truth."""

    def __init__(self) -> None:
        self._books = Books()

    def book_for(self, _entry: Entry) -> Recorder:
        return self._books

    def read(self, _now: float) -> Books:
        return self._books


class NoStreams:
    """Streams are written in books that nobody reads."""

    def __init__(self, inner: Shelf) -> None:
        self._inner = inner
        self._unread = Books()

    def book_for(self, entry: Entry) -> Recorder:
        return self._unread if entry.streaming else self._inner.book_for(entry)

    def read(self, now: float) -> Books:
        return self._inner.read(now)


class TwoBooks:
    """Two processes share the requests two to one, and answer for the metrics in turn."""

    def __init__(self) -> None:
        self._books = (Books(), Books())
        self._entries = self._reads = 0

    def book_for(self, _entry: Entry) -> Recorder:
        self._entries += 1
        return self._books[self._entries % 3 == 0]

    def read(self, _now: float) -> Books:
        self._reads += 1
        return self._books[self._reads % 2 == 0]


class Late:
    """Everything is told *seconds* after it happened, and in full."""

    def __init__(self, inner: Shelf, seconds: float, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._seconds = seconds
        self._clock = clock
        self._news: deque[tuple[float, Callable[[], None]]] = deque()

    def book_for(self, entry: Entry) -> Recorder:
        return _Deferred(self._inner.book_for(entry), self._tell)

    def read(self, now: float) -> Books:
        while self._news and self._news[0][0] <= now:
            self._news.popleft()[1]()
        return self._inner.read(now)

    def _tell(self, news: Callable[[], None]) -> None:
        self._news.append((self._clock() + self._seconds, news))


class _Deferred:
    """A recorder that passes everything on through *tell*."""

    def __init__(self, inner: Recorder, tell: Callable[[Callable[[], None]], None]) -> None:
        self._inner = inner
        self._tell = tell

    def open(self, entry: Entry) -> None:
        self._tell(lambda: self._inner.open(entry))

    def routed(self, entry: Entry, worker: str, prompt_tokens: int, cached_tokens: int) -> None:
        self._tell(lambda: self._inner.routed(entry, worker, prompt_tokens, cached_tokens))

    def admitted(self, entry: Entry, at: float) -> None:
        self._tell(lambda: self._inner.admitted(entry, at))

    def role(self, entry: Entry, at: float) -> None:
        self._tell(lambda: self._inner.role(entry, at))

    def token(self, entry: Entry, at: float) -> None:
        self._tell(lambda: self._inner.token(entry, at))

    def close(self, entry: Entry, status: Status, at: float) -> None:
        self._tell(lambda: self._inner.close(entry, status, at))


class Watched:
    """Every request is also reported when it is over."""

    def __init__(self, inner: Shelf, over: Callable[[Entry], None]) -> None:
        self._inner = inner
        self._over = over

    def book_for(self, entry: Entry) -> Recorder:
        return _Reporting(self._inner.book_for(entry), lambda told: told(), self._over)

    def read(self, now: float) -> Books:
        return self._inner.read(now)


class _Reporting(_Deferred):
    """A recorder that passes everything on, and says when a request is over."""

    def __init__(
        self,
        inner: Recorder,
        tell: Callable[[Callable[[], None]], None],
        over: Callable[[Entry], None],
    ) -> None:
        super().__init__(inner, tell)
        self._over = over

    def close(self, entry: Entry, status: Status, at: float) -> None:
        super().close(entry, status, at)
        self._over(entry)
