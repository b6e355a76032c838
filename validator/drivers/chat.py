"""Chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver, key
from validator.drivers.completion import Completion, choices_asked
from validator.drivers.prompted import Call, Generating

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("chat")
@dataclass(frozen=True, slots=True)
class Chat(Generating):
    """Ask for a chat completion, streamed or whole.

    ```yaml
    load:
      driver: chat
      model: my-model
      requests: 100
      concurrency: 10
      max_tokens: 50
      prompts: [Write a haiku about programming, Describe what an API is]
    ```

    Text, reasoning and tool calls are content. Tools are offered, and several choices asked for,
    through `body`: each choice then needs content and a finish_reason.
    """

    name: ClassVar[str] = "chat"

    system: str = key("A system message before each prompt.", default="")

    def call(self, client: AsyncOpenAI) -> Call:
        return client.chat.completions.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        messages = [{"role": "user", "content": self.prompt(index)}]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        return {"messages": messages, **self.generation()}

    def reply(self, arguments: Mapping[str, Any]) -> Completion:
        return Completion(choices=choices_asked(arguments))
