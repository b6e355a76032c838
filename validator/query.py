"""JSONPath, compiled once when the spec is read.

The grammar is RFC 9535's, and so is the meaning: `[*]` selects the members of an object or an
array and nothing of a scalar, where jsonpath-ng would hand a scalar back as its own element, and
so let a wrong document pass. Filters, `[?@.x > 1]`, are read in filters.py.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from validator import dialects
from validator.errors import QueryError
from validator.filters import compile_filter
from validator.values import Json

Place: TypeAlias = "tuple[str, Json]"


@dataclass(frozen=True, slots=True)
class Match:
    """One value a query selected, and its normalized path."""

    path: str
    value: Json


Step: TypeAlias = "Callable[[str, Json], Iterator[Place]]"

_NAME = re.compile(r"[^\W\d]\w*")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_SLICE = re.compile(r"(-?[0-9]{1,16})?\s*:\s*(-?[0-9]{1,16})?\s*(?::\s*(-?[0-9]{1,16})?)?")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {**{c: c for c in "\\/'\""}, "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONTROL = re.compile(r"[\x00-\x1f]")
_SPACE = re.compile(r"\s*")
_COMMON = re.compile(r"\$(?:\.[A-Za-z_]\w*|\[(?:0|[1-9]\d{0,15})\])*", re.ASCII)
_COMMON_KEY = re.compile(r"\.(\w+)|\[(\d+)\]", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def child(path: str, key: str | int) -> str:
    """Return the normalized path of a member of *path*."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    quoted = key.replace("\\", "\\\\").replace("'", "\\'")
    if not quoted.isprintable():
        quoted = _CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", quoted)
    return f"{path}['{quoted}']"


class Query:
    """A compiled JSONPath expression."""

    __slots__ = ("_path", "_steps", "definite", "keys", "presumes", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        common = _COMMON.fullmatch(text) is not None  # nearly all are, and much is then known
        keys, self._steps = (_common_keys(text), ()) if common else _whole(text)
        self.definite = keys is not None
        """Whether it can select one value at most."""
        self.keys = keys or ()
        """The way of a definite query, from the root down."""
        self.presumes: str | None = None if self.definite else _filtered(text)
        """Of a filter, the path of what it filters: without that there is nothing to ask about."""
        self._path = text if common else functools.reduce(child, self.keys, "$")

    def select(self, document: Json) -> tuple[Match, ...]:
        """Return what this query selects, in document order."""
        if self.definite:
            value = document
            for key in self.keys:
                # The two kinds of key fit one kind of container each; anything else is no match.
                if isinstance(key, str):
                    if not isinstance(value, dict) or key not in value:
                        return ()
                    value = value[key]
                else:
                    if not isinstance(value, list) or not -len(value) <= key < len(value):
                        return ()
                    value = value[key]
            return (Match(self._path, value),)
        places: Iterator[Place] = iter([("$", document)])
        for step in self._steps:
            places = _apply(step, places)
        return tuple(Match(path, value) for path, value in places)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Query) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Query({self.text!r})"

    def __reduce__(self) -> tuple[type[Query], tuple[str]]:
        return (Query, (self.text,))


def _apply(step: Step, places: Iterator[Place]) -> Iterator[Place]:
    for path, value in places:
        yield from step(path, value)


def _filtered(text: str) -> str | None:
    """Return the part of a path before its first filter, None if it has none."""
    at = 1
    while at < len(text):
        if re.compile(r"\[\s*\?").match(text, at):
            return text[:at]
        _, at = _segment(text, at)
    return None


def _common_keys(text: str) -> tuple[str | int, ...]:
    """Return the keys of a path of plain words and indices, which is its own normalized path."""
    return tuple(name or int(index) for name, index in _COMMON_KEY.findall(text))


def _whole(text: str) -> tuple[tuple[str | int, ...] | None, tuple[Step, ...]]:
    """Return what `_compile` does; say what to write where the path is of another language."""
    try:
        return _compile(text)
    except QueryError as error:
        error.hint = dialects.advice(text, _usable) or error.hint
        raise


def _usable(text: str) -> bool:
    try:
        _compile(text)
    except QueryError:
        return False
    return True


def _compile(text: str) -> tuple[tuple[str | int, ...] | None, tuple[Step, ...]]:
    """Return the keys of a definite path (else None) and the steps of any path."""
    if not text.startswith("$"):
        raise QueryError("a JSONPath starts with $", 0, "such as $.summary.total" if text else "")
    keys: list[str | int] | None = []
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found, at = _segment(text, at)
        steps.append(found if callable(found) else _member(found))
        if callable(found):
            keys = None
        elif keys is not None:
            keys.append(found)
    return (None if keys is None else tuple(keys)), tuple(steps)


def _segment(text: str, at: int) -> tuple[str | int | Step, int]:
    if text.startswith("..", at):
        if text.startswith("[", at + 2):
            found, end = _bracket(text, at + 2)
        else:
            found, end = _dotted(text, at + 2)
        return _descendants(found if callable(found) else _member(found)), end
    if text.startswith(".", at):
        return _dotted(text, at + 1)
    if text.startswith("[", at):
        return _bracket(text, at)
    start = max(text.rfind(".", 0, at), text.rfind("]", 0, at)) + 1
    rest = re.match(r"(?:[^.\[\]]|\.(?=[0-9]))*", text[start:])
    key = rest[0] if rest else ""
    raise QueryError(
        f"unexpected {text[at]!r}", at, f"a key that is not a plain word is written ['{key}']"
    )


