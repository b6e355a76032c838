"""A completion as it comes in: choices, each with content and a finish_reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from validator.drivers.failures import ExchangeError
from validator.drivers.reply import Reply, an_array, an_object, members
from validator.values import Json, kind

TEXTS: Final = ("content", "reasoning_content", "reasoning")


@dataclass(slots=True)
class Completion(Reply):
    """What has arrived so far of one chat completion."""

    choices: int = 1
    """How many were asked for (`n`)."""
    finished: dict[int, str] = field(default_factory=dict)
    """Each choice seen, and its finish_reason, empty as long as there is none."""
    spoke: set[int] = field(default_factory=set)
    """The choices that had content."""

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        if not whole and document.get("choices") is None:
            return False  # an event about usage, or about nothing
        choices = members(document, "choices")
        # Several in one event are still one event, but each is looked at.
        return any([self._choice(i, c, whole=whole) for i, c in enumerate(choices)])  # noqa: C419

    def check(self) -> None:
        if lacking := [index for index, reason in self.finished.items() if not reason]:
            raise ExchangeError("truncated", f"no finish_reason for choice {min(lacking)}")
        if len(self.finished) < self.choices:
            said = f"{self.choices} choices asked for, {len(self.finished)} came"
            raise ExchangeError("truncated", said)
        if silent := self.finished.keys() - self.spoke:
            raise ExchangeError("empty", f"no content in choice {min(silent)}")

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        return tuple([reason for _, reason in sorted(self.finished.items()) if reason])

    def noted(self, index: int, reason: str, *, content: bool) -> None:
        """Keep what was seen of choice *index*."""
        self.finished[index] = self.finished.get(index) or reason
        if content:
            self.spoke.add(index)

    def has_content(self, choice: dict[str, Json], *, whole: bool) -> bool:
        """Say whether *choice* has text, reasoning or a tool call; a role is neither."""
        name = "message" if whole else "delta"
        part = choice.get(name)
        return part is not None and _says_something(an_object(name, part))

    def _choice(self, place: int, choice: dict[str, Json], *, whole: bool) -> bool:
        index = choice.get("index", place if whole else 0)
        if not isinstance(index, int) or isinstance(index, bool):
            raise ExchangeError("malformed", f"index: a number was due, not {kind(index)}")
        reason = choice.get("finish_reason")
        content = self.has_content(choice, whole=whole)
        self.noted(index, reason if isinstance(reason, str) else "", content=content)
        return content


@dataclass(slots=True)
class TextCompletion(Completion):
    """What has arrived so far of one text completion, whose choices are bare texts."""

    def has_content(self, choice: dict[str, Json], *, whole: bool) -> bool:
        del whole  # a piece of text looks like a whole one
        return bool(_text("text", choice.get("text")))


def choices_asked(arguments: Mapping[str, Any]) -> int:
    """Return how many choices, or images, a request with these *arguments* asks for."""
    asked = arguments.get("n")
    return asked if isinstance(asked, int) and not isinstance(asked, bool) else 1


def _text(where: str, value: Json) -> str:
    if value is not None and not isinstance(value, str):
        raise ExchangeError("malformed", f"{where}: a string was due, not {kind(value)}")
    return value or ""


def _says_something(part: dict[str, Json]) -> bool:
    _text("content", part.get("content"))
    if any(isinstance(part.get(name), str) and part[name] for name in TEXTS):
        return True
    calls = part.get("tool_calls")
    if calls is None:
        return False
    return any(
        _calls_something(an_object("tool_calls[*]", c)) for c in an_array("tool_calls", calls)
    )


def _calls_something(call: dict[str, Json]) -> bool:
    function = call.get("function")
    return isinstance(function, dict) and any(
        isinstance(function.get(name), str) and function[name] for name in ("name", "arguments")
    )
