"""A response as it comes in, read without trust: facts kept, nothing assumed."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from typing import ClassVar, Final, NoReturn

from validator.drivers.failures import QUOTED, ExchangeError, error_text
from validator.records.load import CANCELLED
from validator.values import Json, kind

DONE: Final = b"[DONE]"
EXACT: Final = 2**53
"""The largest count that a float still holds exactly; a server that claims more has not counted."""
NO_ERROR: Final = (None, False, "")
"""What servers put under `error` when there is none."""


@dataclass(slots=True)
class Reply:
    """What has arrived so far of one response, streamed or whole."""

    usage_words: ClassVar[tuple[str, str]] = ("prompt", "completion")
    """What this API calls the tokens that go in and those that come out."""

    sent: float | None = None
    """When the request was written, if that can be told apart from preparing it."""
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
    """When a stream said that it is over."""
    due: float | None = None
    """When the request was to be sent, if not as soon as there was room."""
    cut: int | None = None
    """After how many events with content there is to be no more, because the spec says so."""

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        """Keep what *document*, a whole response or one event, says; tell if it has content."""
        del document, whole
        return False  # to some kinds of reply, a document is no content

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each choice ended, for the kinds of reply that have choices."""
        return ()

    def check(self) -> None:
        """Raise unless the response, now over and with content in it, is a good one."""

    def event(self, data: bytes, now: float) -> None:
        """Take in the data of one event that arrived at *now*; nothing counts after the end."""
        if self.done is not None:
            return
        if self.first_event is None:
            self.first_event = now
        if data.strip() == DONE:
            self.done = now
            return
        self.chunk(decoded(data), now)

    def chunk(self, document: Json, now: float) -> None:
        """Take in the decoded data of one event, other than the last."""
        if self.take(self.object(document), whole=False):
            self.content(now)

    def content(self, now: float) -> None:
        """Count one event with content."""
        self.chunks += 1
        if self.last_token is None:
            self.first_token = now
        else:
            self.gaps.append(now - self.last_token)
        self.last_token = now
        if self.chunks == self.cut:
            raise ExchangeError(CANCELLED, f"cut off after {self.chunks} events, as the spec says")

    def contents(self, count: int, now: float) -> None:
        """Count so many events with content that arrived together."""
        if count > 1 and self.cut is None:
            self.content(now)
            self.chunks += count - 1
            self.gaps.frombytes(bytes((count - 1) * self.gaps.itemsize))  # zeros
        else:
            for _ in range(count):
                self.content(now)

    def end_of_stream(self) -> None:
        """Say whether the stream, now over, was a good one."""
        if not self.chunks:
            lacking = "content" if self.done is not None else "content and no [DONE]"
            raise ExchangeError("empty", f"the stream ended with no {lacking}")
        if self.done is None:
            raise ExchangeError("truncated", "the stream ended without [DONE]")
        self.check()

    def not_a_stream(self, body: bytes, content_type: str) -> NoReturn:
        """Refuse a body that came where a stream was asked for."""
        self.refuse(body, content_type, "a stream was asked for")

    def whole(self, body: bytes, content_type: str, now: float) -> None:
        """Take in a response that is not streamed, complete at *now*."""
        del content_type  # servers are careless about it, and the body speaks for itself
        if not body.strip():
            raise ExchangeError("empty", "the body is empty")
        if not self.take(self.document(body), whole=True):
            raise ExchangeError("empty", "no content in the response")
        self.last_token = now
        self.check()

    def document(self, data: bytes) -> dict[str, Json]:
        """Decode one JSON object, keep what it says of usage, and raise the error it tells."""
        return self.object(decoded(data))

    def object(self, document: Json) -> dict[str, Json]:
        """Return *document*, an object; keep its usage, and raise the error it tells."""
        if not isinstance(document, dict):
            raise ExchangeError("malformed", f"an object was due, not {kind(document)}")
        raise_error_in(document)
        self.count(document.get("usage"))
        return document

    def count(self, usage: Json) -> None:
        """Keep the token counts of *usage*, if that is what it is."""
        if not isinstance(usage, dict):
            return
        went_in, came_out = self.usage_words
        self.prompt_tokens = token_count(usage.get(f"{went_in}_tokens"))
        self.completion_tokens = token_count(usage.get(f"{came_out}_tokens"))
        details = usage.get(f"{went_in}_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        self.cached_tokens = token_count(cached)

    def refuse(self, body: bytes, content_type: str, due: str) -> NoReturn:
        """Refuse a body of another type than what was *due*."""
        if not body.strip():
            raise ExchangeError("empty", "the body is empty")
        try:
            self.document(body)
        except ExchangeError as failure:
            if failure.outcome == "api_error":
                raise
        came = content_type or "something without a content type"
        start = body[:QUOTED].decode("utf-8", "replace")
        raise ExchangeError("malformed", f"{due}, {came} came: {start}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def decoded(data: bytes) -> Json:
    """Return the JSON document in *data*."""
    try:
        document: Json = _decode(data.decode())
    except (ValueError, RecursionError) as failure:
        start = data[:QUOTED].decode("utf-8", "replace")
        raise ExchangeError("malformed", f"not JSON ({failure}): {start}") from failure
    return document


def raise_error_in(document: dict[str, Json]) -> None:
    """Raise the error that *document* tells, whatever its status said."""
    if document.get("error") not in NO_ERROR or document.get("object") == "error":
        raise ExchangeError("api_error", error_text(document) or "an error without a message")


def an_object(where: str, value: Json) -> dict[str, Json]:
    """Return *value*, which must be an object."""
    if not isinstance(value, dict):
        raise ExchangeError("malformed", f"{where}: an object was due, not {kind(value)}")
    return value


def an_array(where: str, value: Json) -> list[Json]:
    """Return *value*, which must be an array."""
    if not isinstance(value, list):
        raise ExchangeError("malformed", f"{where}: an array was due, not {kind(value)}")
    return value


def members(document: dict[str, Json], key: str) -> list[dict[str, Json]]:
    """Return the objects listed under *key*, which must be there."""
    listed = document.get(key)
    if listed is None:
        found = f": it has {', '.join(document)}" if document else ""
        raise ExchangeError("malformed", f"no {key}{found}")
    return [an_object(f"{key}[*]", member) for member in an_array(key, listed)]


def one_each(document: dict[str, Json], key: str, asked: int) -> list[dict[str, Json]]:
    """Return the objects listed under *key*: as many as were asked for, or none at all."""
    found = members(document, key)
    if found and len(found) != asked:
        outcome = "truncated" if len(found) < asked else "malformed"
        raise ExchangeError(outcome, f"{key}: {asked} asked for, {len(found)} came")
    return found


def token_count(value: Json) -> int | None:
    """Return *value* if it is a count of tokens; a boolean, a string or a debt is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT:
        return value
    return None
