"""Events of a completion's stream, read no further than needed.

Three ways to take in one event, each for what the one before cannot decide:

* it differs from an earlier one in its text alone: then nothing of it has to be decoded;
* it is an ordinary chunk: the few fields that matter are decoded, the rest is skipped;
* anything else, and anything wrong, is decoded whole and judged by the reply itself.

The first rests on a proof, not on a guess: the bytes around the text are known to be that when a
stand-in put between them is decoded as the content, and plain characters need no escape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import msgspec

from validator.drivers.completion import Completion, TextCompletion
from validator.drivers.failures import ExchangeError
from validator.drivers.reply import DONE, Reply
from validator.drivers.sse import CR, LF, OPEN, Cutter

SMALL: Final = 4096
"""Bytes of an event beyond which it is no ordinary one."""
STAND_IN: Final = "?#stand-in#?"
CLOSE: Final = b"\n\n"
ATTEMPTS: Final = 3
"""Patterns that may prove useless before no more is sought: each event may differ elsewhere."""

_plain = re.compile(rb'[^"\\\x00-\x1f\x7f-\xff]+').fullmatch
"""Matches text that needs no escape in JSON and is valid in any place of a line."""


class Delta(msgspec.Struct):
    """What one chunk adds to a choice of a chat."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Any] | None = None


class ChatChoice(msgspec.Struct):
    """A choice of a chat chunk."""

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None

    def said(self) -> str | None:
        """Return its text; None if more has to be looked at."""
        delta = self.delta
        if delta is None:
            return ""
        if delta.reasoning_content or delta.reasoning or delta.tool_calls:
            return None
        return delta.content or ""


class TextChoice(msgspec.Struct):
    """A choice of a text completion's chunk."""

    index: int = 0
    text: str | None = None
    finish_reason: str | None = None

    def said(self) -> str | None:
        """Return its text."""
        return self.text or ""


C = TypeVar("C", ChatChoice, TextChoice)


class Chunk(msgspec.Struct, Generic[C]):
    """What matters of an ordinary chunk."""

    choices: list[C]
    usage: Any = None
    error: Any = None
    object: str | None = None


_chat = msgspec.json.Decoder(Chunk[ChatChoice]).decode
_text = msgspec.json.Decoder(Chunk[TextChoice]).decode


class Events:
    """The events of one stream, told to a reply as they come."""

    __slots__ = ("_between", "_cutter", "_over", "reply")

    def __init__(self, reply: Reply, over: Callable[[], None]) -> None:
        self.reply = reply
        self._over = over
        self._cutter = Cutter()
        self._between = False
        """Whether all that came so far are whole events, with lines that LF ends."""

    def take(self, pieces: Sequence[bytes], now: float) -> None:
        """Take in pieces that arrived together."""
        self.feed(b"".join(pieces), now)

    def feed(self, piece: bytes, now: float) -> None:
        """Take in what arrived at *now*; once, when the stream says that it is over, tell so."""
        if self.reply.done is not None:
            return  # read to its end, or the connection could not be used again
        if not self._between:
            self._between = self._cutter.begins(piece)
        if self._between and CR not in piece and piece.endswith(CLOSE):
            for part in piece[: -len(CLOSE)].split(CLOSE):
                if part.startswith(OPEN) and LF not in part:
                    self.event(part[len(OPEN) :], now)
                else:
                    self._cut(part + CLOSE, now)
        else:
            self._cut(piece, now)
            self._between = self._cutter.between
        if self.reply.done is not None:
            self._over()

    def event(self, data: bytes, now: float) -> None:
        """Take in the data of one event."""
        self.reply.event(data, now)

    def _cut(self, piece: bytes, now: float) -> None:
        try:
            events = self._cutter.feed(piece)
        except ValueError as large:
            raise ExchangeError("malformed", str(large)) from large
        for data in events:
            self.event(data, now)


