"""The truthful accounts of every request under load, whatever its path: who asked, what it took.

`Books` is about how text is generated; this is about all that was asked. Both are told of the
same events at the same moments, and neither reads a clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from validator.demo.gpu import Machine
from validator.demo.limits import Limits
from validator.demo.tally import Owners

WINDOW = 60.0
"""Seconds that rates and percentiles look back."""
WINDOW_REQUESTS = 5000
"""Requests that rates and percentiles look back at most."""
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REFUSED = 400
"""The least HTTP status that is an error."""


class Kind(StrEnum):
    """What a request is billed and reported as."""

    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"
    SPEECHES = "audio_speeches"
    OTHER = "other"


@dataclass(slots=True, eq=False)
class Ticket:
    """One request under load; only `Traffic` writes in it after it is opened."""

    path: str
    user: str
    arrived: float
    in_hand: int
    """Requests in hand on this path just after it came, itself included."""
    size: int = 0
    """Bytes of its body, as announced."""
    kind: Kind = Kind.OTHER
    model: str | None = None
    streaming: bool = False
    worked: bool = False
    """A model has begun to work on it."""
    spoilt: bool = False
    """It went wrong after its status was sent, or its caller hung up."""
    cancelled: bool = False
    """Its caller hung up."""
    status: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    units: int = 0
    """Images or characters."""
    headers: float | None = None
    """Status and headers were about to be sent."""
    first_token: float | None = None
    last_token: float | None = None
    ended: float | None = None

    @property
    def tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def ok(self) -> bool:
        """It was answered in full and without an error."""
        return self.ended is not None and not self.spoilt and 0 < self.status < REFUSED

    @property
    def reason(self) -> str:
        """The kind of error, for a label."""
        if self.cancelled:
            return "cancelled"
        return str(self.status) if self.status >= REFUSED else "broken"

    @property
    def seconds(self) -> float:
        """From the arrival to just before the last byte."""
        assert self.ended is not None
        return self.ended - self.arrived


@dataclass(slots=True)
class Buckets:
    """A histogram: each bucket holds what is at most its bound and above the bound before."""

    bounds: tuple[float, ...] = BOUNDS
    apart: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    def observe(self, value: float) -> None:
        """Take one observation in."""
        self.sum += value
        place = sum(value > bound for bound in self.bounds)
        self.apart[place] += 1


@dataclass(slots=True)
class PathAccount:
    """What was asked of one path since the start."""

    requests: int = 0
    responses: int = 0
    errors: Counter[str] = field(default_factory=lambda: Counter(broken=0, cancelled=0))
    """By reason: a status, or one of these two, which are shown before there are any."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency: Buckets = field(default_factory=Buckets)
    ttft: Buckets = field(default_factory=Buckets)


@dataclass(slots=True)
class Streams:
    """Every stream is in exactly one place."""

    active: int = 0
    completed: int = 0
    failed: int = 0


class Traffic:
    """Every request on a path under load, from its first byte to its last.

    A request counts when it arrives, a token when it is sent, an outcome when it is known, and
    all of that before the caller can see it.
    """

    def __init__(
        self,
        started: float,
        epoch: float,
        *,
        rpm: int | None = None,
        owns: Callable[[Ticket], bool] = lambda _: True,
    ) -> None:
        self.started = started
        self.epoch = epoch
        """What to add to an instant to have seconds since 1970."""
        self._owns = owns
        self.paths: dict[str, PathAccount] = {}
        self.active: dict[Ticket, None] = {}
        self.ended: deque[Ticket] = deque(maxlen=WINDOW_REQUESTS)
        self.streams = Streams()
        self.owners = Owners()
        self.limits = Limits(rpm)
        self.machine = Machine(started)

    def arrive(self, path: str, user: str, at: float, size: int = 0) -> Ticket:
        """Open the ticket of a request whose headers have come."""
        in_hand = 1 + sum(other.path == path for other in self.active)
        ticket = Ticket(path, user, at, in_hand, size)
        self.active[ticket] = None
        self.paths.setdefault(path, PathAccount()).requests += 1
        return ticket

    def named(self, ticket: Ticket, kind: Kind, model: str | None, *, streaming: bool) -> None:
        """Its body has been read as far as needed to know what it is about."""
        ticket.kind, ticket.model, ticket.streaming = kind, model, streaming
        if streaming:
            self.streams.active += 1
        if model is not None and self._owns(ticket):
            self.owners.opened(ticket, self.epoch + ticket.arrived)

    def work(
        self, ticket: Ticket, at: float, *, prompt: int = 0, cached: int = 0, units: int = 0
    ) -> None:
        """A model starts to work on it."""
        ticket.worked = True
        self.machine.enter(at)
        ticket.prompt_tokens, ticket.cached_tokens, ticket.units = prompt, cached, units
        self.paths[ticket.path].prompt_tokens += prompt
        self.limits.spend(ticket.user, at, prompt)
        if self._owns(ticket):
            now = self.epoch + at
            self.owners.worked(ticket, now, prompt=prompt, cached=cached, units=units)

    def token(self, ticket: Ticket, at: float) -> None:
        """A token is about to be written."""
        if ticket.first_token is None:
            ticket.first_token = at
        ticket.last_token = at
        ticket.completion_tokens += 1
        self.paths[ticket.path].completion_tokens += 1
        self.limits.spend(ticket.user, at, 1)
        if self._owns(ticket):
            self.owners.token(ticket, self.epoch + at)

    def answer(self, ticket: Ticket, status: int, at: float, retry_after: float = 0.0) -> None:
        """Its status and headers are about to be sent."""
        ticket.status, ticket.headers = status, at
        self.limits.count(ticket.user, at, status, retry_after=retry_after, size=ticket.size)

    def spoil(self, ticket: Ticket, *, cancelled: bool = False) -> None:
        """It goes wrong, though its status may say otherwise."""
        ticket.spoilt, ticket.cancelled = True, cancelled

    def close(self, ticket: Ticket, at: float) -> None:
        """Its last bytes are about to be sent, or its caller is gone; once is enough."""
        if ticket.ended is not None:
            return
        if ticket.headers is None:
            self.answer(ticket, ticket.status, at)
        ticket.ended = at
        del self.active[ticket]
        self.ended.append(ticket)
        if ticket.worked:
            self.machine.leave(at)
        self._settle(ticket, self.paths[ticket.path])
        if ticket.model is not None and self._owns(ticket):
            self.owners.closed(ticket, self.epoch + at)

    def _settle(self, ticket: Ticket, account: PathAccount) -> None:
        if ticket.ok:
            account.responses += 1
            account.latency.observe(ticket.seconds)
        else:
            account.errors[ticket.reason] += 1
        if ticket.streaming:
            self.streams.active -= 1
            if ticket.ok:
                self.streams.completed += 1
                if ticket.first_token is not None:
                    account.ttft.observe(ticket.first_token - ticket.arrived)
            else:
                self.streams.failed += 1
