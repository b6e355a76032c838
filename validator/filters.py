"""The filters of JSONPath, `[?@.x > 1 && @.name != 'y']`: RFC 9535's grammar and meaning.

The grammar is read here, so that what the RFC has no word for is refused instead of being taken
for something else. jsonpath-ng compares the values: a boolean is no number, and what is missing
equals nothing but what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from validator import re2
from validator.errors import QueryError
from validator.values import Json

Values: TypeAlias = "Callable[[Json], list[Json]]"
"""What a path inside a filter selects from the member that is looked at."""
Test: TypeAlias = "Callable[[Json], bool]"
Unescape: TypeAlias = "Callable[[str, int], str]"
"""Returns what is meant by the inside of a quoted text, which begins at an offset."""
ReadPath: TypeAlias = "Callable[[str, int], tuple[Values, bool, int]]"
"""Reads the path at an offset: what it selects, whether that is one value at most, its end."""


class _Nothing:
    """What is not there; no JSON value, not even null."""


NOTHING: Final = _Nothing()
Operand: TypeAlias = "Callable[[Json], Json | _Nothing]"

_DEEPEST = 50
_SPACE = re.compile(r"[ \t\n\r]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_DOT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", re.DOTALL)
_LITERALS: dict[str, Json] = {"true": True, "false": False, "null": None}
_OR_EQUAL = ("==", "<=", ">=")
_HINTS = (
    ("== true", "a comparison is true or false by itself"),
    ("===", "write =="),
    ("=~", "write match(@.key, 'whole text') or search(@.key, 'part of it')"),
    ("=", "write =="),
    ("<>", "write !="),
    ("&", "write &&"),
    ("|", "write ||"),
    ("`", "write length(@.key) or count(@.key[*])"),
    ("/", "a regular expression is a text: match(@.key, 'a.*')"),
    ("and ", "write &&"),
    ("or ", "write ||"),
    ("not ", "write !"),
    ("in ", "write @.key == 'a' || @.key == 'b'"),
    ("'", "a text has quotes on both sides"),
    ('"', "a text has quotes on both sides"),
)
_EXAMPLE = "write [?@.key > 1] or [?@.key == 'text']"


@dataclass(frozen=True, slots=True)
class _Said:
    """One side of a comparison, or a test by itself."""

    at: int
    one: Operand | None = None
    """Its value, if it has one."""
    test: Test | None = None
    """Whether it holds, if that can be asked of it."""
    many: Values | None = None
    """What it selects, if it is a path."""


def compile_filter(text: str, at: int, end: int, read_path: ReadPath, unescape: Unescape) -> Test:
    """Return the question that *text* asks between *at* and *end*; raise `QueryError`."""
    return _Reader(text, at, end, read_path, unescape).whole()


@dataclass(slots=True)
class _Reader:
    """Reads one filter, from left to right."""

    text: str
    at: int
    end: int
    read_path: ReadPath
    unescape: Unescape
    depth: int = 0

    def whole(self) -> Test:
        found = self._either()
        if self.at < self.end:
            raise self._unexpected()
        return found

    def _either(self) -> Test:
        parts = [self._both()]
        while self._takes("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda member: any(p(member) for p in parts)

    def _both(self) -> Test:
        parts = [self._basic()]
        while self._takes("&&"):
            parts.append(self._basic())
        return parts[0] if len(parts) == 1 else lambda member: all(p(member) for p in parts)

    def _basic(self) -> Test:
        if self._takes("!"):
            denied = self._group() if self._takes("(") else self._test(self._said())
            return lambda member: not denied(member)
        if self._takes("("):
            return self._group()
        left = self._said()
        self._skip()
        operator = _OPERATOR.match(self.text, self.at, self.end)
        if operator is None or self.text.startswith(("===", "<>"), self.at):
            return self._test(left)
        self.at = operator.end()
        return _comparison(self._value(left), operator[0], self._value(self._said()))

    def _group(self) -> Test:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise QueryError("the filter nests too deep", self.at)
        found = self._either()
        if not self._takes(")"):
            raise self._unexpected()
        self.depth -= 1
        return found

    def _test(self, said: _Said) -> Test:
        if said.test is not None:
            return said.test
        raise QueryError("a value by itself is no question", said.at, "compare it: == != < <= > >=")

    def _value(self, said: _Said) -> Operand:
        if said.one is not None:
            return said.one
        if said.many is not None:
            hint = "write count(…), length(…) or value(…) of it, or filter once more"
            raise QueryError("a path that may select several cannot be compared", said.at, hint)
        raise QueryError("what is true or false by itself is not compared", said.at, "leave it")

    def _said(self) -> _Said:
        """Read a literal, a path or a function."""
        self._skip()
        at = self.at
        if self.text.startswith("@", at) and at < self.end:
            return self._path()
        if self.text.startswith("$", at) and at < self.end:
            hint = "compare values of different places with expr:"
            raise QueryError("a filter sees the member it looks at, as @, and no $", at, hint)
        if quoted := _STRING.match(self.text, at, self.end):
            self.at = quoted.end()
            raw = quoted[1] if quoted[1] is not None else quoted[2]
            return _constant(at, self.unescape(raw, at + 1))
        if number := _NUMBER.match(self.text, at, self.end):
            self.at = number.end()
            whole = number[1] is None and number[2] is None
            return _constant(at, int(number[0]) if whole else float(number[0]))
        if (word := _WORD.match(self.text, at, self.end)) is None:
            raise self._unexpected()
        if word[0] in _LITERALS:
            self.at = word.end()
            return _constant(at, _LITERALS[word[0]])
        if self.text.startswith("(", word.end()):
            self.at = word.end() + 1
            return self._function(word[0], at)
        raise self._unexpected()

    def _path(self) -> _Said:
        at = self.at
        select, single, self.at = self.read_path(self.text, at + 1)

        def one(member: Json) -> Json | _Nothing:
            found = select(member)
            return found[0] if found else NOTHING

        return _Said(
            at,
            one=one if single else None,
            test=lambda member: bool(select(member)),
            many=select,
        )

    def _function(self, name: str, at: int) -> _Said:
        if name not in _FUNCTIONS:
            known = ", ".join(_FUNCTIONS)
            raise QueryError(f"unknown function {name!r}", at, f"known functions: {known}")
        asked, takes = _FUNCTIONS[name]
        given = [self._said()]
        while self._takes(","):
            given.append(self._said())
        if not self._takes(")"):
            raise self._unexpected()
        if len(given) != takes:
            many = f"{takes} argument{'s' if takes > 1 else ''}"
            raise QueryError(f"{name} takes {many}, and this has {len(given)}", at)
        return asked(self, at, given)

    def length(self, at: int, given: list[_Said]) -> _Said:
        asked = self._value(given[0])

        def one(member: Json) -> Json | _Nothing:
            value = asked(member)
            return len(value) if isinstance(value, str | list | dict) else NOTHING

        return _Said(at, one=one)

    def count(self, at: int, given: list[_Said]) -> _Said:
        select = given[0].many
        if select is None:
            raise QueryError("count takes a path", given[0].at, "such as count(@.key[*])")
        return _Said(at, one=lambda member: len(select(member)))

    def value(self, at: int, given: list[_Said]) -> _Said:
        select = given[0].many
        if select is None:
            raise QueryError("value takes a path", given[0].at, "such as value(@..key)")

        def one(member: Json) -> Json | _Nothing:
            found = select(member)
            return found[0] if len(found) == 1 else NOTHING

        return _Said(at, one=one)

    def match(self, at: int, given: list[_Said]) -> _Said:
        return self._matching(at, given, "fullmatch")

    def search(self, at: int, given: list[_Said]) -> _Said:
        return self._matching(at, given, "search")

    def _matching(self, at: int, given: list[_Said], how: str) -> _Said:
        asked, pattern = self._value(given[0]), _pattern(self._value(given[1]), given[1].at)
        look = getattr(pattern, how)

        def test(member: Json) -> bool:
            value = asked(member)
            return isinstance(value, str) and look(value) is not None

        return _Said(at, test=test)

    def _skip(self) -> None:
        space = _SPACE.match(self.text, self.at, self.end)
        assert space is not None
        self.at = space.end()

    def _takes(self, sign: str) -> bool:
        self._skip()
        if self.at + len(sign) > self.end or not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def _unexpected(self) -> QueryError:
        self._skip()
        if self.at >= self.end:
            return QueryError("not a filter: it ends too early", self.end, _EXAMPLE)
        rest = self.text[self.at : self.end]
        hint = next((hint for sign, hint in _HINTS if rest.lower().startswith(sign)), _EXAMPLE)
        word = _WORD.match(rest)
        shown = word[0] if word else rest[0]
        return QueryError(f"not a filter: unexpected {shown}", self.at, hint)


_FUNCTIONS: dict[str, tuple[Callable[[_Reader, int, list[_Said]], _Said], int]] = {
    "length": (_Reader.length, 1),
    "count": (_Reader.count, 1),
    "match": (_Reader.match, 2),
    "search": (_Reader.search, 2),
    "value": (_Reader.value, 1),
}


def _constant(at: int, value: Json) -> _Said:
    return _Said(at, one=lambda _: value)


def _pattern(operand: Operand, at: int) -> re.Pattern[str]:
    """Return the regular expression that *operand* always is."""
    written = operand(None)
    if not isinstance(written, str):
        raise QueryError("the pattern is a text in quotes", at, "such as match(@.id, 'gpu-.*')")
    try:
        # In an I-Regexp, RFC 9485, a dot is no line break.
        return re2.compiled(_DOT.sub(lambda m: r"[^\n\r]" if m[0] == "." else m[0], written))
    except ValueError as error:
        raise QueryError(str(error).replace("Prometheus", "JSONPath"), at) from error


def _comparison(left: Operand, operator: str, right: Operand) -> Test:
    # Imported here because only specs with filters pay for it.
    from jsonpath_ng import This  # noqa: PLC0415
    from jsonpath_ng.ext.filter import Expression  # noqa: PLC0415

    def test(member: Json) -> bool:
        one, other = left(member), right(member)
        if isinstance(one, _Nothing) or isinstance(other, _Nothing):
            both = one is other  # nothing equals nothing, and has no order
            return not both if operator == "!=" else both and operator in _OR_EQUAL
        comparison: Any = Expression(This(), operator, other)
        return bool(comparison.find(one))

    return test
