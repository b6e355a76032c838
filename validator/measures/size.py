"""Measures of size: `length` of one value, `count` of matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from validator.measures.base import Measure, Reach, measure


@measure("length")
@dataclass(frozen=True, slots=True)
class Length(Measure):
    """How many elements an array has, members an object, characters a text.

    ```yaml
    - {path: $.worker_stats.workers, length: {eq: 4}}
    ```
    """

    also = ("len", "size", "min_length", "max_length")
    reach = Reach.VALUE
    noun = "length"
    accepts = frozenset({"array", "object", "string"})

    def of(self, subject: Any) -> int:
        return len(subject)


@measure("count")
@dataclass(frozen=True, slots=True)
class Count(Measure):
    """How many values the path selects; `count: {eq: 0}` passes only on a readable document.

    ```yaml
    - {path: "$.workers[?(@.active_requests > 0)]", count: {le: 4}}
    ```
    """

    also = ("number", "how_many")
    reach = Reach.MATCHES
    noun = "count"

    def of(self, subject: Any) -> int:
        return len(subject)
