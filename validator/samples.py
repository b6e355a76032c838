"""The samples taken while the load ran, as something to ask about. Pure.

A sample that is missing may have been the one that mattered: what rests on the others alone is
not decided, unless the spec says how many may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from validator.query import Match
from validator.records.observation import Snapshot
from validator.subject import Answer, Holding, Item, Missing, Subject, article, series
from validator.values import Json, Number, brief, is_number, kind

Select = Callable[[Snapshot], tuple[Match, ...]]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one endpoint, and how many of them may be missing."""

    taken: tuple[Snapshot, ...]
    may_miss: int = 0

    @property
    def readable(self) -> tuple[Snapshot, ...]:
        """Those that brought a document."""
        return tuple(s for s in self.taken if s.error is None)

    @property
    def unseen(self) -> Answer | None:
        """Why there is nothing to ask about; None if there is."""
        if self.readable:
            return None
        why = f"no sample could be read: {self.taken[0].error}" if self.taken else "no sample taken"
        return Answer(Holding.UNDECIDABLE, why)

    def weighed(self, found: Answer, absent: Sequence[Snapshot] = ()) -> Answer:
        """Return *found*, or what it is worth when samples are unreadable or have no match."""
        lost = [s for s in self.taken if s.error is not None]
        notes = []
        if lost:
            notes.append(
                f"{len(lost)} of {len(self.taken)} samples unreadable, "
                f"the first at {lost[0].taken:.2f} s: {lost[0].error}"
            )
        if absent:
            notes.append(
                f"nothing at that path in {len(absent)} of {len(self.taken)} samples, "
                f"the first at {absent[0].taken:.2f} s"
            )
        if not notes:
            return found
        missing = len(lost) + len(absent)
        holding = found.holding
        if holding is Holding.YES and missing > self.may_miss:
            holding = Holding.UNDECIDABLE if len(lost) > self.may_miss else Holding.UNFIT
            notes.append(f"`during: {{missing: {missing}}}` would do without so many")
        return replace(found, holding=holding, note="; ".join(n for n in (found.note, *notes) if n))

    def by_path(self, select: Select) -> dict[str, list[tuple[float, Json]]]:
        """Return the values of each path that *select* finds, with their seconds."""
        found: dict[str, list[tuple[float, Json]]] = {}
        for sample in self.readable:
            for match in select(sample):
                found.setdefault(match.path, []).append((sample.taken, match.value))
        return found


def subjects(found: Mapping[str, list[tuple[float, Json]]], looks: int) -> list[Subject]:
    """Return one subject for each path, which says if it has less than *looks* values.

    Where there is no path it is a single empty one.
    """
    if not found:
        return [series("", (), ())]
    return [
        series(
            path,
            seen,
            (f"absent in {looks - len(seen)} of {looks} samples",) if len(seen) < looks else (),
        )
        for path, seen in found.items()
    ]


def curve(
    samples: Samples, select: Select, before: tuple[Match, ...] | Missing, born_at: Number | None
) -> Subject | Answer:
    """Return how far a counter had come in each sample since before the load, and the client.

    Several matches are added up; one that was absent before counts from *born_at*.
    """
    if isinstance(before, Missing):
        return Answer(Holding.UNDECIDABLE, "unknown", before.reason)
    start = {match.path: match.value for match in before}
    items = []
    seen = False
    for sample in samples.readable:
        if sample.progress is None:
            return Answer(Holding.UNDECIDABLE, "unknown", "how far the load was then is not known")
        matches = select(sample)
        seen = seen or bool(matches)
        counted = _counted(matches, start, born_at, sample.taken)
        if isinstance(counted, Answer):
            return counted
        value: Json = {
            "at": sample.taken,
            "counted": counted,
            "done": dict(sample.progress.done),
            "sent": dict(sample.progress.sent),
        }
        items.append(Item(f"at {sample.taken:.2f} s", value))
    if not seen:
        return Answer(Holding.UNFIT, "absent", "nothing at that path")
    return Subject(tuple(items), Missing("samples have no before"), single=False)


def _counted(
    matches: tuple[Match, ...], start: Mapping[str, Json], born_at: Number | None, at: float
) -> Number | Answer:
    if gone := start.keys() - {match.path for match in matches}:
        return Answer(Holding.UNFIT, "absent", f"gone at {at:.2f} s: {min(gone)}")
    total: Number = 0
    for match in matches:
        if match.path not in start and born_at is None:
            note = f"{match.path} was absent before the load (`absent_before: 0` counts from 0)"
            return Answer(Holding.UNDECIDABLE, brief(match.value), note)
        earlier = start.get(match.path, born_at)
        for value, when in ((match.value, f"at {at:.2f} s"), (earlier, "before the load")):
            if not is_number(value):
                note = f"{when} {match.path} is {article(kind(value))}, not a number"
                return Answer(Holding.UNFIT, brief(value), note)
        assert is_number(match.value)
        assert is_number(earlier)
        total += match.value - earlier
    return total
