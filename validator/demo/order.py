"""What a chat request asks for, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from validator.demo import tokens


class OrderError(ValueError):
    """The request cannot be served; *param* names the field at fault."""

    def __init__(self, message: str, param: str | None = None, model: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.model = model


@dataclass(frozen=True, slots=True)
class Order:
    """A chat request that can be served."""

    model: str
    prompt: tuple[str, ...]
    reply: tuple[str, ...]
    finish_reason: str
    streaming: bool
    include_usage: bool

    @classmethod
    def read(cls, body: bytes) -> Order:
        """Read the body of a request, or raise `OrderError`."""
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise OrderError("the body is not JSON") from None
        if not isinstance(asked, dict):
            raise OrderError("the body is not a JSON object")
        model = asked.get("model")
        if not isinstance(model, str) or not model:
            raise OrderError("you must provide a model", "model")
        messages = asked.get("messages")
        if (
            not isinstance(messages, list)
            or not messages
            or not all(isinstance(message, dict) for message in messages)
        ):
            raise OrderError("messages must be a list of at least one object", "messages", model)
        prompt = tokens.of_prompt(messages)
        reply, finish_reason = tokens.of_reply(prompt, _limit(asked, model))
        options = asked.get("stream_options")
        return cls(
            model=model,
            prompt=prompt,
            reply=reply,
            finish_reason=finish_reason,
            streaming=asked.get("stream") is True,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )


def _limit(asked: dict[str, Any], model: str) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = asked.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise OrderError(f"{name} must be an integer of at least 1", name, model)
        return limit
    return None
