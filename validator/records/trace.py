"""A load request by request, as much of it as charts need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Bin: TypeAlias = "tuple[float, float, int]"
"""From, to, how many."""
Point: TypeAlias = "tuple[float, float]"
"""Seconds since the load began, and a value."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What charts need of a load; its size does not grow with the load."""

    began: float | None = None
    """When the load began, in seconds since the run did; None when that is not known."""
    every: int = 1
    """Each how many-th request it was taken from."""
    histograms: Mapping[str, tuple[Bin, ...]] = field(default_factory=dict)
    """By the names of the ledger: `ttft_ms`."""
    instants: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    """Of some requests, by when they were sent: `ttft_ms`, `latency_ms`, `failed_ms`."""
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    """Counts over time, each good until the next: `in_flight`, `sent`, `tokens.completion` …"""
