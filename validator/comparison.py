"""Two runs of one spec, verdict by verdict: what is new, what is worse, what has changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePath

from validator.errors import UsageError
from validator.records.verdict import Report, Verdict
from validator.values import Json, is_number

Pair = tuple[Verdict | None, Verdict | None]
"""A verdict of the earlier run and its match in the later one."""

_WANTED = ("ok", "success_rate", "met", "share")
"""Figures of which less is worse."""
_UNWANTED = ("failed", "missed")
"""Figures of which more is worse."""


class Kind(Enum):
    """How a verdict of the later run stands to the earlier one; the worst first."""

    WORSE = "worse"
    """It is bad, and was not."""
    NEW = "new and bad"
    """It is bad, and nobody asked before."""
    GONE = "no longer asked"
    VACUOUS = "now vacuous"
    """It passes, but could not have failed any more."""
    ADDED = "new"
    BETTER = "better"
    """It was bad, and is not."""
    VALUE = "another value"
    """Judged alike, of another value."""
    SAME = "the same"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one assertion between two runs."""

    kind: Kind
    earlier: Verdict | None
    later: Verdict | None

    @property
    def verdict(self) -> Verdict:
        """The later verdict, or the earlier one when there is none."""
        found = self.later or self.earlier
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the ledger in two runs; None where it is absent."""

    path: str
    earlier: Json
    later: Json

    @property
    def worse(self) -> bool:
        """Whether it moved to where nobody wants it."""
        ratio, (*within, name) = self.ratio, self.path.split(".")
        if ratio is None or "client" in within or "slo_ms" in within:
            return False
        if any(key.endswith("_ms") for key in within):
            return name not in ("count", "missing") and ratio > 1
        if "outcomes" in within:
            return ratio < 1 if name == "ok" else ratio > 1
        if name in _UNWANTED:
            return ratio > 1
        return (name in _WANTED or name.endswith("_per_s")) and ratio < 1

    @property
    def ratio(self) -> float | None:
        """The later value ÷ the earlier one; None where that says nothing."""
        if is_number(self.earlier) and is_number(self.later) and self.earlier:
            return self.later / self.earlier
        return None


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two runs of a spec."""

    earlier: Report
    later: Report
    changes: tuple[Change, ...]
    """The worst first; those that are the same left out."""
    figures: tuple[Figure, ...]
    """Those of the ledgers that differ by more than was tolerated: what got worse first, and the
    largest change of it; what has no number, or is neither good nor bad, at the ends."""

    @property
    def loads(self) -> tuple[Figure, ...]:
        """How many requests the loads sent, of those that did not send as many in both runs."""
        return tuple(f for f in self.figures if f.path.endswith(".sent") and "models" not in f.path)

    @property
    def worse(self) -> bool:
        """Whether the later run fails where the earlier one did not."""
        bad = any(c.kind in (Kind.WORSE, Kind.NEW) for c in self.changes)
        return bad or (self.earlier.passed and not self.later.passed)


def pairs(earlier: Report, later: Report) -> Iterator[Pair]:
    """Match the verdicts of two runs: by section, name and path, the later run's order first.

    Of several alike those match first that expect the same; the rest match in order.
    """
    waiting = list(earlier.verdicts)
    matched: dict[int, Verdict] = {}
    for identity in (_exactly, _roughly):
        by_key: dict[Hashable, list[Verdict]] = defaultdict(list)
        for verdict in waiting:
            by_key[identity(verdict)].append(verdict)
        for index, verdict in enumerate(later.verdicts):
            if index not in matched and (alike := by_key[identity(verdict)]):
                matched[index] = alike.pop(0)
        waiting = [verdict for alike in by_key.values() for verdict in alike]
    for index, verdict in enumerate(later.verdicts):
        yield matched.get(index), verdict
    for verdict in waiting:
        yield verdict, None


def _exactly(verdict: Verdict) -> Hashable:
    return verdict.section, verdict.name, verdict.path, verdict.expected


def _roughly(verdict: Verdict) -> Hashable:
    return verdict.section, verdict.name, verdict.path


