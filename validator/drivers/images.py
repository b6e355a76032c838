"""Images."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver
from validator.drivers.completion import choices_asked
from validator.drivers.failures import ExchangeError
from validator.drivers.prompted import Call, Prompted
from validator.drivers.reply import Reply, one_each
from validator.values import Json, brief

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("images")
@dataclass(frozen=True, slots=True)
class Images(Prompted):
    """Ask for an image: good when its URL or its data comes; more through `body`, as in `n: 2`.

    ```yaml
    load:
      driver: images
      model: my-model
      requests: 10
      concurrency: 2
      prompts: [A lighthouse at dawn, A cat that reads]
      body: {size: 256x256}
    ```
    """

    name: ClassVar[str] = "images"

    def call(self, client: AsyncOpenAI) -> Call:
        return client.images.with_streaming_response.generate

    def arguments(self, index: int) -> dict[str, Any]:
        return {"prompt": self.prompt(index)}

    def reply(self, arguments: Mapping[str, Any]) -> Pictures:
        return Pictures(images=choices_asked(arguments))


@dataclass(slots=True)
class Pictures(Reply):
    """What has arrived of the images."""

    usage_words: ClassVar[tuple[str, str]] = ("input", "output")

    images: int = 1

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        del whole  # partial images are not asked for
        found = one_each(document, "data", self.images)
        return bool(found) and all(map(_is_image, found))


def _is_image(item: dict[str, Json]) -> bool:
    """Say whether there is an image; what looks like none is an error."""
    match item:
        case {"b64_json": str(text)} if text:
            try:
                return bool(b64decode(text, validate=True))
            except binascii.Error as failure:
                raise ExchangeError("malformed", f"b64_json: not base64 ({failure})") from failure
        case {"url": str(url)} if url:
            if not url.startswith(("http://", "https://", "data:")):
                raise ExchangeError("malformed", f"url: {brief(url)} is none")
            return True
    return False
