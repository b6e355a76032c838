"""What must hold between several values of a page, and between them and the client. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from validator.drafting import words
from validator.drafting.claims import Claim, Heading
from validator.drafting.deciding import Decider
from validator.drafting.lookups import lookups
from validator.drafting.moves import is_many
from validator.drafting.places import bound_to, encodable, escaped, place_of, whole_of
from validator.drafting.spots import Spot
from validator.values import is_number

_ROOM = 0.9
"""What came closer to its bound than this is no ground for a claim: a server may be a little
longer busy with an answer than its client waits for it."""


def relations(places: Sequence[Spot], decider: Decider) -> Iterator[Claim]:
    """Yield what may be claimed of values together."""
    if not decider.evidence.loads:
        return
    for beside in _together(places):
        yield from _longest(beside, decider)
        yield from _means(beside, decider)
    for one in lookups(places):
        yield from one.claims(decider)


def _together(places: Sequence[Spot]) -> list[list[Spot]]:
    """Return the numbers that stand beside one another in an object or a family of metrics."""
    found: dict[str, list[Spot]] = {}
    for spot in places:
        if spot.kinds == {"number"} and encodable(spot.path):
            whole = words.family(spot.name) if spot.metric else whole_of(spot)
            found.setdefault(whole, []).append(spot)
    return list(found.values())


def _means(beside: Sequence[Spot], decider: Decider) -> Iterator[Claim]:
    """Yield that what was measured of requests took no time, and no longer than the requests."""
    for took in beside:
        unit = words.milliseconds(took.name, *reversed(took.within))
        if unit is None or not words.is_sum(took.name) or (took.several and not took.metric):
            continue
        if took.type in ("histogram", "summary") and not took.name.endswith("_sum"):
            continue  # a quantile or a bucket, of which the family's name may say total
        for count in beside:
            if words.is_count(count.name) and decider.counted(count) is not None:
                yield from _mean(took, count, unit, decider)


def _longest(beside: Sequence[Spot], decider: Decider) -> Iterator[Claim]:
    """Yield that no time that is told is longer than the longest request."""
    told = [spot for spot in beside if _tells_time(spot) and not decider.restless(spot)]
    for spot in [spot for spot in told if words.is_most(spot.name)] or told:
        unit = words.milliseconds(spot.name, *reversed(spot.within)) or 1
        shares = [
            value * unit / longest if is_number(value) and longest else 0
            for load in decider.evidence.loads
            for longest in (load.figure("wall_ms", "max"),)
            for value in spot.looks[load.after].values()
        ]
        if not all(0 < share <= 1 for share in shares):
            continue
        first = spot.looks[decider.evidence.loads[0].before]
        counted_from_0 = first.get(spot.path) == 0
        if words.is_most(spot.name) and counted_from_0 and max(shares) <= _ROOM:
            # It may be of an earlier request, and is told before the load then.
            yield _bounded(spot, f"took <= max(before(took), load.wall_ms.max{_in(unit)})")
            continue
        remark = "no server takes longer than its client sees, if this is of one load only"
        if unit == 1:
            asks = {"le": "${load.wall_ms.max}"}
            yield Claim(Heading.SUGGESTED, place_of(spot), asks, remark=remark)
        else:
            longest_told = "max(took)" if spot.several else "took"
            expr = f"{longest_told} <= load.wall_ms.max{_in(unit)}"
            yield _bounded(spot, expr).doubted(remark)


def _tells_time(spot: Spot) -> bool:
    """Say whether it is a mean, a percentile or an extreme of times."""
    if words.milliseconds(spot.name, *reversed(spot.within)) is None:
        return False
    if spot.metric and (spot.type == "histogram" or spot.name.endswith(("_sum", "_count"))):
        return False
    ladder = words.quantile(spot.name) or spot.path.endswith(".*") or spot.type == "summary"
    return bool(ladder) or words.extent(spot.name) is not None


def _bounded(spot: Spot, expr: str) -> Claim:
    name = f"{escaped(spot.path)} is no longer than a request"
    return Claim(Heading.MEASURED, {"name": name, "expr": expr, "let": {"took": bound_to(spot)}})


def _mean(took: Spot, count: Spot, unit: float, decider: Decider) -> Iterator[Claim]:
    several = took.metric and is_many(took)
    measured = words.family(took.name) if took.metric else took.name
    mean = "sum(delta(took)) / sum(delta(count))" if several else "delta(took) / delta(count)"
    claim = Claim(
        Heading.MEASURED,
        {
            "name": f"the mean of {escaped(measured)} is no longer than a request",
            "expr": f"0 < {mean} <= load.wall_ms.max{_in(unit)}",
            "let": {"took": bound_to(took), "count": bound_to(count)},
        },
    )
    shares = []
    for load in decider.evidence.loads:
        changes = [decider.change(spot, load) for spot in (took, count)]
        longest = load.figure("wall_ms", "max")
        if None in changes or not longest or not changes[1]:
            return
        shares.append((changes[0] or 0) * unit / (changes[1] or 0) / longest)
    if all(0 < share <= _ROOM for share in shares):
        yield claim
    elif all(0 < share <= 1 for share in shares):
        yield claim.doubted("close to it when looked at")


def _in(unit: float) -> str:
    """Return how to turn milliseconds into a unit of so many."""
    return f" / {unit:g}" if unit > 1 else f" * {1 / unit:g}" if unit < 1 else ""
