"""References that only the load can answer: `${load.ok}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from validator.errors import QueryError
from validator.query import Match, Query, compiled
from validator.values import Json, brief, kind

PATTERN = re.compile(r"(?<!\$)\$\{\s*load((?:\.|\[)[^}]*)\}")
_LIKELY = re.compile(r"\W*((?:load|vars|env)\.\w[\w.-]*(?:\['[^']*'\][\w.]*)?)\W*")
"""What people write when they mean a reference: `load.ok`, `$(load.ok)`, `{{ load.ok }}`."""

Resolve: TypeAlias = "Callable[[Reference], Json]"
Look: TypeAlias = "Callable[[Query, Json], Sequence[Match]]"
"""Selects from the ledger."""


class UnresolvedError(ValueError):
    """The ledger holds no such value; the message names it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A text that refers to the ledger; a text that is one reference keeps the value's type."""

    text: str
    queries: tuple[Query, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def whole(self) -> bool:
        """Whether the text is one reference and nothing else."""
        return PATTERN.fullmatch(self.text) is not None

    @property
    def names(self) -> str:
        """The names it refers to, as a person writes them: `load.ok`."""
        return ", ".join(_name(q) for q in self.queries)

    def resolved(self, ledger: Json, look: Look = Query.select) -> Json:
        """Return the value that *look* finds in *ledger*; raise `UnresolvedError` if none."""
        found = [_one(query, ledger, look) for query in self.queries]
        if self.whole:
            return found[0]
        values = iter(found)
        return PATTERN.sub(lambda _: _text(next(values)), self.text).replace("$${", "${")


def reference(text: str) -> Reference | None:
    """Return the reference in *text*, None if there is none; raise `QueryError`."""
    found = [f"${rest.rstrip()}" for rest in PATTERN.findall(text)]
    if not found:
        return None
    queries = tuple(compiled(path) for path in found)
    for query in queries:
        if not query.definite:
            raise QueryError(f"{_name(query)} must name one value")
    return Reference(text, queries)


def likely(text: str) -> str:
    """Return the reference that *text* was likely meant to be; nothing if none."""
    found = _LIKELY.fullmatch(text)
    return f'"${{{found[1]}}}"' if found else ""


def did_you_mean(text: str) -> str:
    """Ask whether *text* was meant to be a reference; say nothing when it does not look so."""
    meant = likely(text)
    return f"did you mean {meant}?" if meant else ""


def _one(query: Query, ledger: Json, look: Look) -> Json:
    if ledger is None:
        raise UnresolvedError(f"{_name(query)} is unknown: no load was sent")
    matches = look(query, ledger)
    if not matches:
        first = str(query.keys[0])
        if isinstance(ledger, dict) and ledger.get(first, "") is None:  # one of several loads
            raise UnresolvedError(f"{_name(query)} is unknown: {first} was not sent")
        raise UnresolvedError(f"the ledger has no {_name(query)}")
    if matches[0].value is None:
        raise UnresolvedError(f"{_name(query)} was not measured in this load")
    return matches[0].value


def _name(query: Query) -> str:
    return "load" + query.text.removeprefix("$")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else brief(value)


def shown(value: object) -> str:
    """Write an argument the way a verdict quotes it."""
    if isinstance(value, Reference):
        return value.names
    if isinstance(value, tuple):
        return ", ".join(shown(v) for v in value)
    assert value is None or kind(value)  # type: ignore[arg-type]  # arguments are JSON once read
    return brief(value)  # type: ignore[arg-type]
