"""What was seen at the endpoints, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from validator.values import Json

CURVES = ("sent", "ok", "failed", "tokens.prompt", "tokens.completion", "tokens.cached")
"""What is known of the load at the instant of each sample, by the names of the ledger."""


class Phase(StrEnum):
    """When a snapshot was taken, relative to the load."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Payload:
    """What a probe brought back: raw bytes, their declared type and the HTTP status."""

    body: bytes
    content_type: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no document.

    *cause* is `connect`, `timeout`, `protocol`, `redirect`, `too_large`, `status`, `decode`
    or `interrupted`.
    """

    cause: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the load was, by the client, while an endpoint was read; counts by ledger field."""

    done: Mapping[str, int]
    """Of requests that had ended when the read began."""
    sent: Mapping[str, int]
    """Of requests that had been sent when the read ended."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One endpoint's document, or why there is none, at one instant."""

    endpoint: str
    document: Json = None
    error: Unreadable | None = None
    status: int | None = None
    taken: float = 0.0
    """Seconds since the run began."""
    elapsed: float = 0.0
    """Seconds the read took."""
    progress: Progress | None = None
    """Of a sample taken during the load; None when the clocks cannot be compared."""
    size: int = field(default=0, compare=False)
    """Bytes of the body; not in a recording, which is for judging."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How waiting for the counters to stop moving ended."""

    settled: bool
    elapsed: float
    polls: int
    waiting_for: tuple[str, ...] = ()
    """Endpoints still moving, or whose deltas never came true, when the time was up."""
    moving: tuple[str, ...] = ()
    """Endpoints whose values were still changing when the time was up."""


@dataclass(frozen=True, slots=True)
class Observations:
    """All snapshots of a run, by endpoint id."""

    before: Mapping[str, Snapshot] = field(default_factory=dict)
    after: Mapping[str, Snapshot] = field(default_factory=dict)
    during: Mapping[str, tuple[Snapshot, ...]] = field(default_factory=dict)
    """Samples taken while the load ran, in order."""
    settled: Settled | None = None
    settling: Mapping[str, tuple[Snapshot, ...]] = field(default_factory=dict)
    """Looks taken while the counters settled: those with news, in order. For charts only."""
