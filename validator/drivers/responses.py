"""Responses, the younger sister of chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver, key
from validator.drivers.failures import ExchangeError
from validator.drivers.prompted import Call, Prompted
from validator.drivers.reply import Reply, members
from validator.values import Json, brief

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("responses")
@dataclass(frozen=True, slots=True)
class Responses(Prompted):
    """Ask for a response, whole: good when it is completed and has text or a tool call.

    ```yaml
    load:
      driver: responses
      model: my-model
      requests: 100
      concurrency: 10
      max_tokens: 50
      prompts: [Write a haiku about programming, Describe what an API is]
    ```

    One that stops at `max_tokens` is good too, as it is in chat.
    """

    name: ClassVar[str] = "responses"

    max_tokens: int | None = key("The longest answer to ask for.", default=None)
    system: str = key("A system message before each prompt.", default="")

    def call(self, client: AsyncOpenAI) -> Call:
        return client.responses.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        arguments: dict[str, Any] = {"input": self.prompt(index)}
        if self.max_tokens is not None:
            arguments["max_output_tokens"] = self.max_tokens
        if self.system:
            arguments["instructions"] = self.system
        return arguments

    def reply(self, arguments: Mapping[str, Any]) -> Answer:
        del arguments
        return Answer()


@dataclass(slots=True)
class Answer(Reply):
    """What has arrived of the response."""

    usage_words: ClassVar[tuple[str, str]] = ("input", "output")

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        del whole
        found = members(document, "output")
        match document:
            case {"status": "completed"}:
                pass
            case {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}:
                pass  # as long as it was allowed to be
            case {"status": "completed" | "incomplete" | "in_progress" | "queued" as status}:
                raise ExchangeError("truncated", f"the response is {status}")
            case {"status": status}:
                raise ExchangeError("api_error", f"the response is {brief(status)}")
            case _:
                raise ExchangeError("malformed", "no status")
        return any(_says_something(item) for item in found)


def _says_something(item: dict[str, Json]) -> bool:
    match item:
        case {"type": "message"}:
            parts = members(item, "content")
            return any(_has_text(part) for part in parts)
        case {"type": "function_call", "name": str(name)}:
            return bool(name)
    return False


def _has_text(part: dict[str, Json]) -> bool:
    text = part.get("text")  # of type output_text, which not every server says
    return isinstance(text, str) and bool(text)
