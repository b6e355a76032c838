"""The assertions of a spec, from what is written to what can be judged."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from validator.errors import Problems
from validator.expressions import (
    FUNCTIONS,
    Expression,
    ExpressionError,
    Term,
    compile_expression,
)
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.query import Query, compiled
from validator.records.verdict import Severity
from validator.reference import Reference
from validator.registry import suggest
from validator.selector import Selector
from validator.source import Node
from validator.span import Span
from validator.spec.assertion_keys import Assertion as AssertionBlock
from validator.spec.conditions import Surroundings, condition
from validator.spec.forms import Written
from validator.spec.loads import Loads
from validator.spec.model import (
    About,
    Ask,
    Assertion,
    Binding,
    Condition,
    Derive,
    ExprAssertion,
    Over,
    PathAssertion,
    Xfail,
    references,
)


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

    problems: Problems
    loads: Loads
    checked: Mapping[int, Written] = field(default_factory=dict)
    """What nodes, by identity, are when they have been checked already."""
    ids: tuple[str, ...] = ()
    prefix: str = ""
    once: frozenset[str] = frozenset()
    """Endpoints that are read once only, after the load."""

    sampled: frozenset[str] = frozenset()
    """Endpoints that are sampled while the load runs."""
    pages: frozenset[str] = frozenset()
    """Endpoints that are Prometheus pages."""

    @property
    def has_load(self) -> bool:
        """Whether anything is sent."""
        return bool(self.loads.names)

    def among(self, ids: list[str], prefix: str, **traits: set[str]) -> Promises:
        """Return a reader that knows the endpoints *ids*, those of its own file by short name.

        *traits* are `once`, `sampled` and `pages`: which of the endpoints are so.
        """
        known: dict[str, Any] = {name: frozenset(found) for name, found in traits.items()}
        return replace(self, ids=tuple(ids), prefix=prefix, **known)

    def about_load(self, node: Node, load: str) -> PathAssertion | None:
        """Return an assertion about the ledger of *load*."""
        written = self._written(node)
        if written is None:
            return None
        if written.expr is not None:
            self.problems.add(
                "expr goes with an endpoint, or with assert: at the top", node.span, "use path:"
            )
            return None
        if (member := node.at("load")) is not None:
            message = "an assertion of a load is about that load"
            self.problems.add(message, member.key_span, "leave it out")
        found = self._path(written, node, None, Severity.CRITICAL, load)
        if (
            found is not None
            and isinstance(found.query, Query)
            and (lacking := self.loads.lacking(found.query.keys, load))
        ):
            self.problems.add(f"the ledger has no {lacking[0]!r}", _at(node, "path"), lacking[1])
        return found

    def about_endpoint(self, node: Node, id_: str, most: Severity, load: str) -> Assertion | None:
        """Return an assertion about endpoint *id_*, at most as severe as *most*.

        It is about *load* unless it names another.
        """
        written = self._written(node)
        if written is None:
            return None
        load = self.loads.named(node, load, once=id_ in self.once)
        if written.expr is not None:
            return self._expr(written, node, id_, most, load)
        return self._path(written, node, id_, most, load)

    def across(self, node: Node) -> ExprAssertion | None:
        """Return an assertion across endpoints."""
        written = self._written(node)
        if written is None:
            return None
        if written.expr is None:
            self.problems.add(
                "an assertion across endpoints needs expr:",
                node.span,
                "a path belongs to an endpoint",
            )
            return None
        return self._expr(written, node, None, Severity.CRITICAL, self.loads.named(node))

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
            self.problems.add("path: and metric: exclude each other", _key(node, "metric"))
        if query is None and conforms is not None:
            query = compiled("$")  # a page conforms as a whole
        if query is None:
            self.problems.add("an assertion needs a path:, a metric: or an expr:", node.span)
            return None
        if written.metric is not None or conforms is not None:
            self._check_metric(id_, node.at("metric") or conforms or node)
        if written.let is not None:
            self.problems.add("let binds names for expr:, and there is none", _key(node, "let"))
        over = Over(written.over) if written.over else Over.AFTER
        if id_ is None and over is Over.BEFORE:
            self.problems.add("there is no ledger before the load", _key(node, "over"))
        elif over is Over.DURING and id_ not in self.sampled:
            hint = "add during: {every: 500ms} to the endpoint"
            self._need_samples(node, hint if id_ else "there is one ledger, after the load")
        once = self.has_load and id_ in self.once
        if once and over is Over.BEFORE:
            message = "`over: before` looks before the load; `read: last` looks after it only"
            self.problems.add(message, _key(node, "over"))
        around = Surroundings(self.has_load, on_ledger=id_ is None, over=over, once=once)
        asked = condition(written, node, around, self.problems)
        if not asked:
            self.problems.add(
                "an assertion needs a predicate", node.span, "such as exists: true or ge: 1"
            )
        self._check_references(asked, node, load)
        name = _of_page(asked) if written.path is written.metric is None else _named(query, asked)
        about = self._about(written, node, _labelled(name, load if id_ else ""), most, load)
        return PathAssertion(about, id_, query, asked, over)

    def _check_metric(self, id_: str | None, node: Node) -> None:
        """Complain when a Prometheus question goes to something else."""
        if id_ not in self.pages:
            self.problems.add(
                "only a Prometheus page has metrics",
                node.key_span,
                "add format: prometheus to the endpoint" if id_ else "the ledger has paths",
            )

    def _check_references(self, asked: Condition, node: Node, load: str) -> None:
        for reference in references(asked):
            for query in reference.queries:
                if wrong := self.loads.wrong(query.keys, load):
                    self.problems.add(wrong[0], _holder(node, reference).span, wrong[1])

    def _expr(
        self, written: AssertionBlock, node: Node, id_: str | None, most: Severity, load: str
    ) -> ExprAssertion | None:
        for key in (*PREDICATES, *MEASURES, "each", "any", "none", "path", "metric"):
            if (member := node.at(key)) is not None:
                self.problems.add(f"{key} does not go with expr:", member.key_span)
        text_node = node.at("expr")
        assert text_node is not None
        try:
            expression = compile_expression(written.expr)
        except ExpressionError as error:
            self.problems.add(f"expr: {error}", _inside(text_node.span, error.at), error.hint)
            return None
        bindings = tuple(self._bindings(written, node, id_))
        self._check_terms(expression, dict(bindings), node, text_node.span, load)
        name = _labelled(" ".join(expression.text.split()), load)
        about = self._about(written, node, name, most, load)
        over = self._expr_over(written, node, bindings)
        return ExprAssertion(about, id_, expression, bindings, over)

    def _expr_over(
        self, written: AssertionBlock, node: Node, bindings: tuple[tuple[str, Binding], ...]
    ) -> Over:
        """Return where an expression must hold: samples are those of one endpoint."""
        over = Over(written.over) if written.over else Over.AFTER
        if over is Over.BEFORE:
            hint = "write before(x) in the expression"
            self.problems.add("`over: before` does not go with expr:", _key(node, "over"), hint)
        elif over is Over.DURING:
            asked = {binding.endpoint for _, binding in bindings}
            if len(asked) > 1:
                self.problems.add(
                    f"`over: during` asks the samples of one endpoint, and these are of"
                    f" {', '.join(sorted(asked))}",
                    _key(node, "over"),
                    "no two endpoints are read at the same instant",
                )
            elif not asked:
                self.problems.add("`over: during` needs a name bound by let:", _key(node, "over"))
            elif not asked <= self.sampled:
                self._need_samples(node, "add during: {every: 500ms} to the endpoint")
        return over

    def _need_samples(self, node: Node, hint: str) -> None:
        message = "`over: during` needs samples, and none are taken"
        self.problems.add(message, _key(node, "over"), hint)

    def _bindings(
        self, written: AssertionBlock, node: Node, id_: str | None
    ) -> Iterator[tuple[str, Binding]]:
        for name, bound in (written.let or {}).items():
            member = node.at("let", name)
            assert member is not None
            if why := _no_name(name):
                message = f"{name!r} cannot be bound: {why}"
                self.problems.add(message, member.key_span, "choose another name")
            endpoint = self._endpoint(bound.endpoint, id_, member)
            if (bound.path is None) == (bound.metric is None):
                hint = "write {endpoint: …, path: …} or {endpoint: …, metric: …}"
                self.problems.add(f"{name} needs one of path: and metric:", member.span, hint)
            elif endpoint is not None:
                if bound.metric is not None:
                    self._check_metric(endpoint, member)
                yield name, Binding(endpoint, bound.path or bound.metric, bound.absent_before)

    def _endpoint(self, name: str, id_: str | None, member: Node) -> str | None:
        """Return the id of the endpoint that a binding names, its own if it names none."""
        if not name:
            if id_ is None:
                hint = "write {endpoint: …, path: …}"
                self.problems.add("which endpoint?", member.span, hint)
            return id_
        for candidate in (self.prefix + name, name):
            if candidate in self.ids:
                return candidate
        holder = member.at("endpoint") or member
        hint = suggest(name, self.ids, "endpoints") if self.ids else ""
        self.problems.add(f"unknown endpoint {name!r}", holder.span, hint)
        return None

    def _check_terms(
        self, expression: Expression, bound: dict[str, Binding], node: Node, span: Span, load: str
    ) -> None:
        declared = node.at("let")
        names = [*declared.value] if declared and isinstance(declared.value, dict) else [*bound]
        for term in expression.terms:
            if term.name == "load":
                if not self.has_load:
                    self.problems.add("a reference to the load, and this spec sends none", span)
                elif wrong := self.loads.wrong(term.text.split(".")[1:], load):
                    self.problems.add(wrong[0], span, wrong[1])
            elif term.name not in names:
                hint = suggest(term.name, [*names, "load"], "names")
                self.problems.add(f"{term.name!r} is not bound", span, f"{hint}; bind it with let:")
            elif term.phase != "after" and not self.has_load:
                self.problems.add(f"{term.text} needs a load, and this spec sends none", span)
            elif self._looked_at_once(bound.get(term.name)) and (
                missed := self._missed(term, load)
            ):
                self.problems.add(missed, span)
        used = {term.name for term in expression.terms}
        for name in names:
            if name not in used:
                member = node.at("let", name)
                assert member is not None
                self.problems.add(f"{name!r} is bound and not used", member.key_span)

    def _missed(self, term: Term, load: str) -> str:
        """Say what one look after the last load misses of what *term* asks; nothing if nothing."""
        if term.phase != "after":
            return f"{term.text} looks before the load; `read: last` looks after it only"
        if load and load != self.loads.names[-1]:
            return f"{term.text} looks after {load}; `read: last` looks after the last load only"
        return ""

    def _looked_at_once(self, binding: Binding | None) -> bool:
        return binding is not None and binding.endpoint in self.once


def _no_name(name: str) -> str:
    """Say why `let` cannot bind *name*; nothing if it can."""
    if name in FUNCTIONS:
        return "it is a function of expressions"
    if name == "load":
        return "it is the ledger"
    if keyword.iskeyword(name):
        return "expressions read the word otherwise"
    return (
        "" if name.isidentifier() else "a name is letters, digits and '_', and begins with no digit"
    )


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


def _key(node: Node, key: str) -> Span:
    member = node.at(key)
    return node.span if member is None else member.key_span


def _at(node: Node, key: str) -> Span:
    member = node.at(key)
    return node.span if member is None else member.span


def _inside(span: Span, at: int) -> Span:
    if span.line != span.end_line or span.column + at >= span.end_column:
        return span
    return Span(span.file, span.line, span.column + at, span.line, span.end_column)
