"""Speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver, key
from validator.drivers.failures import ExchangeError
from validator.drivers.prompted import Call, Prompted
from validator.drivers.reply import Reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("speech")
@dataclass(frozen=True, slots=True)
class Speech(Prompted):
    """Have prompts read aloud: good when audio comes, and says that it is audio.

    ```yaml
    load:
      driver: speech
      model: my-model
      voice: alloy
      requests: 20
      concurrency: 2
      prompts: [Mind the gap, The doors are closing]
    ```
    """

    name: ClassVar[str] = "speech"

    voice: str = key("The voice to read with.", default="alloy")

    def call(self, client: AsyncOpenAI) -> Call:
        return client.audio.speech.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        return {"input": self.prompt(index), "voice": self.voice}

    def reply(self, arguments: Mapping[str, Any]) -> Audio:
        del arguments
        return Audio()


@dataclass(slots=True)
class Audio(Reply):
    """What has arrived of the audio."""

    def whole(self, body: bytes, content_type: str, now: float) -> None:
        if not body:
            raise ExchangeError("empty", "the body is empty")
        if not content_type.startswith("audio/"):
            self.refuse(body, content_type, "audio was asked for")
        self.last_token = now
