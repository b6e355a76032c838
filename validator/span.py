"""Places in a source text, and how to show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one source; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def inside(self, at: int) -> Span:
        """Return the place *at* characters into a text of one line; all of any other text."""
        if self.line != self.end_line or self.column + at >= self.end_column:
            return self
        return Span(self.file, self.line, self.column + at, self.line, self.end_column)


NOWHERE = Span("", 1, 1, 1, 1)
"""The place of what nobody wrote: implied assertions of a spec built in code."""

_WIDTH = 160
_MOST_LINES = 12


def quoted(lines: Sequence[str], span: Span) -> str:
    """Return those of *lines* that *span* is about, as they stand there; cut when many."""
    end = min(span.end_line, len(lines))
    if span.line < end == span.end_line and not lines[end - 1][: span.end_column - 1].strip():
        end -= 1  # a block ends where the next token begins
    found = list(lines[span.line - 1 : end])
    while len(found) > 1 and not found[-1].partition("#")[0].strip():
        found.pop()  # what stands before the next token is about that
    more = ["…"] if len(found) > _MOST_LINES else []
    return "\n".join([line[:_WIDTH] for line in found[:_MOST_LINES]] + more)


def excerpt(text: str, span: Span, note: str = "") -> str:
    """Quote the line of *span* with carets under it and *note* after them."""
    lines = text.splitlines()
    margin = " " * len(str(span.line))
    head = f"{margin}--> {span}\n"
    if not 0 < span.line <= len(lines):
        return head + (f"{margin} = {note}\n" if note else "")
    # One column stays one column, so that the carets stand under what they mean.
    line = "".join(c if c.isprintable() else " " for c in lines[span.line - 1])
    end = span.end_column if span.end_line == span.line else len(line) + 1
    start = span.column
    cut = max(0, start - _WIDTH // 2) if len(line) > _WIDTH else 0
    line, start, end = line[cut : cut + _WIDTH], start - cut, min(end - cut, _WIDTH + 1)
    carets = "^" * max(end - start, 1)
    return (
        f"{head}"
        f"{margin} |\n"
        f"{span.line} | {line}\n"
        f"{margin} | {' ' * (start - 1)}{carets}{' ' if note else ''}{note}\n"
    )
