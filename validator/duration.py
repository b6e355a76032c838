"""Durations as people write them: `250ms`, `2s`, `1m`, `1h`."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONG = {
    long: unit
    for unit, names in {
        "ms": "ms msec msecs millis millisecond milliseconds",
        "s": "s sec secs second seconds",
        "m": "m min mins minute minutes",
        "h": "h hr hrs hour hours",
    }.items()
    for long in names.split()
}
_LOOSE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
_FORM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h)")


def seconds(text: str) -> float:
    """Return the seconds in *text*; raise ValueError if it is not a duration."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("expected a duration such as 250ms, 5s, 1m or 1h")
    return float(found["number"]) * _UNITS[found["unit"]]


def meant(text: str) -> str:
    """Return the duration that *text* was likely meant to be; nothing if nobody can tell."""
    parts = _LOOSE.findall(text.strip())
    if not parts or _LOOSE.sub("", text).strip():
        return ""
    if len(parts) == 1:
        number, unit = parts[0]
        return f"{number}{_LONG.get(unit.lower(), '')}" if unit.lower() in _LONG else ""
    units = [_LONG.get(unit.lower(), "") for _, unit in parts]
    if "" in units:
        return ""
    return f"{sum(float(n) * _UNITS[u] for (n, _), u in zip(parts, units, strict=True)):g}s"


def written(value: float) -> str:
    """Write *value* seconds the shortest way: `250ms`, `5s`, `1m30s`."""
    if value < 0.9995:  # noqa: PLR2004 - what would be rounded to 1000ms is a second
        return f"{value * 1000:.3g}ms"
    if value < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{value:.3g}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}m{rest}s" if rest else f"{minutes}m"
