"""The truthful accounts: what this server did, written down as it happens.

Nothing here knows the web, reads a clock or shares code with any client: instants are monotonic
seconds that come in as arguments.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, Protocol

RECENT = 1000
"""Requests that the per-request arrays remember."""
WINDOW = 60.0
"""Seconds that latency and throughput look back."""
WINDOW_REQUESTS = 5000
"""Requests that latency and throughput look back at most."""
MODELS_AT_MOST = 500
"""Further models share one account under the name `(other)`."""
OTHER = "(other)"
TTFT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Status = Literal["active", "completed", "failed"]


@dataclass(slots=True, eq=False)
class Entry:
    """One request; only `Books` writes in it after it is opened."""

    request_id: str
    arrived: float
    model: str | None
    streaming: bool = False
    status: Status = "active"
    worker: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    admitted: float | None = None
    """The worker took it from its queue; prefill starts."""
    role_sent: float | None = None
    first_token: float | None = None
    """Just before the first token is written (a plain request: was computed)."""
    last_token: float | None = None
    """The same of the latest token, which ends decode and the total latency."""
    ended: float | None = None
    gaps: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Latencies:
    """The stages of one completed request in seconds; queue + prefill + decode = total."""

    ttft: float
    queue: float
    prefill: float
    decode: float
    total: float


def latencies(entry: Entry) -> Latencies:
    """Return how long each stage of a completed *entry* took."""
    assert entry.admitted is not None
    assert entry.first_token is not None
    assert entry.last_token is not None
    return Latencies(
        ttft=entry.first_token - entry.arrived,
        queue=entry.admitted - entry.arrived,
        prefill=entry.first_token - entry.admitted,
        decode=entry.last_token - entry.first_token,
        total=entry.last_token - entry.arrived,
    )


@dataclass(slots=True)
class Histogram:
    """Observations by upper bound, each bucket holding all that the ones before it hold."""

    bounds: tuple[float, ...] = TTFT_BOUNDS
    buckets: list[int] = field(default_factory=lambda: [0] * len(TTFT_BOUNDS))
    sum: float = 0.0
    count: int = 0

    def observe(self, value: float) -> None:
        """Take one observation in."""
        self.sum += value
        self.count += 1
        for index, bound in enumerate(self.bounds):
            if value <= bound:
                self.buckets[index] += 1


@dataclass(slots=True)
class Gauge:
    """A level that rises and falls; its mean is over the moments it rose."""

    current: int = 0
    max: int = 0
    rises: int = 0
    total: int = 0

    def rise(self) -> None:
        """One more."""
        self.current += 1
        self.max = max(self.max, self.current)
        self.rises += 1
        self.total += self.current

    @property
    def mean(self) -> float:
        """The mean level just after a rise; 0 when there was none."""
        return self.total / self.rises if self.rises else 0.0


@dataclass(slots=True)
class ModelAccount:
    """What one model was asked and what it gave."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    ttft_sum: float = 0.0
    ttft_count: int = 0
    gap_sum: float = 0.0
    gap_count: int = 0


class Recorder(Protocol):
    """Whoever wants to be told what happens to a request, in this order."""

    def open(self, entry: Entry) -> None:
        """A whole request has been received."""

    def routed(self, entry: Entry, worker: str, prompt_tokens: int, cached_tokens: int) -> None:
        """It waits in the queue of *worker*."""

    def admitted(self, entry: Entry, at: float) -> None:
        """Its prefill starts."""

    def role(self, entry: Entry, at: float) -> None:
        """The chunk without content is about to be written."""

    def token(self, entry: Entry, at: float) -> None:
        """A token is about to be written."""

    def close(self, entry: Entry, status: Status, at: float) -> None:
        """The last bytes are about to be written, or the caller is gone."""


class Books:
    """Every request is in exactly one of: successful, failed, active.

    A request counts from the moment it has been received whole, well formed or not. It is
    successful when its last token was sent before its caller hung up. Tokens count one by one as
    they are sent; latencies count when a request succeeds.
    """

    def __init__(self) -> None:
        self.total = self.successful = self.failed = 0
        self.active: dict[str, Entry] = {}
        self.active_max = 0
        self.prefills = self.decodes = 0
        self.queue, self.batch = Gauge(), Gauge()
        self.models: dict[str, ModelAccount] = {}
        self.recent: deque[Entry] = deque(maxlen=RECENT)
        self.done: deque[Entry] = deque(maxlen=WINDOW_REQUESTS)
        self.ttft = Histogram()
        self.total_sum = 0.0
        self.total_count = 0

    def open(self, entry: Entry) -> None:
        self.total += 1
        self.active[entry.request_id] = entry
        self.active_max = max(self.active_max, len(self.active))
        self.recent.append(entry)
        if entry.model is not None:
            known = entry.model in self.models or len(self.models) < MODELS_AT_MOST
            name = entry.model if known else OTHER
            self.models.setdefault(name, ModelAccount()).requests += 1

    def routed(self, entry: Entry, worker: str, prompt_tokens: int, cached_tokens: int) -> None:
        entry.worker = worker
        entry.prompt_tokens = prompt_tokens
        entry.cached_tokens = cached_tokens
        self._account(entry).prompt_tokens += prompt_tokens
        self.queue.rise()

    def admitted(self, entry: Entry, at: float) -> None:
        entry.admitted = at
        self.prefills += 1
        self.queue.current -= 1

    def role(self, entry: Entry, at: float) -> None:
        entry.role_sent = at

    def token(self, entry: Entry, at: float) -> None:
        if entry.first_token is None or entry.last_token is None:
            entry.first_token = at
            self.decodes += 1
            self.batch.rise()
        else:
            entry.gaps.append(at - entry.last_token)
        entry.last_token = at
        entry.completion_tokens += 1
        self._account(entry).completion_tokens += 1

    def close(self, entry: Entry, status: Status, at: float) -> None:
        entry.status = status
        entry.ended = at
        del self.active[entry.request_id]
        if entry.worker is not None and entry.admitted is None:
            self.queue.current -= 1
        if entry.first_token is not None:
            self.batch.current -= 1
        if status == "completed":
            self.successful += 1
            self._measure(entry)
        else:
            self.failed += 1

    def window(self, now: float) -> list[Entry]:
        """Return the successful requests that latency and throughput are about."""
        return [e for e in self.done if e.ended is not None and now - e.ended <= WINDOW]

    def _account(self, entry: Entry) -> ModelAccount:
        assert entry.model is not None
        return self.models.get(entry.model) or self.models[OTHER]

    def _measure(self, entry: Entry) -> None:
        spent = latencies(entry)
        self.done.append(entry)
        self.ttft.observe(spent.ttft)
        self.total_sum += spent.total
        self.total_count += 1
        account = self._account(entry)
        account.ttft_sum += spent.ttft
        account.ttft_count += 1
        account.gap_sum += sum(entry.gaps)
        account.gap_count += len(entry.gaps)
