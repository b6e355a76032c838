"""Replies in the words of the OpenAI API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from validator.demo.order import Order

DONE = b"data: [DONE]\n\n"


def problem(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> Any:
    """Return an error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage(order: Order, cached_tokens: int) -> dict[str, Any]:
    """Return the token counts of a finished reply."""
    prompt, completion = len(order.prompt), len(order.reply)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
    }


@dataclass(frozen=True, slots=True)
class Speaker:
    """Words one reply, whole or in chunks."""

    request_id: str
    created: int
    order: Order

    def whole(self, cached_tokens: int) -> bytes:
        """Return the reply as one document."""
        message = {"role": "assistant", "content": "".join(self.order.reply), "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.order.finish_reason,
        }
        document = self._head("chat.completion") | {
            "choices": [choice],
            "usage": usage(self.order, cached_tokens),
        }
        return json.dumps(document).encode()

    def role(self) -> bytes:
        """Return the first chunk, which has a role and no content."""
        return self._chunk({"role": "assistant", "content": ""})

    def content(self, token: str) -> bytes:
        """Return the chunk of one token."""
        return self._chunk({"content": token})

    def finish(self, cached_tokens: int) -> bytes:
        """Return all that follows the last token: reason, usage if asked for, end mark."""
        end = self._chunk({}, self.order.finish_reason)
        if self.order.include_usage:
            spent = usage(self.order, cached_tokens)
            end += event(self._head("chat.completion.chunk") | {"choices": [], "usage": spent})
        return end + DONE

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.request_id,
            "object": kind,
            "created": self.created,
            "model": self.order.model,
        }

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        chunk = self._head("chat.completion.chunk") | {"choices": [choice]}
        return event(chunk | {"usage": None} if self.order.include_usage else chunk)


def event(data: Any) -> bytes:
    """Return *data* as one server-sent event."""
    return b"data: %s\n\n" % json.dumps(data, separators=(",", ":")).encode()
