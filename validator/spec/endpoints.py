"""From an endpoint's block to an `Endpoint`: where to look, how, and what must be true there."""

from __future__ import annotations

import json
from typing import Any, Final

from validator.errors import Problems
from validator.records.verdict import Severity
from validator.source import Node
from validator.spec import endless
from validator.spec.model import Assertion, Endpoint
from validator.spec.promises import Promises
from validator.spec.secrets import Secrets
from validator.spec.written import EndpointBlock, TargetBlock

_WAYS: Final = ("get", "post", "websocket")
_SWITCHED: Final = 101
"""The status that opens a WebSocket."""


def endpoint(  # noqa: PLR0913 - what is written, and what it is to be read with
    id_: str,
    node: Node,
    promises: Promises,
    *,
    defaults: TargetBlock,
    secrets: Secrets,
    problems: Problems,
) -> Endpoint | None:
    """Return the endpoint in *node*; None, and problems, when it is none.

    What it does not say of its bounds the target's *defaults* do.
    """
    known = promises.checked.get(id(node))
    written = known if isinstance(known, EndpointBlock) else EndpointBlock.of(node)
    load = promises.known.loads.named(node, once=id_ in promises.known.once)
    severity = _severity(written)
    assertions: list[Assertion] = []
    for item in node.items("assert"):
        assertion = promises.about_endpoint(item, id_, severity, load)
        if assertion is not None:
            assertions.append(assertion)
    if written is None:
        return None
    _check(written, node, promises, problems)
    collect = endless.collect(written, node, defaults, problems)
    messages = endless.messages(written, node, problems)
    headers = written.headers or {}
    secrets.add_headers(headers)
    body, content_type = _body(written, node, problems)
    if content_type and "content-type" not in {h.lower() for h in headers}:
        headers = {**headers, "Content-Type": content_type}
    socket = written.websocket is not None
    during = written.during
    bounds = {
        "timeout": written.timeout or defaults.timeout,
        "max_bytes": written.max_body or defaults.max_body,
        "max_depth": written.max_depth or defaults.max_depth,
        "decoder": endless.FRAMES if socket else written.format,
        "during": during.every if during else None,
        "may_miss": during.missing if during else None,
        "statuses": (_SWITCHED,) if socket else written.status,
    }
    given: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}
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
        **given,
    )


def check_name(name: str, node: Node, problems: Problems) -> None:
    """Complain about the name of an endpoint that no report could show as one word."""
    if not name or not all(c.isalnum() or c in "_-." for c in name):
        problems.add(
            f"{name!r} is no id", node.key_span, "an id is letters, digits, '_', '-' and '.'"
        )


def _severity(written: EndpointBlock | None) -> Severity:
    if written is None or written.reachable is None or not written.reachable.severity:
        return Severity.CRITICAL
    return Severity(written.reachable.severity)


def _check(written: EndpointBlock, node: Node, promises: Promises, problems: Problems) -> None:
    ways = [f"{way}:" for way in _WAYS if getattr(written, way) is not None]
    if len(ways) != 1:
        found = " and ".join(ways) or "none"
        message = f"an endpoint needs one of get:, post: and websocket:, and this has {found}"
        problems.add(message, node.key_span, "such as get: /metrics")
    if written.during is not None and not promises.known.has_load:
        message = "during: samples while the load runs, and this spec sends none"
        problems.add(message, node.place("during"), "add a load: block")
    if written.post is None and node.at("body") is not None:
        problems.add("body: goes with post:", node.place("body"))


def _body(written: EndpointBlock, node: Node, problems: Problems) -> tuple[bytes | None, str]:
    """Return what is posted, and its media type if that is known."""
    sent = node.at("body")
    if sent is not None and endless.too_early("body", sent, problems):
        return None, ""
    match written.body:
        case None:
            return None, ""
        case str() as text:
            return text.encode(), ""
    return json.dumps(written.body).encode(), "application/json"
