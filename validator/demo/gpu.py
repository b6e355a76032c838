"""Four simulated GPUs that work together on every request, and so are busy at the same times."""

from __future__ import annotations

import math
from collections import deque

GPUS = 4
SLOT = 0.1
"""Seconds; how finely busy time is remembered."""
REMEMBERED = 600
"""Slots that power and temperature percentiles look back: a minute."""
LATELY = 10
"""Slots that utilization looks back: it is 0 a second after the last work."""

IDLE_WATTS, BUSY_WATTS = 62.0, 540.0
IDLE_CELSIUS, BUSY_CELSIUS = 38.0, 61.0
TOTAL_MIB, WEIGHTS_MIB, BLOCK_MIB = 81_920, 30_720, 2
BYTES_A_BUSY_SECOND = 400_000_000


class Machine:
    """Knows when at least one request was being worked on."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.in_hand = 0
        self.busy = 0.0
        """Seconds of work since the start."""
        self._slots: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)
        self._until = started

    def enter(self, at: float) -> None:
        """A request is begun."""
        self.advance(at)
        self.in_hand += 1

    def leave(self, at: float) -> None:
        """A request is done."""
        self.advance(at)
        self.in_hand -= 1

    def advance(self, at: float) -> None:
        """Note that nothing has changed until *at*."""
        since, self._until = self._until, max(at, self._until)
        if not self.in_hand:
            return
        self.busy += self._until - since
        # A long time at work is more slots than are remembered: begin where memory begins.
        since = max(since, self._until - REMEMBERED * SLOT)
        while since < self._until:
            slot = int(since // SLOT)
            end = min((slot + 1) * SLOT, self._until)
            if end <= since:  # a rounding error away from the next slot
                slot, end = slot + 1, min((slot + 2) * SLOT, self._until)
            before = self._slots.pop()[1] if self._slots and self._slots[-1][0] == slot else 0.0
            self._slots.append((slot, before + end - since))
            since = end

    def lately(self, at: float) -> float:
        """Return the busy share of the second before *at*, 0 to 1."""
        self.advance(at)
        now = int(at // SLOT)
        busy = sum(seconds for slot, seconds in self._slots if slot > now - LATELY)
        return min(1.0, busy / (LATELY * SLOT))

    def shares(self, at: float) -> list[float]:
        """Return the busy share of each of the last 60 seconds, those before the start left out."""
        self.advance(at)
        now = int(at // SLOT)
        seconds = min(REMEMBERED // LATELY, max(1, math.ceil(at - self.started)))
        busy = [0.0] * seconds
        for slot, spent in self._slots:
            ago = (now - slot) // LATELY
            if ago < seconds:
                busy[ago] += spent
        return [min(1.0, one) for one in busy]
