"""The contract every load driver keeps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from validator.records.load import Exchange
from validator.registry import Registry

Clock: TypeAlias = Callable[[], float]
"""Monotonic seconds since the load phase began."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where requests go and how they are signed; the same for every driver."""

    url: str
    """The target; requests go to `<url>/v1`."""
    api_key: str = field(repr=False)
    timeout: float
    """Seconds for one request, from its start to the end of its response."""


class Sender(Protocol):
    """An open driver."""

    async def send(self, index: int, due: float | None = None, cut: int | None = None) -> Exchange:
        """Send request *index* and tell how it went; without *due*, it is due when it is sent.

        A stream is cut off after *cut* events with content, and then ends as `cancelled`.
        Never raises: when its task is cancelled, the exchange ends as `interrupted` and is
        returned, because only the sender knows how far it had come.
        """
        ...


class Driver(Protocol):
    """A kind of request: a frozen record, so that it can be sent to another process.

    Its dataclass fields other than *connection* are the keys of a `load:` block; the `help` in a
    field's metadata documents it.
    """

    name: ClassVar[str]

    @property
    def connection(self) -> Connection:
        """Where its requests go."""
        ...

    def open(self, clock: Clock, width: int) -> AbstractAsyncContextManager[Sender]:
        """Open connections for *width* requests in flight; *clock* stamps every instant."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """A driver that may have something to tell before it sends."""

    def remark(self) -> str:
        """Return what a person should know of how requests travel from here; mostly nothing.

        Raises UsageError when they cannot, as the spec asks.
        """
        ...


DRIVERS: Registry[type[Driver]] = Registry("driver")
driver = DRIVERS.register


def key(text: str, **options: Any) -> Any:
    """Declare a dataclass field that is a key of a `load:` block; *text* documents it."""
    return field(metadata={"help": text}, **options)
