"""The keys of an assertion: where to look, and a key for each predicate and measure there is."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from validator.measures import MEASURES, Measure
from validator.predicates import PREDICATES
from validator.records.verdict import Severity
from validator.spec.forms import UNSET, Day, Metric, Path, Read, Reason, Start, Text, Written, words

SeverityWord: TypeAlias = Annotated[Any, words(*(s.value for s in Severity))]
Phase: TypeAlias = Annotated[Any, words("after", "before", "during")]

PREDICATE_PREFIX = "ask_"


def _summary(item: object) -> str:
    return inspect.cleandoc(item.__doc__ or "").split("```")[0].strip()


def _condition_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, predicate in PREDICATES.items():
        kind = Annotated[Any, Read(predicate.read, predicate.schema())]
        fields[PREDICATE_PREFIX + name] = (
            kind,
            Field(UNSET, alias=name, description=_summary(predicate)),
        )
    for name, measure in MEASURES.items():
        fields[PREDICATE_PREFIX + name] = (
            f"{_condition_name(measure)} | None",
            Field(UNSET, alias=name, description=_summary(measure)),
        )
    for name, text in {
        "each": "The condition holds for every match (the default).",
        "any": "The condition holds for at least one match.",
        "none": "The condition holds for no match, and there is at least one.",
    }.items():
        fields[PREDICATE_PREFIX + name] = (
            "Condition | None",
            Field(UNSET, alias=name, description=text),
        )
    return fields


def _condition_name(measure: type[Measure]) -> str:
    """Return what the condition on a measure is called: by the options that it may have."""
    options = dataclasses.fields(measure)  # type: ignore[arg-type]  # measures are dataclasses
    return "".join(part.title() for o in options for part in o.name.split("_")) + "Condition"


def _with_options(measure: type[Measure]) -> type[_Condition]:
    """Return the model of a condition that may also have the options of *measure*."""
    options: dict[str, Any] = {}
    for field in dataclasses.fields(measure):  # type: ignore[arg-type]  # measures are dataclasses
        form = field.metadata["form"]
        kind = Annotated[Any, Read(form, form.schema)]
        options[field.name] = (kind, Field(UNSET, description=form.description))
    return create_model(
        _condition_name(measure), __base__=Condition, __module__=__name__, **options
    )


class _Condition(Written):
    """What must be true: predicates, measures and quantifiers, all of which must hold."""

    noun = "predicate"


if TYPE_CHECKING:

    class Condition(_Condition):
        """What must be true: predicates, measures and quantifiers, all of which must hold."""

else:
    Condition = create_model(
        "Condition", __base__=_Condition, __module__=__name__, **_condition_fields()
    )
    _CONDITIONS = {"Condition": Condition}
    for _measure in MEASURES.values():
        _name = _condition_name(_measure)
        if _name not in _CONDITIONS:
            _CONDITIONS[_name] = _with_options(_measure)
    for _model in _CONDITIONS.values():
        _model.model_rebuild(_types_namespace=_CONDITIONS)


class XfailBlock(Written):
    """An announced failure."""

    alone = "reason"

    reason: Reason = Field(description="Why it is known to fail.")
    until: Day = Field(UNSET, description="From the day after, a failure counts again.")


class Binding(Written):
    """A value of another endpoint."""

    endpoint: Text = Field(
        UNSET, description="The id of the endpoint to look at; this one if none."
    )
    path: Path = Field(UNSET, description="A JSONPath.")
    metric: Metric = Field(UNSET, description="Or a Prometheus series selector.")
    absent_before: Start = Field(
        UNSET, description="What a path that was absent before the load counts from."
    )


def _binding(value: Any) -> Any:
    """Read the short form, a bare path on this endpoint."""
    return {"path": value} if isinstance(value, str) else value


LetValue = Annotated[
    Binding,
    BeforeValidator(_binding),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^\$"}, Binding.model_json_schema()]}),
]


class Assertion(Condition):
    """One promise: where to look, what must be true, and how much it matters."""

    path: Path = Field(UNSET, description="A JSONPath into the document (RFC 9535).")
    metric: Metric = Field(
        UNSET, description='Instead of a path: a Prometheus selector, `name{label="value"}`.'
    )
    expr: Text = Field(
        UNSET,
        description="A relation between names bound by `let`, and the load: `a + b == load.ok`.",
    )
    let: dict[str, LetValue] = Field(
        UNSET, description="Names for `expr`: a path on this endpoint, or {endpoint, path}."
    )
    name: Text = Field(UNSET, description="What reports call this assertion.")
    why: Text = Field(UNSET, description="Why it matters; shown when it fails.")
    severity: SeverityWord = Field(
        UNSET, description="critical (default) breaks the run; warning and info are reported."
    )
    over: Phase = Field(
        UNSET,
        description="after the load (default), before it, or during it (its samples).",
    )
    load: Text = Field(
        UNSET, description="Of several loads, the one it is about; all of them unless given."
    )
    skip: Reason = Field(UNSET, description="Do not judge this, for this reason.")
    xfail: XfailBlock = Field(UNSET, description="A failure that is announced, and does not count.")
