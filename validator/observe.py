"""Look at endpoints, and wait for their counters to stop moving.

Looking never fails: what could not be read is a snapshot that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from validator.decoders import ACCEPT, DECODERS
from validator.errors import ProbeError
from validator.probes.base import Probe
from validator.probes.http import HttpProbe, Session, session, whole_url
from validator.probes.websocket import WebSocketProbe
from validator.records.observation import Payload, Settled, Snapshot, Unreadable
from validator.spec.model import Endpoint, Settle, Target
from validator.values import Json, printable

Clock: TypeAlias = Callable[[], float]
"""Monotonic seconds since the run began."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

Snapshots: TypeAlias = Mapping[str, Snapshot]
"""By endpoint id."""

Fingerprint: TypeAlias = Callable[[Snapshots], Mapping[str, Hashable]]
"""Picks out, by endpoint id, the values that deltas ask about."""

Content: TypeAlias = Callable[[Snapshots], Collection[str]]
"""Names the endpoints whose deltas all hold."""

_AT_ONCE = 16
_LARGE = 1024 * 1024
_SHORTEST_PAUSE = 0.01
_MOST_SAMPLES = 5000
_QUOTED = 120
_NOTHING = object()


class Reader(Protocol):
    """Something that reads one endpoint, in less than its own timeout if *within* is less."""

    async def read(self, endpoint: Endpoint, *, within: float | None = None) -> Snapshot:
        """Read *endpoint* once; never raises but for cancellation."""
        ...


@asynccontextmanager
async def watching(
    target: Target, clock: Clock, hide: Callable[[str], str] = str
) -> AsyncIterator[Observer]:
    """Open what the reads of one run share; *hide* takes secrets out of a text."""
    async with session() as opened:
        yield Observer(opened, target, clock, hide)


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads the endpoints of one target."""

    session: Session
    target: Target
    clock: Clock
    hide: Callable[[str], str] = str

    async def look(
        self, endpoints: Sequence[Endpoint], *, sequential: bool = False
    ) -> dict[str, Snapshot]:
        """Read every endpoint once: all at the same time, or in order if *sequential*.

        Those marked `read_last` come after all others, one by one.
        """
        first = [endpoint for endpoint in endpoints if not endpoint.read_last]
        last = [endpoint for endpoint in endpoints if endpoint.read_last]
        found = await _each(first, self.read, at_once=1 if sequential else _AT_ONCE)
        found |= await _each(last, self.read, at_once=1)
        return {endpoint.id: found[endpoint.id] for endpoint in endpoints}

    async def read(self, endpoint: Endpoint, *, within: float | None = None) -> Snapshot:
        """Read *endpoint* once; never raises but for cancellation."""
        taken = self.clock()
        status: int | None = None
        size = 0
        document: Json = None
        error: Unreadable | None = None
        try:
            payload = await self._probe(endpoint, within).fetch()
            status, size = payload.status, len(payload.body)
            _check_status(payload, endpoint.statuses, self.hide)
            document = await _decoded(payload, endpoint)
        except ProbeError as failure:
            error = Unreadable(failure.cause, str(failure))
        spent = self.clock() - taken
        return Snapshot(endpoint.id, document, error, status, taken, spent, size=size)

    def _probe(self, endpoint: Endpoint, within: float | None) -> Probe:
        # By lower case: what an endpoint says about a header replaces what the target says.
        url = whole_url(self.target.url, endpoint.path)
        here = urlsplit(url).hostname == urlsplit(self.target.url).hostname
        headers = {
            name.lower(): (name, value)
            for name, value in (
                ("Accept", ACCEPT[endpoint.decoder]),
                *(self.target.headers if here else ()),  # which may be secrets
                *endpoint.headers,
            )
        }
        timeout = endpoint.timeout if within is None else min(endpoint.timeout, within)
        if endpoint.method == "WEBSOCKET":
            assert endpoint.collect is not None
            del headers["accept"]
            return WebSocketProbe(
                url,
                endpoint.collect,
                messages=endpoint.messages,
                headers=tuple(headers.values()),
                timeout=timeout,
                max_bytes=endpoint.max_bytes,
            )
        return HttpProbe(
            self.session,
            url,
            method=endpoint.method,
            headers=tuple(headers.values()),
            body=endpoint.body,
            timeout=timeout,
            max_bytes=endpoint.max_bytes,
            collect=endpoint.collect,
            follow=not any(300 <= status < 400 for status in endpoint.statuses),  # noqa: PLR2004 - the redirects of HTTP
        )


@asynccontextmanager
async def sampling(
    observer: Reader, endpoints: Sequence[Endpoint], *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[dict[str, list[Snapshot]]]:
    """Sample every endpoint that asks for it for as long as the block lasts.

    A sample that takes longer than the time between two delays the next: reads never pile up.
    """
    samples: dict[str, list[Snapshot]] = {e.id: [] for e in endpoints if e.during is not None}

    async def sample(endpoint: Endpoint, every: float) -> None:
        while len(samples[endpoint.id]) < _MOST_SAMPLES:
            samples[endpoint.id].append(snapshot := await observer.read(endpoint))
            await sleep(max(every - snapshot.elapsed, _SHORTEST_PAUSE))

    tasks = [
        asyncio.create_task(sample(endpoint, endpoint.during))
        for endpoint in endpoints
        if endpoint.during is not None
    ]
    try:
        yield samples
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def settle(  # noqa: PLR0913 - what to watch, how long, what counts, and the world
    observer: Reader,
    endpoints: Sequence[Endpoint],
    plan: Settle,
    *,
    fingerprint: Fingerprint,
    content: Content,
    clock: Clock,
    restless: Fingerprint = lambda _: {},
    sleep: Sleep = asyncio.sleep,
    sequential: bool = False,
) -> Settled:
    """Poll *endpoints* until their values are still and every delta holds, or time is up.

    Of what *restless* picks out it is only reported whether it moves. An endpoint that hangs costs
    its timeout once and is not polled again; nor are those marked `read_last` ever.
    """
    began = clock()
    deadline = began + plan.within
    watched = {e.id: Stillness(plan.stable_for) for e in endpoints if not e.read_last}
    reported = {name: Stillness(plan.stable_for) for name in watched}
    polled = [endpoint for endpoint in endpoints if endpoint.id in watched]
    latest: dict[str, Snapshot] = {}
    satisfied: set[str] = set()
    polls = 0

    async def read(endpoint: Endpoint) -> Snapshot | None:
        left = deadline - clock()
        if left <= 0:
            return None
        snapshot = await observer.read(endpoint, within=left)
        # Cut off by our own deadline: that says nothing about the endpoint.
        return None if left < endpoint.timeout and _timed_out(snapshot) else snapshot

    while polled and clock() < deadline:
        due = clock() + plan.every
        seen = await _each(polled, read, at_once=1 if sequential else _AT_ONCE)
        polls += 1
        latest |= seen
        values, others = fingerprint(latest), restless(latest)
        for name, snapshot in seen.items():
            if snapshot.error is None:
                watched[name].see(snapshot.taken, values.get(name))
                reported[name].see(snapshot.taken, str(others.get(name)))
            else:
                watched[name].lose_sight()
        satisfied = {name for name in content(latest) if name in watched and watched[name].seen}
        polled = [e for e in polled if e.id not in seen or not _timed_out(seen[e.id])]
        if all(e.id in satisfied and watched[e.id].still for e in polled):
            break
        now = clock()
        await sleep(max(min(max(due - now, _SHORTEST_PAUSE), deadline - now), 0))

    moving = [name for name in watched if watched[name].moving or reported[name].moving]
    return Settled(
        settled=not moving and all(one.seen for one in watched.values()),
        elapsed=clock() - began,
        polls=polls,
        waiting_for=tuple(
            name for name, one in watched.items() if name not in satisfied or one.moving
        ),
        moving=tuple(moving),
    )


@dataclass(slots=True)
class Stillness:
    """How long one endpoint's values have been the same, told one look after another."""

    stable_for: float
    _at: float = 0.0
    _values: Hashable = _NOTHING
    _since: float | None = None
    _moved: float | None = None

    def see(self, at: float, values: Hashable) -> None:
        """Take in what a look at instant *at* found."""
        if self._values not in (_NOTHING, values):
            self._since = self._moved = at
        elif self._since is None:
            self._since = at
        self._at, self._values = at, values

    def lose_sight(self) -> None:
        """Take in that a look found nothing: who knows what it did meanwhile."""
        self._since = None

    @property
    def seen(self) -> bool:
        """Whether the last look found something."""
        return self._since is not None

    @property
    def still(self) -> bool:
        """Whether the values have been seen to be the same for long enough."""
        return self._since is not None and self._at - self._since >= self.stable_for

    @property
    def moving(self) -> bool:
        """Whether the values were seen to change, and not long enough ago."""
        return self._moved is not None and self._at - self._moved < self.stable_for


