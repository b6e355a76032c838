"""A spec tried on broken pages: which mutants it catches, and which of its assertions do. Pure.

Only the assertions that a mutant can concern are judged again; what they said of the truth is
known. A mutant is caught when the status of any verdict changes, or whether it is vacuous.

One that is not caught has survived, unless it is tolerated: where the author wrote `between`, or
`ordered` of what stands on either side, one value of the range is as good as another, and to have
become another one is no lie. That excuses
nothing that a load would show: a value that is 0, negative, gone or still what it was is a survivor
in every range.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from validator.evaluate import Judge
from validator.judgement import asks_change
from validator.mutation.changes import MUTATIONS
from validator.mutation.edits import Keys
from validator.mutation.fields import Field, named, ranged, reachable
from validator.mutation.mutants import Breeder, Mutant
from validator.predicates.conformance import Conforms
from validator.predicates.presence import Absent
from validator.query import Query
from validator.records.observation import Observations, Phase
from validator.records.recording import Recording
from validator.records.verdict import REACHABLE, Status, Verdict
from validator.selector import Selector
from validator.spec.model import (
    Ask,
    Assertion,
    Endpoint,
    ExprAssertion,
    Over,
    PathAssertion,
    Spec,
)
from validator.views import ALL, fitting, views

OTHERS = frozenset({"swap", "+1", "-1", "double"})
"""What makes another value of a value, which a range may allow."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutant, and the names of the assertions that noticed it."""

    mutant: Mutant
    caught_by: tuple[str, ...]
    tolerated: bool = False
    """Whether the spec declares a range, and both the value and what it became lie in it."""


@dataclass(slots=True)
class Outcome:
    """What became of all mutants."""

    trials: list[Trial] = field(default_factory=list)
    left_out: int = 0
    """Mutants that were not tried: there were too many, or the time was up."""
    unbroken: int = 0
    """Values that were left out before it was asked how they can be broken."""
    broken: tuple[Verdict, ...] = ()
    """What was bad about the truth already, and so can hardly catch anything."""
    idle: tuple[Verdict, ...] = ()
    """What held of the truth, and of every mutant that it was asked about."""
    unasked: tuple[Verdict, ...] = ()
    """What held of the truth, and was concerned by no mutant."""
    unnamed: tuple[Field, ...] = ()
    """Values of the pages that no assertion names."""

    @property
    def caught(self) -> int:
        """How many mutants were caught."""
        return sum(bool(trial.caught_by) for trial in self.trials)

    @property
    def tolerated(self) -> int:
        """How many were not, and need not be."""
        return sum(trial.tolerated for trial in self.trials)

    @property
    def lies(self) -> int:
        """How many ought to be caught: all but what is tolerated."""
        return len(self.trials) - self.tolerated

    @property
    def share(self) -> float | None:
        """The share of the lies that were caught, 0 to 1; None without any."""
        return self.caught / self.lies if self.lies else None

    @property
    def by_mutation(self) -> dict[str, tuple[int, int]]:
        """How many mutants of each kind were caught, and how many ought to be."""
        found = dict.fromkeys(MUTATIONS, (0, 0))
        for trial in self.trials:
            caught, lies = found[trial.mutant.mutation]
            found[trial.mutant.mutation] = (
                caught + bool(trial.caught_by),
                lies + (not trial.tolerated),
            )
        return {name: counts for name, counts in found.items() if counts[1]}

    @property
    def survivors(self) -> dict[Field, tuple[str, ...]]:
        """The fields of which mutants survived, with the mutations."""
        return _by_field(t for t in self.trials if not t.caught_by and not t.tolerated)

    @property
    def within_range(self) -> dict[Field, tuple[str, ...]]:
        """The fields of which mutants are tolerated, with the mutations."""
        return _by_field(t for t in self.trials if t.tolerated)


