"""Where the system under test is, and how to start it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import ValidationError

from validator.errors import Problems, UsageError
from validator.redaction import without_userinfo
from validator.source import Node
from validator.spec.model import ServerPlan, Target
from validator.spec.overrides import Overrides
from validator.spec.references import References, is_secret
from validator.spec.secrets import Secrets
from validator.spec.written import ServerBlock, TargetBlock


def port(root: Node, references: References, overrides: Overrides) -> Callable[[], int]:
    """Return what finds the port of the server to start: the target's own, else a free one."""
    url = root.at("target", "url")
    chosen: list[int] = []

    def find() -> int:
        if not chosen:
            explicit = None
            if url is not None and "${port}" not in str(url.value):
                resolved = references.resolved(url).value
                explicit = _explicit_port(resolved) if isinstance(resolved, str) else None
            chosen.append(explicit or overrides.free_port())
        return chosen[0]

    return find


def target(
    root: Node,
    overrides: Overrides,
    port: Callable[[], int] | None,
    secrets: Secrets,
    problems: Problems,
) -> Target:
    """Return the target of a spec; *port* finds its port if the spec starts a server."""
    node = root.at("target")
    written = TargetBlock.of(node) or TargetBlock()
    url = written.url
    if overrides.url is not None:
        url = _given_url(overrides.url)
    elif url is None and (
        node is None or (isinstance(node.value, dict) and node.at("url") is None)
    ):  # what stands there and is no mapping is complained about as such
        problems.add(
            "no target: where is the server?", root.span, "add target: {url: …} or use --url"
        )
    if url is not None and port is not None and _explicit_port(url) is None:
        url = _with_port(url, port())
    headers = written.headers or {}
    secrets.add(written.api_key)
    secrets.add_headers(headers)
    if url is not None and (password := urlsplit(url).password):
        # The pair too: sent, it is one text in base64.
        name = urlsplit(url).username or ""
        secrets.add(password, unquote(password), unquote(f"{name}:{password}"))
    return Target(url or "", written.api_key or "", tuple(headers.items()))


def server(root: Node, overrides: Overrides, secrets: Secrets) -> ServerPlan | None:
    """Return how to start the server, if the spec does so; never of a target given elsewhere."""
    written = ServerBlock.of(root.at("server"))
    if written is None or overrides.url is not None:
        return None
    secrets.add(*(v for k, v in (written.env or {}).items() if is_secret(k)))
    return ServerPlan(
        command=written.command,
        ready=written.ready,
        reuse=written.reuse,
        env=tuple((written.env or {}).items()),
        **({} if written.within is None else {"within": written.within}),
    )


def _given_url(url: str) -> str | None:
    try:
        block = TargetBlock.model_validate({"url": url})
    except ValidationError:
        raise UsageError(
            f"--url: expected a base URL such as http://localhost:8000, "
            f"found {without_userinfo(url)!r}"
        ) from None
    found: str | None = block.url
    return found


def _explicit_port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))
