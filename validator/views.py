"""What was seen, as an assertion sees it: around the load that it names, or around all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from validator.errors import UsageError
from validator.records.observation import (
    CURVES,
    Observations,
    Progress,
    Settled,
    Snapshot,
)
from validator.records.recording import Recording, Round
from validator.spec.model import Spec
from validator.values import Json, is_number

ALL = ""
"""The view of assertions that name no load."""


@dataclass(frozen=True, slots=True)
class View:
    """What assertions about one load, or about all of them together, are judged by."""

    seen: Observations
    ledger: Json
    """Of the one load; None when it was not sent, and for several together."""
    load: Json
    """What references to the load read: its own ledger, and those of named loads by name."""
    looks: tuple[tuple[str, Mapping[str, Snapshot]], ...]
    """Every look at the endpoints but for samples, with when it was."""
    duration: float | None
    """Seconds that the load took; of several, all of them added."""
    ok: int
    """Requests that succeeded."""
    interrupted: bool

    def instead(self, seen: Observations) -> View:
        """Return this view, had *seen* been seen from the first look to the last."""
        (first, _), *between, (last, _) = self.looks
        return replace(self, seen=seen, looks=((first, seen.before), *between, (last, seen.after)))


def fitting(spec: Spec, recording: Recording) -> tuple[Round, ...]:
    """Return the rounds that *spec* is about; raise `UsageError` when its loads are others."""
    wanted = [load.name for load in spec.loads]
    recorded = [one.load for one in recording.rounds]
    if not wanted:
        return recording.rounds
    if len(wanted) == len(recorded) == 1:  # whatever it was called
        return (replace(recording.rounds[0], load=wanted[0]),)
    if set(wanted) <= set(recorded):
        return tuple(one for one in recording.rounds if one.load in wanted)
    raise UsageError(
        f"the recording has {_loads(recorded)}, and the spec {_loads(wanted)}: judge it by a spec"
        " with the same loads, or run again"
    )


def _loads(names: list[str]) -> str:
    return "one load without a name" if names == [""] else f"the loads {', '.join(names)}"


def views(rounds: Sequence[Round]) -> dict[str, View]:
    """Return how each load sees *rounds*, by its name, and how they look together."""
    named = {one.load: one.ledger for one in rounds if one.load}
    return {one.load: _view([one], named) for one in rounds} | {ALL: _view(rounds, named)}


def _view(rounds: Sequence[Round], named: Mapping[str, Json]) -> View:
    ledgers = [one.ledger for one in rounds]
    own = ledgers[0] if len(ledgers) == 1 else None
    durations = [_figure(ledger, "duration_s") for ledger in ledgers]
    known = [seconds for seconds in durations if seconds is not None]
    return View(
        seen=together(rounds),
        ledger=own,
        load={**(own if isinstance(own, dict) else {}), **named} if named else own,
        looks=tuple(look for one in rounds for look in _looks(one)),
        duration=sum(known) if known and len(known) == len(durations) else None,
        ok=int(sum(_figure(ledger, "ok") or 0 for ledger in ledgers)),
        interrupted=any(one.interrupted for one in rounds),
    )


def together(rounds: Sequence[Round]) -> Observations:
    """Return what was seen from the first look to the last, with all samples between."""
    several = [one.observations for one in rounds]
    if len(several) == 1:
        return several[0]
    if not several:
        return Observations()
    during: dict[str, tuple[Snapshot, ...]] = {}
    for number, seen in enumerate(several):
        for name, samples in seen.during.items():
            counted = (_after(rounds[:number], sample) for sample in samples)
            during[name] = (*during.get(name, ()), *counted)
    return Observations(
        before=several[0].before,
        after=several[-1].after,
        during=during,
        settled=_settled([seen.settled for seen in several if seen.settled is not None]),
    )


def _after(earlier: Sequence[Round], sample: Snapshot) -> Snapshot:
    """Return *sample* with what *earlier* loads had done counted too, as far as it is known."""
    if sample.progress is None or not earlier:
        return sample
    totals = {field: [_figure(one.ledger, field) for one in earlier] for field in CURVES}
    add = {field: sum(map(int, known)) for field, found in totals.items() if (known := _all(found))}
    done, sent = (
        {field: count + add[field] for field, count in counts.items() if field in add}
        for counts in (sample.progress.done, sample.progress.sent)
    )
    return replace(sample, progress=Progress(done, sent))


def _all(found: Sequence[float | None]) -> list[float]:
    """Return *found* if all of it is known, else nothing."""
    return [] if None in found else [figure for figure in found if figure is not None]


def _settled(several: Sequence[Settled]) -> Settled | None:
    if not several:
        return None
    return Settled(
        settled=all(one.settled for one in several),
        elapsed=sum(one.elapsed for one in several),
        polls=sum(one.polls for one in several),
        waiting_for=_once(one.waiting_for for one in several),
        moving=_once(one.moving for one in several),
    )


def _once(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(several)))


def _looks(one: Round) -> tuple[tuple[str, Mapping[str, Snapshot]], ...]:
    load = one.load or "the load"
    seen = one.observations
    return ((f"before {load}", seen.before), (f"after {load}", seen.after))


def _figure(ledger: Json, name: str) -> float | None:
    """Return a number of *ledger*, such as `ok` or `tokens.prompt`."""
    found = ledger
    for key in name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found if is_number(found) else None
