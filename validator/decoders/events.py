"""The format `events`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from validator.decoders.base import decoded, decoder, json_or_text
from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.values import Json, brief

MOST_EVENTS = 100_000
MOST_LINES = 2_000_000
"""Bounds, so that no server can fill the memory of the one who looks."""

_END = re.compile(r"\r\n|\r|\n")
_FIELDS = {"event", "data", "id", "retry"}


@decoder("events", accept="text/event-stream")
def decode_events(payload: Payload, depth: int) -> Json:
    """Read the body as a text/event-stream: an array of `{event, data, id}`.

    ```yaml
    ticker:
      get: /metrics/events
      format: events
      assert:
        - {path: $, length: {gt: 0}}
        - {path: "$[*].data.active", each: {type: integer, ge: 0}}
    ```

    `data` is decoded if it is JSON, else it stays a text; `event` is `message` and `id` null
    unless the stream says otherwise. As the HTML standard has it, comments and unknown
    fields are dropped, an `id` holds until the next one, and an event that no blank line ends
    never happened: so a stream that was left while it went on is no error. A body without any
    line of an event stream is one.
    """
    text = _text(payload.body)
    if text.count("\n") + text.count("\r") > MOST_LINES:
        raise DecodeError(f"more than {MOST_LINES} lines")
    document: list[Json] = []
    for line, event in _events(text):
        if len(document) >= MOST_EVENTS:
            raise DecodeError(f"more than {MOST_EVENTS} events")
        data = event["data"]
        assert isinstance(data, str)
        try:
            event["data"] = json_or_text(data, depth)
        except DecodeError as error:
            raise DecodeError(f"{error} in the event at line {line}") from None
        document.append(event)
    return document


def _text(body: bytes) -> str:
    """Return the text, always UTF-8, without a last character that was cut in two."""
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(body, final=False)
    except UnicodeDecodeError:
        return decoded(body, "utf-8-sig")  # it fails there too, and says where


def _events(text: str) -> Iterator[tuple[int, dict[str, Json]]]:
    """Return every event that a blank line ends, with the number of its first data line."""
    lines = _END.split(text)
    tail = lines.pop()  # what follows the last line end; a line only once it has one
    kind, last_id, begins, known = "", None, 0, False
    data: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line:
            if data:
                yield begins, {"event": kind or "message", "data": "\n".join(data), "id": last_id}
            kind, data = "", []
            continue
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        known = known or name in _FIELDS or (not name and bool(colon))
        match name:
            case "event":
                kind = value
            case "data":
                begins = begins if data else number
                data.append(value)
            case "id" if "\0" not in value:
                last_id = value or None
    written = next((line for line in [*lines, tail] if line.strip()), "")
    if not known and written and not _could_become(tail if tail == written else written):
        raise DecodeError(f"not an event stream: the body begins with {brief(written)}")


def _could_become(line: str) -> bool:
    """Say whether this is a line of an event stream, or the beginning of one that was cut."""
    name, colon, _ = line.partition(":")
    return name in _FIELDS if colon and name else any(f.startswith(name) for f in _FIELDS)
