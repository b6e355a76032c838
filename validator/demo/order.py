"""What a request for text asks for, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from validator.demo import tokens

MOST_CHOICES = 16
_REASONS = re.compile(r"(^|[/_-])(o[134]|r1|qwq)([/_.-]|$)|reason|think", re.IGNORECASE)

Asked = dict[str, Any]
Kind = Literal["content", "reasoning", "tool"]


class Dialect(StrEnum):
    """The endpoints that generate text, each in its own words."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    RESPONSES = "/v1/responses"
    RAG = "/rag/api/prompt"


class OrderError(ValueError):
    """The request cannot be served; *param* names the field at fault."""

    def __init__(self, message: str, param: str | None = None, model: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.model = model


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the replies to a prompt: thoughts first, then text or the call of a tool."""

    tokens: tuple[str, ...]
    finish_reason: str
    thoughts: int = 0
    tool: str | None = None

    def kind(self, index: int) -> Kind:
        """Say what the token at *index* is part of."""
        if index < self.thoughts:
            return "reasoning"
        return "tool" if self.tool else "content"

    @property
    def text(self) -> str:
        """Everything after the thoughts."""
        return "".join(self.tokens[self.thoughts :])

    @property
    def reasoning(self) -> str:
        """The thoughts."""
        return "".join(self.tokens[: self.thoughts])


@dataclass(frozen=True, slots=True)
class Order:
    """A request for text that can be served."""

    dialect: Dialect
    model: str
    prompt: tuple[str, ...]
    choices: tuple[Choice, ...]
    streaming: bool
    include_usage: bool
    billed: int
    """The choices that are counted, from the first on: all of them, unless a fault says less."""

    @classmethod
    def read(
        cls,
        body: bytes,
        dialect: Dialect = Dialect.CHAT,
        bend: Callable[[Asked], Asked] = lambda asked: asked,
    ) -> Order:
        """Read the body of a request, bent by the faults, or raise `OrderError`."""
        asked = bend(document(body))
        model = named_model(asked, "demo/rag" if dialect is Dialect.RAG else None)
        prompt = _prompt(asked, dialect, model)
        limit = _limit(asked, model)
        number = _number(asked, model)
        tool = _tool(asked) if dialect is Dialect.CHAT else None
        thinking = dialect is Dialect.CHAT and _REASONS.search(model) is not None
        streams = dialect in (Dialect.CHAT, Dialect.COMPLETIONS)
        options = asked.get("stream_options")
        return cls(
            dialect=dialect,
            model=model,
            prompt=prompt,
            choices=tuple(
                _choice((*prompt, str(index)) if index else prompt, limit, tool, thinking=thinking)
                for index in range(number)
            ),
            streaming=streams and asked.get("stream") is True,
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
            billed=number,
        )

    @property
    def completion_tokens(self) -> int:
        """The tokens of every choice that is counted."""
        return sum(len(choice.tokens) for choice in self.choices[: self.billed])

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The tokens in the order they are produced, each as its choice and its index there."""
        longest = max(len(choice.tokens) for choice in self.choices)
        return [
            (number, index)
            for index in range(longest)
            for number, choice in enumerate(self.choices)
            if index < len(choice.tokens)
        ]


def document(body: bytes) -> Asked:
    """Read a JSON object, or raise `OrderError`."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise OrderError("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise OrderError("the body is not a JSON object")
    return asked


def named_model(asked: Asked, default: str | None = None) -> str:
    """Return the model that is asked for, or raise `OrderError`."""
    model = asked.get("model") or default
    if not isinstance(model, str):
        raise OrderError("you must provide a model", "model")
    return model


def _choice(
    prompt: tuple[str, ...], limit: int | None, tool: str | None, *, thinking: bool
) -> Choice:
    """Answer *prompt*; the limit counts thoughts and arguments as well."""
    words, _ = tokens.of_reply(prompt, None)
    thoughts = tokens.of_thought(prompt) if thinking else ()
    said = ('{"question": "', *words, '"}') if tool else words
    reply = (*thoughts, *said)
    if limit is not None and limit < len(reply):
        return Choice(reply[:limit], "length", min(limit, len(thoughts)), tool)
    return Choice(reply, "tool_calls" if tool else "stop", len(thoughts), tool)


def _prompt(asked: Asked, dialect: Dialect, model: str) -> tuple[str, ...]:
    match dialect:
        case Dialect.CHAT:
            messages = asked.get("messages")
            if (
                not isinstance(messages, list)
                or not messages
                or not all(isinstance(message, dict) for message in messages)
            ):
                raise OrderError(
                    "messages must be a list of at least one object", "messages", model
                )
            return tokens.of_prompt(messages)
        case Dialect.COMPLETIONS:
            return tokens.of_text(_text(asked, "prompt", model))
        case Dialect.RESPONSES:
            return tokens.of_text(_text(asked, "input", model))
        case Dialect.RAG:
            return tokens.of_text(_text(asked, "query", model))


def _text(asked: Asked, name: str, model: str) -> str:
    given = asked.get(name)
    if isinstance(given, str) and given:
        return given
    if isinstance(given, list) and given:
        return " ".join(
            tokens.content_of(one) if isinstance(one, dict) else str(one) for one in given
        )
    raise OrderError(f"{name} must be a string or a list, and not empty", name, model)


def _limit(asked: Asked, model: str) -> int | None:
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        limit = asked.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise OrderError(f"{name} must be an integer of at least 1", name, model)
        return limit
    return None


def _number(asked: Asked, model: str) -> int:
    number = asked.get("n")
    if number is None:
        return 1
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_CHOICES:
        raise OrderError(f"n must be an integer from 1 to {MOST_CHOICES}", "n", model)
    return number


def _tool(asked: Asked) -> str | None:
    """Return the name of the tool to call: one that is required, or one the prompt asks for."""
    offered = asked.get("tools")
    functions: list[str] = [
        one["function"]["name"]
        for one in (offered if isinstance(offered, list) else ())
        if isinstance(one, dict)
        and isinstance(one.get("function"), dict)
        and isinstance(one["function"].get("name"), str)
    ]
    wanted = asked.get("tool_choice", "auto")
    if not functions or wanted == "none":
        return None
    if isinstance(wanted, dict):
        function = wanted.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        return str(name) if name in functions else None
    if wanted == "required":
        return functions[0]
    said = tokens.content_of(asked["messages"][-1]).lower()
    return next((name for name in functions if name.lower() in said), None) or (
        functions[0] if "tool" in said else None
    )
