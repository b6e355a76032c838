"""Replies in the words of the OpenAI API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from validator.demo.order import Choice, Dialect, Order

DONE = b"data: [DONE]\n\n"


def problem(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> Any:
    """Return an error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage(order: Order, cached_tokens: int) -> dict[str, Any]:
    """Return the token counts of a finished reply."""
    prompt, completion = len(order.prompt), order.completion_tokens
    told: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
    }
    thoughts = sum(choice.thoughts for choice in order.choices[: order.billed])
    if thoughts:
        told["completion_tokens_details"] = {"reasoning_tokens": thoughts}
    return told


@dataclass(frozen=True, slots=True)
class Speaker:
    """Words one reply, whole or in chunks; this one speaks as chat completions do."""

    request_id: str
    created: int
    order: Order

    object: ClassVar[str] = "chat.completion"
    chunk: ClassVar[str] = "chat.completion.chunk"

    def whole(self, cached_tokens: int) -> bytes:
        """Return the reply as one document."""
        document = self._head(self.object) | {
            "choices": [self._whole(*numbered) for numbered in enumerate(self.order.choices)],
            "usage": usage(self.order, cached_tokens),
        }
        return json.dumps(document).encode()

    def role(self) -> bytes:
        """Return what comes before any token: of each choice a role and no content."""
        return b"".join(
            self._chunk(number, {"role": "assistant", "content": ""})
            for number in range(len(self.order.choices))
        )

    def content(self, number: int, index: int) -> bytes:
        """Return the chunk of one token."""
        choice = self.order.choices[number]
        token = choice.tokens[index]
        match choice.kind(index):
            case "content":
                return self._chunk(number, {"content": token})
            case "reasoning":
                return self._chunk(number, {"reasoning_content": token})
            case "tool":
                call: dict[str, Any] = {"index": 0, "function": {"arguments": token}}
                if index == choice.thoughts:
                    call = {"index": 0, **self._call(number, choice, token)}
                return self._chunk(number, {"tool_calls": [call]})

    def finish(self, cached_tokens: int) -> bytes:
        """Return all that follows the last token: reasons, usage if asked for, end mark."""
        end = b"".join(
            self._chunk(number, {}, choice.finish_reason)
            for number, choice in enumerate(self.order.choices)
        )
        if self.order.include_usage:
            spent = usage(self.order, cached_tokens)
            end += event(self._head(self.chunk) | {"choices": [], "usage": spent})
        return end + DONE

    def _whole(self, number: int, choice: Choice) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
        if choice.thoughts:
            message["reasoning_content"] = choice.reasoning
        if choice.tool:
            message |= {"content": None, "tool_calls": [self._call(number, choice, choice.text)]}
        return {
            "index": number,
            "message": message,
            "logprobs": None,
            "finish_reason": choice.finish_reason,
        }

    def _call(self, number: int, choice: Choice, arguments: str) -> dict[str, Any]:
        name = f"call_{self.request_id}_{number}"
        return {"id": name, "type": "function", **self._named(choice, arguments)}

    def _named(self, choice: Choice, arguments: str) -> dict[str, Any]:
        return {"function": {"name": choice.tool, "arguments": arguments}}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.request_id,
            "object": kind,
            "created": self.created,
            "model": self.order.model,
        }

    def _chunk(self, number: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {
            "index": number,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        chunk = self._head(self.chunk) | {"choices": [choice]}
        return event(chunk | {"usage": None} if self.order.include_usage else chunk)


class CompletionSpeaker(Speaker):
    """Speaks as `/v1/completions` does."""

    __slots__ = ()
    object: ClassVar[str] = "text_completion"
    chunk: ClassVar[str] = "text_completion"

    def role(self) -> bytes:
        """Return nothing: there are no roles here."""
        return b""

    def content(self, number: int, index: int) -> bytes:
        return self._chunk(number, {"text": self.order.choices[number].tokens[index]})

    def _whole(self, number: int, choice: Choice) -> dict[str, Any]:
        return self._piece(number, choice.text, choice.finish_reason)

    def _chunk(self, number: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        piece = self._piece(number, delta.get("text", ""), finish_reason)
        chunk = self._head(self.chunk) | {"choices": [piece]}
        return event(chunk | {"usage": None} if self.order.include_usage else chunk)

    def _piece(self, number: int, text: str, finish_reason: str | None) -> dict[str, Any]:
        return {"text": text, "index": number, "logprobs": None, "finish_reason": finish_reason}


class ResponseSpeaker(Speaker):
    """Speaks as `/v1/responses` does."""

    __slots__ = ()

    def whole(self, cached_tokens: int) -> bytes:
        spent = usage(self.order, cached_tokens)
        document = {
            "id": self.request_id,
            "object": "response",
            "created_at": self.created,
            "model": self.order.model,
            "status": "completed",
            "error": None,
            "output": [
                {
                    "type": "message",
                    "id": f"msg-{self.request_id}-{number}",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": choice.text, "annotations": []}],
                }
                for number, choice in enumerate(self.order.choices)
            ],
            "usage": {
                "input_tokens": spent["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": cached_tokens},
                "output_tokens": spent["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": spent["total_tokens"],
            },
        }
        return json.dumps(document).encode()


class RagSpeaker(Speaker):
    """Speaks as `/rag/api/prompt` does."""

    __slots__ = ()

    def whole(self, cached_tokens: int) -> bytes:
        found = [
            {"id": f"doc-{n}", "content": f"Page {n}.", "score": 1 - n / 10, "metadata": {}}
            for n in range(1, 4)
        ]
        document = {
            "content": self.order.choices[0].text,
            "retrieved_docs": found,
            "usage": usage(self.order, cached_tokens),
        }
        return json.dumps(document).encode()


SPEAKERS: dict[Dialect, type[Speaker]] = {
    Dialect.CHAT: Speaker,
    Dialect.COMPLETIONS: CompletionSpeaker,
    Dialect.RESPONSES: ResponseSpeaker,
    Dialect.RAG: RagSpeaker,
}


def event(data: Any) -> bytes:
    """Return *data* as one server-sent event."""
    return b"data: %s\n\n" % json.dumps(data, separators=(",", ":")).encode()
