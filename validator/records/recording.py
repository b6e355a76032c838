"""Everything one run saw, so that a spec can be judged again without a server."""

from __future__ import annotations

from dataclasses import dataclass, field

from validator.records.observation import Observations
from validator.records.trace import Trace
from validator.values import Json


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
    ledger: Json = None
    """None when no load was sent."""
    observations: Observations = field(default_factory=Observations)
    interrupted: str = ""
    """Why the run ended early; empty when it did not."""
    remarks: tuple[str, ...] = ()
    trace: Trace | None = None
    """The load request by request, for charts."""
