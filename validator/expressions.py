"""Relations that one value cannot state, such as `delta(hits) + delta(misses) == load.ok`.

simpleeval evaluates Python's arithmetic and comparisons; nothing else of Python is reachable.
Names are looked up in a flat table that the engine fills, so there is no attribute access either.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from validator.values import Json, Number, brief, is_number, kind, same

FUNCTIONS = ("abs", "before", "delta", "len", "max", "mean", "min", "sum")
_PHASED = ("before", "delta")
_LONGEST = 2000

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.Call, ast.Name, ast.Load, ast.Attribute, ast.Constant,
)  # fmt: skip


_NAMES: dict[type[ast.AST], str] = {
    ast.Subscript: "[ ]", ast.Lambda: "lambda", ast.IfExp: "if", ast.JoinedStr: "an f-string",
    ast.ListComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.List: "a list",
    ast.Tuple: "a tuple", ast.Dict: "{ }", ast.Set: "{ }", ast.NamedExpr: ":=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Starred: "*",
}  # fmt: skip
"""What a person calls the most likely of the rest of Python."""


_BARE = "a name stands without ${ }, as in load.ok"
_ELSEWHERE = {
    r"(?<![=!<>])=(?!=)": "`==` compares",
    r"&&|\|\|": "write `and`, `or`",
    r"<>|!(?!=)": "write `!=`, `not`",
    r"[{]|\$(?=load)": _BARE,
    r"\$": "bind the path to a name with let:",
    r"\?": "there is no choice in an expression: write two assertions",
    r"\d ?%": "write a share: 5 % is 0.05",
}
"""How other languages write it, and what it is here."""


_CALLS = {
    "avg": "write mean(x)", "average": "write mean(x)", "count": "write len(x)",
    "length": "write len(x)", "after": "x by itself is its value after the load",
    "rate": "write delta(x) / load.duration_s", "increase": "write delta(x)",
    "change": "write delta(x)", "prev": "write before(x)",
    "p50": "a measure: {path: …, p50: {…}}", "p99": "a measure: {path: …, p99: {…}}",
    "round": "write abs(a - b) <= 0.5",
}  # fmt: skip
"""Functions of other languages, and what is written here."""


class ExpressionError(ValueError):
    """The text is not an expression, or cannot be decided with these values."""

    def __init__(self, message: str, at: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Term:
    """One thing an expression asks for: `x`, `delta(x)`, `before(x)` or `load.ok`."""

    text: str
    name: str
    phase: str = "after"
    """`after`, `before` or `delta`; of no meaning for the ledger."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled relation, and the terms whose values decide it."""

    text: str
    terms: tuple[Term, ...]
    tree: ast.Expression

    def holds(self, values: Mapping[str, Json]) -> bool:
        """Decide the relation with one value per term text; raise `ExpressionError`."""
        import simpleeval  # noqa: PLC0415 - only specs with expressions pay for it

        evaluator = simpleeval.SimpleEval(
            operators=_OPERATORS, functions=_FUNCTIONS, names=dict(values)
        )
        try:
            answer = evaluator.eval(self.text, previously_parsed=self.tree.body)
        except ZeroDivisionError:
            raise ExpressionError("division by zero") from None
        except RecursionError:
            raise ExpressionError("nests too deep") from None
        except OverflowError:
            raise ExpressionError("a number grew out of bounds") from None
        except (simpleeval.InvalidExpression, TypeError, ValueError) as error:
            raise ExpressionError(str(error)) from error
        assert isinstance(answer, bool)  # compile_expression allows relations only
        return answer

    def holds_by(self, values: Mapping[str, Json]) -> bool:
        """Say whether the relation holds with these *values*, whatever all other terms are."""
        return self._known(self.tree.body, values) is True

    def _known(self, node: ast.expr, values: Mapping[str, Json]) -> bool | None:
        """Decide a part of the relation; None when that takes terms without a value."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                known = [self._known(part, values) for part in parts]
                decides = isinstance(op, ast.Or)  # one of these settles it
                if decides in known:
                    return decides
                return None if None in known else not decides
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._known(operand, values)
                return None if inner is None else not inner
        if any(n.id in self._texts and n.id not in values for n in _names_in(node)):
            return None
        try:
            return Expression(self.text, self.terms, ast.Expression(node)).holds(values)
        except ExpressionError:
            return None

    @property
    def _texts(self) -> set[str]:
        return {term.text for term in self.terms}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
"""A text within an expression: nothing in it is an operator."""


def compile_expression(text: str) -> Expression:
    """Check *text* and collect its terms; raise `ExpressionError` with the offset of the fault."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"longer than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        bare = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), text.strip())
        for pattern, hint in _ELSEWHERE.items():
            if found := re.search(pattern, bare):
                raise ExpressionError("not an expression", found.start(), hint) from error
        at = (getattr(error, "offset", None) or 1) - 1
        told = getattr(error, "msg", "")  # Python's own words, where they are about brackets
        why = f": {told}" if "never closed" in told or "unmatched" in told else ""
        raise ExpressionError(f"not an expression{why}", at) from error
    for node in ast.walk(tree):
        _check(node)
    if not _is_relation(tree.body):
        raise ExpressionError("a relation is needed, such as a == b or a <= b")
    collector = _Collector()
    try:
        collected = ast.fix_missing_locations(collector.visit(tree))
    except RecursionError:
        raise ExpressionError("nests too deep") from None
    assert isinstance(collected, ast.Expression)
    return Expression(text, tuple(dict.fromkeys(collector.terms)), collected)


