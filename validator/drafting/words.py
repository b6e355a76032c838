"""What the name of a field suggests: guesses, which are held against what was seen."""

from __future__ import annotations

import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^a-z0-9]+")


def words(name: str) -> frozenset[str]:
    """Return the words of a name: `maxQueueSize` and `max_queue_size` have the same."""
    return frozenset(_parts(name))


def _parts(name: str) -> list[str]:
    return list(filter(None, _SPLIT.split(_CAMEL.sub("_", name).lower())))


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


COUNTS = _set(
    "total count counts requests tokens hits misses errors failures failed succeeded successful"
    " success rejected dropped aborted completed processed sent received sum num number responses"
    " calls streams"
)
CONFIGURED = _set(
    "max min limit limits capacity size workers replicas version model name device devices dtype"
    " backend port host block blocks layers heads window timeout budget quota enabled config"
    " configured world gpus num tier plan unit units"
)
IN_FLIGHT = _set(
    "active running waiting pending inflight flight queued queue current ongoing open busy"
    " concurrent concurrency depth"
)
WAITS = _set("queue queued queueing queuing wait waiting waited delay pending")
DURATIONS = _set(
    "latency duration ttft itl tpot ttfc seconds secs ms milliseconds elapsed time delay"
)
_INSTANTS = _set(
    "timestamp ts epoch created updated started start last first time now at date since uptime age"
)
_FAILURES = _set(
    "error errors fail fails failed failure failures bad ko nok unsuccessful rejected rejections"
    " refused dropped aborted crashed faults"
)
_NO_COUNT = _set("rate ratio per avg mean last code type threshold max min limit budget level")
PROMPT = _set("prompt input prefill")
COMPLETION = _set("completion output generation generated decode")
_PERCENT = _set("percent percentage pct perc")
_OF_ANYTHING = _set("cpu change growth increase delta overhead speedup gain")
"""Of which there may be more than 100 %: of several processors, or of what was before."""
_FRACTIONS = _set("fraction share")
_BUSY = _set("utilization utilisation util occupancy")
_RATES = _set("hit success miss acceptance accept")
_RATIOS = _RATES | _set("error failure cache busy idle used free full reuse")
_DOUBTED = _set("ratio usage efficiency")
_AMOUNTS = _set("tokens bytes kb mb gb kib mib gib requests count total")
_RUNTIME = re.compile(r"(?:process|python|go|promhttp|jvm|nodejs)_")


def is_share(name: str) -> bool:
    """Say whether the name is that of a share of a whole: `hit_rate`, `busyRatio`, `used_pct`.

    A ratio may be one of two things of which neither is a part of the other, and a share of more
    than there is at a time, as of several processors.
    """
    found = words(name)
    if is_percent(name):
        return not found & _OF_ANYTHING
    of_one = ("rate" in found and len(found & _RATES) == 1) or (
        "ratio" in found and len(found & _RATIOS) == 1
    )
    return of_one or bool(found & (_FRACTIONS | _BUSY))


def may_be_share(name: str) -> bool:
    """Say whether the name may be that of a share, or of something else."""
    found = words(name)
    return is_percent(name) or (bool(found & _DOUBTED) and not found & _AMOUNTS)


_OF_ONE = re.compile(
    r"\b1(?:\.0)? (?:means|is|=) 100\b|\b0(?:\.0)? ?(?:-|to|and|,|\.\.) ?1(?:\.0)?\b"
)


def tops(name: str, highest: float, about: str = "") -> tuple[int, ...]:
    """Return what a share of this name, of which *highest* was seen, may be at most.

    What a page says *about* it counts for more than its name: some call a share of 1 `perc`.
    """
    if highest <= 1 and _OF_ONE.search(about):
        return (1,)
    if is_percent(name) or highest > 1:
        return (100,)
    says_one = words(name) & (_FRACTIONS | {"ratio"})
    return (1,) if says_one and highest > 0 else (1, 100)


def is_percent(name: str) -> bool:
    """Say whether the name says that a share is counted in hundredths."""
    return bool(words(name) & _PERCENT) or name.endswith("%")


def is_instant(name: str) -> bool:
    """Say whether the name is that of a moment or an age, which differ at every look."""
    found = words(name)
    return bool(found & _INSTANTS) and not (found & {"first", "last"} and "token" in found)


