"""What is likely wrong with a text that is no YAML, in plain words and at the line where it is.

The parser tells where it could not go on; what was mistyped often stands in the line before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

COMPARISONS = "a comparison is a word: eq, ne, gt, ge, lt, le"
_ENTRY = re.compile(r"(?P<indent> *)(?P<dashes>(?:- +)*)(?P<rest>\S.*)")
_KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s#\"'{\[][^#]*?):(\s|$)")
_GLUED = re.compile(r"([\w-]+):\S")
_GLUED_DASH = re.compile(r"-[\w{\[\"']")


class Place(NamedTuple):
    """A line and a column of the text, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and what to do."""

    message: str
    place: Place
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Level:
    """A column where lines of one list or mapping begin."""

    column: int
    line: int
    under: str
    """What stands there."""


def mistake(lines: Sequence[str], problem: str, at: Place, begun: Place | None) -> Mistake | None:
    """Return what is likely wrong where the parser met *problem*; None when nobody can tell.

    *begun* is where the thing begins that the parser could not finish.
    """
    if "could not find expected ':'" in problem and begun is not None:
        return _no_key(lines, begun.line)
    if "mapping values" in problem:
        before = _before(lines, at.line)
        if before and at.column - 1 == _key_end(_line(lines, at.line)):
            return _no_key(lines, before) or _indentation(lines, at.line)
        return _no_key(lines, at.line)
    first = not _line(lines, at.line)[: at.column - 1].strip()
    if first and ("'-' indicator" in problem or "expected key" in problem):
        return _indentation(lines, at.line)
    return None


def _no_key(lines: Sequence[str], line: int) -> Mistake | None:
    """Return what keeps the line from being `key: value`; None when it is that."""
    found = _ENTRY.match(_line(lines, line))
    if found is None:
        return None
    rest, place = found["rest"], Place(line, found.start("rest") + 1)
    if _GLUED_DASH.match(rest):
        return Mistake("not YAML: a space is missing after `-`", place, "a list item is `- …`")
    if glued := _GLUED.match(rest):
        hint = f"write `{glued[1]}: …`"  # what stands there may be secret
        return Mistake(f"not YAML: a space is missing after `{glued[1]}:`", place, hint)
    if rest[0] == "!":  # to YAML it begins a tag
        return Mistake(f"not YAML: `{rest.split(':')[0]}` is no key", place, COMPARISONS)
    if not _KEY.match(rest) and rest[0] not in "{[\"'|>&*#":
        word = rest.split()[0]
        return Mistake(f"not YAML: a colon is missing after `{word}`", place, f"write `{word}: …`")
    return None


def _indentation(lines: Sequence[str], line: int) -> Mistake:
    """Return how far the line should be indented, to stand under the nearest of those above."""
    text = _line(lines, line)
    column = len(text) - len(text.lstrip()) + 1
    item = text.lstrip().startswith("- ")
    place = Place(line, column)
    levels = [level for level in _open(lines, line) if (level.under == "-") == item]
    near = min(levels, key=lambda level: abs(level.column - column), default=None)
    if near is None:
        hint = "a list has `- ` before each of its items, and a mapping before none"
        return Mistake("not YAML: an item of a list, and no list for it", place, hint)
    hint = f"{near.column - 1} spaces put it under `{near.under}` of line {near.line}"
    return Mistake("not YAML: wrong indentation", place, f"{hint}; here are {column - 1}")


def _open(lines: Sequence[str], line: int) -> Iterator[_Level]:
    """Yield the columns in which a line could go on what stands above it, the deepest first."""
    reach = 10**9
    for number in range(line - 1, 0, -1):
        found = _ENTRY.match(_line(lines, number))
        if found is None or found["rest"].startswith("#") or len(found["indent"]) >= reach:
            continue
        key = _KEY.match(found["rest"])
        if key:
            yield _Level(found.start("rest") + 1, number, key[1])
        for dash in reversed([*re.finditer("-", found["dashes"])]):
            yield _Level(found.start("dashes") + dash.start() + 1, number, "-")
        if key or found["dashes"]:
            reach = len(found["indent"])


def _before(lines: Sequence[str], line: int) -> int:
    """Return the number of the line before that says something; 0 if there is none."""
    for number in range(line - 1, 0, -1):
        if _line(lines, number).partition("#")[0].strip():
            return number
    return 0


def _key_end(line: str) -> int:
    """Return where the colon of the line's own key stands, counted from 0; -1 without a key."""
    found = _ENTRY.match(line)
    key = found and _KEY.match(found["rest"])
    return found.start("rest") + key.end(1) if found and key else -1


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""
