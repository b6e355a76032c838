"""YAML text with positions: every value remembers the line and column it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from validator import files
from validator.errors import Problems, UsageError
from validator.reference import Reference
from validator.span import Span
from validator.syntax import COMPARISONS, Place, mistake

Value: TypeAlias = "bool | int | float | str | list[Node] | dict[str, Node] | Reference | None"

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 500_000
MAX_DEPTH = 100

_Parser: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_PLAIN = (None, "")  # what the two parsers of PyYAML call the style of an unquoted scalar
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,400})")
_FLOAT = re.compile(r"[-+]?(?=[.0-9])(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,3})?")
_TAGS = {
    "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map",
}  # fmt: skip


class Node:
    """A YAML value and where it was written."""

    # Spans are made when asked for: a spec has many values, and few of them are complained about.
    __slots__ = ("_key", "_raw", "file", "value")

    def __init__(
        self, value: Value, file: str, raw: yaml.Node, key: yaml.Node | None = None
    ) -> None:
        self.value = value
        self.file = file
        self._raw = raw
        self._key = key

    @property
    def span(self) -> Span:
        """Where the value stands."""
        return _span(self.file, self._raw)

    @property
    def key_span(self) -> Span:
        """Where the key of this value stands; the value's own place if it has none."""
        return self.span if self._key is None else _span(self.file, self._key)

    def with_value(self, value: Value) -> Node:
        """Return another value in the same place."""
        return Node(value, self.file, self._raw, self._key)

    def at(self, *keys: str | int) -> Node | None:
        """Return the node under *keys*, None if there is none."""
        node: Node = self
        for key in keys:
            match node.value:
                case dict() as members if isinstance(key, str) and key in members:
                    node = members[key]
                case list() as items if isinstance(key, int) and key < len(items):
                    node = items[key]
                case _:
                    return None
        return node

    def members(self, key: str) -> dict[str, Node]:
        """Return the mapping under *key*; an empty one if there is none."""
        member = self.at(key)
        return member.value if member is not None and isinstance(member.value, dict) else {}

    def items(self, key: str) -> list[Node]:
        """Return the list under *key*; an empty one if there is none."""
        member = self.at(key)
        return member.value if member is not None and isinstance(member.value, list) else []

    def place(self, *keys: str) -> Span:
        """Return where the last of *keys* stands; where this value's own does without them."""
        member = self.at(*keys)
        return self.key_span if member is None else member.key_span

    def plain(self) -> Any:
        """Return the value without positions."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
        return self.value

    def scalars(self) -> Iterator[Node]:
        """Yield every scalar below this node."""
        match self.value:
            case dict():
                for node in self.value.values():
                    yield from node.scalars()
            case list():
                for node in self.value:
                    yield from node.scalars()
            case _:
                yield self


class _Loader(_Parser):  # type: ignore[misc]  # one of two classes, chosen when the module loads
    """Composes nodes without YAML 1.1's ideas about what a plain scalar means."""

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:  # noqa: ARG002
        if kind is yaml.ScalarNode:
            return "tag:yaml.org,2002:str"
        return "tag:yaml.org,2002:seq" if kind is yaml.SequenceNode else "tag:yaml.org,2002:map"


