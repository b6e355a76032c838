"""Predicates about texts: `starts_with ends_with matches`, and `contains`."""

from __future__ import annotations

from dataclasses import dataclass

from validator.arguments import ANY, PATTERN, TEXT, given
from validator.predicates.base import STRINGS, Predicate, predicate
from validator.reference import shown
from validator.values import Json, same

_PATIENCE = 1.0
"""Seconds that looking for a regular expression may take."""
_LONG = 1000


@predicate("starts_with")
@dataclass(frozen=True, slots=True)
class StartsWith(Predicate):
    """The text begins with another.

    ```yaml
    - {path: $.uuid, starts_with: GPU-}
    ```
    """

    also = ("startswith", "begins_with", "prefix")
    accepts = STRINGS
    text: str = given(TEXT)

    def holds(self, value: str) -> bool:
        return value.startswith(self.text)

    def __str__(self) -> str:
        return f"starts with {shown(self.text)}"


@predicate("ends_with")
@dataclass(frozen=True, slots=True)
class EndsWith(Predicate):
    """The text ends with another.

    ```yaml
    - {path: $.uuid, ends_with: -simulated}
    ```
    """

    also = ("endswith", "suffix")
    accepts = STRINGS
    text: str = given(TEXT)

    def holds(self, value: str) -> bool:
        return value.endswith(self.text)

    def __str__(self) -> str:
        return f"ends with {shown(self.text)}"


@predicate("matches")
@dataclass(frozen=True, slots=True)
class Matches(Predicate):
    r"""A regular expression (Python's) is found in the text; anchor it with `^` and `$`.

    ```yaml
    - {path: $.version, matches: '^\d+\.\d+'}
    ```
    """

    also = ("regex", "regexp", "pattern", "match", "=~", "~")
    accepts = STRINGS
    pattern: str = given(PATTERN)

    def holds(self, value: str) -> bool:
        # The library of that name can be told to give up; the standard one cannot.
        import regex  # noqa: PLC0415 - few specs have one

        try:
            return regex.search(self.pattern, value, timeout=_PATIENCE) is not None
        except TimeoutError:
            return False

    def explain(self, value: str) -> str:
        if len(value) > _LONG:
            return f"not found within {_PATIENCE:g} s, in {len(value)} characters"
        return ""

    def __str__(self) -> str:
        return f"matches {shown(self.pattern)}"


@predicate("contains")
@dataclass(frozen=True, slots=True)
class Contains(Predicate):
    """The text contains another, or the array contains an element.

    ```yaml
    - {path: $.models, contains: openai/gpt-oss-120b}
    ```
    """

    also = ("includes", "include", "has", "substring")
    accepts = STRINGS | {"array"}
    part: Json = given(ANY)

    def holds(self, value: str | list[Json]) -> bool:
        if isinstance(value, str):
            return isinstance(self.part, str) and self.part in value
        return any(same(element, self.part) for element in value)

    def __str__(self) -> str:
        return f"contains {shown(self.part)}"
