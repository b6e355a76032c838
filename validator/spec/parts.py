"""What a file of a spec and those that it includes bring: endpoints and assertions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from validator.errors import Problems, UsageError
from validator.source import Node, read, text_of
from validator.spec import explanations
from validator.spec.endpoints import check_name, endpoint
from validator.spec.model import Endpoint, ExprAssertion
from validator.spec.overrides import Overrides
from validator.spec.promises import Promises
from validator.spec.references import References
from validator.spec.schemas import SchemaFiles
from validator.spec.secrets import Secrets
from validator.spec.written import SpecFile, TargetBlock

_OF_THE_ROOT: Final = ("target", "load", "loads", "server", "settle")
"""Blocks that only the root's own count of."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one file brings: its own and what it includes."""

    endpoints: tuple[Endpoint, ...]
    assertions: tuple[ExprAssertion, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands among those that include it."""

    prefix: str
    """Before the ids of its endpoints."""
    folder: Path
    variables: Mapping[str, Node]
    """Those of the including files, which win over its own."""
    chain: tuple[str, ...]
    """The files that lead to it, itself last."""
    defaults: TargetBlock
    """The root's target, whose bounds hold for every endpoint that sets none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reading of a root file and of all that it includes has in common."""

    problems: Problems
    overrides: Overrides
    files: SchemaFiles
    secrets: Secrets = field(default_factory=Secrets)
    declared: set[str] = field(default_factory=set)
    """Variables of the root and of what it includes."""

    def opened(self, text: str, file: str) -> Node | None:
        """Return the mapping that a file is; None, and a problem, when it is none."""
        node = read(text, file, self.problems)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            self.problems.add("a spec is a mapping", node.span, "it starts with version: 1")
            return None
        return node

    def declare(self, node: Node) -> dict[str, Node]:
        """Return the variables of a file that begins to be read."""
        self.secrets.add_file(node)
        own = node.members("vars")
        self.declared.update(own)
        return own

    def part(self, node: Node, promises: Promises, place: Place) -> Part:
        """Return what the file in *node* brings, and what it includes."""
        endpoints: list[Endpoint] = []
        assertions: list[ExprAssertion] = []
        for item in node.items("include"):
            part = self._included(item, promises, place)
            endpoints += part.endpoints
            assertions += part.assertions
        own = node.members("endpoints")
        ids = [*(place.prefix + name for name in own), *(e.id for e in endpoints)]
        once = {e.id for e in endpoints if e.read_last}
        once |= {place.prefix + n for n, m in own.items() if _says(m, "read", "last")}
        sampled = {place.prefix + name for name, m in own.items() if m.at("during") is not None}
        pages = {e.id for e in endpoints if e.decoder == "prometheus"}
        pages |= {place.prefix + n for n, m in own.items() if _says(m, "format", "prometheus")}
        known = promises.known.among(ids, place.prefix, once=once, sampled=sampled, pages=pages)
        here = replace(promises, known=known)
        self._refuse_empty(node)
        for name, member in own.items():
            check_name(name, member, self.problems)
            self._refuse_empty(member)
            found = endpoint(
                place.prefix + name,
                member,
                here,
                defaults=place.defaults,
                secrets=self.secrets,
                problems=self.problems,
            )
            if found is not None:
                endpoints.append(found)
        for item in node.items("assert"):
            assertion = here.across(item)
            if assertion is not None:
                assertions.append(assertion)
        return Part(tuple(endpoints), tuple(assertions))

    def _refuse_empty(self, node: Node) -> None:
        """Complain about lists of promises that hold none: they look like checks."""
        for what, hint in (
            ("endpoints", "such as metrics: {get: /metrics, assert: […]}"),
            ("assert", "leave it out, or write the first"),
            ("include", "leave it out, or name a file"),
        ):
            member = node.at(what)
            if member is not None and member.value in ([], {}):
                noun = {"endpoints": "no endpoints", "assert": "an empty list of assertions"}
                message = noun.get(what, "an empty list")
                self.problems.add(message, member.span, hint)

    def _included(self, item: Node, promises: Promises, place: Place) -> Part:
        nothing = Part((), ())
        if not isinstance(item.value, str):
            return nothing
        path = place.folder / item.value
        file = os.path.normpath(path)
        if file in [os.path.normpath(f) for f in place.chain]:
            around = " → ".join([*place.chain, file])
            self.problems.add(f"specs include each other: {around}", item.span)
            return nothing
        try:
            text = text_of(path)
        except UsageError as error:
            self.problems.add(str(error), item.span, "the path is relative to this file")
            return nothing
        node = self.opened(text, file)
        if node is None:
            return nothing
        merged = {**self.declare(node), **place.variables}
        references = References(self.problems, self.overrides.environment, merged)
        assert isinstance(node.value, dict)
        kept = {
            key: member if key in ("version", "title", "vars") else references.resolved(member)
            for key, member in node.value.items()
            if key not in _OF_THE_ROOT
        }
        node = self.files.with_schemas(node.with_value(kept), path.parent)
        self.secrets.add(*references.secrets)
        if SpecFile.of(node) is None:
            explanations.complain(SpecFile, node, self.problems)
        if not promises.known.has_load:
            for span in references.load_spans:
                self.problems.add("a reference to the load, and the root spec sends none", span)
        deeper = Place(
            f"{place.prefix}{path.stem}.", path.parent, merged, (*place.chain, file), place.defaults
        )
        return self.part(node, promises, deeper)


def _says(node: Node, key: str, value: str) -> bool:
    member = node.at(key)
    return member is not None and member.value == value
