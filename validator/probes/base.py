"""The contract every probe keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from validator.records.observation import Payload


class Probe(Protocol):
    """A way of fetching one endpoint.

    `fetch` raises `ProbeError` when there is no payload; it bounds time and size itself.
    """

    async def fetch(self) -> Payload:
        """Fetch the endpoint once."""
        ...


@dataclass(frozen=True, slots=True)
class Collect:
    """How much to take from what has no end; of *count* and *seconds* whichever comes first."""

    count: int | None = None
    seconds: float | None = None

    def of(self, seen: int, noun: str) -> str:
        """Say how far a collection has come: `2 of 5 frames`."""
        wanted = f" of {self.count}" if self.count is not None else ""
        one = (seen if self.count is None else self.count) == 1
        return f"{seen}{wanted} {noun}{'' if one else 's'}"
