"""The relations of a spec, and the names that they bind, from what is written to what is judged."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from validator.expressions import (
    FUNCTIONS,
    Expression,
    ExpressionError,
    Term,
    compile_expression,
)
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.registry import suggest
from validator.source import Node
from validator.spec.assertion_keys import Assertion as AssertionBlock
from validator.spec.known import Known
from validator.spec.model import About, Binding, ExprAssertion, Over


def relation(
    known: Known, written: AssertionBlock, node: Node, about: About, id_: str | None
) -> ExprAssertion | None:
    """Return the relation in *node*, which stands at endpoint *id_* or across all."""
    for key in (*PREDICATES, *MEASURES, "each", "any", "none", "path", "metric"):
        if (member := node.at(key)) is not None:
            known.problems.add(f"{key} does not go with expr:", member.key_span)
    text_node = node.at("expr")
    assert text_node is not None
    try:
        expression = compile_expression(written.expr)
    except ExpressionError as error:
        known.problems.add(f"expr: {error}", text_node.span.inside(error.at), error.hint)
        return None
    bindings = tuple(_bindings(known, written, node, id_))
    _check_terms(known, expression, dict(bindings), node, about.load)
    over = _over(known, written, node, bindings)
    return ExprAssertion(about, id_, expression, bindings, over)


def _over(
    known: Known, written: AssertionBlock, node: Node, bindings: tuple[tuple[str, Binding], ...]
) -> Over:
    """Return where an expression must hold: samples are those of one endpoint."""
    over = Over(written.over) if written.over else Over.AFTER
    if over is Over.BEFORE:
        hint = "write before(x) in the expression"
        known.problems.add("`over: before` does not go with expr:", node.place("over"), hint)
    elif over is Over.DURING:
        asked = {binding.endpoint for _, binding in bindings}
        if len(asked) > 1:
            known.problems.add(
                f"`over: during` asks the samples of one endpoint, and these are of"
                f" {', '.join(sorted(asked))}",
                node.place("over"),
                "no two endpoints are read at the same instant",
            )
        elif not asked:
            known.problems.add("`over: during` needs a name bound by let:", node.place("over"))
        elif not asked <= known.sampled:
            known.need_samples(node, "add during: {every: 500ms} to the endpoint")
    return over


def _bindings(
    known: Known, written: AssertionBlock, node: Node, id_: str | None
) -> Iterator[tuple[str, Binding]]:
    for name, bound in (written.let or {}).items():
        member = node.at("let", name)
        assert member is not None
        if why := _no_name(name):
            message = f"{name!r} cannot be bound: {why}"
            known.problems.add(message, member.key_span, "choose another name")
        endpoint = _endpoint(known, bound.endpoint, id_, member)
        if (bound.path is None) == (bound.metric is None):
            hint = "write {endpoint: …, path: …} or {endpoint: …, metric: …}"
            known.problems.add(f"{name} needs one of path: and metric:", member.span, hint)
        elif endpoint is not None:
            if bound.metric is not None:
                known.check_metric(endpoint, member)
            yield name, Binding(endpoint, bound.path or bound.metric, bound.absent_before)


def _endpoint(known: Known, name: str, id_: str | None, member: Node) -> str | None:
    """Return the id of the endpoint that a binding names, its own if it names none."""
    if not name:
        if id_ is None:
            hint = "write {endpoint: …, path: …}"
            known.problems.add("which endpoint?", member.span, hint)
        return id_
    for candidate in (known.prefix + name, name):
        if candidate in known.ids:
            return candidate
    holder = member.at("endpoint") or member
    hint = suggest(name, known.ids, "endpoints") if known.ids else ""
    known.problems.add(f"unknown endpoint {name!r}", holder.span, hint)
    return None


def _check_terms(
    known: Known, expression: Expression, bound: dict[str, Binding], node: Node, load: str
) -> None:
    declared, span = node.at("let"), (node.at("expr") or node).span
    names = [*declared.value] if declared and isinstance(declared.value, dict) else [*bound]
    for term in expression.terms:
        if term.name == "load":
            if not known.has_load:
                known.problems.add("a reference to the load, and this spec sends none", span)
            elif wrong := known.loads.wrong(term.text.split(".")[1:], load):
                known.problems.add(wrong[0], span, wrong[1])
        elif term.name not in names:
            hint = suggest(term.name, [*names, "load"], "names")
            known.problems.add(f"{term.name!r} is not bound", span, f"{hint}; bind it with let:")
        elif term.phase != "after" and not known.has_load:
            known.problems.add(f"{term.text} needs a load, and this spec sends none", span)
        elif _looked_at_once(known, bound.get(term.name)) and (
            missed := _missed(known, term, load)
        ):
            known.problems.add(missed, span)
    used = {term.name for term in expression.terms}
    for name in names:
        if name not in used:
            member = node.at("let", name)
            assert member is not None
            known.problems.add(f"{name!r} is bound and not used", member.key_span)


def _missed(known: Known, term: Term, load: str) -> str:
    """Say what one look after the last load misses of what *term* asks; nothing if nothing."""
    if term.phase != "after":
        return f"{term.text} looks before the load; `read: last` looks after it only"
    if load and load != known.loads.names[-1]:
        return f"{term.text} looks after {load}; `read: last` looks after the last load only"
    return ""


def _looked_at_once(known: Known, binding: Binding | None) -> bool:
    return binding is not None and binding.endpoint in known.once


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
