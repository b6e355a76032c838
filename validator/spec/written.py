"""A spec as its author wrote it: the models that check its form and publish its JSON Schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, create_model

from validator.arguments import ArgumentError
from validator.decoders import DECODERS
from validator.drivers import DRIVERS, prompts
from validator.query import Query
from validator.spec import load_keys
from validator.spec.assertion_keys import Assertion, SeverityWord
from validator.spec.forms import (
    UNSET,
    Command,
    Count,
    Duration,
    Key,
    Missing,
    Path,
    Place,
    Read,
    Route,
    Seed,
    Size,
    Statuses,
    Text,
    Texts,
    Url,
    Written,
    ZeroDuration,
    one_of,
    words,
)

Driver: TypeAlias = Annotated[Any, words(*DRIVERS)]
Format: TypeAlias = Annotated[Any, words(*DECODERS)]
When: TypeAlias = Annotated[Any, words("last")]


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
