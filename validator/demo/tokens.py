"""Deterministic text: the same prompt always counts the same tokens and gets the same reply."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

SHORTEST, LONGEST = 20, 40

_PIECE = re.compile(r"\w+|[^\w\s]")
_WORDS = _PIECE.findall(
    "quiet loops return a naïve answer while small clouds of data drift over the warm server and "
    "every token waits its turn until one more line compiles then rests beside an open port ."
)


def content_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, whether it is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def of_prompt(messages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Split a conversation into tokens, the marks of the chat template among them."""
    tokens: list[str] = []
    for message in messages:
        tokens += ("<|start|>", str(message.get("role", "")), "<|message|>")
        tokens += _PIECE.findall(content_of(message))
        tokens.append("<|end|>")
    return tuple(tokens)


def of_text(text: str) -> tuple[str, ...]:
    """Split a text into tokens, the mark of its start among them."""
    return ("<|start|>", *_PIECE.findall(text))


def of_thought(prompt: Sequence[str]) -> tuple[str, ...]:
    """Return the tokens that a reasoning model thinks before it answers *prompt*."""
    return ("Thinking", " about", f" {len(prompt)}", " tokens", ",", " one", " by", " one", ".")


def of_reply(prompt: Sequence[str], limit: int | None) -> tuple[tuple[str, ...], str]:
    """Return the tokens that answer *prompt*, and why they end (`stop` or `length`)."""
    digest = hashlib.blake2b("\0".join(prompt).encode(errors="replace"), digest_size=8).digest()
    seed = int.from_bytes(digest)
    length = SHORTEST + seed % (LONGEST - SHORTEST + 1)
    words = (_WORDS[(seed // 7 + index * 11) % len(_WORDS)] for index in range(length))
    reply = tuple(word if index == 0 else f" {word}" for index, word in enumerate(words))
    if limit is not None and limit < length:
        return reply[:limit], "length"
    return reply, "stop"
