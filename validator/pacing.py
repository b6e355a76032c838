"""When to send the next request: pure arithmetic, no clock and no sleeping."""

from __future__ import annotations

import functools
import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Pacer(Protocol):
    """A schedule of send times."""

    def due(self, index: int) -> float | None:
        """Return the second, counted from the start, at which request *index* is due.

        It depends on nothing else, so that every part of a load computes the same schedule.
        None means as soon as there is room: a closed loop, in which being late has no meaning.
        Infinity means never.
        """
        ...


@dataclass(frozen=True, slots=True)
class Burst:
    """Everything is due at once; only concurrency limits the rate."""

    def due(self, index: int) -> float | None:  # noqa: ARG002 - each is due alike
        return None


@dataclass(frozen=True, slots=True)
class Stages:
    """A quantity over time: in a straight line to each next value, and then always the last."""

    start: float
    stages: tuple[tuple[float, float], ...] = ()
    """Seconds, and the value at their end; no seconds are a step."""

    @property
    def most(self) -> float:
        """The greatest value there will be."""
        return max(self.start, *(value for _, value in self.stages), self.start)

    @property
    def last(self) -> float:
        """The value after all stages."""
        return self.stages[-1][1] if self.stages else self.start

    def at(self, second: float) -> float:
        """Return the value at *second*; at a step, the value after it."""
        for begin, length, low, high in self._pieces():
            if second < begin + length:
                return low if math.isinf(length) else low + (high - low) * (second - begin) / length
        raise AssertionError("the last piece has no end")

    def reaches(self, level: float, since: float) -> float | None:
        """Return the first second from *since* on at which the value is at least *level*."""
        for begin, length, low, high in self._pieces():
            if begin + length <= since:
                continue
            here = max(begin, since)
            if math.isinf(length):
                return here if low >= level else None
            now = low + (high - low) * (here - begin) / length
            if now >= level:
                return here
            if high > level:  # at its end only when no step down stands there: the next piece says
                return max(here, begin + length * (level - low) / (high - low))
        raise AssertionError("the last piece has no end")

    def fills(self, amount: float) -> float:
        """Return the second by which the value, summed up over time, comes to *amount*.

        For a rate of arrivals that is when the *amount*-th arrives; never is infinity.
        """
        left = amount
        for begin, length, low, high in self._pieces():
            area = math.inf if math.isinf(length) and low > 0 else (low + high) / 2 * length
            if math.isnan(area):  # nothing, for ever
                break
            if left > area:
                left -= area
                continue
            if left == 0:
                return begin
            if math.isinf(length):
                return begin + left / low
            # The root of (slope/2)·x² + low·x = left, in the form that loses no digits.
            slope = (high - low) / length
            root = math.sqrt(max(0.0, low * low + 2 * slope * left))
            return begin + min(length, 2 * left / (low + root))
        return math.inf

    def _pieces(self) -> Iterator[tuple[float, float, float, float]]:
        """Yield the beginning, the length, and the values at both ends of each straight line."""
        begin, low = 0.0, self.start
        for length, high in self.stages:
            if length > 0:
                yield begin, length, low, high
            begin, low = begin + length, high
        yield begin, math.inf, low, low


@dataclass(frozen=True, slots=True)
class Arrivals:
    """An open loop: requests become due by a rate, whether the server keeps up or not.

    The gaps between them, in units of the mean gap, are 1 (constant), or drawn from a gamma
    distribution of mean 1 whose shape is the burstiness, as serving benchmarks define it (shape
    `burstiness`, scale `1 / (rate * burstiness)`, so that its inverse is the square of the
    coefficient of variation): 1 is a Poisson process, less is burstier, more is evener. Under a
    rate that changes, the instants are those of the process of rate 1 carried through the inverse
    of the rate's integral: the time-rescaling theorem (Brown et al., "The Time-Rescaling Theorem
    and Its Application to Neural Spike Train Data Analysis", Neural Computation 14, 2002).
    """

    rate: Stages
    """Requests a second."""
    burstiness: float | None = None
    """None for arrivals at a constant pace."""
    seed: int = 0

    def due(self, index: int) -> float | None:
        if self.burstiness is None:
            return self.rate.fills(index)
        return self.rate.fills(_process(self.burstiness, self.seed).at(index))


class _Process:
    """The instants of a seeded renewal process of rate 1, drawn as far as they are asked for."""

    def __init__(self, shape: float, seed: int) -> None:
        self._random = random.Random(f"arrivals {seed}")  # noqa: S311 - repeatable, not secret
        self._shape = shape
        self._instants = array("d")
        self._now = 0.0

    def at(self, index: int) -> float:
        instants = self._instants
        while len(instants) <= index:
            if self._shape == 1:
                gap = -math.log(1.0 - self._random.random())
            else:
                gap = self._random.gammavariate(self._shape, 1 / self._shape)
            self._now += gap
            instants.append(self._now)
        return instants[index]


@functools.lru_cache(maxsize=8)
def _process(shape: float, seed: int) -> _Process:
    """Return the process that these two define: its draws are a cache, and no state of a pacer."""
    return _Process(shape, seed)
