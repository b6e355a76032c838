"""By which way requests travel: fast where nothing stands against it, else plainly."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from validator.environment import proxy_of
from validator.errors import UsageError

Transport: TypeAlias = Literal["auto", "fast", "openai"]
DIRECT: Final = ("auto", "fast")


def obstacle(url: str) -> str:
    """Return why requests to *url* cannot take the fast way; nothing if they can."""
    name = proxy_of(url)
    return f"the environment names a proxy for {urlsplit(url).scheme} ({name})" if name else ""


def is_fast(transport: Transport, url: str) -> bool:
    """Say whether requests to *url* take the fast way."""
    return transport in DIRECT and not obstacle(url)


def doubled(url: str) -> str:
    """Say that a target ends with the `/v1` that requests of the load add; mostly nothing."""
    if not url.endswith("/v1"):
        return ""
    return f"the target ends with /v1, so requests of the load go to {urlsplit(url).path}/v1"


def remark(transport: Transport, url: str) -> str:
    """Return what a person should know of the way to *url*; nothing if it is as expected.

    Raises UsageError when the spec insists on a way that is not there.
    """
    if transport not in DIRECT or not (why := obstacle(url)):
        return ""
    if transport == "fast":
        raise UsageError(
            f"load: transport: fast knows no proxies, and {why}; "
            "unset it, add the target to NO_PROXY, or leave transport out"
        )
    return f"requests go by the slower way: {why}"