def counted(name: str) -> dict[str, str | int]:
    """Return by what a counter of this name may move under a load; by something, if none knows."""
    found = words(name)
    if found & DURATIONS and not found & {"count"}:
        return {"gt": 0}  # a sum of times
    if depends(name):
        return {"gt": 0}
    if found & _FAILURES:
        return {"eq": "${load.failed}"}
    if "tokens" not in found:
        return {"eq": "${load.ok}"}
    if found & PROMPT:
        return {"eq": "${load.tokens.prompt}"}
    return {"eq": "${load.tokens.completion}"} if found & COMPLETION else {"gt": 0}


_NOTHING_TOOK = _set(
    "timestamp created updated started since uptime age date now timeout limit budget window"
    " interval deadline quota config configured rate"
)
_RATE = re.compile(r"per_(?:s|sec|secs|second|seconds|ms|minute)(?:_|$)")
_UNITS = {
    1000.0: _set("s sec secs second seconds"),
    1.0: _set("ms msec millis millisecond milliseconds"),
    0.001: _set("us usec micros microsecond microseconds"),
}


def milliseconds(*names: str) -> float | None:
    """Return how many milliseconds the unit has that the first of *names* tells, if one does.

    A moment, an age and a setting are no time that something took, nor is a rate.
    """
    for name in names:
        found = words(name)
        if found & _NOTHING_TOOK or _RATE.search("_".join(_parts(name))):
            return None
        for unit, called in _UNITS.items():
            if found & called:
                return unit
    return None


def is_sum(name: str) -> bool:
    """Say whether the name is that of a sum."""
    return bool(words(name) & {"sum", "total"})


def is_count(name: str) -> bool:
    """Say whether the name is that of how many were measured."""
    return bool(words(name) & {"count", "n", "samples"})


_FAMILY = re.compile(r"_(?:sum|count|bucket)$")


def family(name: str) -> str:
    """Return the name of the family that a metric of a histogram or summary is of."""
    return _FAMILY.sub("", name)


def counts_failures(*names: str) -> bool:
    """Say whether the last of *names*, or what a bare `count` is of, is that of failures."""
    *above, name = names
    found = words(name)
    if above and found <= {"count", "total", "n", "num"}:
        found |= words(above[-1])
    return bool(found & _FAILURES) and not found & _NO_COUNT


_HITS, _MISSES = _set("hit hits"), _set("miss misses")
_LOOKUPS = _set("lookup lookups query queries accesses checks")
_OF_LOOKUPS = _set("total count num number counts requests")
_CHANCES = _set("evicted evictions preempted preemptions retried retries reused")
_OF_RATE = _set("rate ratio") | _PERCENT


def is_lookup(name: str) -> bool:
    """Say whether the name is that of how often something was looked up."""
    return bool(words(name) & _LOOKUPS)


def lookup_role(name: str) -> tuple[str, str] | None:
    """Return which number about hits the name is that of, and the rest of the name."""
    found = words(name)
    roles = {
        "rate": found & _HITS and found & _OF_RATE,
        "hits": found & _HITS,
        "misses": found & _MISSES,
        "lookups": found & (_LOOKUPS | _OF_LOOKUPS),
    }
    role = next((role for role, fits in roles.items() if fits), None)
    if role is None or (found & _HITS and found & _MISSES):
        return None
    left = _HITS | _MISSES | _LOOKUPS | _OF_LOOKUPS | _OF_RATE
    return role, "_".join(part for part in _parts(name) if part not in left)


def depends(name: str) -> bool:
    """Say whether the name is that of something that the prompts of a load decide."""
    return bool(words(name) & (_HITS | _MISSES | _CHANCES))


_IDENTITIES = _set("id uuid rank")


def is_identity(name: str, holder: str) -> bool:
    """Say whether the name tells elements of *holder* apart: `id`, or `worker_id` of `workers`."""
    found, of = words(name), words(holder)
    own = of | {word.removesuffix("s") for word in of}
    return bool(found & _IDENTITIES) and found - _IDENTITIES <= own


_REASONS = _set("reason reasons finish finished")
_OUTCOMES = _set("status statuses outcome outcomes result results code codes")
_OF_REQUEST = _set(
    "handler route path endpoint method verb user users team org key caller client tenant"
)
_GOOD = _set("ok success succeeded successful completed 200 2xx")


