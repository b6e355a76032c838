"""The contract every measure keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, TypeVar

from validator.registry import Registry
from validator.values import Kind, Number

M = TypeVar("M", bound="type[Measure]")


class Reach(Enum):
    """What a measure looks at to derive its number."""

    VALUE = "each value by itself"
    NUMBERS = "the elements of an array, or several matches together"
    MATCHES = "how many matches there are"
    CHANGE = "a value before and after the load"
    BUCKETS = "the buckets of a histogram, one number for each set of other labels"


class Measure(ABC):
    """A number derived from what a query selected; its dataclass fields are its options."""

    also: ClassVar[tuple[str, ...]] = ()
    """What others call it, for those who look for it under another name."""
    reach: ClassVar[Reach]
    noun: ClassVar[str]
    """How a verdict calls the number."""
    accepts: ClassVar[frozenset[Kind]] = frozenset({"number"})

    @abstractmethod
    def of(self, subject: Any) -> Number:
        """Return the number; *subject* is never empty but for a count."""


MEASURES: Registry[type[Measure]] = Registry("measure")


def measure(name: str) -> Callable[[M], M]:
    """Make a measure available in specs as *name*."""
    return MEASURES.register(name)  # type: ignore[return-value]  # the registry hands back what it got
