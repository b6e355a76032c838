"""What is sent before anything is looked at, so that a cold server is not what is measured."""

from __future__ import annotations

from collections import Counter
from datetime import date

from validator.ledger import ledger
from validator.load import LoadPlan, load
from validator.observe import Observer
from validator.records.observation import Observations
from validator.records.recording import Round
from validator.settling import settled
from validator.spec.model import Spec


async def warm_up(spec: Spec, name: str, plan: LoadPlan, observer: Observer, today: date) -> str:
    """Send *plan*, which counts nowhere, and wait until its traces on the counters are over.

    It is that of the load *name*.

    Return what a person should know about how it went; nothing if all is well.
    """
    watched = [e for e in spec.endpoints if not e.read_last]
    before = await observer.look(watched, sequential=spec.sequential)
    result = await load(plan)
    warm = Round(name, ledger(result), Observations(before))
    # As after a load: what counts late would otherwise be in the books of the load. What is about
    # several loads together no warmup makes true.
    await settled(spec, [warm], observer, today, concerns=lambda a: a.about.load == name)
    failed = Counter(e.outcome for e in result.exchanges if not e.ok)
    if not failed:
        return ""
    sent = len(result.exchanges)
    many = "all" if failed.total() == sent else f"{failed.total()} of"
    return f"{many} {sent} warmup requests failed: {', '.join(sorted(failed))}"
