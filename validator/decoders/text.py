"""The format `text`."""

from __future__ import annotations

from validator.decoders.base import decoder, text_of
from validator.records.observation import Payload
from validator.values import Json


@decoder("text", accept="text/plain, */*;q=0.5")
def decode_text(payload: Payload, _depth: int) -> Json:
    """Read the whole body as one string, which `$` selects.

    ```yaml
    endpoints:
      health:
        get: /health
        format: text
        assert:
          - {path: $, matches: "^ok"}
    ```

    The charset is the one that the content type names, else UTF-8; a byte that does not fit
    makes the body undecodable.
    """
    return text_of(payload)
