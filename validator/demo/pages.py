"""What the metrics pages say once every chosen fault has had its way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from validator.demo.books import Entry, Recorder
from validator.demo.cache import Router
from validator.demo.exposition import exposition
from validator.demo.faults import Fault, Manner, Mishap, Page
from validator.demo.figures import Figures, dynamo, kv_cache
from validator.demo.order import Asked, Dialect, Order
from validator.demo.shelf import OneBook, Shelf


class Pages:
    """Reads the accounts, lets the faults bend them, and writes them out."""

    def __init__(self, router: Router, faults: Sequence[Fault], clock: Callable[[], float]) -> None:
        self._router = router
        self._faults = faults
        self._clock = clock
        self._started = clock()
        self._chats = 0
        self._shelf: Shelf = OneBook()
        for fault in faults:
            self._shelf = fault.shelf(self._shelf, clock)

    def book_for(self, entry: Entry) -> Recorder:
        """Return whoever is to be told what happens to *entry*."""
        return self._shelf.book_for(entry)

    def mishap(self) -> Mishap | None:
        """Say what befalls the next chat request."""
        self._chats += 1
        mishaps = (fault.mishap(self._chats) for fault in self._faults)
        return next((mishap for mishap in mishaps if mishap), None)

    def order(self, body: bytes, dialect: Dialect) -> Order:
        """Read a request for text, or raise `OrderError`."""

        def bend(asked: Asked) -> Asked:
            for fault in self._faults:
                asked = fault.asked(asked)
            return asked

        order = Order.read(body, dialect, bend)
        for fault in self._faults:
            order = fault.order(order)
        return order

    def queued(self) -> int:
        """Return how many requests wait in the queues of the workers."""
        return self._shelf.read(self._clock()).queue.current

    def manner(self, page: Page) -> Manner:
        """Say how *page* is to be delivered."""
        manners = (fault.manners.get(page) for fault in self._faults)
        return next((manner for manner in manners if manner), Manner.PROMPT)

    def write(self, page: Page) -> bytes:
        """Return the body of *page* as it is at this moment."""
        now = self._clock()
        match page:
            case Page.DYNAMO:
                document = self._figures(now).document
                for fault in self._faults:
                    document = fault.dynamo(document, now)
                return json.dumps(document).encode()
            case Page.KV_CACHE:
                document = kv_cache(self._router)
                for fault in self._faults:
                    document = fault.kv_cache(document, now)
                return json.dumps(document).encode()
            case Page.PROMETHEUS:
                text = exposition(self._figures(now))
                for fault in self._faults:
                    text = fault.prometheus(text)
                return text.encode(errors="replace")

    def _figures(self, now: float) -> Figures:
        books = self._shelf.read(now)
        figures = dynamo(books, self._router, now=now, started=self._started)
        for fault in self._faults:
            figures = fault.figures(figures, books, now)
        return figures
