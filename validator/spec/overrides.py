"""What whoever runs a spec decides instead of its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from validator.errors import Problems, UsageError
from validator.registry import suggest
from validator.source import Node, read
from validator.span import Span


@dataclass(frozen=True, slots=True)
class Setting:
    """A value given outside the file: *keys* lead to it, *label* is the flag that gave it."""

    label: str
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller decides instead of the file."""

    url: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    settings: tuple[Setting, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    free_port: Callable[[], int] = lambda: 1
    """Finds a port for `server:`; the default is for reading a spec without running it."""


def variables(overrides: Overrides, problems: Problems) -> dict[str, Node]:
    """Return the variables that were given."""
    found = {}
    for name, text in overrides.variables:
        node = read(text or "''", f"--var {name}", problems)
        if node is not None:
            found[name] = node
    return found


def refuse_unknown_variables(
    overrides: Overrides, declared: Collection[str], problems: Problems
) -> None:
    """Complain about variables given for nothing: a misspelt one changes nothing, silently."""
    for name, _ in overrides.variables:
        if name not in declared:
            hint = suggest(name, declared, "variables") if declared else "the spec has no vars:"
            place = Span(f"--var {name}", 1, 1, 1, 1)
            problems.add(f"unknown variable {name!r}", place, hint)


def with_settings(root: Node, overrides: Overrides, problems: Problems) -> Node:
    """Return a spec with what was given in place of what stands there.

    Raises `UsageError` for a setting of a block that the spec does not have.
    """
    for setting in overrides.settings:
        node = read(setting.text or "''", setting.label, problems)
        if node is None:
            continue
        for keys in _places(root, setting):
            root = _placed(root, keys, node)
    return root


def _places(root: Node, setting: Setting) -> list[tuple[str, ...]]:
    """Return where a setting goes; one for `load` goes to each of several loads."""
    first, *rest = setting.keys
    names = root.members("loads")
    if first == "load" and root.at("load") is None and names:
        return [("loads", name, *rest) for name in names]
    if first in ("load", "loads", "server") and root.at(first) is None:
        raise UsageError(f"{setting.label}: the spec has no {first}: block")
    if first == "loads" and rest and rest[0] not in names:
        hint = suggest(rest[0], names, "loads")
        raise UsageError(f"{setting.label}: the spec has no load {rest[0]!r} ({hint})")
    return [setting.keys]


def _placed(node: Node, keys: tuple[str, ...], value: Node) -> Node:
    """Return *node* with *value* under *keys*; mappings on the way are made when missing."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(node.value, list) and key.isdecimal() and int(key) < len(node.value):
        items = list(node.value)
        items[int(key)] = _placed(items[int(key)], tuple(rest), value)
        return node.with_value(items)
    members = dict(node.value) if isinstance(node.value, dict) else {}
    inner = members.get(key) or value.with_value({})
    members[key] = _placed(inner, tuple(rest), value)
    return node.with_value(members)
