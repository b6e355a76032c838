"""What is wrong with a spec's form: pydantic's errors, put in our words at their place."""

from __future__ import annotations

import re
import types
import typing
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from validator.arguments import advice, as_yaml
from validator.errors import Problems
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.reference import Reference, did_you_mean, likely
from validator.registry import near, suggest
from validator.source import Node, scalar
from validator.spec import foreign
from validator.spec.assertion_keys import Condition
from validator.spec.forms import Written
from validator.spec.references import UNKNOWN
from validator.values import brief, is_number, kind

Keys: TypeAlias = tuple[int | str, ...]

_WANTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
}


_QUANTIFIERS = ("each", "any", "none")
_CONDITIONS = (
    f"predicates: {', '.join(sorted(PREDICATES))}; measures: {', '.join(sorted(MEASURES))};"
    " quantifiers: each, any, none; `validator explain NAME` tells more"
)


def complain(model: type[Written], node: Node, problems: Problems) -> None:
    """Add to *problems* everything that keeps *node* from being a *model*."""
    try:
        model.model_validate(node.plain(), by_alias=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _complain(model, detail, node, problems)


def _complain(model: type[Written], detail: ErrorDetails, root: Node, problems: Problems) -> None:
    keys = detail["loc"]
    found = detail["input"]
    if found is UNKNOWN:  # complained about when it was looked up
        return
    node, reached = _deepest(root, keys)
    # An item of a list has no name: what is wrong with it stands alone.
    last = keys[-1] if keys and isinstance(keys[-1], str) else ""
    name = reached[-1] if reached and isinstance(reached[-1], str) else ""
    named = f"{name}: " if name else ""
    match detail["type"]:
        case "missing":
            hint = "a spec begins with version: 1" if keys == ("version",) else ""
            problems.add(f"{last!r} is missing", node.key_span, hint)
        case "extra_forbidden":
            parent = model_at(model, keys[:-1])
            noun = parent.noun if parent else "key"
            problems.add(f"unknown {noun} {last!r}", node.key_span, _known(last, parent))
        case "value_error":
            text = str(detail["ctx"]["error"])
            hint = getattr(detail["ctx"]["error"], "hint", "")
            if isinstance(found, str):
                hint = hint or did_you_mean(found)
            elif isinstance(found, Reference) and last == "expr":
                hint = f"in an expr it is {found.names}, without ${{ }} and quotes"
            elif isinstance(found, Reference):
                hint = hint or "only what a value is compared with may refer to the load"
            at = getattr(detail["ctx"]["error"], "at", None) or 0
            problems.add(f"{named}{text}", node.span.inside(at), hint)
        case other:
            words = detail.get("ctx", {}).get("expected", detail["msg"])
            wanted = _WANTED.get(other, words)
            if isinstance(found, Reference) and last not in MEASURES:
                text = f"{named}expected {wanted}, which must be known before the load"
            else:
                text = f"{named}expected {wanted}, found {_found(found)}"
            asked = last in MEASURES or last in _QUANTIFIERS
            hint = _asked_of_measure(last, found) if asked else ""
            problems.add(text, node.span, hint or _advice(model, keys, wanted, found))


def _known(name: str, model: type[Written] | None) -> str:
    """Say which key of *model* was likely meant by *name*, or which there are."""
    keys = _keys(model) if model else []
    if (glued := re.fullmatch(r"([\w-]+):.+", name)) and glued[1] in keys:
        return f"a space is missing after `{glued[1]}:`"
    other = foreign.key(model, name)
    if model is None or not issubclass(model, Condition):
        return _meant(other, keys) or suggest(name, keys, "keys")
    if measure := MEASURES.meant_by(name):
        return f"did you mean {measure!r}, such as {measure}: {{ge: 1}}?"
    if hint := _meant(PREDICATES.meant_by(name) or other, keys):
        return hint
    if name.isdecimal():
        return "a number is written without commas"
    return near(name, keys) or _CONDITIONS


def _meant(other: str, keys: list[str]) -> str:
    """Say what is written here: a key of this block, or something with a colon of its own."""
    if other in keys:
        return f"did you mean {other!r}?"
    return f"write {other}" if " " in other else ""


def _advice(model: type[Written], keys: Keys, wanted: str, found: Any) -> str:
    """Say how *found*, which stands where *wanted* is expected, is to be written."""
    block = model_at(model, keys)
    match wanted, found:
        case "a mapping", str() if block and (shown := _comparison(block, found)):
            return f"write {shown}"
        case "a mapping", bool() | int() | float() | str() if block and block.alone:
            inner = "…" if isinstance(found, bool) else as_yaml(found)
            return f"write {keys[-1]}: {{{block.alone}: {inner}}}"
        case "a mapping", [{"name": str(name)}, *_]:
            return f"each stands under its name, and without `- `: {as_yaml(name)}: …"
        case "a mapping", [dict(), *_]:
            return "a mapping has no `- ` before its keys"
        case "a list", _ if isinstance(found, dict) or model_at(model, (*keys, 0)):
            return "a list has `- ` before each of its items"
        case "a list", _:
            return advice("a list of texts", found)
    return advice(wanted, found)


def _comparison(block: type[Written], text: str) -> str:
    """Return the assertion that *text*, a comparison in one line, was meant to be."""
    found = re.fullmatch(r"(\$[^=!<>\s]*)\s*(==?|!=|>=|<=|>|<)\s*(\S+)", text)
    if found is None or not issubclass(block, Condition):
        return ""
    return f"{{path: {found[1]}, {PREDICATES.meant_by(found[2])}: {found[3]}}}"


def _asked_of_measure(name: str, value: Any) -> str:
    """Say how *value* is asked of the measure *name*, which takes a mapping."""
    plain = scalar(value) if isinstance(value, str) else value
    asked, bound = "ge: 1", {"min": "ge", "max": "le"}.get(name)
    if isinstance(value, Reference) and value.whole:
        asked = f'eq: "{value}"'
    elif is_number(plain) and bound:
        asked = f"{bound}: {brief(plain)}"
        return f"of several values {name}: {{{asked}}}, of one value just {asked}"
    elif is_number(plain):
        asked = f"eq: {brief(plain)}"
    elif isinstance(value, str) and (meant := likely(value)):
        asked = f"eq: {meant}"
    return f"such as {name}: {{{asked}}}"


def _found(value: Any) -> str:
    if isinstance(value, Reference):
        value = value.text
    return f"{kind(value)} {brief(value)}" if value is not None else "nothing"


def _deepest(node: Node, keys: Keys) -> tuple[Node, Keys]:
    """Return the node that *keys* lead to, or the last one on the way that was written.

    And the keys that lead there: a short form leaves some out.
    """
    reached: list[int | str] = []
    for key in keys:
        inner = node.at(key)
        if inner is not None:
            node = inner
            reached.append(key)
        elif not (isinstance(key, int) and isinstance(node.value, dict)):
            break
    return node, tuple(reached)


def _keys(model: type[Written]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def model_at(model: type[Written], keys: Keys) -> type[Written] | None:
    """Return the model of the mapping that *keys* lead to."""
    hint: Any = model
    for key in keys:
        hint = _stripped(hint)
        if isinstance(hint, type) and issubclass(hint, Written):
            fields = {field.alias or name: field for name, field in hint.model_fields.items()}
            if key not in fields:
                return None
            hint = fields[str(key)].annotation
        elif typing.get_origin(hint) in (list, dict):
            hint = typing.get_args(hint)[-1]
        else:
            return None
    hint = _stripped(hint)
    return hint if isinstance(hint, type) and issubclass(hint, Written) else None


def _stripped(hint: Any) -> Any:
    """Return what is inside Optional and Annotated."""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif typing.get_origin(hint) in (types.UnionType, typing.Union):
            hint = next(a for a in typing.get_args(hint) if a is not type(None))
        else:
            return hint
