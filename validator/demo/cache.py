"""A prefix cache made of blocks, and the router that sends a prompt where its blocks are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BLOCK_SIZE = 4
BLOCKS_PER_WORKER = 512
WORKERS = 4
OVERLAP_WEIGHT = 1.0
LOAD_WEIGHT = 0.5


def chain(tokens: Sequence[str]) -> tuple[int, ...]:
    """Name every full block of *tokens* by itself and all that stands before it."""
    names: list[int] = []
    before = 0
    for start in range(0, len(tokens) - BLOCK_SIZE + 1, BLOCK_SIZE):
        before = hash((before, *tokens[start : start + BLOCK_SIZE]))
        names.append(before)
    return tuple(names)


class PrefixCache:
    """The blocks one worker has computed; those unused longest go first."""

    def __init__(self) -> None:
        self.blocks: OrderedDict[int, None] = OrderedDict()

    def match(self, blocks: Sequence[int]) -> int:
        """Return how many leading *blocks* are here."""
        for count, block in enumerate(blocks):
            if block not in self.blocks:
                return count
        return len(blocks)

    def keep(self, blocks: Sequence[int]) -> None:
        """Remember *blocks* as the most recently used."""
        for block in reversed(blocks):  # the first block last: a chain is evicted from its end
            self.blocks[block] = None
            self.blocks.move_to_end(block)
        while len(self.blocks) > BLOCKS_PER_WORKER:
            self.blocks.popitem(last=False)


@dataclass(slots=True, eq=False)
class Worker:
    """One of the simulated machines."""

    worker_id: str
    cache: PrefixCache = field(default_factory=PrefixCache)
    total_requests: int = 0
    active_requests: int = 0
    tokens_processed: int = 0
    """Prompt and completion tokens, cached ones included."""

    def figures(self) -> dict[str, Any]:
        """Return what the pages say about this worker."""
        return {
            "worker_id": self.worker_id,
            "total_requests": self.total_requests,
            "active_requests": self.active_requests,
            "tokens_processed": self.tokens_processed,
            "cached_blocks": len(self.cache.blocks),
        }


@dataclass(frozen=True, slots=True)
class Route:
    """Where one prompt went, and how much of it was there already."""

    worker: Worker
    blocks: tuple[int, ...]
    matched: int
    prompt_tokens: int

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens that need no computing."""
        return self.matched * BLOCK_SIZE

    @property
    def overlap(self) -> float:
        """The cached share of the prompt, 0 to 1."""
        return self.cached_tokens / self.prompt_tokens


@dataclass(slots=True)
class Mean:
    """A running mean; of nothing it is 0, and `count` says so."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Take one more value in."""
        self.total += value
        self.count += 1

    @property
    def value(self) -> float:
        """The mean so far."""
        return self.total / self.count if self.count else 0.0


class Router:
    """Weighs the cached share of a prompt against the load of each worker.

    A routed request is one hit (at least one block was cached) or one miss.
    """

    def __init__(self) -> None:
        self.workers = tuple(Worker(f"worker-{index}") for index in range(WORKERS))
        self.hits = self.misses = self.prompt_tokens = self.cached_tokens = 0
        self.overlap, self.matched = Mean(), Mean()
        self.by_path: dict[str, list[int]] = {}
        """Hits and misses of each path."""
        self.cold, self.warm = Mean(), Mean()  # seconds to the first token, without and with a hit

    def route(self, tokens: Sequence[str], path: str) -> Route:
        """Choose a worker for a prompt, and count it as a hit or a miss."""
        blocks = chain(tokens)
        busiest = max(1, *(worker.active_requests for worker in self.workers))

        def cost(worker: Worker) -> tuple[float, int]:
            overlap = worker.cache.match(blocks) * BLOCK_SIZE / len(tokens)
            load = worker.active_requests / busiest
            return LOAD_WEIGHT * load - OVERLAP_WEIGHT * overlap, worker.total_requests

        worker = min(self.workers, key=cost)
        route = Route(worker, blocks, worker.cache.match(blocks), len(tokens))
        worker.total_requests += 1
        worker.active_requests += 1
        worker.tokens_processed += route.prompt_tokens
        if route.matched:
            self.hits += 1
        else:
            self.misses += 1
        self.by_path.setdefault(path, [0, 0])[route.matched == 0] += 1
        self.prompt_tokens += route.prompt_tokens
        self.cached_tokens += route.cached_tokens
        self.overlap.add(route.overlap)
        self.matched.add(route.matched)
        return route

    def prefilled(self, route: Route) -> None:
        """Keep the blocks of a prompt that has just been computed."""
        route.worker.cache.keep(route.blocks)

    def generated(self, route: Route, ttft: float | None = None) -> None:
        """Count one completion token; the first of a request brings its *ttft* in seconds."""
        route.worker.tokens_processed += 1
        if ttft is not None:
            (self.warm if route.matched else self.cold).add(ttft)

    def release(self, route: Route) -> None:
        """Take a request off its worker, however it ended."""
        route.worker.active_requests -= 1

    @property
    def routed(self) -> int:
        """Requests routed so far."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Percent of routed requests that were hits."""
        return 100 * self.hits / self.routed if self.routed else 0.0
