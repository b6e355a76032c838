"""Sizes as people write them: `64MiB`, `10MB`, `512 KiB`."""

from __future__ import annotations

import re

_UNITS = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "KiB": 1024,
    "MB": 1000**2,
    "MiB": 1024**2,
    "GB": 1000**3,
    "GiB": 1024**3,
}
_FORM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s?(?P<unit>[kKMG]i?B|B)")


def size(text: str) -> int:
    """Return the bytes in *text*; raise ValueError if it is not a size."""
    found = _FORM.fullmatch(text)
    if found is None or found["unit"] not in _UNITS:
        raise ValueError("expected a size such as 512KiB, 10MB or 64MiB")
    return int(float(found["number"]) * _UNITS[found["unit"]])
