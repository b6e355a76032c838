"""The contract every probe keeps."""

from __future__ import annotations

from typing import Protocol

from validator.records.observation import Payload


class Probe(Protocol):
    """A way of fetching one endpoint.

    `fetch` raises `ProbeError` when there is no payload; it bounds time and size itself.
    """

    async def fetch(self) -> Payload:
        """Fetch the endpoint once."""
        ...