def _dotted(text: str, at: int) -> tuple[str | Step, int]:
    if text.startswith("*", at):
        return _members, at + 1
    name = _NAME.match(text, at)
    if name is None:
        shown = repr(text[at]) if at < len(text) else "the end"
        raise QueryError(
            f"expected a key after '.', found {shown}",
            at,
            "a key that is not a plain word is written ['like-this']",
        )
    return name[0], name.end()


def _bracket(text: str, at: int) -> tuple[str | int | Step, int]:
    selectors: list[str | int | Step] = []
    end = at
    while True:
        selector, end = _selector(text, _skip(text, end + 1))
        selectors.append(selector)
        end = _skip(text, end)
        if text.startswith("]", end):
            break
        if not text.startswith(",", end):
            shown = repr(text[end]) if end < len(text) else "the end"
            raise QueryError(f"expected ] or , but found {shown}", min(end, len(text)))
    if len(selectors) == 1:
        return selectors[0], end + 1
    return _union([s if callable(s) else _member(s) for s in selectors]), end + 1


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _selector(text: str, at: int) -> tuple[str | int | Step, int]:
    if quoted := _QUOTED.match(text, at):
        raw = quoted[1] if quoted[1] is not None else quoted[2]
        return _unescaped(raw, at + 1), quoted.end()
    if text.startswith("*", at):
        return _members, at + 1
    if text.startswith("?", at):
        end = _closing(text, at)
        return _filter(text, at, end), end
    if (cut := _SLICE.match(text, at)) and ":" in cut[0]:
        start, stop, step = (None if part is None else int(part) for part in cut.groups())
        if step == 0:
            raise QueryError("the step of a slice cannot be 0", at)
        return _slice(slice(start, stop, step)), cut.end()
    if number := _INTEGER.match(text, at):
        return int(number[0]), number.end()
    bare = re.match(r"[^\[\],]*", text[at:])
    key = bare[0] if bare else ""
    raise QueryError(
        "expected a quoted key, an index, a slice, * or ?(filter)",
        at,
        f"write ['{key}']" if key else "",
    )


def _unescaped(raw: str, at: int) -> str:
    """Return what is meant by the inside of a quoted key, which begins at *at*."""

    def meant(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] not in _ESCAPES:
            hint = "a backslash itself is written twice"
            raise QueryError(f"unknown escape {found[0]}", at + found.start(), hint)
        return _ESCAPES[found[2]]

    if "\\" not in raw:
        return raw
    key = _ESCAPE.sub(meant, raw)
    # What lies beyond four digits is escaped as a pair.
    return key.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _closing(text: str, at: int) -> int:
    """Return where the bracket that holds the filter at *at* closes."""
    depth = 0
    while at < len(text):
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
            continue
        if text[at] in "[(":
            depth += 1
        elif text[at] in "])":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise QueryError("the filter has no closing ]", len(text))


def _member(key: str | int) -> Step:
    def member(path: str, value: Json) -> Iterator[Place]:
        if isinstance(key, str):
            if isinstance(value, dict) and key in value:
                yield child(path, key), value[key]
        elif isinstance(value, list) and -len(value) <= key < len(value):
            yield child(path, key % len(value)), value[key]

    return member


def _members(path: str, value: Json) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield child(path, key), member
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield child(path, index), member


def _slice(cut: slice) -> Step:
    def members(path: str, value: Json) -> Iterator[Place]:
        if isinstance(value, list):
            for index in range(*cut.indices(len(value))):
                yield child(path, index), value[index]

    return members


def _union(steps: list[Step]) -> Step:
    def members(path: str, value: Json) -> Iterator[Place]:
        for step in steps:
            yield from step(path, value)

    return members


def _descendants(step: Step) -> Step:
    def members(path: str, value: Json) -> Iterator[Place]:
        # A stack of our own: documents nest deeper than Python likes to recurse.
        waiting = [(path, value)]
        while waiting:
            place = waiting.pop()
            yield from step(*place)
            waiting.extend(reversed(list(_members(*place))))

    return members


def _filter(text: str, at: int, end: int) -> Step:
    """Return the step to the members that the filter between *at* and *end* is true of."""
    holds = compile_filter(text, at + 1, end, _relative, _unescaped)

    def members(path: str, value: Json) -> Iterator[Place]:
        return (place for place in _members(path, value) if holds(place[1]))

    return members


def _relative(text: str, at: int) -> tuple[Callable[[Json], list[Json]], bool, int]:
    """Return what the path at *at* selects from a value, whether one at most, and its end."""
    steps: list[Step] = []
    single = True
    while text.startswith((".", "["), at):
        found, at = _segment(text, at)
        steps.append(found if callable(found) else _member(found))
        single = single and not callable(found)

    def select(value: Json) -> list[Json]:
        places: Iterator[Place] = iter([("@", value)])
        for step in steps:
            places = _apply(step, places)
        return [found for _, found in places]

    return select, single, at


@functools.lru_cache(maxsize=50_000)
def compiled(text: str) -> Query:
    """Return the query of *text*, compiled once; raise `QueryError`."""
    return Query(text)