def same_spec(reports: Iterable[Report], title: str, file: str) -> Report | None:
    """Return the run of the spec with this title or file name, if it is among *reports*."""
    stem = PurePath(file).stem
    found = [r for r in reports if r.title == title or (stem and PurePath(r.spec).stem == stem)]
    exact = [r for r in found if r.title == title and PurePath(r.spec).stem == stem]
    return next(iter(exact or found), None)


def against(report: Report, baseline: Sequence[Report], *, only_new: bool) -> Report:
    """Mark what was bad in the *baseline* already; with *only_new* it breaks the run no more.

    A pass that could not have failed is known when it was no better before.
    """
    earlier = same_spec(baseline, report.title, report.spec)
    if earlier is None:
        return replace(report, fail_on_new=only_new)
    known = {
        id(later)
        for was, later in pairs(earlier, report)
        if was is not None and later is not None and _no_better(was, later)
    }
    verdicts = tuple(replace(v, known=True) if id(v) in known else v for v in report.verdicts)
    return replace(report, verdicts=verdicts, fail_on_new=only_new)


def _no_better(was: Verdict, now: Verdict) -> bool:
    return (now.bad and was.bad) or (now.vacuous and (was.vacuous or was.bad))


def check_baseline(baseline: Sequence[Report], specs: Mapping[str, str], file: str) -> None:
    """Raise `UsageError` if *baseline* knows none of *specs*, titles by file."""
    if not any(same_spec(baseline, title, name) for name, title in specs.items()):
        held = ", ".join(f"{r.title!r} ({r.spec})" for r in baseline)
        asked = ", ".join(f"{title!r} ({name})" for name, title in specs.items())
        raise UsageError(f"--baseline {file}: a report of {held}, and not of {asked}")


def difference(earlier: Report, later: Report, *, tolerance: float) -> Difference:
    """Compare two runs; figures of the ledger within *tolerance* (a share) count as the same."""
    changes = [Change(_kind(was, now), was, now) for was, now in pairs(earlier, later)]
    changes = [change for change in changes if change.kind is not Kind.SAME]
    order = list(Kind)
    changes.sort(key=lambda c: (order.index(c.kind), -c.verdict.severity.rank))
    return Difference(
        earlier, later, tuple(changes), tuple(_figures(_books(earlier), _books(later), tolerance))
    )


def _books(report: Report) -> dict[str, Json]:
    """Return every ledger of a run, by what assertions call it."""
    return {f"load.{name}" if name else "load": book for name, book in report.ledgers.items()}


def _kind(was: Verdict | None, now: Verdict | None) -> Kind:
    if now is None:
        return Kind.GONE
    if was is None:
        return Kind.NEW if now.bad else Kind.ADDED
    if now.bad != was.bad:
        return Kind.WORSE if now.bad else Kind.BETTER
    if now.vacuous and not was.vacuous:
        return Kind.VACUOUS
    if was.vacuous and not now.vacuous:
        return Kind.BETTER
    return Kind.SAME if _told(was) == _told(now) else Kind.VALUE


def _told(verdict: Verdict) -> Hashable:
    return verdict.status, verdict.severity, verdict.expected, verdict.actual


def _figures(
    earlier: Mapping[str, Json], later: Mapping[str, Json], tolerance: float
) -> list[Figure]:
    was = {path: value for name, book in earlier.items() for path, value in _leaves(book, name)}
    now = {path: value for name, book in later.items() for path, value in _leaves(book, name)}
    found = [Figure(path, was.get(path), now.get(path)) for path in {**was, **now}]
    return sorted(
        (figure for figure in found if not _alike(figure, tolerance)),
        key=lambda f: (f.ratio is not None, not f.worse, -_size(f), f.path),
    )


def _alike(figure: Figure, tolerance: float) -> bool:
    ratio = figure.ratio
    if ratio is None:
        return figure.earlier == figure.later
    return abs(ratio - 1) <= tolerance


def _size(figure: Figure) -> float:
    """Return how far apart two values are, alike for a half and for the double."""
    ratio = figure.ratio
    return max(ratio, 1 / ratio) if ratio is not None and ratio > 0 else float("inf")


def _leaves(document: Json, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _leaves(value, f"{path}.{key}")
    elif not isinstance(document, list):
        yield path, document
