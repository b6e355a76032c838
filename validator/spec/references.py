"""References in a spec: `${env.NAME:-default}`, `${vars.x}`, `${port}`, `${load.x}` for later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from validator.errors import Problems, QueryError
from validator.reference import Reference, reference
from validator.registry import suggest
from validator.source import Node, scalar
from validator.span import Span

_ANY = re.compile(r"(?<!\$)\$\{([^{}]*)\}")
_ENV = re.compile(r"env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_VAR = re.compile(r"vars\.([A-Za-z_][\w-]*)")
_SUM = re.compile(r"[\w\]] *[*+/] *[\w(]|[\w\]] +- *[\w(]")
"""Arithmetic, where only a name may stand."""
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_HARMLESS_NUMBER = 6  # digits: a shorter number under such a name is a count, not a secret


class _Unknown(Exception):  # noqa: N818 - a signal inside this module
    """A reference that cannot be looked up; it has been complained about."""


@dataclass(slots=True)
class References:
    """Looks up what is known when the spec is read, and marks what only the load can tell."""

    problems: Problems
    environment: Mapping[str, str]
    variables: dict[str, Node] = field(default_factory=dict)
    port: Callable[[], int] | None = None
    """Returns the port of the server to start; None where there is no `server:` block."""
    secrets: set[str] = field(default_factory=set)
    load_spans: list[Span] = field(default_factory=list)
    """Where the load is referred to."""
    _open: list[str] = field(default_factory=list)
    _known: dict[str, Node] = field(default_factory=dict)

    def resolved(self, node: Node) -> Node:
        """Return *node* with every reference below it looked up."""
        match node.value:
            case dict() as members:
                found = {
                    key: new
                    for key, member in members.items()
                    if (new := self.resolved(member)) is not member
                }
                return node.with_value(members | found) if found else node
            case list() as items:
                parts = [self.resolved(item) for item in items]
                if all(new is old for new, old in zip(parts, items, strict=True)):
                    return node
                return node.with_value(parts)
            case str() as text if "${" in text:
                return self._text(text, node)
        return node

    def variable(self, name: str, node: Node) -> Node:
        """Return the resolved variable *name*, which *node* refers to."""
        if name in self._known:
            return self._known[name]
        if name in self._open:
            around = " → ".join([*self._open[self._open.index(name) :], name])
            self.problems.add(f"variables refer to each other: {around}", node.span)
            raise _Unknown
        if name not in self.variables:
            hint = (
                suggest(name, self.variables, "variables")
                if self.variables
                else f"add it under vars:, or give --var {name}=…"
            )
            self.problems.add(f"unknown variable {name!r}", node.span, hint)
            raise _Unknown
        self._open.append(name)
        try:
            found = self._known[name] = self.resolved(self.variables[name])
        finally:
            self._open.pop()
        self._guard(name, found.value)
        return found

    def guard_variables(self) -> None:
        """Look up every variable, so that unused ones are checked and secret ones known."""
        for name, node in self.variables.items():
            try:
                self.variable(name, node)
            except _Unknown:
                continue

    def _text(self, text: str, node: Node) -> Node:
        try:
            whole = _ANY.fullmatch(text)
            if whole and not _is_load(whole[1]):
                found = self._look_up(whole[1].strip(), node)
                return node.with_value(found.value if isinstance(found, Node) else found)
            replaced = _ANY.sub(lambda m: self._embedded(m, node), text)
            if _ANY.search(replaced):
                self.load_spans.append(node.span)
                found_reference = reference(replaced)
                return node.with_value(found_reference)
            return node.with_value(replaced.replace("$${", "${"))
        except QueryError as error:
            sums = "a reference names one value; arithmetic goes into expr:"
            hint = sums if _SUM.search(text) else error.hint
            self.problems.add(f"not a reference: {error}", node.span, hint)
        except _Unknown:
            pass
        return node.with_value(UNKNOWN)

    def _embedded(self, found: re.Match[str], node: Node) -> str:
        if _is_load(found[1]):
            return found[0]
        value = self._look_up(found[1].strip(), node)
        if isinstance(value, Node):
            if isinstance(value.value, dict | list | Reference):
                self.problems.add(f"{found[0]} is not a plain value", node.span)
                raise _Unknown
            value = value.value
        return value if isinstance(value, str) else _written(value)

    def _look_up(self, name: str, node: Node) -> Node | bool | float | str | None:
        if name == "port":
            if self.port is None:
                self.problems.add(
                    "${port} is the port of a `server:` block, and there is none", node.span
                )
                raise _Unknown
            return self.port()
        if found := _VAR.fullmatch(name):
            return self.variable(found[1], node)
        if found := _ENV.fullmatch(name):
            return self._environment(found[1], found[2], node)
        self.problems.add(f"unknown reference ${{{name}}}", node.span, self._meant(name))
        raise _Unknown

    def _meant(self, name: str) -> str:
        """Say which reference was likely meant by *name*, or which there are."""
        other = ""
        if found := re.fullmatch(r"env[.:]?(\w+)(?:\W+(\w*))?", name):
            default = f":-{found[2]}" if found[2] else ""
            other = f"env.{found[1]}{default}"
        elif found := re.fullmatch(r"(?:vars?|variables?)[.:](\w+)", name):
            other = f"vars.{found[1]}"
        elif found := re.fullmatch(r"loads?[.:]([\w.]+)", name):
            other = f"load.{found[1]}"
        elif name in self.variables:
            other = f"vars.{name}"
        elif re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            other = f"env.{name}"
        if other:
            return f"did you mean ${{{other}}}?"
        return (
            "known: ${env.NAME:-default}, ${vars.name}, ${port}, ${load.field}; $${ is a plain ${"
        )

    def _environment(
        self, name: str, default: str | None, node: Node
    ) -> bool | int | float | str | None:
        text = self.environment.get(name) or default
        if text is None:
            hint = f"set it, or give a default: ${{env.{name}:-…}}"
            self.problems.add(f"the environment variable {name} is not set", node.span, hint)
            raise _Unknown
        value = scalar(text)
        self._guard(name, value)
        return value

    def _guard(self, name: str, value: object) -> None:
        """Remember *value* as a secret when its name says that it is one."""
        match value:
            case dict():
                for key, node in value.items():
                    self._guard(name if is_secret(name) else key, node.value)
                return
            case list():
                for node in value:
                    self._guard(name, node.value)
                return
        if not is_secret(name):
            return
        if isinstance(value, str):
            self.secrets.add(value)
        elif isinstance(value, int | float) and len(str(value)) >= _HARMLESS_NUMBER:
            self.secrets.add(str(value))


def is_secret(name: str) -> bool:
    """Say whether what is called *name* must never be shown."""
    return _SECRET.search(name) is not None


class _UnknownValue(str):
    """Stands where a reference could not be looked up, so that it is complained about once."""

    __slots__ = ()


UNKNOWN = _UnknownValue("?")


def _is_load(name: str) -> bool:
    return name.strip().startswith(("load.", "load["))


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
