"""Of many looks at the same endpoints, those that show something new."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from validator.records.observation import Snapshot

MOST_LOOKS: Final = 40
"""Kept of one endpoint, whatever it does: each holds a whole document."""


@dataclass(slots=True)
class News:
    """The first look at each endpoint, and of each change the last before and the first after."""

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
                before = [] if earlier is None or earlier is kept[-1] else [earlier]
                kept += [*before, snapshot]
                del kept[MOST_LOOKS:]

    def looks(self) -> dict[str, tuple[Snapshot, ...]]:
        """Return what was kept, in order, by endpoint."""
        return {name: tuple(kept) for name, kept in self._kept.items()}
