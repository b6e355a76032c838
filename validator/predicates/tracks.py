"""The predicate about a counter and the client's own curve: `tracks`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from validator import duration
from validator.arguments import DURATION, NUMBER, given, word_of
from validator.predicates.base import ARRAYS, Predicate, Subject, predicate
from validator.records.observation import CURVES
from validator.reference import shown
from validator.values import Json, Number, is_number, show

_FIELD = replace(
    word_of(CURVES, "a count of the ledger"), help="What it counts, by the name in the ledger."
)


@predicate("tracks")
@dataclass(frozen=True, slots=True)
class Tracks(Predicate):
    """In every sample, the counter has come as far since before the load as the client has.

    It needs `over: during`. A truthful counter shows at least what had ended when the read began,
    and at most what had been sent when it ended, whether it counts a request as it comes or when
    it is over. `lag` lets it be late, `within` lets it be off by so many. Several matches are
    added up.

    ```yaml
    - {path: $.summary.total_requests, over: during, tracks: {load: ok}}
    - {path: $.tokens.completion, over: during, tracks: {load: tokens.completion, lag: 2s}}
    ```
    """

    accepts = ARRAYS
    subject = Subject.CURVE
    load: str = given(_FIELD)
    lag: float = given(replace(DURATION, help="How late it may be; 1s unless given."), 1.0)
    within: Number = given(replace(NUMBER, help="How far it may be off; 0 unless given."), 0)
    absent_before: Number | None = given(
        replace(NUMBER, help="What a path that was absent before the load counts from."), None
    )

    def check(self) -> None:
        if self.within < 0:
            raise ValueError("within is a distance, and cannot be less than 0")

    def fits(self, value: Any) -> bool:
        name = self.load
        return (
            isinstance(value, list)
            and bool(value)
            and all(
                isinstance(sample, dict)
                and is_number(sample.get("at"))
                and is_number(sample.get("counted"))
                and all(
                    isinstance(sample.get(side), dict) and is_number(sample[side].get(name))
                    for side in ("done", "sent")
                )
                for sample in value
            )
        )

    def holds(self, value: list[dict[str, Any]]) -> bool:
        return self.fits(value) and not any(self._off(value))

    def explain(self, value: list[dict[str, Any]]) -> str:
        if not self.fits(value):
            return f"the client does not know its own {self.load} at that time"
        wrong = list(self._off(value))
        if not wrong:
            return ""
        many = "sample" if len(value) == 1 else "samples"
        return f"{wrong[0]}; {len(wrong)} of {len(value)} {many} off"

    def idle(self, value: list[dict[str, Any]], *, referred: bool) -> bool:  # noqa: ARG002
        """Say whether a counter that stood still would have passed."""
        return all(due <= self.within for _, due in self._due(value))

    def _off(self, value: list[dict[str, Any]]) -> Iterator[str]:
        for sample, due in self._due(value):
            counted, sent = sample["counted"], sample["sent"][self.load]
            shown = f"{show(counted)} at {sample['at']:.2f} s"
            if counted < due - self.within:
                since = f" for {duration.written(self.lag)}" if self.lag else ""
                had = "had had" if since else "had"
                yield f"{shown}, when the client {had} {show(due)}{since}"
            elif counted > sent + self.within:
                yield f"{shown}, when the client had sent {show(sent)}"

    def _due(self, value: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Number]]:
        """Return each sample, and what must have been counted by then."""
        behind = 0
        due: Number = 0
        for sample in value:
            while behind < len(value) and value[behind]["at"] <= sample["at"] - self.lag:
                due = value[behind]["done"][self.load]
                behind += 1
            yield sample, due

    def shows(self, value: list[dict[str, Json]]) -> str:
        first, last = value[0], value[-1]
        if len(value) == 1:
            return f"{first['counted']} in 1 sample"
        return f"{_count(first)} … {_count(last)} in {len(value)} samples"

    def __str__(self) -> str:
        late = f", at most {duration.written(self.lag)} late" if self.lag else ""
        off = f" ± {shown(self.within)}" if self.within != 0 else ""
        return f"tracks load.{self.load}{off}{late}"


def _count(sample: dict[str, Json]) -> str:
    counted = sample["counted"]
    assert is_number(counted)
    return show(counted)
