"""Waiting for what a load has moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from validator import movement
from validator.news import News
from validator.observe import Observer, settle
from validator.records.observation import Settled, Snapshot
from validator.records.recording import Round
from validator.spec.model import Assertion, Spec


def _all(_: Assertion) -> bool:
    return True


async def settled(  # noqa: PLR0913 - what to wait for, how to look, and what to keep
    spec: Spec,
    rounds: Sequence[Round],
    observer: Observer,
    today: date,
    *,
    concerns: Callable[[Assertion], bool] = _all,
    news: News | None = None,
) -> Settled:
    """Poll what the last of *rounds* moves until it is still, and what *concerns* it holds.

    The looks that show something new are left in *news*.
    """
    *earlier, latest = rounds
    asked = movement.moving(spec, rounds)
    still = movement.waited_for(asked)
    wanted = {name: [a for a in found if concerns(a)] for name, found in asked.items()}

    def content(snapshots: Mapping[str, Snapshot]) -> set[str]:
        now = replace(latest, observations=replace(latest.observations, after=snapshots))
        found = (*earlier, now)
        return {name for name in snapshots if movement.held(spec, wanted[name], found, today)}

    def everything(snapshots: Mapping[str, Snapshot]) -> dict[str, tuple[str, ...]]:
        values = movement.fingerprint(asked, snapshots)
        if news is not None:
            news.see(snapshots, values)
        return values

    return await settle(
        observer,
        [endpoint for endpoint in spec.endpoints if endpoint.id in asked],
        spec.settle,
        fingerprint=lambda snapshots: movement.fingerprint(still, snapshots),
        restless=everything,
        content=content,
        clock=observer.clock,
        sequential=spec.sequential,
    )
