"""Prometheus's instant-vector selectors, compiled once when the spec is read.

The grammar and the meaning are PromQL's: a label that a series does not have is the empty text,
a regular expression must match the whole value, and at least one matcher must refuse the empty
text. Names are those on the wire. There are no functions, operators, ranges or offsets: sums and
changes are the spec's own words, and a page has one instant.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from validator import re2
from validator.page import SUFFIXES, series
from validator.query import Match
from validator.values import Json


class SelectorError(ValueError):
    """The text is not a selector; *at* is the offset of the first character that is not."""

    def __init__(self, message: str, at: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Matcher:
    """What one label must be, or must not."""

    label: str
    operator: str
    value: str
    holds: Callable[[str], bool]


class Selector:
    """A compiled selector; it selects as a `Query` does."""

    __slots__ = ("_labels", "_names", "name", "text")

    definite = False
    """One selector may always select several series."""

    def __init__(self, text: str) -> None:
        matchers = _Reader(text).matchers()
        self.text = text
        self.name = next((m.value for m in matchers if _is_name(m)), None)
        """The one name it asks for, if it asks for one."""
        self._names = tuple(m for m in matchers if m.label == "__name__")
        self._labels = tuple(m for m in matchers if m.label != "__name__")

    def select(self, document: Json) -> tuple[Match, ...]:
        """Return the samples of a Prometheus document that match, in its order.

        The path of a match is the series, with its labels sorted: `name{a="b",c="d"}`.
        """
        wanted: dict[str, bool] = {}
        found = []
        for name, sample in _samples(document, self.name):
            fits = wanted.get(name)
            if fits is None:
                fits = wanted[name] = all(m.holds(name) for m in self._names)
            labels = sample.get("labels")
            if fits and isinstance(labels, dict) and self._fits(labels):
                texts = {label: str(text) for label, text in labels.items()}
                found.append(Match(series(name, texts), sample.get("value")))
        return tuple(found)

    def _fits(self, labels: Mapping[str, Json]) -> bool:
        return all(m.holds(str(labels.get(m.label, ""))) for m in self._labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"

    def __reduce__(self) -> tuple[type[Selector], tuple[str]]:
        return (Selector, (self.text,))


@functools.lru_cache(maxsize=50_000)
def compiled_selector(text: str) -> Selector:
    """Return the selector of *text*, compiled once; raise `SelectorError`."""
    return Selector(text)


def is_counter(name: str, document: Json) -> bool:
    """Say whether the series *name* only ever grows, by the type its family declares."""
    for key in (name, *_shorter(name)):
        match _type(document, key):
            case "counter" | "histogram":
                return True
            case "summary":
                return key != name  # the quantiles under the name itself rise and fall
    return False


def without_label(path: str, label: str) -> tuple[str, str | None]:
    """Return a series' path without one of its labels, and that label's value."""
    found = re.search(rf'(?<=[{{,]){label}="((?:[^"\\\\]|\\\\.)*)",?', path)
    if found is None:
        return path, None
    rest = (path[: found.start()] + path[found.end() :]).replace(",}", "}").removesuffix("{}")
    return rest, found[1]


def names_in(document: Json) -> list[str]:
    """Return the names of the series on a page, each once."""
    return list(dict.fromkeys(name for name, _ in _samples(document, None)))


def series_named(name: str, document: Json) -> tuple[str, int]:
    """Return the first series of that name, and how many there are."""
    found = Selector(name).select(document)
    return (found[0].path if found else ""), len(found)


def family_of(name: str, document: Json) -> str:
    """Say what to select instead, when *name* is no series but a family on this page.

    Empty when there is such a series, or nothing of the kind.
    """
    if any(True for found, _ in _samples(document, name) if found == name):
        return ""
    beside = sorted({found for found, _ in _samples(document, *_longer(name))})
    if not beside:
        return ""
    parts = [f"{part}{{le=…}}" if part.endswith("_bucket") else part for part in beside]
    kind = _type(document, name)
    if kind == "summary":
        parts.insert(0, f"{name}{{quantile=…}}")
    listed = " or ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)
    return f"{name} is a {kind}: select {listed}" if kind else f"did you mean {listed}?"


def _type(document: Json, name: str) -> str:
    """Return the type of a family that has series; else nothing."""
    family = _families(document).get(name)
    if not isinstance(family, dict) or not family.get("samples"):
        return ""
    return str(family.get("type"))


def _longer(name: str) -> Iterable[str]:
    return (name + suffix for suffix in SUFFIXES)


def _is_name(matcher: Matcher) -> bool:
    return matcher.label == "__name__" and matcher.operator == "="


def is_page(document: Json) -> bool:
    """Say whether *document* is what the decoder of Prometheus text makes of a page."""
    return isinstance(document, dict) and isinstance(document.get("families"), dict)


def _families(document: Json) -> Mapping[str, Json]:
    families = document.get("families") if isinstance(document, dict) else None
    return families if isinstance(families, dict) else {}


def _samples(document: Json, *names: str | None) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Return the samples with these names; with None among them, all samples."""
    families = _families(document)
    everything = None in names
    keys: Iterable[str] = families
    if not everything:
        # A series is filed under its own name or under that without its ending.
        asked = dict.fromkeys(key for name in names if name for key in (name, *_shorter(name)))
        keys = [key for key in asked if key in families]
    for family in map(families.__getitem__, keys):
        samples = family.get("samples") if isinstance(family, dict) else None
        for sample in samples if isinstance(samples, list) else ():
            name = sample.get("name") if isinstance(sample, dict) else None
            if isinstance(sample, dict) and isinstance(name, str) and (everything or name in names):
                yield name, sample


