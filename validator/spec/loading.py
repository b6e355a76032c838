"""From a `load:` block to a load: what is sent and when, what fits together, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from validator.drivers import Connection, Driver
from validator.errors import Problems
from validator.pacing import Arrivals, Burst, Pacer, Stages
from validator.plan import AbortOn, Cancel, LoadPlan, Think, Warmup
from validator.records.load import Slo
from validator.source import Node
from validator.spec.drivers import driver
from validator.spec.load_keys import AbortBlock, CancelBlock, RampStage, ThinkBlock, WarmupBlock
from validator.spec.model import Load, Target
from validator.spec.promises import Promises, implied
from validator.spec.secrets import Secrets
from validator.spec.written import LoadBlock

TIMEOUT: Final = 60.0
"""Seconds that a request has in all, unless the spec says."""

OPEN_LOOP_ROOM: Final = 512
"""In flight at most under a rate, unless the spec says: half of the files a process may usually
have open."""
POISSON: Final = 1.0
"""The burstiness at which gamma arrivals are a Poisson process."""
_OF_STREAMS: Final = ("ttft", "ttfc", "tpot", "itl")


def load(  # noqa: PLR0913 - what is written, and where it goes to
    name: str,
    node: Node,
    promises: Promises,
    target: Target,
    *,
    folder: Path,
    secrets: Secrets,
    problems: Problems,
) -> Load | None:
    """Return the load in *node*; None, and problems, when it is none.

    Files that it names are looked for in *folder*.
    """
    about = [promises.about_load(item, name) for item in node.items("assert")]
    listed = node.at("assert")
    if listed is not None and listed.value == []:
        problems.add(
            "an empty list of assertions",
            listed.span,
            "leave it out: success_rate ≥ 0.9 is implied",
        )
    written = LoadBlock.of(node)
    if written is None:
        return None
    connection = Connection(target.url, target.api_key, written.timeout or TIMEOUT)
    sender = driver(written, node, connection, folder, secrets, problems)
    found = None if sender is None else _plan(written, node, sender, problems)
    if found is None:
        return None
    success_rate, some_ok, not_aborted = implied(name)
    assertions = [assertion for assertion in about if assertion is not None] or [success_rate]
    aborting = (not_aborted,) if found.abort_on else ()
    return Load(
        plan=found,
        name=name,
        assertions=(*assertions, some_ok, *aborting),
        span=node.span,
    )


def _plan(written: LoadBlock, node: Node, driver: Driver, problems: Problems) -> LoadPlan | None:
    """Return the plan that a `load:` block asks for; None, and problems, when it makes no sense."""
    found = tuple(_nonsense(written, driver))
    for key, message, hint in found:
        problems.add(message, node.place(key), hint)
    if found:
        return None
    ramp = tuple((stage.over, stage.to) for stage in written.ramp or ())
    room = None
    concurrency = written.concurrency or (OPEN_LOOP_ROOM if written.rate else 1)
    if ramp and not written.rate:
        room = Stages(concurrency, ramp)
        concurrency = int(room.most)
    return LoadPlan(
        driver,
        written.requests,
        concurrency,
        duration=written.duration,
        pacer=_pacer(written, ramp),
        room=room,
        think=_think(written.think, written.seed or 0),
        warmup=_warmup(written.warmup),
        cancel=_cancel(written.cancel, written.seed or 0),
        abort_on=_abort_on(written.abort_on),
        slo=None if written.slo is None else Slo(written.slo.given()),
    )


def _pacer(written: LoadBlock, ramp: tuple[tuple[float, float], ...]) -> Pacer:
    if written.rate is None:
        return Burst()
    rate = Stages(written.rate.per_second, ramp)
    burstiness = {"poisson": POISSON, "gamma": written.rate.burstiness}
    return Arrivals(rate, burstiness.get(written.rate.arrivals), written.seed or 0)


def _warmup(written: WarmupBlock | None) -> Warmup | None:
    return None if written is None else Warmup(written.requests, written.duration)


def _cancel(written: CancelBlock | None, seed: int) -> Cancel | None:
    return None if written is None else Cancel(written.share, written.after, seed)


def _think(written: ThinkBlock | None, seed: int) -> Think | None:
    if written is None:
        return None
    if written.mean is not None:
        return Think(mean=written.mean, seed=seed)
    if written.pause is not None:
        return Think(written.pause, written.pause, seed=seed)
    return Think(written.min or 0.0, written.max, seed=seed)


def _abort_on(written: AbortBlock | None) -> AbortOn | None:
    if written is None:
        return None
    more = {} if written.after is None else {"after": written.after}
    return AbortOn(written.failed, written.failed_share, consecutive=written.consecutive, **more)


def _nonsense(written: LoadBlock, driver: Driver) -> Iterator[tuple[str, str, str]]:
    """Yield the key, what is wrong there, and what to do, of all that does not fit together."""
    if written.requests is None and written.duration is None:
        yield "", "the load needs requests: or duration:, or it would never end", ""
    yield from _rate_nonsense(written)
    yield from _ramp_nonsense(written)
    if written.think is not None:
        yield from _think_nonsense(written.think, has_rate=written.rate is not None)
    if written.warmup is not None and not written.warmup.given():
        yield "warmup", "a warmup needs requests: or duration:", "such as {requests: 10}"
    yield from _stream_nonsense(written, driver)
    if written.abort_on is not None:
        limits = written.abort_on.given()
        if not limits.keys() - {"after"}:
            hint = "such as {failed: 20}"
            yield "abort_on", "abort_on needs failed, failed_share or consecutive", hint
        elif "after" in limits and "failed_share" not in limits:
            yield "abort_on", "after: goes with failed_share:", "add failed_share, such as 0.5"


def _stream_nonsense(written: LoadBlock, driver: Driver) -> Iterator[tuple[str, str, str]]:
    if written.cancel is not None and not getattr(driver, "stream", False):
        yield "cancel", "only a stream can be cut off after a number of events", "use stream: true"
    if written.slo is not None:
        limits = written.slo.given()
        if not limits:
            yield "slo", "an SLO needs a limit", "such as {ttft: 500ms}"
        of_streams = [name for name in _OF_STREAMS if name in limits]
        if of_streams and not getattr(driver, "stream", False):
            names = ", ".join(of_streams)
            yield "slo", f"{names}: only a stream has them, and this load has none", "use latency"


def _rate_nonsense(written: LoadBlock) -> Iterator[tuple[str, str, str]]:
    rate = written.rate
    if rate is None:
        return
    if rate.arrivals == "gamma" and rate.burstiness is None:
        yield "rate", "gamma arrivals need a burstiness", "1 is poisson, less comes in bursts"
    if rate.arrivals != "gamma" and rate.burstiness is not None:
        yield "rate", "burstiness: goes with arrivals: gamma", ""
    if rate.burstiness == 0:
        yield "rate", "burstiness: expected a number above 0", ""
    if rate.per_second == 0 and not written.ramp:
        yield "rate", "at a rate of 0 nothing is ever sent", "give a rate above 0, or a ramp"


def _ramp_nonsense(written: LoadBlock) -> Iterator[tuple[str, str, str]]:
    stages: list[RampStage] = written.ramp or []
    if not stages:
        return
    if written.rate is None:
        if any(stage.to != int(stage.to) or stage.to < 1 for stage in stages):
            hint = "or add rate:, for the ramp to be of the rate"
            yield "ramp", "to: a concurrency is a whole number of at least 1", hint
    elif stages[-1].to == 0 and written.duration is None:
        yield "ramp", "at a rate of 0 the load would never end", "add duration:"


def _think_nonsense(think: ThinkBlock, *, has_rate: bool) -> Iterator[tuple[str, str, str]]:
    given = set(think.given())
    if has_rate:
        hint = "leave out one of the two"
        yield "think", "think: pauses between requests, and under a rate nothing waits", hint
    if given not in ({"pause"}, {"mean"}, {"max"}, {"min", "max"}):
        yield "think", "think: expected a duration, {min, max} or {mean}", "such as think: 500ms"
    elif "min" in given and think.min > think.max:
        yield "think", "think: min is longer than max", ""