def _by_field(trials: Iterable[Trial]) -> dict[Field, tuple[str, ...]]:
    found: dict[Field, tuple[str, ...]] = {}
    for trial in trials:
        one = trial.mutant.field
        found[one] = (*found.get(one, ()), trial.mutant.mutation)
    order = list(MUTATIONS)
    return {
        one: tuple(sorted(names, key=order.index))
        for one, names in sorted(found.items(), key=lambda item: _place(item[0]))
    }


def _place(one: Field) -> tuple[str, str, str, str]:
    return one.endpoint, one.path, one.load, one.phase.value


def tried(  # noqa: PLR0913 - what is tried, on what, and how far
    spec: Spec,
    recording: Recording,
    today: date,
    *,
    everything: bool = False,
    most: int = 20_000,
    seed: int = 0,
    go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Break the values that *spec* names, or *everything* on its pages, and judge each mutant.

    Of more than *most* mutants as many are tried, chosen by *seed*; none once *go_on* says no.
    """
    seen = views(fitting(spec, recording))
    fields = {load: dict.fromkeys(named(spec, view.seen, load)) for load, view in seen.items()}
    inside = {(f.endpoint, f.keys) for found in fields.values() for f in found}
    own = {endpoint.id for endpoint in spec.endpoints}
    outcome = Outcome(
        unnamed=tuple(
            f
            for f in reachable(seen[ALL].seen)
            if f.endpoint in own and (f.endpoint, f.keys) not in inside
        )
    )
    if everything:
        fields[ALL].update(dict.fromkeys(outcome.unnamed))
    for load, view in seen.items():
        breeder = Breeder(spec, view.seen, load)
        court = _Court(Judge(spec, view, today), load, frozenset(fields[load]))
        left = most - len(outcome.trials)
        ours = list(fields[load])
        if len(ours) > most:  # of a huge page not even every way to break it is worked out
            chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
            ours = chance.sample(ours, most)
            outcome.unbroken += len(fields[load]) - most
        chosen, count = breeder.sampled(tuple(ours), left, seed)
        outcome.left_out += count
        for mutant in chosen:
            if not go_on():
                break
            caught_by = court.tried(mutant, breeder.seen_instead(mutant))
            tolerated = not caught_by and court.tolerates(mutant)
            outcome.trials.append(Trial(mutant, caught_by, tolerated))
            outcome.left_out -= 1
        court.conclude(outcome)
    return outcome


class _Court:
    """The assertions of a spec about pages around one load, and what each said of the truth."""

    def __init__(self, judge: Judge, load: str, asked_for: frozenset[Field]) -> None:
        self.judge = judge
        self.named = {(one.endpoint, one.phase, one.keys) for one in asked_for}
        self.matters: list[Assertion | Endpoint] = []
        for endpoint in judge.spec.endpoints:
            self.matters += [endpoint] if endpoint.load == load else []
            self.matters += [a for a in endpoint.assertions if a.about.load == load]
        self.matters += [a for a in judge.spec.assertions if a.about.load == load]
        self.truth = [_judged(self.judge, matter) for matter in self.matters]
        self.ranges = {
            (one.endpoint, one.phase, one.keys)
            for matter, said in zip(self.matters, self.truth, strict=True)
            if isinstance(matter, PathAssertion) and said.status is Status.PASS
            for one in ranged(matter, judge.view.seen)
        }
        self.asked: set[int] = set()
        self.noticed: set[int] = set()

    def tried(self, mutant: Mutant, seen: Observations) -> tuple[str, ...]:
        """Judge what *mutant* concerns; return the names of the verdicts that changed."""
        old = self.judge
        judge = Judge(old.spec, old.view.instead(seen), old.today)
        changed = mutant.changed
        found = []
        for index, (matter, said) in enumerate(zip(self.matters, self.truth, strict=True)):
            if not _concerns(matter, mutant, changed):
                continue
            if not _is_about_form(matter):
                self.asked.add(index)
            now = _judged(judge, matter)
            if (now.status, now.vacuous) != (said.status, said.vacuous):
                self.asked.add(index)
                self.noticed.add(index)
                found.append(said.name)
        return tuple(found)

    def tolerates(self, mutant: Mutant) -> bool:
        """Say whether *mutant*, which was not caught, only moved values about in their ranges.

        A neighbour that no assertion names may become anything.
        """
        one = mutant.field
        places = {(one.endpoint, one.phase, keys) for keys in mutant.changed}
        mine = (one.endpoint, one.phase, one.keys)
        return (
            mutant.mutation in OTHERS
            and mine in self.ranges
            and (places & self.named) <= self.ranges
        )

    def conclude(self, outcome: Outcome) -> None:
        """Add to *outcome* what became of the assertions."""
        truth = self.truth
        outcome.broken += tuple(v for v in truth if v.bad)
        good = [(i, v) for i, v in enumerate(truth) if not v.bad and v.status is not Status.SKIP]
        outcome.idle += tuple(v for i, v in good if i in self.asked and i not in self.noticed)
        outcome.unasked += tuple(v for i, v in good if i not in self.asked and v.name != REACHABLE)


def _judged(judge: Judge, matter: Assertion | Endpoint) -> Verdict:
    return judge.reachable(matter) if isinstance(matter, Endpoint) else judge.about(matter)


def _is_about_form(matter: Assertion | Endpoint) -> bool:
    """Say whether *matter* asks how a page is written, or that something is not there.

    Broken values are not what it is for, though it may notice some.
    """
    return isinstance(matter, PathAssertion) and any(
        isinstance(part, Ask) and isinstance(part.predicate, Conforms | Absent)
        for part in matter.condition
    )


def _concerns(matter: Assertion | Endpoint, mutant: Mutant, changed: frozenset[Keys]) -> bool:
    """Say whether *matter* may be decided by what *mutant* changed."""
    one = mutant.field
    match matter:
        case Endpoint(id=name):
            return name == one.endpoint and not mutant.edits
        case PathAssertion(endpoint=name, query=query, over=over, condition=condition):
            if name != one.endpoint or not mutant.edits:
                return False  # a page that is gone as a whole is for `reachable` to notice
            asks = over.value == one.phase.value or (
                one.phase is Phase.BEFORE and over is Over.AFTER and asks_change(condition)
            )
            return asks and _selects(query, changed)
        case ExprAssertion(expression=expression, bindings=bindings):
            if one.phase is Phase.DURING or not mutant.edits:
                return False
            phased = {term.name for term in expression.terms if term.phase in ("before", "delta")}
            return any(
                binding.endpoint == one.endpoint
                and (one.phase is Phase.AFTER or name in phased)
                and _selects(binding.query, changed)
                for name, binding in bindings
            )


def _selects(query: Query | Selector, changed: frozenset[Keys]) -> bool:
    """Say whether *query* may select something else where these places changed."""
    families = [str(keys[1]) for keys in changed if keys[:1] == ("families",) and keys[1:]]
    if isinstance(query, Selector):
        return query.name is None or any(map(query.name.startswith, families))
    wanted = _way(query)
    if families and wanted[:1] in (("violations",), ()):
        return True
    return any(
        all(one is _ANY or one == key for one, key in zip(wanted, keys, strict=False))
        for keys in changed
    )


_ANY = object()
_STEP = re.compile(r"\.(?P<name>[A-Za-z_]\w*)|\[(?P<index>\d+)\]|(?P<any>\.\*|\[\*\])", re.ASCII)


@functools.lru_cache(maxsize=10_000)
def _way(query: Query) -> tuple[object, ...]:
    """Return the keys that every match of *query* begins with, as far as its text says them."""
    if query.definite:
        keys = query.keys
        last = next((i for i, k in enumerate(keys) if isinstance(k, int) and k < 0), len(keys))
        return keys[:last]
    found: list[object] = []
    at = 1
    while step := _STEP.match(query.text, at):
        if step["any"]:
            found.append(_ANY)
        else:
            found.append(step["name"] or int(step["index"]))
        at = step.end()
    return tuple(found)
