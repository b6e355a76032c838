"""The assertions of a spec, from what is written to what can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from validator.predicates import PREDICATES
from validator.query import Query, compiled
from validator.records.verdict import Severity
from validator.reference import Reference
from validator.selector import Selector
from validator.source import Node
from validator.spec.assertion_keys import Assertion as AssertionBlock
from validator.spec.conditions import Surroundings, condition
from validator.spec.forms import Written
from validator.spec.known import Known
from validator.spec.model import (
    About,
    Ask,
    Assertion,
    Condition,
    Derive,
    ExprAssertion,
    Over,
    PathAssertion,
    Xfail,
    references,
)
from validator.spec.relations import relation


def implied(load: str) -> tuple[PathAssertion, PathAssertion, PathAssertion]:
    """Return what is asked of *load* by itself.

    The first stands in for assertions of its own, the second is always asked, and the third when
    there is `abort_on`.
    """
    return (
        PathAssertion(
            About(name="success_rate", why="a load that fails proves nothing", load=load),
            None,
            compiled("$.success_rate"),
            (Ask(PREDICATES["ge"].read(0.9)),),
        ),
        PathAssertion(
            About(
                name="some request succeeded",
                why="a load without a success proves nothing",
                load=load,
            ),
            None,
            compiled("$.ok"),
            (Ask(PREDICATES["gt"].read(0)),),
        ),
        PathAssertion(
            About(
                name="the load was not given up",
                why="a load that was given up proves nothing",
                load=load,
            ),
            None,
            compiled("$.aborted"),
            (Ask(PREDICATES["eq"].read(False)),),  # noqa: FBT003 - a value of the ledger
        ),
    )


@dataclass(frozen=True, slots=True)
class Promises:
    """Reads assertions; knows what they may refer to."""

    known: Known
    checked: Mapping[int, Written] = field(default_factory=dict)
    """What nodes, by identity, are when they have been checked already."""

    def about_load(self, node: Node, load: str) -> PathAssertion | None:
        """Return an assertion about the ledger of *load*."""
        written = self._written(node)
        if written is None:
            return None
        if written.expr is not None:
            self.known.problems.add(
                "expr goes with an endpoint, or with assert: at the top", node.span, "use path:"
            )
            return None
        if (member := node.at("load")) is not None:
            message = "an assertion of a load is about that load"
            self.known.problems.add(message, member.key_span, "leave it out")
        found = self._path(written, node, None, Severity.CRITICAL, load)
        if (
            found is not None
            and isinstance(found.query, Query)
            and (lacking := self.known.loads.lacking(found.query.keys, load))
        ):
            self.known.problems.add(
                f"the ledger has no {lacking[0]!r}", (node.at("path") or node).span, lacking[1]
            )
        return found

    def about_endpoint(self, node: Node, id_: str, most: Severity, load: str) -> Assertion | None:
        """Return an assertion about endpoint *id_*, at most as severe as *most*.

        It is about *load* unless it names another.
        """
        written = self._written(node)
        if written is None:
            return None
        load = self.known.loads.named(node, load, once=id_ in self.known.once)
        if written.expr is not None:
            return self._relation(written, node, id_, most, load)
        return self._path(written, node, id_, most, load)

    def across(self, node: Node) -> ExprAssertion | None:
        """Return an assertion across endpoints."""
        written = self._written(node)
        if written is None:
            return None
        if written.expr is None:
            self.known.problems.add(
                "an assertion across endpoints needs expr:",
                node.span,
                "a path belongs to an endpoint",
            )
            return None
        load = self.known.loads.named(node)
        return self._relation(written, node, None, Severity.CRITICAL, load)

    def _written(self, node: Node) -> AssertionBlock | None:
        known = self.checked.get(id(node))
        if isinstance(known, AssertionBlock):
            return known
        try:
            return AssertionBlock.model_validate(node.plain(), by_alias=True)
        except ValidationError:
            return None

    def _about(
        self, written: AssertionBlock, node: Node, default: str, most: Severity, load: str
    ) -> About:
        severity = Severity(written.severity) if written.severity else Severity.CRITICAL
        xfail = written.xfail
        return About(
            name=written.name or default,
            severity=min(severity, most, key=lambda s: s.rank),
            why=written.why or "",
            skip=written.skip or "",
            xfail=None if xfail is None else Xfail(xfail.reason, xfail.until),
            load=load,
            span=node.span,
        )

    def _path(
        self, written: AssertionBlock, node: Node, id_: str | None, most: Severity, load: str
    ) -> PathAssertion | None:
        query = written.path or written.metric
        conforms = node.at("conforms")
        if written.path is not None and written.metric is not None:
            self.known.problems.add("path: and metric: exclude each other", node.place("metric"))
        if query is None and conforms is not None:
            query = compiled("$")  # a page conforms as a whole
        if query is None:
            self.known.problems.add("an assertion needs a path:, a metric: or an expr:", node.span)
            return None
        if written.metric is not None or conforms is not None:
            self.known.check_metric(id_, node.at("metric") or conforms or node)
        if written.let is not None:
            self.known.problems.add(
                "let binds names for expr:, and there is none", node.place("let")
            )
        over = Over(written.over) if written.over else Over.AFTER
        if id_ is None and over is Over.BEFORE:
            self.known.problems.add("there is no ledger before the load", node.place("over"))
        elif over is Over.DURING and id_ not in self.known.sampled:
            hint = "add during: {every: 500ms} to the endpoint"
            self.known.need_samples(node, hint if id_ else "there is one ledger, after the load")
        once = self.known.has_load and id_ in self.known.once
        if once and over is Over.BEFORE:
            message = "`over: before` looks before the load; `read: last` looks after it only"
            self.known.problems.add(message, node.place("over"))
        around = Surroundings(self.known.has_load, on_ledger=id_ is None, over=over, once=once)
        asked = condition(written, node, around, self.known.problems)
        if not asked:
            self.known.problems.add(
                "an assertion needs a predicate", node.span, "such as exists: true or ge: 1"
            )
        self._check_references(asked, node, load)
        name = _of_page(asked) if written.path is written.metric is None else _named(query, asked)
        about = self._about(written, node, _labelled(name, load if id_ else ""), most, load)
        return PathAssertion(about, id_, query, asked, over)

    def _relation(
        self, written: AssertionBlock, node: Node, id_: str | None, most: Severity, load: str
    ) -> ExprAssertion | None:
        name = _labelled(" ".join(written.expr.split()), load)
        about = self._about(written, node, name, most, load)
        return relation(self.known, written, node, about, id_)

    def _check_references(self, asked: Condition, node: Node, load: str) -> None:
        for reference in references(asked):
            for query in reference.queries:
                if wrong := self.known.loads.wrong(query.keys, load):
                    self.known.problems.add(wrong[0], _holder(node, reference).span, wrong[1])


def _holder(node: Node, reference: Reference) -> Node:
    """Return the scalar that holds *reference*."""
    return next((n for n in node.scalars() if n.value is reference), node)


def _of_page(asked: Condition) -> str:
    """Name an assertion about a page as a whole."""
    return ", ".join(str(part.predicate) for part in asked if isinstance(part, Ask))


def _named(query: Query | Selector, asked: Condition) -> str:
    """Return what reports call an assertion that nobody named: `change of summary.total`."""
    words: list[str] = []
    inner: Any = asked
    while len(inner) == 1 and isinstance(inner[0], Derive):
        words.insert(0, inner[0].measure.noun)
        inner = inner[0].inner
    path = query.text.removeprefix("$").removeprefix(".") or "$"
    return " of ".join([*words, path])


def _labelled(name: str, load: str) -> str:
    """Return *name* with the load it is about, so that two loads have two names."""
    return f"{load}: {name}" if load else name
