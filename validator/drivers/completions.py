"""Text completions, the older sister of chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver
from validator.drivers.completion import TextCompletion, choices_asked
from validator.drivers.prompted import Call, Generating

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("completions")
@dataclass(frozen=True, slots=True)
class Completions(Generating):
    """Ask for a text completion, streamed or whole.

    ```yaml
    load:
      driver: completions
      model: my-model
      requests: 100
      concurrency: 10
      max_tokens: 50
      prompts: [Once upon a time, The capital of France is]
    ```
    """

    name: ClassVar[str] = "completions"

    def call(self, client: AsyncOpenAI) -> Call:
        return client.completions.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        return {"prompt": self.prompt(index), **self.generation()}

    def reply(self, arguments: Mapping[str, Any]) -> TextCompletion:
        return TextCompletion(choices=choices_asked(arguments))
