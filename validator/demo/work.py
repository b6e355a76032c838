"""Requests for anything but text: embeddings, moderation, images, speech, ranking."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from validator.demo import tokens
from validator.demo.caller import JSON, Caller, HungUp
from validator.demo.order import Asked, OrderError, document, named_model
from validator.demo.traffic import Kind, Ticket, Traffic
from validator.demo.wire import problem

DIMENSIONS = 8
MOST_IMAGES = 10
MPEG = b"audio/mpeg"
SILENCE = b"\xff\xfb\x90\x00" + bytes(413)
"""One frame of MPEG audio: 26 ms of nothing at 128 kbit/s."""
CHARACTERS_A_FRAME = 4
PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\2"
    b"\0\1H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82"
).decode()
CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, and what comes of it."""

    kind: Kind
    model: str
    prompt: int
    """Tokens to read; they are billed."""
    reply: bytes
    media_type: bytes = JSON
    units: int = 0
    """Images or characters; they are billed."""
    share: float = 0.2
    """How much of the time of a picture it takes."""


def embeddings(asked: Asked) -> Task:
    """Turn each text into a vector."""
    model = named_model(asked)
    texts = _texts(asked, "input", model)
    spent = sum(len(tokens.of_text(text)) for text in texts)
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text)}
        for index, text in enumerate(texts)
    ]
    if asked.get("encoding_format") == "base64":
        raise OrderError("encoding_format must be float", "encoding_format", model)
    usage = {"prompt_tokens": spent, "total_tokens": spent}
    reply = {"object": "list", "data": data, "model": model, "usage": usage}
    return Task(Kind.EMBEDDINGS, model, spent, json.dumps(reply).encode())


def moderations(asked: Asked) -> Task:
    """Find nothing wrong with any text."""
    model = named_model(asked, "omni-moderation-latest")
    texts = _texts(asked, "input", model)
    result = {
        "flagged": False,
        "categories": dict.fromkeys(CATEGORIES, False),
        "category_scores": dict.fromkeys(CATEGORIES, 0.001),
    }
    reply = {"id": "modr-demo", "model": model, "results": [result] * len(texts)}
    spent = sum(len(tokens.of_text(text)) for text in texts)
    return Task(Kind.OTHER, model, spent, json.dumps(reply).encode())


def images(asked: Asked) -> Task:
    """Draw a pixel, as often as asked."""
    model = named_model(asked, "demo/pixel")
    _texts(asked, "prompt", model)
    number = asked.get("n") or 1
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_IMAGES:
        raise OrderError(f"n must be an integer from 1 to {MOST_IMAGES}", "n", model)
    inline = asked.get("response_format") == "b64_json"
    url = None if inline else f"data:image/png;base64,{PIXEL}"
    one = {"url": url, "b64_json": PIXEL if inline else None, "revised_prompt": None}
    reply = {"created": int(time.time()), "data": [one] * number}
    return Task(Kind.IMAGES, model, 0, json.dumps(reply).encode(), units=number, share=1.0)


def speech(asked: Asked) -> Task:
    """Say nothing, for as long as the text asks for."""
    model = named_model(asked)
    text = _texts(asked, "input", model)[0]
    if not isinstance(asked.get("voice"), str):
        raise OrderError("you must provide a voice", "voice", model)
    audio = SILENCE * (1 + min(len(text), 400) // CHARACTERS_A_FRAME)
    return Task(Kind.SPEECHES, model, 0, audio, MPEG, units=len(text), share=0.4)


def ranking(asked: Asked) -> Task:
    """Rank passages by the words they share with the query."""
    model = named_model(asked)
    query, passages = asked.get("query"), asked.get("passages")
    if not isinstance(query, dict) or not isinstance(query.get("text"), str):
        raise OrderError("query must be an object with a text", "query", model)
    if not isinstance(passages, list) or not passages:
        raise OrderError("passages must be a list and not empty", "passages", model)
    texts = [tokens.of_text(str(one.get("text", one) if isinstance(one, dict) else one))
             for one in passages]  # fmt: skip
    wanted = {*tokens.of_text(query["text"])}
    scores = [10 * len(wanted & {*text}) / len(wanted) - 5 for text in texts]
    order = sorted(range(len(texts)), key=lambda index: -scores[index])
    reply = {"rankings": [{"index": index, "logit": scores[index]} for index in order]}
    spent = len(tokens.of_text(query["text"])) + sum(map(len, texts))
    return Task(Kind.OTHER, model, spent, json.dumps(reply).encode())


TASKS: Mapping[str, Callable[[Asked], Task]] = {
    "/v1/embeddings": embeddings,
    "/v1/moderations": moderations,
    "/v1/images/generations": images,
    "/v1/audio/speech": speech,
    "/v1/ranking": ranking,
}


class Workshop:
    """Does tasks, each in its time."""

    def __init__(self, traffic: Traffic, seconds: float, clock: Callable[[], float]) -> None:
        self._traffic = traffic
        self._seconds = seconds
        self._clock = clock

    def endpoint(self, read: Callable[[Asked], Task]) -> Callable[[Request], Awaitable[ASGIApp]]:
        """Return what answers the requests that *read* understands."""

        async def answer(request: Request) -> ASGIApp:
            ticket: Ticket = request.scope["ticket"]
            try:
                task = read(document(await request.body()))
            except ClientDisconnect:
                self._traffic.spoil(ticket, cancelled=True)
                return Response(status_code=400)
            except OrderError as bad:
                self._traffic.named(ticket, Kind.OTHER, bad.model, streaming=False)
                refusal = problem(str(bad), "invalid_request_error", param=bad.param)
                return JSONResponse(refusal, status_code=400)
            self._traffic.named(ticket, task.kind, task.model, streaming=False)

            async def respond(_scope: Scope, receive: Receive, send: Send) -> None:
                async with Caller(receive, send, self._clock) as caller:
                    await self._do(task, ticket, caller)

            return respond

        return answer

    async def _do(self, task: Task, ticket: Ticket, caller: Caller) -> None:
        begun = self._clock()
        self._traffic.work(ticket, begun, prompt=task.prompt, units=task.units)
        try:
            await caller.wait(begun + self._seconds * task.share)
        except HungUp:
            self._traffic.spoil(ticket, cancelled=True)
        with suppress(OSError):
            await caller.answer(task.reply, task.media_type)


def _texts(asked: Asked, name: str, model: str) -> list[str]:
    given = asked.get(name)
    texts: list[Any] = given if isinstance(given, list) else [given]
    if not texts or not all(texts) or isinstance(given, dict):
        raise OrderError(f"{name} must be a string or a list, and not empty", name, model)
    if all(isinstance(one, int) for one in texts):
        return [" ".join(map(str, texts))]
    return [one if isinstance(one, str) else json.dumps(one) for one in texts]


def _vector(text: str) -> list[float]:
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=DIMENSIONS).digest()
    length = sum((byte - 127.5) ** 2 for byte in digest) ** 0.5
    return [round((byte - 127.5) / length, 6) for byte in digest]
