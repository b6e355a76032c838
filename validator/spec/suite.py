"""Suites: files that name specs, to be run one after another as if each had been named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from validator import bundled
from validator.errors import Problems, UsageError
from validator.registry import suggest
from validator.source import Node, read, text_of
from validator.spec import explanations
from validator.spec.written import SuiteFile


def members(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the spec files that *paths* stand for: a suite stands for its members, in order.

    Each comes once, where it is named first. Raises `SpecProblems` with all that is wrong with the
    suites.
    """
    reading = _Reading()
    for path in paths:
        reading.take(path, ())
    reading.problems.raise_if_any()
    return tuple(reading.found)


@dataclass(slots=True)
class _Reading:
    problems: Problems = field(default_factory=Problems)
    found: dict[Path, None] = field(default_factory=dict)

    def take(self, path: Path, chain: tuple[Path, ...]) -> None:
        """Take the spec at *path*, or the members of the suite there, which *chain* led to."""
        node = _suite(path)
        if node is None:
            self.found.setdefault(path)
            return
        self.problems.sources[str(path)] = text_of(path)
        listed = node.at("suite")
        wrong = len(self.problems.found)
        explanations.complain(SuiteFile, node, self.problems)
        if listed is None or not isinstance(listed.value, list):
            return
        if not listed.value:
            self.problems.add("a suite without specs judges nothing", listed.span)
        if len(self.problems.found) > wrong:
            return
        for item in listed.value:
            self._member(item, path, (*chain, path))

    def _member(self, item: Node, suite: Path, chain: tuple[Path, ...]) -> None:
        word = str(item.value)
        paths = _located(word, suite.parent)
        if not paths:
            beside = [one.name for one in suite.parent.glob("*.y*ml") if one != suite]
            hint = suggest(word, [*bundled.names(), *beside], "specs")
            self.problems.add(f"no spec {word!r}", item.span, hint)
            return
        known = {one.resolve() for one in chain}
        # A folder or a pattern may well find the suite itself, and means all the others.
        others = [one for one in paths if one.resolve() not in known]
        if len(paths) == 1 and not others:
            way = " → ".join(str(one) for one in (*chain, paths[0]))
            self.problems.add("a suite that contains itself", item.span, way)
        for one in others:
            self.take(one, chain)


def _suite(path: Path) -> Node | None:
    """Return what is written at *path* if that is a suite."""
    try:
        text = text_of(path)
    except UsageError:
        return None  # whoever loads it says so
    if "suite" not in text:
        return None
    node = read(text, str(path), Problems())
    return node if node is not None and node.at("suite") is not None else None


def _located(word: str, folder: Path) -> tuple[Path, ...]:
    """Return what a member of a suite in *folder* stands for, as on a command line there."""
    for name in (str(folder / word), *([word] if word in bundled.names() else [])):
        with contextlib.suppress(UsageError):
            return bundled.located((name,))
    return ()