def _names_in(node: ast.AST) -> list[ast.Name]:
    return [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def _check(node: ast.AST) -> None:
    at = getattr(node, "col_offset", 0)
    if not isinstance(node, _ALLOWED):
        what = _NAMES.get(type(node), "this")
        hint = _BARE if what == "{ }" else ""
        raise ExpressionError(f"{what} has no place in an expression", at, hint)
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str):
        raise ExpressionError(f"{node.value!r} is not allowed here", at)
    if isinstance(node, ast.Name) and node.id in ("true", "false"):
        raise ExpressionError(f"{node.id} is not known", at, f"write {node.id.title()}")
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS:
            hint = _CALLS.get(node.func.id, "") if isinstance(node.func, ast.Name) else ""
            raise ExpressionError(f"only these can be called: {', '.join(FUNCTIONS)}", at, hint)
        if node.keywords or not node.args:
            raise ExpressionError(f"{node.func.id} takes plain arguments", at)
        if node.func.id in _PHASED and not (
            len(node.args) == 1 and isinstance(node.args[0], ast.Name)
        ):
            raise ExpressionError(f"{node.func.id} takes one name bound by let", at)


def _is_relation(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            return True
        case ast.BoolOp():
            return all(map(_is_relation, node.values))
        case ast.UnaryOp(op=ast.Not()):
            return _is_relation(node.operand)
    return False


class _Collector(ast.NodeTransformer):
    """Replaces each term by a plain name that spells it, so that evaluation is a look-up."""

    def __init__(self) -> None:
        self.terms: list[Term] = []

    def _term(self, text: str, name: str, phase: str = "after") -> ast.Name:
        self.terms.append(Term(text, name, phase))
        return ast.Name(text, ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        if node.func.id in _PHASED:
            argument = node.args[0]
            assert isinstance(argument, ast.Name)
            return self._term(f"{node.func.id}({argument.id})", argument.id, node.func.id)
        node.args = [self.visit(a) for a in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "load":
            raise ExpressionError("load needs a field, such as load.ok", node.col_offset)
        return self._term(node.id, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name) or inner.id != "load":
            raise ExpressionError("only load has fields", node.col_offset)
        return self._term(".".join(["load", *parts]), "load")


def _number(value: Any) -> Number:
    if not is_number(value):
        but = "" if value is None else f" but {kind(value)}"
        raise ExpressionError(f"{brief(value)} is not a number{but}")
    return value


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Number]:
    def apply(left: Any, right: Any) -> Number:
        result = function(_number(left), _number(right))
        if not is_number(result):
            raise ExpressionError("the result is not a finite number")
        return result

    return apply


def _comparison(function: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        return function(_number(left), _number(right))

    return apply


def _equality(left: Any, right: Any) -> bool:
    if kind(left) != kind(right):
        raise ExpressionError(
            f"{kind(left)} {brief(left)} cannot equal {kind(right)} {brief(right)}"
        )
    return same(left, right)


def _power(base: Number, exponent: Number) -> Any:
    if abs(exponent) > 100 or abs(base) > 10**9:  # noqa: PLR2004 - far beyond any metric
        raise ExpressionError("a power grew out of bounds")
    return base**exponent


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: _arithmetic(operator.add),
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
    ast.Pow: _arithmetic(_power),
    ast.USub: lambda value: -_number(value),
    ast.UAdd: _number,
    ast.Not: operator.not_,
    ast.Lt: _comparison(operator.lt),
    ast.LtE: _comparison(operator.le),
    ast.Gt: _comparison(operator.gt),
    ast.GtE: _comparison(operator.ge),
    ast.Eq: _equality,
    ast.NotEq: lambda left, right: not _equality(left, right),
}


def _numbers(arguments: tuple[Any, ...]) -> list[Number]:
    """Return the numbers of one list, or of several plain arguments; nothing is never a number."""
    found = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    if not found:
        raise ExpressionError("no values")
    return [_number(value) for value in found]


def _length(value: Any) -> int:
    if not isinstance(value, list | dict | str):
        raise ExpressionError(f"{kind(value)} {brief(value)} has no length")
    return len(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(_number(value)),
    "len": _length,
    "max": lambda *values: max(_numbers(values)),
    "mean": lambda *values: math.fsum(_numbers(values)) / len(_numbers(values)),
    "min": lambda *values: min(_numbers(values)),
    "sum": lambda *values: _sum(_numbers(values)),
}


def _sum(values: list[Number]) -> Number:
    return sum(values) if all(isinstance(v, int) for v in values) else math.fsum(values)
