"""The format `frames`."""

from __future__ import annotations

import json

from validator.decoders.base import decoder, json_or_text
from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.values import Json


@decoder("frames")
def decode_frames(payload: Payload, depth: int) -> Json:
    """Read the text frames of a WebSocket: an array of them; the format of every `websocket:`.

    ```yaml
    live:
      websocket: /metrics/live
      send: {type: subscribe}
      collect: {frames: 3}
      assert:
        - {path: "$[*].type", each: {type: string}}
        - {path: "$[2].active", type: integer, ge: 0}
    ```

    A frame that is JSON is decoded, any other stays a text. A binary frame is an error.
    """
    document: list[Json] = []
    for number, text in enumerate(_texts(payload.body), 1):
        try:
            document.append(json_or_text(text, depth))
        except DecodeError as error:
            raise DecodeError(f"{error} in frame {number}") from None
    return document


def _texts(body: bytes) -> list[str]:
    """Return the texts of the JSON array in which the probe hands them over."""
    try:
        texts = json.loads(body)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DecodeError("not the frames of a WebSocket")
    return texts
