"""What a fault may change, and the names of all faults.

The pages are written truthfully first; each fault then bends the one thing it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from typing import Any, ClassVar

from validator.demo.books import Books
from validator.demo.figures import Document, Figures
from validator.demo.order import Asked, Order
from validator.demo.reading import Reading
from validator.demo.shelf import Shelf
from validator.demo.tally import Minutes
from validator.demo.traffic import Ticket, Traffic
from validator.errors import UsageError
from validator.registry import Registry, suggest


class Page(StrEnum):
    """The pages that can be made to misbehave."""

    DYNAMO = "/dynamo/metrics/json"
    PROMETHEUS = "/dynamo/metrics"
    KV_CACHE = "/kv-cache/metrics"


class Manner(Enum):
    """How a page is delivered."""

    PROMPT = "at once"
    HANG = "never"
    DRIP = "one byte at a time, without end"
    ERROR = "with status 500"


class Mishap(Enum):
    """What befalls a chat request."""

    EMPTY = "a stream without chunks"
    TRUNCATED = "a stream that stops after a few tokens"
    ERROR_IN_STREAM = "a stream that stops with an error"
    RATE_LIMITED = "status 429"
    FAILED = "status 500"


class Breakdown(Enum):
    """What becomes of the server when a page is asked for."""

    ERROR = "this page answers 500"
    DEADLOCK = "nothing answers any more"


class Fault:
    """One way to go wrong; every method here leaves things as they are."""

    manners: ClassVar[Mapping[Page, Manner]] = {}

    def shelf(self, shelf: Shelf, _clock: Callable[[], float]) -> Shelf:
        """Bend how requests are written down."""
        return shelf

    def figures(self, figures: Figures, _books: Books, _now: float) -> Figures:
        """Bend the numbers that both request pages show."""
        return figures

    def dynamo(self, document: Document, _now: float) -> Document:
        """Bend the JSON page about requests."""
        return document

    def kv_cache(self, document: Document, _now: float) -> Document:
        """Bend the page about cache and router."""
        return document

    def prometheus(self, text: str) -> str:
        """Bend the Prometheus page."""
        return text

    def mishap(self, _number: int) -> Mishap | None:
        """Say what befalls chat request *number*, counted from 1."""
        return None

    def asked(self, asked: Asked) -> Asked:
        """Bend what a request for text asks for."""
        return asked

    def order(self, order: Order) -> Order:
        """Bend what is about to be generated."""
        return order

    def owns(self, _ticket: Ticket) -> bool:
        """Say whether the pages by model, of costs and of usage see a request."""
        return True

    def reading(self, reading: Reading, _traffic: Traffic) -> Reading:
        """Bend the rates and times that all pages about traffic show."""
        return reading

    def usage(self, minutes: Minutes, _kind: str) -> Minutes:
        """Bend what the page of one kind of usage is written from."""
        return minutes

    def document(self, _path: str, document: Any) -> Any:
        """Bend the JSON page at a path, whatever it is about."""
        return document

    def text(self, _path: str, text: str) -> str:
        """Bend the text page at a path."""
        return text

    def frame(self, shown: Document, _all: Document, _filters: Document) -> Document:
        """Bend the `data` of one frame of the WebSocket, which *filters* made of *all*."""
        return shown

    def breakdown(self, _path: str, _traffic: Traffic, _now: float) -> Breakdown | None:
        """Say what becomes of the server when the page at a path is asked for."""
        return None


REGISTRY: Registry[type[Fault]] = Registry("fault")


def chosen(names: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults called *names*; an unknown one is a usage error with a suggestion."""
    faults = []
    for name in names:
        if name not in REGISTRY:
            raise UsageError(f"unknown fault {name!r}: {suggest(name, REGISTRY, 'faults')}")
        faults.append(REGISTRY[name]())
    return tuple(faults)
