"""Durations as people write them: `250ms`, `2s`, `1m`, `1h`."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h)")


def seconds(text: str) -> float:
    """Return the seconds in *text*; raise ValueError if it is not a duration."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("expected a duration such as 250ms, 5s, 1m or 1h")
    return float(found["number"]) * _UNITS[found["unit"]]


def written(value: float) -> str:
    """Write *value* seconds the shortest way: `250ms`, `5s`, `1m30s`."""
    if value < 0.9995:  # noqa: PLR2004 - what would be rounded to 1000ms is a second
        return f"{value * 1000:.3g}ms"
    if value < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{value:.3g}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"
