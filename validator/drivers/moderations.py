"""Moderations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from validator.drivers.base import driver
from validator.drivers.failures import ExchangeError
from validator.drivers.prompted import Batched, Call, inputs_in
from validator.drivers.reply import Reply, one_each
from validator.values import Json, kind

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@driver("moderations")
@dataclass(frozen=True, slots=True)
class Moderations(Batched):
    """Ask whether prompts are harmful: good when every prompt gets a result.

    ```yaml
    load:
      driver: moderations
      model: my-model
      requests: 100
      concurrency: 10
      prompts: [I like trains, Rain is wet]
    ```
    """

    name: ClassVar[str] = "moderations"

    def call(self, client: AsyncOpenAI) -> Call:
        return client.moderations.with_streaming_response.create

    def arguments(self, index: int) -> dict[str, Any]:
        return {"input": self.inputs(index)}

    def reply(self, arguments: Mapping[str, Any]) -> Results:
        return Results(inputs=inputs_in(arguments["input"]))


@dataclass(slots=True)
class Results(Reply):
    """What has arrived of the results."""

    inputs: int = 1

    def take(self, document: dict[str, Json], *, whole: bool) -> bool:
        del whole  # moderations are never streamed
        found = one_each(document, "results", self.inputs)
        for result in found:
            if not isinstance(flagged := result.get("flagged"), bool):
                raise ExchangeError("malformed", f"flagged: a boolean was due, not {kind(flagged)}")
        return bool(found)
