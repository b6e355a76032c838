"""Text within the width of a terminal: lines break between words, and go on where they began."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

_PLACE = re.compile(r" *--> ")
"""Where something is wrong: programs read this line and the one before."""
_SOURCE = re.compile(r" *\d+ \| ")
_NOTE = re.compile(r"( *\|)( +\^+ )(\S.*)")
_COLUMNS = re.compile(r" *\S+(?: \S+)*  +(?=\S)")
_INDENT = re.compile(r" *")
_LEAST = 30
"""Columns that make it worthwhile to go on in the same column."""


def wrapped(text: str, width: int) -> str:
    """Return *text* in lines of *width* columns where words allow; examples stay as they are."""
    found: list[str] = []
    example = False
    lines = text.split("\n")
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        example ^= line.strip().startswith("```")
        read = _PLACE.match(line) or _PLACE.match(after) or _SOURCE.match(line)
        keep = example or len(line) <= width or read
        found += [line] if keep else _broken(line, width)
    return "\n".join(found)


def _broken(line: str, width: int) -> Iterator[str]:
    """Yield a line in parts: what goes on stands in the last column that the line has."""
    if note := _NOTE.fullmatch(line):
        bar, carets, said = note.groups()
        first, more = bar + carets, bar + " " * len(carets)
        if width - len(first) < _LEAST:
            yield first.rstrip()
            first = more = f"{bar}   "
        yield from _filled(said, width, first, more)
        return
    columns = _COLUMNS.match(line)
    indent = len(_INDENT.match(line)[0])  # type: ignore[index]  # it matches anything
    if columns is None or width - columns.end() < _LEAST:
        prose = indent > 0 and columns is None  # a paragraph keeps its indent
        more = " " * (indent if prose else indent + 2)
        yield from _filled(line[indent:], width, " " * indent, more)
    else:
        at = columns.end()
        yield from _filled(line[at:], width, line[:at], " " * at)


def _filled(text: str, width: int, first: str, more: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=more,
        break_long_words=False,
        break_on_hyphens=False,
    )
