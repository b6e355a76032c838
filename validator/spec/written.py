"""A spec as its author wrote it: the models that check its form and publish its JSON Schema."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from validator.arguments import ArgumentError
from validator.decoders import DECODERS
from validator.drivers import DRIVERS, prompts
from validator.measures import MEASURES, Measure
from validator.predicates import PREDICATES
from validator.query import Query
from validator.records.verdict import Severity
from validator.spec import load_keys
from validator.spec.forms import (
    UNSET,
    Command,
    Count,
    Day,
    Duration,
    Key,
    Metric,
    Missing,
    Path,
    Place,
    Read,
    Reason,
    Route,
    Seed,
    Size,
    Start,
    Statuses,
    Text,
    Texts,
    Url,
    Written,
    ZeroDuration,
    one_of,
    words,
)

SeverityWord: TypeAlias = Annotated[Any, words(*(s.value for s in Severity))]
Driver: TypeAlias = Annotated[Any, words(*DRIVERS)]
Format: TypeAlias = Annotated[Any, words(*DECODERS)]
Phase: TypeAlias = Annotated[Any, words("after", "before", "during")]
When: TypeAlias = Annotated[Any, words("last")]


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


class TargetBlock(Written):
    """The system under test."""

    alone = "url"

    url: Url = Field(UNSET, description="Base URL; requests go to <url>/v1, reads to <url><path>.")
    api_key: Key = Field(UNSET, description="For the load. Never shown.")
    headers: Texts = Field(UNSET, description="Sent with every metrics read. Never shown.")
    timeout: Duration = Field(UNSET, description="For a whole metrics read; 5s unless given.")
    max_body: Size = Field(
        UNSET, description="Of a body, on the wire and decoded; 64MiB unless given."
    )
    max_depth: Count = Field(UNSET, description="Of a document's nesting; 200 unless given.")


class ServerBlock(Written):
    """How to start the target when nothing answers there yet."""

    alone = "command"

    command: Command = Field(description="Run without a shell; ${port} is the target's port.")
    ready: Route = Field(description="A path that answers below 400 once the server is ready.")
    within: Duration = Field(UNSET, description="How long starting may take; 30s unless given.")
    reuse: bool = Field(
        default=True, description="Use a server that answers already (default), or refuse."
    )
    env: Texts = Field(UNSET, description="Environment variables for the command.")


class SettleBlock(Written):
    """How long to wait for counters to stop moving after the load."""

    alone = "within"

    within: ZeroDuration = Field(UNSET, description="At most this long; 10s unless given.")
    every: Duration = Field(UNSET, description="Between two polls; 250ms unless given.")
    stable_for: ZeroDuration = Field(UNSET, description="Without movement; 500ms unless given.")


class DuringBlock(Written):
    """Samples to take while the load runs."""

    alone = "every"

    every: Duration = Field(description="Between two samples, such as 500ms.")
    missing: Missing = Field(
        UNSET, description="How many samples an assertion can do without; 0 unless given."
    )


class CollectBlock(Written):
    """How much to take from what has no end: a WebSocket, or a text/event-stream."""

    alone = "for"

    frames: Count = Field(UNSET, description="Frames of a WebSocket, at most.")
    events: Count = Field(UNSET, description="Events of a text/event-stream, at most.")
    for_: Duration = Field(
        UNSET, alias="for", description="How long at most; the frames or events that came count."
    )


class ReachableBlock(Written):
    """How much it matters that an endpoint can be read."""

    alone = "severity"

    severity: SeverityWord = Field(UNSET, description="Also the most its assertions can matter.")


class EndpointBlock(Written):
    """A place on the target to look, and what must be true of it."""

    alone = "get"

    get: Place = Field(UNSET, description="A path on the target to GET, or a whole URL.")
    post: Place = Field(UNSET, description="A path to POST `body` to, or a whole URL.")
    body: Any = Field(UNSET, description="What to post; a mapping or list is sent as JSON.")
    websocket: Place = Field(
        UNSET,
        description="Where to open a WebSocket, with `collect`; needs the extra `websocket`.",
    )
    send: Any = Field(
        UNSET,
        description="A message for the WebSocket, or several; a text is sent as it is.",
    )
    collect: CollectBlock = Field(
        UNSET, description="How much to take of a WebSocket, or with `format: events`."
    )
    format: Format = Field(UNSET, description="How to read the payload; json unless given.")
    headers: Texts = Field(UNSET, description="Sent with this read, besides the target's.")
    timeout: Duration = Field(UNSET, description="For the whole read; the target's unless given.")
    max_body: Size = Field(UNSET, description="Of the body; the target's unless given.")
    max_depth: Count = Field(UNSET, description="Of the nesting; the target's unless given.")
    status: Statuses = Field(UNSET, description="The HTTP status, or several; 200 unless given.")
    reachable: ReachableBlock = Field(UNSET, description="How much being readable matters.")
    during: DuringBlock = Field(
        UNSET, description="Sample it while the load runs, for `over: during`."
    )
    load: Text = Field(
        UNSET, description="Of several loads, the one that its assertions are about."
    )
    read: When = Field(UNSET, description="`last`: once, after all others; never polled.")
    assertions: list[Assertion] = Field(UNSET, alias="assert", description="What must be true.")


def _driver_fields() -> dict[str, Any]:
    """Return the keys that drivers bring to a `load:` block, from their dataclass fields."""
    fields: dict[str, Any] = {}
    for driver in DRIVERS.values():
        hints = typing.get_type_hints(driver)
        for field in dataclasses.fields(driver):  # type: ignore[arg-type]  # drivers are dataclasses
            if field.name != "connection" and field.name not in fields:
                text = field.metadata.get("help", "")
                fields[field.name] = (_listed(hints[field.name]), Field(UNSET, description=text))
    return fields


def _listed(hint: Any) -> Any:
    """Return *hint* as YAML has it: tuples are lists, JSONPaths and headers are read."""
    if hint is Query:
        return Path
    if hint == prompts.Prompts:
        return load_keys.Prompts
    if typing.get_origin(hint) is tuple:
        return list[typing.get_args(hint)[0]]  # type: ignore[misc]  # built from what a driver declares
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kept = [a for a in typing.get_args(hint) if a is not type(None)]
        return _listed(kept[0]) if len(kept) == 1 else hint
    if typing.get_origin(hint) in (dict, Mapping):
        values = typing.get_args(hint)[1]
        if values is str:
            return Texts
        return dict[str, Path if values is Query else Any]  # type: ignore[misc]  # as above
    return hint


class CommonLoad(Written):
    """What a load block says whatever its driver is."""

    alone = "requests"

    model_config = one_of("requests", "duration")

    driver: Driver = Field(UNSET, description="What one request is; chat unless given.")
    requests: Count = Field(
        UNSET, description="How many to send; with `duration`, at most so many."
    )
    duration: Duration = Field(
        UNSET, description="After this, nothing more is sent; what is in flight is waited for."
    )
    concurrency: Count = Field(
        UNSET, description="In flight at most; 1 unless given, and 512 with `rate`."
    )
    rate: load_keys.Rate = Field(
        UNSET, description="Requests a second, whether the server keeps up or not; or a mapping."
    )
    ramp: load_keys.Ramp = Field(
        UNSET, description="Where the rate goes from there, or without one the concurrency."
    )
    think: load_keys.Think = Field(
        UNSET, description="A pause before the next request in the same place; or a mapping."
    )
    warmup: load_keys.WarmupBlock = Field(
        UNSET, description="Requests before the first look, which count nowhere."
    )
    cancel: load_keys.CancelBlock = Field(
        UNSET, description="Requests to cut off in the middle, which are no failures."
    )
    slo: load_keys.SloBlock = Field(
        UNSET, description="When a request is good enough; the ledger then has `goodput`."
    )
    abort_on: load_keys.AbortBlock = Field(
        UNSET, description="When to stop sending, because the load is hopeless."
    )
    seed: Seed = Field(UNSET, description="Of everything random in the load; 0 unless given.")
    timeout: Duration = Field(UNSET, description="For one request; 60s unless given.")
    assertions: list[Assertion] = Field(UNSET, alias="assert", description="About the ledger.")


if TYPE_CHECKING:

    class LoadBlock(CommonLoad):
        """The requests to send between the before and the after snapshots."""

else:
    LoadBlock = create_model(
        "LoadBlock",
        __base__=CommonLoad,
        __module__=__name__,
        __doc__="The requests to send between the before and the after snapshots.",
        **_driver_fields(),
    )


def _version(value: Any) -> int:
    if value != 1 or isinstance(value, bool):
        hint = "the quotes make it a text" if value == "1" else ""
        raise ArgumentError("expected version: 1, the only one there is", hint)
    return 1


Version: TypeAlias = Annotated[Any, Read(_version, {"const": 1})]


class SpecFile(Written):
    """A spec: what a server's metrics endpoints must show after a known load."""

    version: Version = Field(description="Of the spec language: 1.")
    title: Text = Field(UNSET, description="What reports call this spec.")
    vars: dict[str, Any] = Field(UNSET, description="Values to refer to as ${vars.name}.")
    include: list[Text] = Field(UNSET, description="Specs whose endpoints and assertions to add.")
    target: TargetBlock = Field(UNSET, description="The system under test.")
    server: ServerBlock = Field(UNSET, description="How to start the target if need be.")
    load: LoadBlock = Field(UNSET, description="What to send.")
    loads: dict[str, LoadBlock] = Field(
        UNSET, description="Instead of `load`: several loads by name, sent one after another."
    )
    settle: SettleBlock = Field(UNSET, description="How long to wait for counters afterwards.")
    sequential: bool = Field(
        default=False, description="Read the endpoints one by one, in spec order."
    )
    timeout: Duration = Field(UNSET, description="For the whole run; unlimited unless given.")
    endpoints: dict[str, EndpointBlock] = Field(UNSET, description="Where to look, by id.")
    assertions: list[Assertion] = Field(UNSET, alias="assert", description="Across endpoints.")


class SuiteFile(Written):
    """A suite: specs that are run one after another, with one report."""

    version: Version = Field(description="Of the spec language: 1.")
    title: Text = Field(UNSET, description="What lists call this suite.")
    suite: list[Text] = Field(
        json_schema_extra={"minItems": 1},
        description="Files, folders or patterns, relative to this file; or names of bundled specs.",
    )