def is_reason(label: str) -> bool:
    """Say whether a label or an object tells why answers ended."""
    return bool(words(label) & _REASONS)


def is_outcome(label: str) -> bool:
    """Say whether a label or an object tells how requests went."""
    return bool(words(label) & _OUTCOMES)


def is_of_request(label: str) -> bool:
    """Say whether a label tells where a request went or who sent it, of which there are more."""
    return bool(words(label) & _OF_REQUEST)


def keeps_by_name(holder: str) -> bool:
    """Say whether an object has a number for each of what its keys name: `by_model`, `perUser`."""
    return bool(words(holder) & {"by", "per"})


def is_good(value: str) -> bool:
    """Say whether an outcome is a good one."""
    return value.lower() in _GOOD


def is_failure(value: str) -> bool:
    """Say whether an outcome is a bad one."""
    return bool(words(value) & _FAILURES)


def is_runtime(name: str) -> bool:
    """Say whether a Prometheus metric is one of those that client libraries add by themselves."""
    return _RUNTIME.match(name) is not None


_BOUNDS = _set(
    "le lt upper lower bound bounds boundary boundaries edge edges max min to from until high low"
    " bucket buckets threshold thresholds ge gt"
)
_TALLIES = _set("count counts n num value values cumulative samples observations total hits")
_HISTOGRAMS = _set("histogram histograms hist bucket buckets distribution")
_BOUND = re.compile(r"(?:le|lt|<=?|≤)?_?(\+?inf(?:inity)?|\d+(?:\.\d+)?)(us|ms|s)?")
_SECONDS = {None: 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def is_bound(name: str) -> bool:
    """Say whether the name may be that of the bound of a bucket."""
    return bool(words(name) & _BOUNDS)


def is_tally(name: str) -> bool:
    """Say whether the name may be that of how much is in a bucket."""
    return bool(words(name) & _TALLIES)


def is_histogram(name: str) -> bool:
    """Say whether the name is that of a histogram."""
    return bool(words(name) & _HISTOGRAMS)


def bound(text: str) -> float | None:
    """Return the bound of a bucket that is a text: `0.5`, `le_100ms`, `+Inf`; seconds by its unit.

    Bounds of one histogram can be compared if all have a unit, or none has.
    """
    found = _BOUND.fullmatch(text.lower())
    return float(found[1]) * _SECONDS[found[2]] if found else None


_QUANTILE = re.compile(
    r"(?P<before>.*?)(?:(?<![a-zA-Z0-9])|^)p(?P<digits>\d{1,4})(?:[._](?P<more>\d+))?"
    r"(?P<after>(?![a-zA-Z0-9]).*)"
)
_EXTENTS = {
    "min": 0, "minimum": 0, "mean": 1, "avg": 1, "average": 1, "max": 2, "maximum": 2,
}  # fmt: skip
_SIZES = {"", "size", "depth", "length", "value", "count", "usage", "load"}
_BARE = re.compile(r"\d{1,3}(?:\.\d+)?")


def quantile(key: str) -> tuple[str, str, float] | None:
    """Return what stands around a percentile in *key*, and which it is: `p50_ms`, `ttft_p99`."""
    if _BARE.fullmatch(key) and float(key) <= 100:  # noqa: PLR2004 - per cent
        return "", "bare", float(key)
    found = _QUANTILE.fullmatch(key)
    if found is None:
        return None
    digits = found["digits"]
    whole, rest = digits[:2], digits[2:] + (found["more"] or "")
    if digits == "100":
        whole, rest = digits, ""
    return found["before"], found["after"], float(f"{whole}.{rest or 0}")


def extent(key: str) -> tuple[str, int] | None:
    """Return what a key is the least, mean or greatest of, and which: `avg_ms`, `maxLatency`."""
    parts = _parts(key)
    found = [part for part in parts if part in _EXTENTS]
    if len(found) != 1:
        return None
    return "_".join(part for part in parts if part not in _EXTENTS), _EXTENTS[found[0]]


def is_most(key: str) -> bool:
    """Say whether a key is that of the greatest."""
    found = extent(key)
    return found is not None and found[1] == _EXTENTS["max"]


def is_most_seen(key: str) -> bool:
    """Say whether a key may be that of the greatest size that there was, and no setting."""
    found = extent(key)
    return is_most(key) and found is not None and found[0] in _SIZES