def scalar(text: str) -> bool | int | float | str | None:
    """Return what a plain YAML 1.2 scalar means; `on`, `12:30` and `010` stay texts."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "-+.0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            try:
                number = float(text)
            except ValueError:  # a lone sign or point
                return text
            return text if number in (float("inf"), float("-inf")) else number
    return text


def text_of(path: Path) -> str:
    """Return the text of a file; raise `UsageError` when it has none, or more than `MAX_BYTES`."""
    try:
        return files.read(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def read(text: str, file: str, problems: Problems) -> Node | None:
    """Compose *text* into nodes; None when it is no YAML at all, with the reason in *problems*."""
    problems.sources[file] = text
    start = Span(file, 1, 1, 1, 1)
    if len(text) > MAX_BYTES:
        problems.add(f"the spec is larger than {MAX_BYTES // 1024 // 1024} MiB", start)
        return None
    if _suspicious(text) and _too_deep(text):
        problems.add(f"the spec nests deeper than {MAX_DEPTH} levels", start)
        return None
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        _complain(error, text, file, problems)
        return None
    except yaml.reader.ReaderError as error:  # characters that YAML does not allow
        # Where it is, the two parsers of PyYAML count differently: in bytes or in characters.
        code = error.character if isinstance(error.character, int) else ord(error.character)
        at = max(text.find(chr(code)), 0)
        line = text.count("\n", 0, at) + 1
        column = at - text.rfind("\n", 0, at)
        here = Span(file, line, column, line, column + 1)
        problems.add(f"not YAML: the character U+{code:04X} is not allowed", here)
        return None
    except (yaml.YAMLError, ValueError) as error:
        problems.add(f"not YAML: {' '.join(str(error).split())}", start)
        return None
    if root is None:
        problems.add("the spec is empty", start)
        return None
    return _Nodes(file, problems).node(root, 0)


def _suspicious(text: str) -> bool:
    """Say whether *text* may nest so deep that composing it would exhaust the C stack."""
    if re.search(r"^[ \-?:]{300}", text, re.MULTILINE):
        return True
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH


def _too_deep(text: str) -> bool:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Parser):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        return False  # composing will say what is wrong, and stops there
    return False


def _complain(error: yaml.MarkedYAMLError, text: str, file: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    begun = error.context_mark
    if mark and begun and not text[_offset(text, mark) :].strip():
        mark = begun  # the end of the file is not where a bracket or a quote was forgotten
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    problem = error.problem or ""
    hint = _hint(here, column, problem)
    if not hint and (likely := mistake(lines, problem, Place(line, column), _place(begun))):
        line, column = likely.place
        problems.add(likely.message, Span(file, line, column, line, column + 1), likely.hint)
        return
    if not hint and begun and mark is begun:
        hint = "what begins here has no end"
    elif not hint and begun and "flow" in (error.context or ""):
        hint = f"in what opens in line {begun.line + 1}: is it closed?"
    elif not hint and "mapping values" in problem:
        hint = "a text with a colon and a space in it needs quotes"
    message = f"not YAML: {problem or error.context}"
    if error.problem == "but found another document":
        message = "a second document: one file is one spec"
    problems.add(message, Span(file, line, column, line, column + 1), hint)


def _hint(line: str, column: int, problem: str) -> str:
    """Say what to write instead, when *line* shows what was meant."""
    if re.search(r"[{,\[][^\"']*\$\{", line):
        return 'inside { } a reference needs quotes: "${load.ok}"'
    if re.search(r"\{.*path:\s*\$[^\"']*\[", line):
        return 'inside { } a path with brackets needs quotes: "$.workers[*].id"'
    if "\t" in line[: column + 1]:
        return "YAML is indented with spaces, not tabs"
    first = line[column - 1 : column]
    if "undefined alias" in problem:
        return "an alias needs its anchor above it; a text that begins with * needs quotes"
    if first and first in "]}" and "expected" in problem:
        return f"a {first} with nothing that it closes"
    if re.search(r":\s*'[^']*'\w", line) and "expected key" in problem:
        return "a quote inside '…' is written twice; or use \"…\""
    if first == ">":
        return COMPARISONS
    return f"a text that begins with {first} needs quotes" if "cannot start" in problem else ""


def _place(mark: yaml.Mark | None) -> Place | None:
    return Place(mark.line + 1, mark.column + 1) if mark else None


def _offset(text: str, mark: yaml.Mark) -> int:
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: mark.line])) + mark.column


class _Nodes:
    """Turns composed nodes into ours, once each however often they are aliased."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._done: dict[int, tuple[Value, int]] = {}
        self._size = 0

    def node(self, raw: yaml.Node, depth: int) -> Node | None:
        found = self._value(raw, depth)
        return None if found is None else Node(found[0], self._file, raw)

    def _value(self, raw: yaml.Node, depth: int) -> tuple[Value, int] | None:
        """Return the value and how many nodes it is when aliases are written out."""
        if (known := self._done.get(id(raw))) is not None:
            return known
        if depth > MAX_DEPTH:
            self._complain(f"nests deeper than {MAX_DEPTH} levels (an alias of itself?)", raw)
            return None
        if raw.tag not in _TAGS:
            self._complain(f"YAML tags are not used here: {raw.tag}", raw, "leave it out")
        value: Value
        size = 1
        if isinstance(raw, yaml.ScalarNode):
            value = scalar(raw.value) if raw.style in _PLAIN else raw.value
        elif isinstance(raw, yaml.SequenceNode):
            parts = [(item, self._value(item, depth + 1)) for item in raw.value]
            kept = [(item, part) for item, part in parts if part is not None]
            value = [Node(part[0], self._file, item) for item, part in kept]
            size += sum(part[1] for _, part in kept)
        else:
            assert isinstance(raw, yaml.MappingNode)
            value, size = self._members(raw, depth)
        if size > MAX_NODES:
            self._complain(f"more than {MAX_NODES} values (aliases of aliases?)", raw)
            return None
        done = self._done[id(raw)] = (value, size)
        return done

    def _members(self, raw: yaml.MappingNode, depth: int) -> tuple[dict[str, Node], int]:
        members: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        size = 1
        for raw_key, raw_value in raw.value:
            if not isinstance(raw_key, yaml.ScalarNode):
                braces = isinstance(raw_key, yaml.MappingNode) and raw_key.flow_style
                hint = 'a reference is written "${load.ok}", with the quotes' if braces else ""
                self._complain("a key must be a text", raw_key, hint)
                continue
            if raw_key.tag not in _TAGS:
                hint = "" if raw_key.tag.strip("!")[:1].isalpha() else COMPARISONS
                self._complain(f"YAML tags are not used here: {raw_key.tag}", raw_key, hint)
                continue
            key = raw_key.value
            part = self._value(raw_value, depth + 1)
            if part is None:
                continue
            node = Node(part[0], self._file, raw_value, raw_key)
            size += part[1]
            if key == "<<" and raw_key.style in _PLAIN:
                merged.update(self._merged(node))
            elif key in members:
                first = members[key].key_span.line
                self._complain(
                    f"duplicate key {key!r}", raw_key, f"it stands already in line {first}"
                )
            else:
                members[key] = node
        return ({**merged, **members} if merged else members), size

    def _merged(self, node: Node) -> dict[str, Node]:
        match node.value:
            case dict():
                return node.value
            case list():
                found: dict[str, Node] = {}
                for item in reversed(node.value):
                    found.update(self._merged(item))
                return found
        hint = "such as an alias of one: *defaults"
        self._problems.add("'<<' merges a mapping", node.span, hint)
        return {}

    def _complain(self, message: str, raw: yaml.Node, hint: str = "") -> None:
        self._problems.add(message, _span(self._file, raw), hint)


def _span(file: str, raw: yaml.Node) -> Span:
    start, end = raw.start_mark, raw.end_mark
    return Span(file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
