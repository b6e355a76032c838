"""The files that `schema:` names, read when the spec is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from validator import files
from validator.arguments import FromFile
from validator.errors import Problems
from validator.measures import MEASURES
from validator.source import MAX_BYTES, Node, read
from validator.span import Span
from validator.spec.model import Quantifier
from validator.spec.references import UNKNOWN
from validator.values import Json

_KEY = "schema"
_AROUND = {*MEASURES, *(quantifier.value for quantifier in Quantifier)}
"""What a condition may stand in."""


@dataclass(frozen=True, slots=True)
class SchemaFiles:
    """Puts what the files hold in the place of their names; each is read once."""

    problems: Problems
    _read: dict[Path, FromFile | None] = field(default_factory=dict)

    def with_schemas(self, root: Node, folder: Path) -> Node:
        """Return the spec *root* with every schema file read; paths are relative to *folder*."""
        members = dict(root.value) if isinstance(root.value, dict) else {}
        for name, member in members.items():
            match name, member.value:
                case "endpoints", dict() as endpoints:
                    inner = {i: self._asserting(e, folder) for i, e in endpoints.items()}
                    members[name] = _changed(member, inner)
                case "load", _:
                    members[name] = self._asserting(member, folder)
                case "loads", dict() as loads:
                    inner = {i: self._asserting(one, folder) for i, one in loads.items()}
                    members[name] = _changed(member, inner)
        return _changed(root, members)

    def _asserting(self, block: Node, folder: Path) -> Node:
        listed = block.at("assert")
        if listed is None or not isinstance(listed.value, list):
            return block
        items = [self._condition(item, folder) for item in listed.value]
        if all(new is old for new, old in zip(items, listed.value, strict=True)):
            return block
        assert isinstance(block.value, dict)
        return block.with_value(block.value | {"assert": listed.with_value(items)})

    def _condition(self, node: Node, folder: Path) -> Node:
        if not isinstance(node.value, dict):
            return node
        changed: dict[str, Node] = {}
        for key, member in node.value.items():
            if key in _AROUND:
                if (inner := self._condition(member, folder)) is not member:
                    changed[key] = inner
            elif key == _KEY and isinstance(member.value, str) and member.value is not UNKNOWN:
                found = self._file(member, member.value, folder)
                changed[key] = member.with_value(UNKNOWN if found is None else found)
        return node.with_value(node.value | changed) if changed else node

    def _file(self, node: Node, name: str, folder: Path) -> FromFile | None:
        path = folder / name
        try:
            text = files.read(path, MAX_BYTES).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            hint = "the path is relative to this file"
            self.problems.add(f"{path}: {why or error}", node.span, hint)
            return None
        if path not in self._read:
            found = self._contents(path, text)
            self._read[path] = None if found is None else FromFile(name, found[0])
        return self._read[path]

    def _contents(self, path: Path, text: str) -> tuple[Json] | None:
        """Return what the file says, None when it is neither JSON nor YAML."""
        file = str(path)
        if path.suffix != ".json":
            node = read(text, file, self.problems)
            return None if node is None else (node.plain(),)
        try:
            return (json.loads(text),)
        except json.JSONDecodeError as error:
            place = Span(file, error.lineno, error.colno, error.lineno, error.colno + 1)
            self.problems.sources[file] = text
            self.problems.add(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", place)
        except RecursionError:
            self.problems.sources[file] = text
            self.problems.add("nested too deep to be read", Span(file, 1, 1, 1, 1))
        return None


def _changed(node: Node, members: dict[str, Node]) -> Node:
    """Return *node* with *members*; itself when they are its own."""
    assert isinstance(node.value, dict)
    if all(members[key] is member for key, member in node.value.items()):
        return node
    return node.with_value(members)
