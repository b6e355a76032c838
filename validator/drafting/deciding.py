"""From what was seen at one place to what may be claimed of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from validator.drafting import words
from validator.drafting.claims import HERE, Claim, Evidence, Figure, Heading, Load, figures
from validator.drafting.moves import (
    asked_change,
    change_at,
    comes_later,
    is_apart,
    is_many,
    measured,
    told_apart,
    total_change,
)
from validator.drafting.places import bound_to, encodable, escaped, place_of
from validator.drafting.shapes import SHAPES, identity, not_finite
from validator.drafting.spots import Look, Spot
from validator.drafting.traits import (
    full_name,
    is_among_settings,
    is_configured,
    is_counter,
    is_lasting,
    looks_counted,
    type_of,
)
from validator.ledger import FINISH_REASONS
from validator.values import is_number

_MOST_SERIES = 3
_ELEMENT = re.compile(r"\[\d+\]")
_STILL = "stood still: is there a load that moves it?"
_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides what may be claimed, given when was looked."""

    evidence: Evidence
    figures: tuple[Figure, ...]

    @classmethod
    def of(cls, evidence: Evidence) -> Decider:
        """Return one that knows what the loads may have counted."""
        return cls(evidence, tuple(figures(evidence.loads)))

    def claims(self, spot: Spot) -> Iterator[Claim]:
        """Yield what may be claimed of the values at *spot*."""
        kinds = sorted(self._kinds(spot))
        if not encodable(spot.path):
            return
        if kinds == ["number"]:
            yield from self._number(spot)
            yield from identity(spot)
        elif len(kinds) == 1 and kinds[0] in SHAPES:
            yield from SHAPES[kinds[0]](spot, self.evidence)
            yield from identity(spot)
        else:
            yield self._of_other_kinds(spot, kinds)

    def _of_other_kinds(self, spot: Spot, kinds: list[str]) -> Claim:
        place = place_of(spot)
        if not kinds:
            remark = "did not hold: gone at one of the looks"
            return Claim(Heading.SUGGESTED, place, {"exists": True}, remark=remark)
        if spot.metric:
            return not_finite(place)
        if kinds == ["null"]:
            remark = "null: what is it when there is one?"
            return Claim(Heading.SUGGESTED, place, {"type": "null"}, remark=remark)
        if "null" in kinds:
            remark = "null at times: is that meant?"
            return Claim(Heading.SUGGESTED, place, {"type": kinds}, remark=remark)
        return Claim(Heading.KINDS, place, {"type": kinds})

    def _kinds(self, spot: Spot) -> set[str]:
        """Return the kinds of the values that assertions are asked of; none if a look lacks it."""
        looks = [spot.looks[index] for index in self.evidence.final]
        return set() if not all(looks) else Spot(spot.path, spot.name, looks).kinds

    def restless(self, spot: Spot) -> bool:
        """Say whether *spot* moved while nothing was sent."""
        return spot.restless(self.evidence.idle)

    # Change

    def counted(self, spot: Spot, *, born: bool = False) -> Claim | None:
        """Return the claim that all of *spot* moved by a figure of the ledger, if it did.

        What was *born* during a load counts from 0.
        """
        totals = [total_change(spot, load, born=born) for load in self.evidence.loads]
        figure = self.figure(spot, totals)
        if figure is None:
            return None
        return self._counted(spot, figure, born=born)

    def change(self, spot: Spot, load: Load) -> float | None:
        """Return by how much all of *spot* moved with a load."""
        return total_change(spot, load)

    def grew(self, spot: Spot, *, born: bool = False) -> bool:
        """Say whether all of *spot* grew with each load."""
        changes = [total_change(spot, load, born=born) for load in self.evidence.loads]
        return all(change is not None and change > 0 for change in changes)

    def changes(self, spot: Spot, wanted: Mapping[str, Any], *, born: bool = False) -> Claim:
        """Return the claim that all of *spot* moved as *wanted*."""
        asks = measured(dict(wanted), spot, sum_up=spot.several, born=born)
        return Claim(Heading.GREW, place_of(spot), asks)

    # Numbers

    def _number(self, spot: Spot) -> Iterator[Claim]:
        place = place_of(spot)
        if spot.metric and spot.name.endswith("_created"):
            return
        if spot.type == "histogram" and spot.name.endswith("_bucket"):
            return  # where an answer falls may differ next time; their order is `conforms`
        if self.restless(spot):
            yield self._kind(spot)
            yield from self._clock(spot)
            yield from self._counted_among_restless(spot)
            return
        counts = list(self._counts(spot)) if self.evidence.loads else []
        if not counts and self.evidence.loads and self.grew(spot) and is_counter(spot):
            wanted = asked_change(spot, {"gt": 0}, type_of(spot))
            counts = [Claim(Heading.GREW, place, wanted)]
        if counts and words.depends(spot.name):
            yield self._kind(spot)
            counts = [claim.doubted("if the prompts of every load do so") for claim in counts]
        if counts:
            yield from counts
            return
        shares = list(self._share(spot))
        yield from shares or self._still(spot)

    def _clock(self, spot: Spot) -> Iterator[Claim]:
        """Yield that a clock runs on."""
        values = [value for value in spot.values if is_number(value)]
        one = len(values) == len(spot.looks) and (spot.metric or not spot.several)
        if one and self.evidence.loads and words.is_instant(spot.name) and values == sorted(values):
            runs = ">" if len({*values}) == len(values) else ">="  # of seconds, or finer
            place = {
                "name": f"{escaped(spot.name)} runs on",
                "expr": f"clock {runs} before(clock)",
                "let": {"clock": bound_to(spot)},
            }
            yield Claim(Heading.RELATED, place)

    def _counts(self, spot: Spot) -> Iterator[Claim]:
        """Yield the claims that something moved by exactly a figure of the ledger."""
        parts = list(self._parts(spot))
        if parts and not spot.several:
            yield from parts
            return
        totals = [total_change(spot, load) for load in self.evidence.loads]
        together = self.figure(spot, totals)
        if together is not None and (together.is_reference or not is_apart(spot)):
            claim = self._counted(spot, together)
            by_reason = not spot.several and words.is_reason(" ".join(spot.within[-1:]))
            yield claim.doubted("if all answers end so") if by_reason else claim
            yield from parts
            return
        alone = list(self._counted_alone(spot)) if spot.several else []
        if alone:
            yield from alone
            if not spot.metric:
                yield self._kind(spot)
        elif together is not None:
            yield self._counted(spot, together)

    def _parts(self, spot: Spot) -> Iterator[Claim]:
        """Yield the claims about what a label, or a key, tells apart as the ledger does."""
        for label, value, part in told_apart(spot):
            text = self._meant(label, value)
            values = [load.figure(*text.split(".")[1:]) or 0 for load in self.evidence.loads]
            changes = [total_change(part, load) for load in self.evidence.loads]
            alone = part.looks == spot.looks and spot.several and text == "load.ok"
            if not text or changes != values or alone:
                continue
            claim = self._counted(part, Figure(text, tuple(values)))
            failures = replace(claim, heading=Heading.FAILURES, severity="warning")
            yield failures if text == "load.failed" else claim

    def _meant(self, label: str, value: str) -> str:
        """Return what of the ledger counts the requests of which *label* is *value*, if it does."""
        if words.is_reason(label) and value in FINISH_REASONS:
            return f"load.finish_reasons.{value}"
        if words.is_outcome(label) and words.is_failure(value):
            return "load.failed"
        good = words.is_outcome(label) and words.is_good(value)
        return "load.ok" if good or (value and value == self.evidence.model) else ""

    def _counted_alone(self, spot: Spot) -> Iterator[Claim]:
        """Yield the claims about single ones of several values; few, or none of them is special."""
        found = {}
        for path in spot.looks[self.evidence.loads[0].after]:
            changes = [change_at(spot, path, load) for load in self.evidence.loads]
            figure = self.figure(spot, changes, path)
            if figure is not None and encodable(path):
                found[path] = figure
        if len(found) <= _MOST_SERIES:
            for path, figure in found.items():
                claim = self._counted(spot, figure, path=path)
                alike = list(found.values()).count(figure) > 1 and _ELEMENT.search(path)
                yield claim.doubted("other elements moved alike: always?") if alike else claim

    def _counted_among_restless(self, spot: Spot) -> Iterator[Claim]:
        """Yield the claims about series that stood still while others were moved by our looks."""
        if not (spot.metric and self.evidence.loads):
            return
        moved = {
            path
            for a, b in self.evidence.idle
            for path, value in spot.looks[b].items()
            if spot.looks[a].get(path, 0) != value
        }
        looks: list[Look] = [
            {path: v for path, v in look.items() if path not in moved} for look in spot.looks
        ]
        yield from self._counted_alone(replace(spot, looks=looks))

    def figure(self, spot: Spot, changes: list[float | None], path: str = "") -> Figure | None:
        """Return the figure of the ledger by which something moved, if there is one."""
        fitting = [f for f in self.figures if list(f.values) == changes]
        named = words.words(f"{' '.join(spot.within)} {spot.name} {path}")
        nearest = words.words(f"{spot.name} {path}")
        return max(
            fitting,
            key=lambda f: (len(f.hint & nearest), len(f.hint & named), -self.figures.index(f)),
            default=None,
        )

    def _counted(self, spot: Spot, figure: Figure, *, path: str = "", born: bool = False) -> Claim:
        """Return the claim that *spot*, or one *path* of it, moved by a figure of the ledger."""
        sum_up = spot.several and not path
        place = {"metric" if spot.metric else "path": self._with_model(path or spot.path)}
        if not (spot.metric or sum_up):
            earlier = [spot.looks[load.before] for load in self.evidence.loads]
            born = any((path or spot.path) not in look for look in earlier)
        if figure.is_reference:
            wanted = {"eq": f"${{{figure.text}}}"}
            integral = {} if spot.metric else {"type": "integer"}
            asks = {**integral, **measured(wanted, spot, sum_up=sum_up, born=born)}
            return Claim(Heading.COUNTED, place, asks, severity="critical")
        where = next(iter(place.values()))
        bound: Any = {"endpoint": HERE, "metric": where} if spot.metric else where
        if born or comes_later(spot):
            bound = {"endpoint": HERE, "path": where, "absent_before": 0}
        change = "sum(delta(counted))" if sum_up and is_many(spot) else "delta(counted)"
        named = {
            "name": f"{escaped(spot.name)} moves by {figure.text}",
            "expr": f"{change} == {figure.text}",
            "let": {"counted": bound},
        }
        return Claim(Heading.COUNTED, named, severity="critical")

    def _share(self, spot: Spot) -> Iterator[Claim]:
        """Yield the bounds of a share; which they are is suggested unless it was seen."""
        sure = words.is_share(spot.name)
        values = [value for value in spot.values if is_number(value)]
        if not (sure or words.may_be_share(spot.name)) or (spot.metric and spot.type == "counter"):
            return
        highest = max(values)
        tops = words.tops(spot.name, highest, spot.help)
        if min(values) < 0 or highest > tops[-1] or (not sure and highest > 1):
            return  # a ratio of other things: a speed-up, say
        claims = [
            Claim(Heading.SHARES, place_of(spot), {"type": "number", "between": [0, top]})
            for top in tops
        ]
        if sure and len(claims) == 1:
            yield from claims
            return
        yield self._kind(spot)
        for top, claim in zip(tops, claims, strict=True):
            yield claim.doubted("a share, in hundredths" if top == _HUNDRED else "a share")

    def _still(self, spot: Spot) -> Iterator[Claim]:
        """Yield what may be claimed of a number that no claim about change fits."""
        place = place_of(spot)
        values = [value for value in spot.values if is_number(value)]
        constant = len(set(values)) == 1 and len(spot.looks) > 1
        if constant and (claims := list(self._constant(spot, values[0]))):
            yield from claims
        elif not self.evidence.loads and looks_counted(spot):
            yield self._kind(spot)
            wanted = asked_change(spot, words.counted(full_name(spot)), {})
            remark = "a counter, by its name; needs a load"
            yield Claim(Heading.SUGGESTED, place, wanted, remark=remark)
        elif is_lasting(spot) and self._positive(spot):
            claim = Claim(Heading.MEASURED, place, {"type": "number", "gt": 0})
            if words.words(f"{spot.name} {' '.join(spot.within)}") & words.WAITS:
                yield self._kind(spot)
                claim = claim.doubted("0 where nothing had to wait?")
            yield claim
        else:
            yield self._kind(spot)

    def _constant(self, spot: Spot, value: float) -> Iterator[Claim]:
        """Yield what may be claimed of a number that was the same at every look."""
        place, named = place_of(spot), words.words(spot.name)
        counter, loads = is_counter(spot), self.evidence.loads
        whole = all(isinstance(v, int) for v in spot.values) and not spot.metric
        if loads and (counter or whole) and words.counts_failures(*spot.within, spot.name):
            wanted = asked_change(spot, {"eq": "${load.failed}"}, {"type": "integer"})
            yield Claim(Heading.FAILURES, place, wanted)
        elif value == 0 and not counter and self._in_flight(spot, named):
            yield Claim(Heading.RETURNED, place, {"eq": 0})
        elif spot.metric and spot.name.endswith("_info"):
            yield Claim(Heading.CONSTANT, place, {"eq": value})
        elif not loads and looks_counted(spot):
            return
        elif value != 0 and is_configured(spot):
            claim = Claim(Heading.CONSTANT, place, {"eq": value})
            if words.is_most_seen(spot.name) and not is_among_settings(spot):
                claim = claim.doubted("if it is a setting, and not the most that there was")
            yield claim
        elif loads and (counter or (whole and value == 0)):
            yield self._kind(spot)
            yield Claim(Heading.SUGGESTED, place, asked_change(spot, {"eq": 0}, {}), remark=_STILL)

    def _in_flight(self, spot: Spot, named: frozenset[str]) -> bool:
        by_name = named & words.IN_FLIGHT and not named & {"rate", "per", "avg", "mean", "max"}
        return bool(by_name) or any(p in self.evidence.stirred for look in spot.looks for p in look)

    def _positive(self, spot: Spot) -> bool:
        finals = [v for i in self.evidence.final for v in spot.looks[i].values()]
        return all(is_number(value) and value > 0 for value in finals)

    def _kind(self, spot: Spot) -> Claim:
        return Claim(Heading.KINDS, place_of(spot), type_of(spot) or {"type": "number"})

    def _with_model(self, path: str) -> str:
        """Return a series or a path; the model in it is the spec's variable."""
        model, text = self.evidence.model, escaped(path)
        if not model or re.search(r"""["'\\$]""", model):
            return text
        text = text.replace(f'="{model}"', '="${vars.model}"')
        return text.replace(f"['{model}']", "['${vars.model}']")
