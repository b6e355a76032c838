"""A format of one's own."""

from __future__ import annotations

import json

from validator.decoders.base import decoder, text_of
from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.values import Json


@decoder("properties", accept="text/plain")
def decode_properties(payload: Payload, _depth: int) -> Json:
    """Read lines of `key=value` as one object; numbers and `true` and `false` as such.

    ```yaml
    endpoints:
      info:
        get: /info
        format: properties
        assert:
          - {path: $.uptime, type: number, gt: 0}
    ```
    """
    found: dict[str, Json] = {}
    for number, line in enumerate(text_of(payload).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = map(str.strip, line.partition("="))
        if not equals or not key:
            raise DecodeError(f"line {number}: expected key=value, found {line[:40]!r}")
        if key in found:
            raise DecodeError(f"line {number}: {key!r} stands there twice")
        found[key] = _scalar(value)
    return found


def _scalar(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
