"""What the load phase sent, and what came back."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from validator.values import Json, Number, is_number

if TYPE_CHECKING:
    from validator.records.tally import Tally

TokenSource: TypeAlias = Literal["usage", "chunks"]

OK = "ok"
CANCELLED = "cancelled"
"""The client cut it off because the spec said so: neither good nor failed."""
INTERRUPTED = "interrupted"
"""The run ended before it did."""
OUTCOMES = (
    OK, "timeout", "connect", "reset", "truncated", "empty", "malformed", "api_error",
    CANCELLED, INTERRUPTED, "client_error",
)  # fmt: skip
"""How a request may end, besides `status_429` and the like."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and how it went.

    Instants are seconds on the monotonic clock, counted from the start of the load phase.
    """

    index: int
    model: str
    due: float
    """When it should have been sent; in a closed loop, when it was. Latencies count from here:
    waiting for room in our own client is part of them."""
    sent: float
    """Just before the request is written (`t0`); what sends by a library hands it over then."""
    done: float
    """The end of the response, or the moment it failed."""
    outcome: str
    """`ok`, or the class of the failure: `status_429`, `timeout`, `connect`, `reset`,
    `truncated`, `empty`, `malformed`, `api_error`, `interrupted`, `client_error`; or
    `cancelled`, which is no failure."""
    detail: str = ""
    prepared: float | None = None
    """Seconds it took, before `sent`, to build the request and to have a connection; None if that
    is not known apart."""
    first_event: float | None = None
    """The first event of any kind of a stream."""
    first_token: float | None = None
    """The first event with content, reasoning or tool-call text of a stream."""
    last_token: float | None = None
    """The last such event; for a response that is not streamed, its end."""
    gaps: array[float] = field(default_factory=lambda: array("d"))
    """Seconds between successive content events (ITL)."""
    chunks: int = 0
    """Content events; a chunk is not a token."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    token_source: TokenSource | None = None
    finish_reasons: tuple[str, ...] = ()
    """Why each choice ended, as the server says."""

    @property
    def ok(self) -> bool:
        """Whether content, a finish_reason and a proper end arrived."""
        return self.outcome == OK

    @property
    def ttfc(self) -> float | None:
        """Time to the first event of any kind."""
        return None if self.first_event is None else self.first_event - self.due

    @property
    def ttft(self) -> float | None:
        """Time to the first token."""
        return None if self.first_token is None else self.first_token - self.due

    @property
    def latency(self) -> float | None:
        """Time to the last content event."""
        return None if self.last_token is None else self.last_token - self.due

    @property
    def wall(self) -> float:
        """Time to the end of the response."""
        return self.done - self.due

    @property
    def tpot(self) -> float | None:
        """Time per output token after the first; undefined for one token or none."""
        tokens = self.completion_tokens
        if self.first_token is None or self.last_token is None or tokens is None or tokens < 2:  # noqa: PLR2004 - a gap needs two
            return None
        return (self.last_token - self.first_token) / (tokens - 1)


@dataclass(frozen=True, slots=True)
class Zero:
    """The instant that a load counts its seconds from, on this machine's clocks."""

    monotonic: float
    epoch: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What makes a request good enough; seconds, each at most."""

    limits: Mapping[str, float]
    """By the name of a property of an exchange: `ttft`, `tpot`, `itl`, `latency` and so on."""

    def met(self, exchange: Exchange) -> bool | None:
        """Say whether an ok *exchange* meets every limit; None if that cannot be known.

        A metric that is missing decides nothing, unless another is too great already.
        """
        found = [(figure(exchange, name), limit) for name, limit in self.limits.items()]
        if any(value is not None and value > limit for value, limit in found):
            return False
        return None if any(value is None for value, _ in found) else True


def figure(exchange: Exchange, name: str) -> float | None:
    """Return the seconds that an SLO on *name* is about; for `itl` the longest of the gaps."""
    if name == "itl":
        return max(exchange.gaps, default=None)
    found: float | None = getattr(exchange, name)
    return found


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Every exchange of a load phase, in send order, and how the client itself fared."""

    exchanges: Sequence[Exchange]
    in_flight_max: int = 0
    lags: Sequence[float] = ()
    """How late the event loop woke up, in seconds, sampled throughout."""
    cpu_share: float | None = None
    """CPU seconds per second of the load phase, of the process that used most."""
    beyond: Tally | None = None
    """Exchanges of which only the sums are kept: those of a load too large to keep them all."""
    zero: Zero | None = None
    """Without it, nothing that other clocks tell can be compared with the exchanges."""
    held_back: int = 0
    """Requests that were due while as many were in flight as may be."""
    unsent: int = 0
    """Requests that were due before the end, and for which there was no room until then."""
    aborted: str = ""
    """Why the load was given up; nothing if it was not."""
    slo: Slo | None = None
    """What makes a request good enough, if the spec says."""
    cpu_total: float | None = None
    """The same of all processes together."""
    processes: int = 1
    """How many sent the load."""
    lost: tuple[str, ...] = ()
    """Which shares of the load did not come home, and why; what they sent is in no sum."""


def failures(ledger: Mapping[str, Json] | Json) -> Iterator[tuple[str, Number, str]]:
    """Yield how requests failed by a *ledger*: the outcome, how often, and an example if any.

    Those that were cut off on purpose are among them.
    """
    outcomes, errors = (
        ledger.get(name) if isinstance(ledger, Mapping) else None for name in ("outcomes", "errors")
    )
    for outcome, count in outcomes.items() if isinstance(outcomes, dict) else ():
        if outcome != OK and is_number(count) and count:
            said = errors.get(outcome) if isinstance(errors, dict) else None
            yield outcome, count, str(said[0]) if isinstance(said, list) and said else ""
