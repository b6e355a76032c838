"""What is sent before anything is looked at, so that a cold server is not what is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from validator import movement
from validator.ledger import ledger
from validator.load import LoadPlan, load
from validator.observe import Observer, settle
from validator.records.observation import Observations, Snapshot
from validator.records.recording import Round
from validator.spec.model import Spec


async def warm_up(spec: Spec, name: str, plan: LoadPlan, observer: Observer, today: date) -> str:
    """Send *plan*, which counts nowhere, and wait until its traces on the counters are over.

    It is that of the load *name*.

    Return what a person should know about how it went; nothing if all is well.
    """
    watched = [e for e in spec.endpoints if not e.read_last]
    before = await observer.look(watched, sequential=spec.sequential)
    result = await load(plan)
    await _over(spec, Round(name, ledger(result), Observations(before)), observer, today)
    failed = Counter(e.outcome for e in result.exchanges if not e.ok)
    if not failed:
        return ""
    sent = len(result.exchanges)
    many = "all" if failed.total() == sent else f"{failed.total()} of"
    return f"{many} {sent} warmup requests failed: {', '.join(sorted(failed))}"


async def _over(spec: Spec, warm: Round, observer: Observer, today: date) -> None:
    """Wait as after a load: what counts late would otherwise be in the books of the load."""
    asked = movement.moving(spec, [warm])
    # What is about several loads together no warmup makes true.
    about = {n: [a for a in asked[n] if a.about.load == warm.load] for n in asked}

    def content(snapshots: Mapping[str, Snapshot]) -> set[str]:
        found = [replace(warm, observations=replace(warm.observations, after=snapshots))]
        return {n for n in snapshots if movement.held(spec, about[n], found, today)}

    await settle(
        observer,
        [e for e in spec.endpoints if e.id in asked],
        spec.settle,
        fingerprint=lambda snapshots: movement.fingerprint(asked, snapshots),
        content=content,
        clock=observer.clock,
        sequential=spec.sequential,
    )
