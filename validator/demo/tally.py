"""Who used how much: by model, by user, by minute, in tokens and in money."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

MODELS_AT_MOST = 500
"""Further models share one account under the name `(other)`."""
USERS_AT_MOST = 500
LATENCIES = 1000
"""Requests of a model whose latency is remembered."""
MINUTES = 10_080
"""Minutes that usage is remembered: a week."""
HOURS = 24
USER_NAME = 20
"""Characters of a key that are shown."""
OTHER = "(other)"
NANO = 1_000_000_000

PRICES = {"completions": (150, 600, 0), "embeddings": (20, 0, 0)}
PRICES |= {"images": (0, 0, 40_000_000), "audio_speeches": (0, 0, 15_000), "other": (0, 0, 0)}
"""Nano-dollars for a prompt token, a completion token and a unit: integers, so that sums agree."""


class Billable(Protocol):
    """What this needs to know of a request."""

    path: str
    user: str
    arrived: float
    ended: float | None
    model: str | None

    @property
    def kind(self) -> str:
        """What it is billed as."""

    @property
    def ok(self) -> bool:
        """It was answered in full."""


@dataclass(slots=True)
class Spent:
    """Tokens, units and money."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    units: int = 0
    nanos: int = 0

    def add(self, kind: str, prompt: int, completion: int, units: int) -> None:
        """Spend, and pay for it at once."""
        prices = PRICES[kind]
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        self.units += units
        self.nanos += prompt * prices[0] + completion * prices[1] + units * prices[2]

    @property
    def usd(self) -> float:
        """What it cost."""
        return self.nanos / NANO


@dataclass(slots=True)
class ModelTally:
    """One model since the start: requests when they come, tokens when they are sent."""

    requests: int = 0
    errors: int = 0
    spent: Spent = field(default_factory=Spent)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    latency_sum: float = 0.0
    latency_count: int = 0
    endpoints: Counter[str] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    hours: dict[int, int] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0


Minutes = Mapping[int, Mapping[str, Spent]]
"""What was spent, by the second a minute began at and the kind of request."""


class Owners:
    """All accounts that need to know whose request it was; instants are seconds since 1970."""

    def __init__(self) -> None:
        self.models: dict[str, ModelTally] = {}
        self.minutes: dict[int, dict[str, Spent]] = {}

    def opened(self, request: Billable, at: float) -> None:
        """Count a request that names a model."""
        assert request.model is not None
        name = request.model
        if name not in self.models and len(self.models) >= MODELS_AT_MOST:
            name = OTHER
        tally = self.models.setdefault(name, ModelTally(first=at))
        tally.requests += 1
        tally.last = at
        tally.endpoints[request.path] += 1
        user = request.user[:USER_NAME]
        known = user in tally.users or len(tally.users) < USERS_AT_MOST
        tally.users[user if known else OTHER] += 1
        hour = int(at // 3600) * 3600
        tally.hours[hour] = tally.hours.get(hour, 0) + 1
        while len(tally.hours) > HOURS:
            del tally.hours[min(tally.hours)]

    def worked(self, request: Billable, at: float, *, prompt: int, cached: int, units: int) -> None:
        """Count a request that a model works on, and what it was given."""
        slot = self._slot(request, at)
        slot.requests += 1
        slot.cached_tokens += cached
        for spent in (slot, self._model(request)):
            spent.add(request.kind, prompt, 0, units)

    def token(self, request: Billable, at: float) -> None:
        """Count a token that is about to be sent."""
        for spent in (self._slot(request, at), self._model(request)):
            spent.add(request.kind, 0, 1, 0)

    def closed(self, request: Billable, at: float) -> None:
        """Count the outcome."""
        tally = self._tally(request)
        tally.last = at
        if request.ok:
            assert request.ended is not None
            seconds = request.ended - request.arrived
            tally.latencies.append(seconds)
            tally.latency_sum += seconds
            tally.latency_count += 1
        else:
            tally.errors += 1

    def _tally(self, request: Billable) -> ModelTally:
        assert request.model is not None
        return self.models.get(request.model) or self.models[OTHER]

    def _model(self, request: Billable) -> Spent:
        return self._tally(request).spent

    def _slot(self, request: Billable, at: float) -> Spent:
        minute = int(at // 60) * 60
        kinds = self.minutes.setdefault(minute, {})
        while len(self.minutes) > MINUTES:
            del self.minutes[min(self.minutes)]
        return kinds.setdefault(request.kind, Spent())
