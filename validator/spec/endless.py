"""What a spec says of an endpoint that has no end: how much to take of it, and what to send it."""

from __future__ import annotations

from validator import duration
from validator.errors import Problems
from validator.probes.base import Collect
from validator.reference import Reference
from validator.source import Node
from validator.spec.model import Endpoint
from validator.spec.written import CollectBlock, EndpointBlock, TargetBlock
from validator.values import json_text

FRAMES = "frames"
"""The format of every WebSocket, and of nothing else."""


def collect(
    written: EndpointBlock, node: Node, defaults: TargetBlock, problems: Problems
) -> Collect | None:
    """Return how much to take of the endpoint in *node*, None to read it to its end."""
    socket = written.websocket is not None
    if socket:
        _check_socket(written, node, problems)
    elif written.format == FRAMES:
        problems.add("format: frames goes with websocket:", node.place("format"))
    block = written.collect
    if block is None:
        if socket:
            message = "a WebSocket has no end: how much of it?"
            problems.add(message, node.place("websocket"), "add collect: {frames: 1}")
        return None
    if not socket and written.format != "events":
        message = "collect: goes with websocket:, or with format: events"
        problems.add(message, node.place("collect"))
        return None
    timeout = written.timeout or defaults.timeout or Endpoint("", "").timeout
    return _checked(block, node, "frames" if socket else "events", timeout, problems)


def _check_socket(written: EndpointBlock, node: Node, problems: Problems) -> None:
    if written.format not in (None, FRAMES):
        message = "a WebSocket is read as frames: each as JSON if it is JSON, else as a text"
        problems.add(message, node.place("format"), "leave out format:")
    if written.status is not None:
        message = "a WebSocket opens with 101 or not at all; status: goes with get: and post:"
        problems.add(message, node.place("status"), "leave it out")


def _checked(
    block: CollectBlock, node: Node, noun: str, timeout: float, problems: Problems
) -> Collect | None:
    counts = {"frames": block.frames, "events": block.events}
    other = "events" if noun == "frames" else "frames"
    if counts[other] is not None:
        message = f"collect: {other} of what sends {noun}"
        problems.add(message, node.place("collect", other), f"write {noun}:")
        return None
    if counts[noun] is None and block.for_ is None:
        hint = f"such as collect: {{{noun}: 3}}, {{for: 2s}} or both"
        problems.add(f"collect needs {noun}: or for:", node.place("collect"), hint)
    if block.for_ is not None and block.for_ >= timeout:
        message = (
            f"collecting for {duration.written(block.for_)} does not end within the timeout"
            f" of {duration.written(timeout)}"
        )
        hint = "give the endpoint a longer timeout:"
        problems.add(message, node.place("collect", "for"), hint)
    return Collect(counts[noun], block.for_)


def messages(written: EndpointBlock, node: Node, problems: Problems) -> tuple[str, ...]:
    """Return what is sent to the WebSocket in *node*, each message as its text."""
    sent = node.at("send")
    if sent is None:
        return ()
    if written.websocket is None:
        problems.add("send: goes with websocket:", sent.key_span)
        return ()
    if too_early("send", sent, problems):
        return ()
    if written.send is None:
        problems.add("send: expected a message, found nothing", sent.key_span)
    listed = written.send if isinstance(written.send, list) else [written.send]
    return tuple(m if isinstance(m, str) else json_text(m) for m in listed)


def too_early(key: str, node: Node, problems: Problems) -> bool:
    """Complain about references to the load in what is sent while there may be none yet."""
    spans = [scalar.span for scalar in node.scalars() if isinstance(scalar.value, Reference)]
    for span in spans:
        problems.add(f"{key}: must be known before the load", span)
    return bool(spans)
