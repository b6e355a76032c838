"""Of many looks at the same endpoints, those that show something new."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from validator.records.observation import Snapshot

MOST_LOOKS: Final = 40
"""Kept of one endpoint, whatever it does."""
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of the bodies that they were in: each look holds a document, which takes several times as much.

Pages of 200 KiB may change at every look, and larger ones less often.
"""


@dataclass(slots=True)
class News:
    """The first look at each endpoint, and of each change the last before and the first after.

    Of more than there is room for, one goes whose neighbours are nearest in time: the first and
    the latest stay, and what lies between grows thin evenly. Of a page too large for two looks
    only the latest stays, and of one too large for any none does.
    """

    _kept: dict[str, list[Snapshot]] = field(default_factory=dict)
    _last: dict[str, tuple[Snapshot, Hashable]] = field(default_factory=dict)

    def see(self, snapshots: Mapping[str, Snapshot], values: Mapping[str, Hashable]) -> None:
        """Take in a look at some endpoints, and the *values* in it that matter."""
        for name, snapshot in snapshots.items():
            if snapshot.error is not None:
                continue
            kept = self._kept.setdefault(name, [])
            earlier, known = self._last.get(name, (None, None))
            self._last[name] = (snapshot, values[name])
            if earlier is None or values[name] != known:
                if earlier is not None and not (kept and kept[-1] is earlier):
                    kept.append(earlier)
                kept.append(snapshot)
                _thin(kept)

    def looks(self) -> dict[str, tuple[Snapshot, ...]]:
        """Return what was kept, in order, by endpoint."""
        return {name: tuple(kept) for name, kept in self._kept.items()}


def _thin(kept: list[Snapshot]) -> None:
    while len(kept) > MOST_LOOKS or sum(look.size for look in kept) > MOST_BYTES:
        between = range(1, len(kept) - 1)
        del kept[min(between, key=lambda at: kept[at + 1].taken - kept[at - 1].taken, default=0)]
