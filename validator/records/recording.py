"""Everything one run saw, so that a spec can be judged again without a server."""

from __future__ import annotations

from dataclasses import dataclass, field

from validator.records.observation import Observations
from validator.records.trace import Trace
from validator.values import Json


@dataclass(frozen=True, slots=True)
class Round:
    """One load, and what was seen around it."""

    load: str = ""
    """The load's name; empty for that of a `load:` block, and where none is sent."""
    ledger: Json = None
    """None when the load was not sent."""
    observations: Observations = field(default_factory=Observations)
    interrupted: bool = False
    """Whether the run ended before this round did."""
    trace: Trace | None = None
    """The load request by request, for charts."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was seen; what it means is for a spec to say."""

    title: str
    spec: str
    """The spec's file, as it was named."""
    target: str
    started: str
    """ISO 8601, UTC."""
    elapsed: float = 0.0
    """Seconds."""
    rounds: tuple[Round, ...] = (Round(),)
    """In the order they took place: one per load, or one look when there is none."""
    interrupted: str = ""
    """Why the run ended early; empty when it did not."""
    remarks: tuple[str, ...] = ()
