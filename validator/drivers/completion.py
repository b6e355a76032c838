"""A chat completion as it comes in, read without trust: facts kept, nothing assumed."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from typing import Final, NoReturn

from validator.drivers.failures import QUOTED, ExchangeError, error_text
from validator.values import Json, kind

DONE: Final = b"[DONE]"
EXACT: Final = 2**53
"""The largest count that a float still holds exactly; a server that claims more has not counted."""
NO_ERROR: Final = (None, False, "")
"""What servers put under `error` when there is none."""
TEXTS: Final = ("content", "reasoning_content", "reasoning")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


@dataclass(slots=True)
class Completion:
    """What has arrived so far of one completion, streamed or whole."""

    first_event: float | None = None
    first_token: float | None = None
    last_token: float | None = None
    gaps: array[float] = field(default_factory=lambda: array("d"))
    chunks: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    answered: bool = False
    """Whether a response has begun."""
    done: float | None = None
    """When a stream said `[DONE]`."""
    finished: dict[int, bool] = field(default_factory=dict)
    """Each choice seen, and whether it has a finish_reason."""

    def event(self, data: bytes, now: float) -> None:
        """Take in the data of one event that arrived at *now*; nothing counts after `[DONE]`."""
        if self.done is not None:
            return
        if self.first_event is None:
            self.first_event = now
        if data.strip() == DONE:
            self.done = now
            return
        # Every choice is looked at, but several in one event are still one event.
        said = [self._choice(choice, "delta") for choice in self._choices(data) or ()]
        if any(said):
            self.chunks += 1
            if self.last_token is None:
                self.first_token = now
            else:
                self.gaps.append(now - self.last_token)
            self.last_token = now

    def end_of_stream(self) -> None:
        """Say whether the stream, now over, was a good one."""
        if not self.chunks:
            lacking = "content" if self.done is not None else "content and no [DONE]"
            raise ExchangeError("empty", f"the stream ended with no {lacking}")
        if self.done is None:
            raise ExchangeError("truncated", "the stream ended without [DONE]")
        self._check_finished()

    def not_a_stream(self, body: bytes, content_type: str) -> NoReturn:
        """Refuse a body that came where a stream was asked for."""
        if not body.strip():
            raise ExchangeError("empty", "the body is empty")
        try:
            self._choices(body)
        except ExchangeError as failure:
            if failure.outcome == "api_error":
                raise
        came = content_type or "something without a content type"
        raise ExchangeError("malformed", f"a stream was asked for, {came} came: {_start(body)}")

    def whole(self, body: bytes, now: float) -> None:
        """Take in a response that is not streamed, complete at *now*."""
        if not body.strip():
            raise ExchangeError("empty", "the body is empty")
        choices = self._choices(body)
        if choices is None:
            raise ExchangeError("malformed", f"no choices: {_start(body)}")
        said = [self._choice(choice, "message") for choice in choices]
        if not any(said):
            raise ExchangeError("empty", "no content in the message")
        self.last_token = now
        self._check_finished()

    def _choices(self, data: bytes) -> list[Json] | None:
        """Decode one JSON document and keep what it says of usage."""
        try:
            document: Json = _decode(data.decode())
        except (ValueError, RecursionError) as failure:
            raise ExchangeError("malformed", f"not JSON ({failure}): {_start(data)}") from failure
        if not isinstance(document, dict):
            raise ExchangeError("malformed", f"an object was due, not {kind(document)}")
        if document.get("error") not in NO_ERROR or document.get("object") == "error":
            raise ExchangeError("api_error", error_text(document) or "an error without a message")
        self._usage(document.get("usage"))
        choices = document.get("choices")
        if choices is not None and not isinstance(choices, list):
            raise ExchangeError("malformed", f"choices: an array was due, not {kind(choices)}")
        return choices

    def _choice(self, choice: Json, body: str) -> bool:
        """Note the finish_reason of *choice*; say whether its *body* has content."""
        choice = _object("choices[*]", choice)
        index = choice.get("index", 0)
        if not isinstance(index, int) or isinstance(index, bool):
            raise ExchangeError("malformed", f"index: a number was due, not {kind(index)}")
        reason = choice.get("finish_reason")
        ended = isinstance(reason, str) and bool(reason)
        self.finished[index] = self.finished.get(index, False) or ended
        part = choice.get(body)
        return part is not None and _has_content(_object(body, part))

    def _usage(self, usage: Json) -> None:
        if not isinstance(usage, dict):
            return
        self.prompt_tokens = _count(usage.get("prompt_tokens"))
        self.completion_tokens = _count(usage.get("completion_tokens"))
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        self.cached_tokens = _count(cached)

    def _check_finished(self) -> None:
        lacking = sorted(index for index, ended in self.finished.items() if not ended)
        if lacking:
            raise ExchangeError("truncated", f"no finish_reason for choice {lacking[0]}")


def _start(data: bytes) -> str:
    return data[:QUOTED].decode("utf-8", "replace")


def _object(where: str, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ExchangeError("malformed", f"{where}: an object was due, not {kind(value)}")
    return value


def _has_content(part: dict[str, Json]) -> bool:
    """Say whether a delta or message has text, reasoning or a tool call; a role is neither."""
    content = part.get("content")
    if content is not None and not isinstance(content, str):
        raise ExchangeError("malformed", f"content: a string was due, not {kind(content)}")
    if any(isinstance(part.get(name), str) and part[name] for name in TEXTS):
        return True
    calls = part.get("tool_calls")
    if calls is None:
        return False
    if not isinstance(calls, list):
        raise ExchangeError("malformed", f"tool_calls: an array was due, not {kind(calls)}")
    return any(_calls_something(_object("tool_calls[*]", call)) for call in calls)


def _calls_something(call: dict[str, Json]) -> bool:
    function = call.get("function")
    return isinstance(function, dict) and any(
        isinstance(function.get(name), str) and function[name] for name in ("name", "arguments")
    )


def _count(value: Json) -> int | None:
    """Return *value* if it is a count of tokens; a boolean, a string or a debt is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT:
        return value
    return None