class CompletionEvents(Events):
    """The events of a completion's stream."""

    __slots__ = ("_attempts", "_decode", "_end", "_learnt", "_start", "_tail", "_text", "_whole")

    reply: Completion

    def __init__(self, reply: Completion, over: Callable[[], None]) -> None:
        super().__init__(reply, over)
        self._decode: Callable[[bytes], Chunk[Any]] = (
            _text if isinstance(reply, TextCompletion) else _chat
        )
        self._start = self._whole = b""  # before the text: of an event's data, and of its line
        self._end = self._tail = b""  # after it
        self._text: Callable[[bytes], bytes] = bytes  # cuts it out of the line
        self._attempts = ATTEMPTS
        self._learnt = 0

    def take(self, pieces: Sequence[bytes], now: float) -> None:
        if len(pieces) == 1:
            self.feed(pieces[0], now)
            return
        pieces = self._until_known(pieces, now)  # each is mostly an event
        if self._whole and self._between and self.reply.done is None:
            pieces = self._pieces_alike(pieces, now)
        self.feed(b"".join(pieces), now)

    def feed(self, piece: bytes, now: float) -> None:
        if not self._whole and self._attempts:
            piece = self._one_by_one(piece, now)
        whole, tail = self._whole, self._tail
        if whole and self._between and piece.startswith(whole) and self.reply.done is None:
            if piece.endswith(tail) and _plain(piece, len(whole), len(piece) - len(tail)):
                self.reply.content(now)  # the one event of a timely server
                return
            piece = self._events_alike(piece, now)
        if piece:
            Events.feed(self, piece, now)

    def _until_known(self, pieces: Sequence[bytes], now: float) -> Sequence[bytes]:
        """Take in pieces until it is known what most events look like; return what is left then."""
        for taken, piece in enumerate(pieces[: ATTEMPTS + 1]):
            if self._whole or not self._attempts:
                return pieces[taken:]
            Events.feed(self, piece, now)
        return pieces[ATTEMPTS + 1 :]

    def _pieces_alike(self, pieces: Sequence[bytes], now: float) -> Sequence[bytes]:
        """Take in the pieces that are an event each, up to the last that differ in text alone.

        Return what is left of them; all of them, if one needs another look.
        """
        end = len(pieces)
        while end and not pieces[end - 1].endswith(self._tail):
            end -= 1
        alike = pieces[:end]
        texts = list(map(self._text, alike))
        return pieces[end:] if self._alike(b"".join(alike), texts, now) else pieces

    def _one_by_one(self, piece: bytes, now: float) -> bytes:
        """Take in events until it is known what most look like; return what is left then."""
        for _ in range(ATTEMPTS + 1):
            end = piece.find(CLOSE) + len(CLOSE)
            if self._whole or not self._attempts or not len(CLOSE) <= end < len(piece):
                break
            Events.feed(self, piece[:end], now)
            piece = piece[end:]
        return piece

    def _events_alike(self, piece: bytes, now: float) -> bytes:
        """Take in the events that *piece* begins with, up to the last that differ in text alone.

        Return what is left of it; all of it, if one of them needs another look.
        """
        *heads, rest = piece.split(self._tail)
        texts = [head[len(self._whole) :] for head in heads]
        return rest if self._alike(piece, texts, now) else piece

    def _alike(self, piece: bytes, texts: list[bytes], now: float) -> bool:
        """Take in what *piece* begins with, if that is an event for each of *texts*."""
        whole, tail = self._whole, self._tail
        again = whole + (tail + whole).join(texts) + tail
        if not all(texts) or not piece.startswith(again) or not _plain(b"".join(texts)):
            return False
        self.reply.contents(len(texts), now)
        return True

    def event(self, data: bytes, now: float) -> None:
        reply, start, end = self.reply, self._start, self._end
        if reply.done is not None:
            return
        if (
            start
            and data.startswith(start)
            and data.endswith(end)
            and _plain(data, len(start), len(data) - len(end))
        ):
            reply.content(now)
        elif data == DONE or len(data) > SMALL or not self._glance(data, now):
            reply.event(data, now)

    def _glance(self, data: bytes, now: float) -> bool:
        """Take in an ordinary chunk; say whether it was one."""
        chunk = self._ordinary(data)
        if chunk is None or len(chunk.choices) > 1:
            return False
        choice = chunk.choices[0] if chunk.choices else None
        text = "" if choice is None else choice.said()
        if text is None:
            return False
        reply = self.reply
        if reply.first_event is None:
            reply.first_event = now
        reply.count(chunk.usage)
        if choice is not None:
            reply.noted(choice.index, choice.finish_reason or "", content=bool(text))
        if text:
            reply.content(now)
            if self._attempts and chunk.usage is None:
                self._learn(data, choice)
        return True

    def _ordinary(self, data: bytes) -> Chunk[Any] | None:
        try:
            if not data.isascii():
                data.decode()  # msgspec does not look into what it skips
            chunk = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        # Nothing to look at but its choices and its usage.
        return chunk if chunk.error is None and chunk.object != "error" else None

    def _learn(self, data: bytes, choice: Any) -> None:
        """Find what stands before and after the text of this event."""
        if self.reply.chunks == self._learnt + 1:
            self._attempts -= 1  # the last one matched nothing
        self._learnt = self.reply.chunks
        self._start = self._whole = b""
        text = choice.said().encode()
        at = data.rfind(b'"%b"' % text) + 1
        if choice.finish_reason or not at or not _plain(text):
            return
        start, end = data[:at], data[at + len(text) :]
        other = self._ordinary(b"%b%b%b" % (start, STAND_IN.encode(), end))
        if other is not None and [c.said() for c in other.choices] == [STAND_IN]:
            self._start, self._end = start, end
            if LF not in data:
                self._whole, self._tail = OPEN + start, end + CLOSE
                self._text = itemgetter(slice(len(self._whole), -len(self._tail)))


def events_of(reply: Reply, over: Callable[[], None]) -> Events:
    """Return what reads a stream for *reply*, and calls *over* when it says that it is over."""
    kind = CompletionEvents if isinstance(reply, Completion) else Events
    return kind(reply, over)  # type: ignore[arg-type]  # each takes the reply it was chosen for