async def _each(
    endpoints: Sequence[Endpoint],
    read: Callable[[Endpoint], Awaitable[Snapshot | None]],
    *,
    at_once: int,
) -> dict[str, Snapshot]:
    """Read all *endpoints*, in order if one *at_once*; leave out those that gave None."""
    turns = asyncio.Semaphore(at_once)

    async def in_turn(endpoint: Endpoint) -> Snapshot | None:
        async with turns:  # first come, first served
            return await read(endpoint)

    async with asyncio.TaskGroup() as reads:
        tasks = [reads.create_task(in_turn(endpoint)) for endpoint in endpoints]
    found = [task.result() for task in tasks]
    return {snapshot.endpoint: snapshot for snapshot in found if snapshot is not None}


def _timed_out(snapshot: Snapshot) -> bool:
    return snapshot.error is not None and snapshot.error.cause == "timeout"


def _check_status(payload: Payload, expected: tuple[int, ...], hide: Callable[[str], str]) -> None:
    if payload.status in expected:
        return
    text = f"HTTP {payload.status}"
    # An error page says why; its line breaks and control characters would not help.
    # Secrets go before it is cut, or half of one would stay.
    body = hide(payload.body[: 64 * _QUOTED].decode("utf-8", "replace"))
    said = printable(" ".join(body[: 8 * _QUOTED].split()))
    if said:
        text += f": {said if len(said) <= _QUOTED else said[: _QUOTED - 1] + '…'}"
    raise ProbeError("status", text)


async def _decoded(payload: Payload, endpoint: Endpoint) -> Json:
    decode = DECODERS[endpoint.decoder]
    if len(payload.body) > _LARGE:  # long enough to keep the other reads from their sockets
        return await asyncio.to_thread(decode, payload, endpoint.max_depth)
    return decode(payload, endpoint.max_depth)