def _shorter(name: str) -> Iterable[str]:
    return (name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix))


_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*+)"|\'((?:[^\'\\\n]|\\.)*+)\'|`([^`]*+)`', re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))",
    re.DOTALL,
)
_PLAIN_ESCAPES = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_MEASURE = "sums and changes are measures of the assertion: `sum:`, `delta:`, `rate:`"


class _Reader:
    """What reading one selector needs to remember: how far it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.space()

    def matchers(self) -> tuple[Matcher, ...]:
        matchers = []
        if name := self.token(_NAME):
            matchers.append(_matcher("__name__", "=", name, 0))
        if self.take("{"):
            matchers.extend(self.braces(named=bool(name)))
        elif not name:
            shown = self.shown()
            raise SelectorError(
                f"expected the name of a metric or {{, found {shown}",
                self.at,
                'write name or name{label="value"}',
            )
        if self.at < len(self.text):
            self.refuse_rest()
        if all(matcher.holds("") for matcher in matchers):
            raise SelectorError(
                "the selector may match every series",
                0,
                "give a name, or one matcher that does not match the empty text",
            )
        return tuple(matchers)

    def braces(self, *, named: bool) -> Iterator[Matcher]:
        while not self.take("}"):
            start = self.at
            matcher = self.matcher()
            if _is_name(matcher):
                if named:
                    raise SelectorError("the name is given twice", start)
                named = True
            yield matcher
            if not self.take(",") and not self.text.startswith("}", self.at):
                raise SelectorError(f"expected , or }} but found {self.shown()}", self.at)

    def matcher(self) -> Matcher:
        quoted = self.text[self.at : self.at + 1] in {'"', "'", "`"}
        label = self.quoted() if quoted else self.token(_LABEL)
        if label is None:
            raise SelectorError(f"expected a label, found {self.shown()}", self.at)
        if quoted and self.text[self.at : self.at + 1] in {",", "}"}:
            return _matcher("__name__", "=", label, self.at)  # {"a name in quotes"}
        operator = self.token(_OPERATOR)
        if operator is None:
            raise SelectorError(
                f"expected = != =~ or !~ after {label}, found {self.shown()}", self.at
            )
        start = self.at
        return _matcher(label, operator, self.quoted(), start)

    def quoted(self) -> str:
        found = _QUOTED.match(self.text, self.at)
        if found is None:
            if self.text[self.at : self.at + 1] in {'"', "'", "`"}:
                raise SelectorError("the quote is not closed", self.at)
            word = re.match(r"[^\s,{}]*", self.text[self.at :])
            raise SelectorError(
                f"expected a value in quotes, found {self.shown()}",
                self.at,
                f'write "{word[0]}"' if word and word[0] else "",
            )
        start, self.at = self.at + 1, found.end()
        self.space()
        if found[3] is not None:
            return found[3]  # backquotes: as it stands
        inner = found[1] if found[1] is not None else found[2]
        return _ESCAPE.sub(functools.partial(_unescaped, start), inner)

    def take(self, character: str) -> bool:
        if not self.text.startswith(character, self.at):
            return False
        self.at += 1
        self.space()
        return True

    def token(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self.space()
        return found[0]

    def space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def shown(self) -> str:
        return repr(self.text[self.at]) if self.at < len(self.text) else "the end"

    def refuse_rest(self) -> NoReturn:
        rest = self.text[self.at :]
        if rest.startswith("["):
            raise SelectorError("a selector has no range", self.at, _MEASURE)
        if re.match(r"offset\b|@", rest):
            raise SelectorError("a selector has no offset", self.at, "`over: before` looks back")
        if re.match(r"\(|(by|without)\b", rest):
            raise SelectorError("a selector has no functions", 0, _MEASURE)
        if re.match(r"[-+*/%^<>=!]|(and|or|unless|bool)\b", rest):
            raise SelectorError(
                "a selector has no operators", self.at, "write the relation as `expr:`"
            )
        raise SelectorError(f"unexpected {self.shown()} after the selector", self.at)


def _unescaped(start: int, found: re.Match[str]) -> str:
    plain, *codes, other = found.groups()
    if plain is not None:
        return _PLAIN_ESCAPES[plain]
    if other is None:
        code, base = next((c, 8 if i == 1 else 16) for i, c in enumerate(codes) if c is not None)
        number = int(code, base)
        if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF:  # noqa: PLR2004 - Unicode's end and its gap
            return chr(number)
    raise SelectorError(
        f"{found[0]} is no escape",
        start + found.start(),
        f"write \\{found[0]}, or the value in `backquotes`",
    )


def _matcher(label: str, operator: str, value: str, at: int) -> Matcher:
    match operator:
        case "=":
            return Matcher(label, operator, value, value.__eq__)
        case "!=":
            return Matcher(label, operator, value, value.__ne__)
    try:
        matches = re2.compiled(value).fullmatch
    except ValueError as error:
        hint = "!~ refuses what matches" if "lookaround" in str(error) else ""
        raise SelectorError(str(error), at, hint) from None
    if operator == "=~":
        return Matcher(label, operator, value, lambda text: matches(text) is not None)
    return Matcher(label, operator, value, lambda text: matches(text) is None)
