"""The way from a spec's text to a `Spec`: every problem is collected, none stops the reading."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import ValidationError

from validator.drivers import DRIVERS, Connection, Driver
from validator.errors import Problems, UsageError
from validator.records.verdict import Severity
from validator.redaction import Redaction, without_userinfo
from validator.registry import suggest
from validator.source import Node, read
from validator.span import Span
from validator.spec import endless, explanations, loading, loads, prompt_sources
from validator.spec.forms import Written
from validator.spec.load_keys import PromptsBlock
from validator.spec.model import (
    Assertion,
    Endpoint,
    ExprAssertion,
    Load,
    PathAssertion,
    ServerPlan,
    Settle,
    Spec,
    Target,
)
from validator.spec.promises import Promises, implied
from validator.spec.references import References, is_secret
from validator.spec.schemas import SchemaFiles
from validator.spec.written import Assertion as AssertionBlock
from validator.spec.written import (
    CommonLoad,
    EndpointBlock,
    LoadBlock,
    ServerBlock,
    SettleBlock,
    SpecFile,
    TargetBlock,
)

W = TypeVar("W", bound=Written)

_HARMLESS_HEADERS = {"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}
_REFERENCE = re.compile(r"\$\{[^{}]*?(?::-([^{}]*))?\}")
_NO_PROMPTS = ""
"""Stands in for prompts that could not be read, of which there is a problem already."""
_WAYS = ("get", "post", "websocket")
_SWITCHED = 101
"""The status that opens a WebSocket."""
_SHORTEST_SECRET = 4
"""A shorter text would be found everywhere, and is no secret."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value given outside the file: *keys* lead to it, *label* is the flag that gave it."""

    label: str
    keys: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller decides instead of the file."""

    url: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    settings: tuple[Setting, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    free_port: Callable[[], int] = lambda: 1
    """Finds a port for `server:`; the default is for reading a spec without running it."""


def load_spec(source: str | Path, overrides: Overrides | None = None) -> Spec:
    """Read the spec in a file; raise `SpecProblems` with everything wrong with it.

    Raises `UsageError` when the file cannot be read.
    """
    path = Path(source)
    return parse(_text(path), str(source), overrides, folder=path.parent)


def parse(
    text: str, file: str = "<spec>", overrides: Overrides | None = None, folder: Path | None = None
) -> Spec:
    """Return the spec in *text*; includes are looked for relative to *folder*."""
    problems = Problems()
    reading = _Reading(problems, overrides or Overrides())
    spec = reading.root(text, file, folder or Path())
    if problems.found:
        reading.hide_secrets()
    problems.raise_if_any()
    assert spec is not None  # nothing is missing without a problem
    return spec


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file brings: its own and what it includes."""

    endpoints: tuple[Endpoint, ...]
    assertions: tuple[ExprAssertion, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file stands among those that include it."""

    prefix: str
    """Before the ids of its endpoints."""
    folder: Path
    variables: Mapping[str, Node]
    """Those of the including files, which win over its own."""
    chain: tuple[str, ...]
    """The files that lead to it, itself last."""
    defaults: TargetBlock
    """The root's target, whose bounds hold for every endpoint that sets none."""


class _Reading:
    """One reading of a root file and all it includes."""

    def __init__(self, problems: Problems, overrides: Overrides) -> None:
        self._problems = problems
        self._overrides = overrides
        self._files = SchemaFiles(problems)
        self._secrets: set[str] = set()
        self._declared: set[str] = set()
        """Variables of the root and of what it includes."""
        self._read: list[Node] = []
        """The files as they were written."""
        self._folder = Path()
        """Of the root, which the paths of its load are relative to."""

    def hide_secrets(self) -> None:
        """Take secrets out of what is about to be shown."""
        written = {text for node in self._read for text in _secrets_in(node)}
        known = {text for text in written | self._secrets if len(text) >= _SHORTEST_SECRET}
        redaction = Redaction(tuple(known))
        problems = self._problems
        problems.found = [
            replace(p, message=redaction.text(p.message), hint=redaction.text(p.hint))
            for p in problems.found
        ]
        problems.sources = {name: redaction.source(t) for name, t in problems.sources.items()}

    def root(self, text: str, file: str, folder: Path) -> Spec | None:
        self._folder = folder
        node = read(text, file, self._problems)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            self._problems.add("a spec is a mapping", node.span, "it starts with version: 1")
            return None
        if (listed := node.at("suite")) is not None:
            hint = "run it by its name, or load its members one by one"
            self._problems.add("a suite of specs, and no spec", listed.key_span, hint)
            return None
        node = self._with_settings(node)
        self._read.append(node)
        self._declared |= _members(node, "vars").keys()
        variables = {**_members(node, "vars"), **self._variables()}
        has_server = node.at("server") is not None
        references = References(self._problems, self._overrides.environment, variables)
        references.port = self._port(node, references) if has_server else None
        node = self._files.with_schemas(references.resolved(node), folder)
        references.guard_variables()
        self._secrets |= references.secrets
        written = _written(SpecFile, node)
        if written is None:
            explanations.complain(SpecFile, node, self._problems)
        blocks = loads.blocks(node, self._problems)
        if not blocks:
            for span in references.load_spans:
                self._problems.add("a reference to the load, and this spec sends none", span)
        checked = {} if written is None else _by_node(written, node)
        promises = Promises(self._problems, loads.known(blocks, self._problems), checked=checked)
        target = self._target(node.at("target"), node, references.port)
        defaults = _written(TargetBlock, node.at("target")) or TargetBlock()
        part = self._part(node, promises, _Place("", folder, variables, (file,), defaults))
        plans = [self._load(name, member, promises, target) for name, member in blocks.items()]
        self._refuse_unknown_variables()
        if not (part.endpoints or part.assertions or plans or self._problems.found):
            self._problems.add(
                "a spec without assertions judges nothing", node.span, "add endpoints: with assert:"
            )
        if self._problems.found:
            return None
        assert written is not None
        return Spec(
            title=written.title or Path(file).stem,
            file=file,
            target=target,
            endpoints=part.endpoints,
            assertions=part.assertions,
            server=self._server(node.at("server")) if self._overrides.url is None else None,
            loads=tuple(plan for plan in plans if plan is not None),
            settle=_settle(_written(SettleBlock, node.at("settle"))),
            sequential=written.sequential,
            timeout=written.timeout,
            secrets=tuple(sorted(s for s in self._secrets if len(s) >= _SHORTEST_SECRET)),
            sources=tuple(self._problems.sources.items()),
        )

    # What the caller gave

    def _with_settings(self, root: Node) -> Node:
        for setting in self._overrides.settings:
            node = read(setting.text or "''", setting.label, self._problems)
            if node is None:
                continue
            for keys in _places(root, setting):
                root = _placed(root, keys, node)
        return root

    def _variables(self) -> dict[str, Node]:
        found = {}
        for name, text in self._overrides.variables:
            node = read(text or "''", f"--var {name}", self._problems)
            if node is not None:
                found[name] = node
        return found

    def _refuse_unknown_variables(self) -> None:
        """Complain about variables given for nothing: a misspelt one changes nothing, silently."""
        known = self._declared
        for name, _ in self._overrides.variables:
            if name not in known:
                hint = suggest(name, known, "variables") if known else "the spec has no vars:"
                place = Span(f"--var {name}", 1, 1, 1, 1)
                self._problems.add(f"unknown variable {name!r}", place, hint)

    def _port(self, node: Node, references: References) -> Callable[[], int]:
        """Return the port of the server to start: the target's own, else a free one."""
        url = node.at("target", "url")
        chosen: list[int] = []

        def port() -> int:
            if not chosen:
                explicit = None
                if url is not None and "${port}" not in str(url.value):
                    resolved = references.resolved(url).value
                    explicit = _explicit_port(resolved) if isinstance(resolved, str) else None
                chosen.append(explicit or self._overrides.free_port())
            return chosen[0]

        return port

    # The blocks of a spec

    def _target(self, node: Node | None, root: Node, port: Callable[[], int] | None) -> Target:
        written = _written(TargetBlock, node) or TargetBlock()
        url = written.url
        if self._overrides.url is not None:
            try:
                url = TargetBlock.model_validate({"url": self._overrides.url}).url
            except ValidationError:
                raise UsageError(
                    f"--url: expected a base URL such as http://localhost:8000, "
                    f"found {without_userinfo(self._overrides.url)!r}"
                ) from None
        elif url is None and (node is None or node.at("url") is None):
            self._problems.add(
                "no target: where is the server?", root.span, "add target: {url: …} or use --url"
            )
        if url is not None and port is not None and _explicit_port(url) is None:
            url = _with_port(url, port())
        headers = written.headers or {}
        self._guard(written.api_key, *_secret_headers(headers))
        if url is not None and (password := urlsplit(url).password):
            # The pair too: sent, it is one text in base64.
            name = urlsplit(url).username or ""
            self._guard(password, unquote(password), unquote(f"{name}:{password}"))
        return Target(url or "", written.api_key or "", tuple(headers.items()))

    def _guard(self, *texts: str | None) -> None:
        self._secrets.update(text for text in texts if text)

    def _server(self, node: Node | None) -> ServerPlan | None:
        written = _written(ServerBlock, node)
        if written is None:
            return None
        self._guard(*(v for k, v in (written.env or {}).items() if is_secret(k)))
        return ServerPlan(
            command=written.command,
            ready=written.ready,
            reuse=written.reuse,
            env=tuple((written.env or {}).items()),
            **_given(within=written.within),
        )

    def _load(self, name: str, node: Node, promises: Promises, target: Target) -> Load | None:
        listed = node.at("assert")
        assertions: list[PathAssertion] = []
        for item in _items(listed):
            assertion = promises.about_load(item, name)
            if assertion is not None:
                assertions.append(assertion)
        if listed is not None and listed.value == []:
            self._problems.add(
                "an empty list of assertions",
                listed.span,
                "leave it out: success_rate ≥ 0.9 is implied",
            )
        written = _written(LoadBlock, node)
        if written is None:
            return None
        connection = Connection(target.url, target.api_key, written.timeout or 60.0)
        driver = self._driver(written, node, connection)
        if driver is None:
            return None
        plan = loading.plan(written, node, driver, self._problems)
        if plan is None:
            return None
        success_rate, some_ok, not_aborted = implied(name)
        aborting = (not_aborted,) if plan.abort_on else ()
        return Load(
            plan=plan,
            name=name,
            assertions=(*(assertions or [success_rate]), some_ok, *aborting),
            span=node.span,
        )

    def _driver(self, written: LoadBlock, node: Node, connection: Connection) -> Driver | None:
        name = written.driver or "chat"
        kind: Any = DRIVERS[name]
        options: dict[str, Any] = {}
        own = {f.name: f for f in fields(kind) if f.name != "connection"}
        common = {f.alias or n for n, f in CommonLoad.model_fields.items()}
        assert isinstance(node.value, dict)
        for key, member in node.value.items():
            if key in common:
                continue
            if key not in own:
                hint = f"it knows: {', '.join(own)}"
                self._problems.add(f"the driver {name} has no {key!r}", member.key_span, hint)
                continue
            value = getattr(written, key)
            if isinstance(value, PromptsBlock):
                seed = written.seed or 0
                value = prompt_sources.prompts(
                    value, member, self._folder, seed, self._problems
                ) or (_NO_PROMPTS,)
            options[key] = tuple(value) if isinstance(value, list) else value
        self._guard(*_secret_headers(options.get("headers", {})))
        try:
            return kind(connection=connection, **options)  # type: ignore[no-any-return]  # a Driver
        except TypeError:
            lacking = [
                n
                for n, f in own.items()
                if n not in options and f.default is MISSING and f.default_factory is MISSING
            ]
            self._problems.add(f"the load needs {', '.join(lacking)}", node.key_span)
        except ValueError as error:
            self._problems.add(str(error), node.key_span)
        return None

    # Endpoints and assertions, own and included

    def _part(self, node: Node, promises: Promises, place: _Place) -> _Part:
        endpoints: list[Endpoint] = []
        assertions: list[ExprAssertion] = []
        for item in _items(node.at("include")):
            part = self._included(item, promises, place)
            endpoints += part.endpoints
            assertions += part.assertions
        own = _members(node, "endpoints")
        ids = [*(place.prefix + name for name in own), *(e.id for e in endpoints)]
        once = {e.id for e in endpoints if e.read_last}
        once |= {place.prefix + n for n, m in own.items() if _plain(m.at("read")) == "last"}
        sampled = {place.prefix + name for name, m in own.items() if m.at("during") is not None}
        pages = {e.id for e in endpoints if e.decoder == "prometheus"}
        pages |= {
            place.prefix + n for n, m in own.items() if _plain(m.at("format")) == "prometheus"
        }
        here = promises.among(ids, place.prefix, once=once, sampled=sampled, pages=pages)
        self._refuse_empty(node)
        for name, member in own.items():
            endpoint = self._endpoint(name, member, here, place)
            if endpoint is not None:
                endpoints.append(endpoint)
        for item in _items(node.at("assert")):
            found = here.across(item)
            if found is not None:
                assertions.append(found)
        return _Part(tuple(endpoints), tuple(assertions))

    def _refuse_empty(self, node: Node) -> None:
        """Complain about lists of promises that hold none: they look like checks."""
        for what, hint in (
            ("endpoints", "such as metrics: {get: /metrics, assert: […]}"),
            ("assert", "leave it out, or write the first"),
            ("include", "leave it out, or name a file"),
        ):
            member = node.at(what)
            if member is not None and member.value in ([], {}):
                noun = {"endpoints": "no endpoints", "assert": "an empty list of assertions"}
                message = noun.get(what, "an empty list")
                self._problems.add(message, member.span, hint)

    def _included(self, item: Node, promises: Promises, place: _Place) -> _Part:
        nothing = _Part((), ())
        if not isinstance(item.value, str):
            return nothing
        path = place.folder / item.value
        file = os.path.normpath(path)
        if file in [os.path.normpath(f) for f in place.chain]:
            around = " → ".join([*place.chain, file])
            self._problems.add(f"specs include each other: {around}", item.span)
            return nothing
        try:
            text = _text(path)
        except UsageError as error:
            self._problems.add(str(error), item.span, "the path is relative to this file")
            return nothing
        node = read(text, file, self._problems)
        if node is None:
            return nothing
        if not isinstance(node.value, dict):
            self._problems.add("a spec is a mapping", node.span, "it starts with version: 1")
            return nothing
        self._read.append(node)
        self._declared |= _members(node, "vars").keys()
        merged = {**_members(node, "vars"), **place.variables}
        references = References(self._problems, self._overrides.environment, merged)
        # Only endpoints and assertions count: the target, the load and the title are the root's.
        kept = {
            key: member if key in ("version", "title", "vars") else references.resolved(member)
            for key, member in node.value.items()
            if key not in ("target", "load", "loads", "server", "settle")
        }
        node = self._files.with_schemas(node.with_value(kept), path.parent)
        self._secrets |= references.secrets
        if _written(SpecFile, node) is None:
            explanations.complain(SpecFile, node, self._problems)
        if not promises.has_load:
            for span in references.load_spans:
                self._problems.add("a reference to the load, and the root spec sends none", span)
        deeper = _Place(
            f"{place.prefix}{path.stem}.", path.parent, merged, (*place.chain, file), place.defaults
        )
        return self._part(node, promises, deeper)

    def _endpoint(
        self, name: str, node: Node, promises: Promises, place: _Place
    ) -> Endpoint | None:
        defaults = place.defaults
        id_ = place.prefix + name
        if not name or not all(c.isalnum() or c in "_-." for c in name):
            self._problems.add(
                f"{name!r} is no id", node.key_span, "an id is letters, digits, '_', '-' and '.'"
            )
        self._refuse_empty(node)
        known = promises.checked.get(id(node))
        written = known if isinstance(known, EndpointBlock) else _written(EndpointBlock, node)
        severity = Severity.CRITICAL
        if written is not None and written.reachable is not None and written.reachable.severity:
            severity = Severity(written.reachable.severity)
        load = promises.loads.named(node, once=id_ in promises.once)
        assertions: list[Assertion] = []
        for item in _items(node.at("assert")):
            assertion = promises.about_endpoint(item, id_, severity, load)
            if assertion is not None:
                assertions.append(assertion)
        if written is None:
            return None
        ways = [f"{way}:" for way in _WAYS if getattr(written, way) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            message = f"an endpoint needs one of get:, post: and websocket:, and this has {found}"
            self._problems.add(message, node.key_span, "such as get: /metrics")
        collect = endless.collect(written, node, defaults, self._problems)
        messages = endless.messages(written, node, self._problems)
        if written.during is not None and not promises.has_load:
            message = "during: samples while the load runs, and this spec sends none"
            self._problems.add(message, _place(node, "during"), "add a load: block")
        if written.post is None and node.at("body") is not None:
            self._problems.add("body: goes with post:", _place(node, "body"))
        headers = written.headers or {}
        self._guard(*_secret_headers(headers))
        sent = node.at("body")
        unknown = sent is not None and endless.too_early("body", sent, self._problems)
        body, content_type = _body(None if unknown else written.body)
        if content_type and "content-type" not in {h.lower() for h in headers}:
            headers = {**headers, "Content-Type": content_type}
        socket = written.websocket is not None
        return Endpoint(
            id=id_,
            path=written.get or written.post or written.websocket or "/",
            method="POST" if written.post else "WEBSOCKET" if socket else "GET",
            body=body,
            messages=messages,
            collect=collect,
            headers=tuple(headers.items()),
            read_last=written.read == "last",
            load=load,
            severity=severity,
            assertions=tuple(assertions),
            span=node.key_span,
            **_given(
                timeout=written.timeout or defaults.timeout,
                max_bytes=written.max_body or defaults.max_body,
                max_depth=written.max_depth or defaults.max_depth,
                decoder=endless.FRAMES if socket else written.format,
                during=written.during.every if written.during else None,
                may_miss=written.during.missing if written.during else None,
                statuses=(_SWITCHED,) if socket else written.status,
            ),
        )


def _written(model: type[W], node: Node | None) -> W | None:
    """Return *node* as *model*, None when it is not one; what is wrong is said elsewhere."""
    if node is None:
        return None
    try:
        return model.model_validate(node.plain(), by_alias=True)
    except ValidationError:
        return None


def _by_node(written: SpecFile, node: Node) -> dict[int, Written]:
    """Return what endpoints and assertions were checked to be, by the identity of their nodes.

    A spec that is right as a whole is checked once; one that is not, piece by piece.
    """
    found: dict[int, Written] = {}
    for name, member in _members(node, "endpoints").items():
        endpoint = written.endpoints[name]
        found[id(member)] = endpoint
        found |= _assertions_by_node(endpoint.assertions, member)
    if written.load is not None:
        found |= _assertions_by_node(written.load.assertions, node.at("load"))
    for name, member in _members(node, "loads").items():
        found |= _assertions_by_node(written.loads[name].assertions, member)
    return found | _assertions_by_node(written.assertions, node)


def _assertions_by_node(
    written: list[AssertionBlock] | None, node: Node | None
) -> dict[int, Written]:
    items = _items(node.at("assert")) if node is not None else []
    return dict(zip(map(id, items), written or (), strict=True))


def _members(node: Node, key: str) -> dict[str, Node]:
    member = node.at(key)
    return member.value if member is not None and isinstance(member.value, dict) else {}


def _plain(node: Node | None) -> Any:
    return None if node is None else node.value


def _secrets_in(node: Node, block: str = "", *, hidden: bool = False) -> Iterator[str]:
    """Yield the texts below *node* that must not be shown, without what they refer to."""
    match node.value:
        case dict() as members:
            for name, member in members.items():
                hide = hidden or _hides(block, name)
                yield from _secrets_in(member, name, hidden=hide)
        case list() as items:
            for item in items:
                yield from _secrets_in(item, block, hidden=hidden)
        case str() | int() | float() as value if hidden:
            words = _REFERENCE.sub(r" \1 ", str(value)).split()
            yield from (word for word in words if word.lower() not in ("bearer", "basic", "token"))


def _hides(block: str, name: str) -> bool:
    """Say whether what stands in *block* under *name* must not be shown."""
    if block == "headers":
        return name.lower() not in _HARMLESS_HEADERS
    return name == "api_key" or (block in ("vars", "env") and is_secret(name))


def _place(node: Node, key: str) -> Span:
    member = node.at(key)
    return node.span if member is None else member.key_span


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _places(root: Node, setting: Setting) -> list[tuple[str, ...]]:
    """Return where a setting goes; one for `load` goes to each of several loads."""
    first, *rest = setting.keys
    names = _members(root, "loads")
    if first == "load" and root.at("load") is None and names:
        return [("loads", name, *rest) for name in names]
    if first in ("load", "loads", "server") and root.at(first) is None:
        raise UsageError(f"{setting.label}: the spec has no {first}: block")
    if first == "loads" and rest and rest[0] not in names:
        hint = suggest(rest[0], names, "loads")
        raise UsageError(f"{setting.label}: the spec has no load {rest[0]!r} ({hint})")
    return [setting.keys]


def _placed(node: Node, keys: tuple[str, ...], value: Node) -> Node:
    """Return *node* with *value* under *keys*; mappings on the way are made when missing."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(node.value, list) and key.isdecimal() and int(key) < len(node.value):
        items = list(node.value)
        items[int(key)] = _placed(items[int(key)], tuple(rest), value)
        return node.with_value(items)
    members = dict(node.value) if isinstance(node.value, dict) else {}
    inner = members.get(key) or value.with_value({})
    members[key] = _placed(inner, tuple(rest), value)
    return node.with_value(members)


def _settle(written: SettleBlock | None) -> Settle:
    return Settle() if written is None else Settle(**written.model_dump(exclude_none=True))


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that were given, so that the record's own defaults hold for the others."""
    return {name: value for name, value in options.items() if value is not None}


def _explicit_port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))


def _secret_headers(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that must not be shown, and of `Bearer x` the x by itself too."""
    for name, value in headers.items():
        if name.lower() not in _HARMLESS_HEADERS:
            yield value
            if " " in value.strip():
                yield value.split()[-1]


def _body(written: Any) -> tuple[bytes | None, str]:
    import json  # noqa: PLC0415 - few endpoints post

    match written:
        case None:
            return None, ""
        case str():
            return written.encode(), ""
    return json.dumps(written).encode(), "application/json"
