"""What each key was allowed, and the limit itself when there is one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0
KEYS_AT_MOST = 1000
"""Further keys share one account under the name `(other)`."""
SLOT = 0.1
"""Seconds; how finely peaks look."""
THROTTLED = 429
TIER = "demo"
OTHER = "(other)"
BYTES_A_TOKEN = 4


@dataclass(slots=True)
class Peak:
    """The most that ever fell into any 60 seconds: measured, never extrapolated."""

    most: int = 0
    now: int = 0
    events: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at: float, amount: int) -> None:
        """Take an event in; those of one tenth of a second are remembered as one."""
        slot = at // SLOT * SLOT
        before = self.events.pop()[1] if self.events and self.events[-1][0] == slot else 0
        self.events.append((slot, before + amount))
        self.now += amount
        while self.events[0][0] <= at - MINUTE:
            self.now -= self.events.popleft()[1]
        self.most = max(self.most, self.now)


@dataclass(slots=True)
class KeyAccount:
    """One key since the start; attempted = allowed + throttled at every moment."""

    first: float
    allowed: int = 0
    throttled: int = 0
    refused_tokens: int = 0
    consumed_tokens: int = 0
    rpm: Peak = field(default_factory=Peak)
    tpm: Peak = field(default_factory=Peak)
    granted: deque[float] = field(default_factory=deque)
    """When the requests of the last minute were let in; as many as the limit, at most."""

    @property
    def attempted(self) -> int:
        """Requests that were answered, one way or the other."""
        return self.allowed + self.throttled

    @property
    def throttle_rate(self) -> float:
        """The throttled share of what was attempted, 0 to 1."""
        return self.throttled / self.attempted if self.attempted else 0.0


class Limits:
    """Accounts of all keys; with *rpm* set, no key has more requests let in within a minute."""

    def __init__(self, rpm: int | None = None) -> None:
        self.rpm = rpm
        self.keys: dict[str, KeyAccount] = {}
        self.waits: deque[float] = deque(maxlen=1000)
        """Seconds that the latest throttled requests were told to wait."""
        self.throttled = 0
        self.last_throttled: float | None = None

    def account(self, key: str, at: float) -> KeyAccount:
        """Return the account of *key*, opened if need be."""
        if key not in self.keys and len(self.keys) >= KEYS_AT_MOST:
            key = OTHER
        return self.keys.setdefault(key, KeyAccount(at))

    def admit(self, key: str, at: float) -> float:
        """Let a request in and return 0, or return the seconds it has to wait."""
        if self.rpm is None:
            return 0.0
        granted = self.account(key, at).granted
        while granted and granted[0] <= at - MINUTE:
            granted.popleft()
        if len(granted) < self.rpm:
            granted.append(at)
            return 0.0
        return (granted[0] if granted else at) + MINUTE - at

    def headers(self, key: str, at: float) -> dict[str, str]:
        """Return the headers that tell a caller where it stands; none without a limit."""
        if self.rpm is None:
            return {}
        granted = self.account(key, at).granted
        reset = math.ceil(granted[0] + MINUTE - at) if granted else 0
        return {
            "x-ratelimit-limit-requests": str(self.rpm),
            "x-ratelimit-remaining-requests": str(self.rpm - len(granted)),
            "x-ratelimit-reset-requests": f"{reset}s",
        }

    def count(self, key: str, at: float, status: int, *, retry_after: float, size: int) -> None:
        """Count a request as its answer begins."""
        account = self.account(key, at)
        account.rpm.add(at, 1)
        if status == THROTTLED:
            account.throttled += 1
            account.refused_tokens += size // BYTES_A_TOKEN
            self.throttled += 1
            self.last_throttled = at
            self.waits.append(retry_after)
        else:
            account.allowed += 1

    def spend(self, key: str, at: float, amount: int) -> None:
        """Count tokens that a request of *key* takes."""
        account = self.account(key, at)
        account.consumed_tokens += amount
        account.tpm.add(at, amount)
