"""A spec, checked and typed: no strings left to interpret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from validator.expressions import Expression
from validator.measures import Measure
from validator.plan import LoadPlan
from validator.predicates import Predicate
from validator.probes.base import Collect
from validator.query import Query
from validator.records.verdict import Severity
from validator.reference import Reference
from validator.selector import Selector
from validator.span import NOWHERE, Span
from validator.values import Number

MEBIBYTE = 1024 * 1024


class Quantifier(StrEnum):
    """How many of several matches a condition must hold for."""

    EACH = "each"
    ANY = "any"
    NONE = "none"


class Over(StrEnum):
    """Which snapshot an assertion looks at."""

    AFTER = "after"
    BEFORE = "before"
    DURING = "during"


@dataclass(frozen=True, slots=True)
class Ask:
    """A predicate about a value."""

    predicate: Predicate
    references: tuple[Reference, ...] = ()
    """What only the load can answer; looked up before the predicate is asked."""


@dataclass(frozen=True, slots=True)
class Derive:
    """A measure, and what must be true of the number it derives."""

    measure: Measure
    inner: Condition


@dataclass(frozen=True, slots=True)
class Quantify:
    """A condition that must hold for each, any or none of the matches."""

    quantifier: Quantifier
    inner: Condition


Condition: TypeAlias = "tuple[Ask | Derive | Quantify, ...]"


def references(condition: Condition) -> Iterator[Reference]:
    """Yield what *condition* asks the load for."""
    for part in condition:
        match part:
            case Ask(references=found):
                yield from found
            case Derive(inner=inner) | Quantify(inner=inner):
                yield from references(inner)


@dataclass(frozen=True, slots=True)
class Xfail:
    """An announced failure, and until when the announcement is good."""

    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What every assertion has, whatever it asks."""

    name: str
    severity: Severity = Severity.CRITICAL
    why: str = ""
    skip: str = ""
    xfail: Xfail | None = None
    load: str = ""
    """The name of the load it is about; empty for all of them, or the only one."""
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class PathAssertion:
    """A condition on what a query selects from one endpoint, or from the ledger (None)."""

    about: About
    endpoint: str | None
    query: Query | Selector
    condition: Condition
    over: Over = Over.AFTER


@dataclass(frozen=True, slots=True)
class Binding:
    """A name of an expression: what a query selects from an endpoint."""

    endpoint: str
    query: Query | Selector
    absent_before: Number | None = None
    """What a path that was absent before the load counts from."""


@dataclass(frozen=True, slots=True)
class ExprAssertion:
    """A relation between several values, which one value cannot state."""

    about: About
    endpoint: str | None
    """Where the assertion stands; None for those across endpoints."""
    expression: Expression
    bindings: tuple[tuple[str, Binding], ...] = ()
    over: Over = Over.AFTER
    """In which snapshot it must hold: the one after the load, or each sample."""


Assertion: TypeAlias = PathAssertion | ExprAssertion


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to look, how to read it, and what must be true of it."""

    id: str
    path: str
    """On the target; or a whole URL, of what is served elsewhere."""
    method: str = "GET"
    """`WEBSOCKET` for one."""
    body: bytes | None = None
    messages: tuple[str, ...] = ()
    """What is sent to a WebSocket."""
    collect: Collect | None = None
    """How much to take from what has no end; None reads to the end."""
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = 5.0
    """Seconds for the whole read."""
    max_bytes: int = 64 * MEBIBYTE
    """Of the body on the wire, and again decoded."""
    max_depth: int = 200
    decoder: str = "json"
    statuses: tuple[int, ...] = (200,)
    read_last: bool = False
    during: float | None = None
    """Seconds between two samples while the load runs; None for no samples."""
    may_miss: int = 0
    """How many of the samples an assertion about them can do without."""
    load: str = ""
    """The name of the load that it is about; empty for all of them, or the only one."""
    severity: Severity = Severity.CRITICAL
    """Of being reachable, and the most that its assertions can matter."""
    assertions: tuple[Assertion, ...] = ()
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Target:
    """The system under test."""

    url: str
    """Without a trailing slash."""
    api_key: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How to start the target, and how to know that it is ready."""

    command: tuple[str, ...]
    ready: str
    within: float = 30.0
    reuse: bool = True
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent between the before and the after snapshots, and what must come of it."""

    plan: LoadPlan
    name: str = ""
    """In a `loads:` block; empty in a `load:` block."""
    assertions: tuple[PathAssertion, ...] = ()
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Settle:
    """How long to wait for counters to stop moving; all in seconds."""

    within: float = 10.0
    every: float = 0.25
    stable_for: float = 0.5


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole spec file, with what it includes."""

    title: str
    file: str
    target: Target
    endpoints: tuple[Endpoint, ...]
    server: ServerPlan | None = None
    loads: tuple[Load, ...] = ()
    """They run one after another."""
    settle: Settle = field(default_factory=Settle)
    assertions: tuple[ExprAssertion, ...] = ()
    """Across endpoints."""
    sequential: bool = False
    timeout: float | None = None
    """Seconds for the whole run."""
    secrets: tuple[str, ...] = ()
    """Texts that no output may contain."""
    sources: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The files it was read from, and what stands in them."""
