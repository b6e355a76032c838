"""What the environment says of proxies and certificates; HTTP libraries heed it by themselves."""

from __future__ import annotations


def proxied() -> bool:
    """Say whether requests may go by a proxy."""
    from urllib.request import getproxies  # noqa: PLC0415 - 15 ms, and HTTP libraries have it anyway

    return any(name != "no" for name in getproxies())


def proxy_of(url: str) -> str:
    """Return the variable by which requests to *url* go by a proxy; nothing if they do not."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - see above
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - see above

    parts = urlsplit(url)
    proxies = getproxies()
    name = next((name for name in (parts.scheme, "all") if proxies.get(name)), "")
    host = parts.netloc.rpartition("@")[2]
    # An exemption is written with the brackets of an IPv6 address or without them.
    if not name or any(proxy_bypass(h) for h in (host, parts.hostname or host)):
        return ""
    return f"{name.upper()}_PROXY"


def unusable(failure: Exception) -> str:
    """Say that a library could not be set up by the environment, without what may be secret.

    What was wrong with a URL may quote it, and the URL of a proxy may hold a password.
    """
    told = f": {failure}" if isinstance(failure, ImportError | OSError) else ""
    why = " ".join(f"{type(failure).__name__}{told}".split())
    return (
        f"the proxies or certificates that the environment names cannot be used ({why}): "
        "look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE"
    )
