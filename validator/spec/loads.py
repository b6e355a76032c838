"""The loads of a spec by name, and which of them an assertion is about."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from validator import ledger
from validator.errors import Problems
from validator.registry import suggest
from validator.source import Node


def blocks(root: Node, problems: Problems) -> dict[str, Node]:
    """Return the load blocks of a spec by name, that of `load:` under an empty one."""
    alone, several = root.at("load"), root.at("loads")
    if several is None:
        return {} if alone is None else {"": alone}
    if alone is not None:
        message = "load: and loads: exclude each other"
        problems.add(message, several.key_span, "give the first a name under loads: too")
    if several.value == {}:
        problems.add("no loads", several.span, "such as loads: {streams: {…}, plain: {…}}")
    found = several.value if isinstance(several.value, dict) else {}
    for name, member in found.items():
        if not name.isidentifier() or not name.isascii():
            hint = "a name is letters from a to z, digits and '_', and begins with no digit"
        elif keyword.iskeyword(name):
            hint = f"an expr cannot say load.{name}"
        elif name in ledger.fields():
            hint = f"load.{name} is a field of the ledger"
        else:
            continue
        problems.add(f"{name!r} is no name for a load", member.key_span, hint)
    return found


def known(found: Mapping[str, Node], problems: Problems) -> Loads:
    """Return what assertions have to know of the load blocks *found*."""
    good_enough = frozenset(name for name, node in found.items() if node.at("slo") is not None)
    return Loads(problems, tuple(found), good_enough)


@dataclass(frozen=True, slots=True)
class Loads:
    """Knows the loads of a spec; looks up the one that is meant."""

    problems: Problems
    names: tuple[str, ...] = ()
    """In the order they run; an empty one for that of `load:`."""
    with_slo: frozenset[str] = frozenset()
    """Those that say what is good enough; the ledgers of the others have no goodput."""

    def named(self, node: Node, default: str = "", *, once: bool = False) -> str:
        """Return the load that *node* names with `load:`, else *default*.

        What is read *once* only is read after the last load.
        """
        member = node.at("load")
        if member is None or not isinstance(member.value, str):
            return default
        name, last = member.value, self.names[-1] if self.names else ""
        if not last:
            has = "only one" if self.names else "none"
            message = f"load: names one of several loads, and this spec has {has}"
            self.problems.add(message, member.key_span, "leave it out, or add a loads: block")
        elif name not in self.names:
            hint = suggest(name, self.names, "loads")
            self.problems.add(f"unknown load {name!r}", member.span, hint)
        elif once and name != last:
            message = f"`read: last` looks after the last load, {last}, and not after {name}"
            self.problems.add(message, member.span)
        else:
            return name
        return last  # whichever it is, nothing more need be said about it

    def wrong(self, keys: Sequence[str | int], about: str) -> tuple[str, str] | None:
        """Say what is wrong with a reference to `load`, with a hint; None if it is right.

        *about* is the load that the assertion is about.
        """
        first = str(keys[0])
        named = [name for name in self.names if name]
        if first in named:
            if len(keys) == 1:
                return f"load.{first} is a whole ledger", f"such as load.{first}.ok"
            lacking = self.lacking(keys[1:], first)
        elif len(named) > 1 and not about:
            if first not in ledger.fields():
                return f"unknown load {first!r}", suggest(first, named, "loads")
            hint = f"write load.{named[0]}.{first}, or say what it is about with load: {named[0]}"
            return f"load.{first} of which load? There are {', '.join(named)}", hint
        else:
            lacking = self.lacking(keys, about or next(iter(self.names), ""))
        return lacking and (f"the ledger has no {lacking[0]!r}", lacking[1])

    def lacking(self, keys: Sequence[str | int], load: str) -> tuple[str, str] | None:
        """Return the first of *keys* that the ledger of *load* will not have, and a hint."""
        if list(keys[:1]) == ["goodput"] and load not in self.with_slo:
            return "goodput", "add slo: to the load, such as {ttft: 500ms}"
        return ledger.unknown_field(keys)
