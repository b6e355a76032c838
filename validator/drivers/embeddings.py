"""Embeddings."""

from __future__ import annotations

import binascii
from array import array
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver
from validator.drivers.failures import ExchangeError
from validator.drivers.prompted import Batched, Call, inputs_in
from validator.drivers.reply import Reply, an_array, one_each
from validator.values import Json, brief, is_number

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("embeddings")
@dataclass(frozen=True, slots=True)
class Embeddings(Batched):
    """Ask for embeddings: good when every prompt gets a vector of finite numbers.

    ```yaml
    load:
      driver: embeddings
      model: my-model
      requests: 100
      concurrency: 10
      prompts: [The quick brown fox, jumps over the lazy dog]
    ```
    """

    name: ClassVar[str] = "embeddings"

    def call(self, client: AsyncOpenAI) -> Call:
        return client.embeddings.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        # The openai package would ask for base64, which not every server knows.
        return {"input": self.inputs(index), "encoding_format": "float"}

    def reply(self, arguments: Mapping[str, Any]) -> Vectors:
        return Vectors(inputs=inputs_in(arguments["input"]))


@dataclass(slots=True)
class Vectors(Reply):
    """What has arrived of the embeddings."""

    inputs: int = 1

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        del whole  # embeddings are never streamed
        found = one_each(document, "data", self.inputs)
        return bool(found) and all(_is_vector(item.get("embedding")) for item in found)


def _is_vector(value: Json) -> bool:
    """Say whether there are numbers; what is no finite number is an error."""
    numbers: Sequence[Json | float] = (
        _floats(value) if isinstance(value, str) else an_array("embedding", value)
    )
    for number in numbers:
        if not is_number(number):
            said = f"embedding: a finite number was due, not {brief(number)}"
            raise ExchangeError("malformed", said)
    return bool(numbers)


def _floats(text: str) -> array[float]:
    """Return the numbers of a vector that was asked for in base64."""
    try:
        return array("f", b64decode(text, validate=True))
    except (binascii.Error, ValueError) as failure:
        raise ExchangeError("malformed", f"embedding: not base64 floats ({failure})") from failure
