"""Hits, misses, lookups and the rate of hits: what must hold between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from validator.drafting import words
from validator.drafting.claims import Claim, Heading
from validator.drafting.deciding import Decider
from validator.drafting.places import bound_to, encodable, escaped, whole_of
from validator.drafting.spots import Look, Spot
from validator.expressions import compile_expression
from validator.values import is_number

_TERM = re.compile(r"delta\((\w+)\)|\b(?:hits|misses|lookups|rate)\b")
_NEAR = 0.01
"""How far a rate may lie from what it is the rate of: it is rounded when it is shown."""
_TWICE = 2


@dataclass(frozen=True, slots=True)
class Lookups:
    """What is told of one cache, or of something else in which a thing is found or not."""

    told: dict[str, Spot]
    """By `hits`, `misses`, `lookups` and `rate`."""

    def claims(self, decider: Decider) -> Iterator[Claim]:
        """Yield what holds between them."""
        told = self.told
        if not decider.evidence.loads or any(map(decider.restless, told.values())):
            return
        if {"hits", "misses", "lookups"} <= told.keys() and self._held("hits + misses == lookups"):
            yield self._claim("hits + misses == lookups")
        elif {"hits", "misses"} <= told.keys():
            yield from self._counted(decider)
        elif {"hits", "lookups"} <= told.keys() and self._held("hits <= lookups"):
            claim = self._claim("hits <= lookups")
            sure = words.is_lookup(told["lookups"].name)
            yield claim if sure else claim.doubted("if it is these that are looked up")
        if {"hits", "rate"} < told.keys():
            yield from self._rate()

    def _counted(self, decider: Decider) -> Iterator[Claim]:
        changes = [
            [decider.change(self.told[name], load) for name in ("hits", "misses")]
            for load in decider.evidence.loads
        ]
        sums = [None if None in both else sum(map(float, filter(None, both))) for both in changes]
        figure = decider.figure(self.told["hits"], sums)
        if figure is not None:
            relation = f"delta(hits) + delta(misses) == {figure.text}"
            yield self._claim(relation, Heading.COUNTED, severity="critical")

    def _rate(self) -> Iterator[Claim]:
        whole = "lookups" if "lookups" in self.told else "(hits + misses)"
        for share, near in (("hits", _NEAR), ("100 * hits", 100 * _NEAR)):
            relation = f"abs(rate * {whole} - {share}) <= {near:g} * {whole}"
            if self._held(relation):
                rates = {v for v in self.told["rate"].values if is_number(v) and v > 0}
                claim = self._claim(relation)
                sure = len(rates) >= _TWICE
                yield claim if sure else claim.doubted("it held, at only one rate")
                return

    def _held(self, relation: str) -> bool:
        """Say whether a relation held at every look, and something was found at one."""
        looks = [
            {name: _sum(spot.looks[i]) for name, spot in self.told.items()}
            for i in range(len(self.told["hits"].looks))
        ]
        if any(None in look.values() for look in looks) or not any(look["hits"] for look in looks):
            return False
        expression = compile_expression(relation)
        return all(expression.holds(look) for look in looks)

    def _claim(
        self, relation: str, heading: Heading = Heading.RELATED, severity: str = "warning"
    ) -> Claim:
        names = {term.name for term in compile_expression(relation).terms} - {"load"}
        used = {name: spot for name, spot in self.told.items() if name in names}
        several = any(len(look) > 1 for spot in used.values() for look in spot.looks)
        place = {
            "name": f"{escaped(self.told['hits'].name)}: {relation}",
            "expr": _TERM.sub(r"sum(\g<0>)", relation) if several else relation,
            "let": {name: bound_to(spot) for name, spot in used.items()},
        }
        return Claim(heading, place, severity=severity)


def lookups(places: Sequence[Spot]) -> Iterator[Lookups]:
    """Yield what is told about hits, put together by its place and the rest of its name."""
    found: dict[tuple[str, str], dict[str, list[Spot]]] = {}
    for spot in places:
        if spot.kinds == {"number"} and encodable(spot.path) and (spot.metric or not spot.several):
            named = words.lookup_role(spot.name)
            if named is not None:
                role, rest = named
                key = "" if spot.metric else whole_of(spot), rest
                found.setdefault(key, {}).setdefault(role, []).append(spot)
    for by_role in found.values():
        told = {role: spots[0] for role, spots in by_role.items() if len(spots) == 1}
        if "hits" in told and len(told) > 1:
            yield Lookups(told)


def _sum(look: Look) -> float | None:
    numbers = [value for value in look.values() if is_number(value)]
    return sum(numbers) if numbers else None
