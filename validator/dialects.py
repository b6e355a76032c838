"""What a path of another language would be as a JSONPath: of jq, JMESPath, JSON Pointer, lodash."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_MEASURES: Final = {
    "length": "length", "len": "length", "size": "length", "count": "length",
    "sum": "sum", "add": "sum", "total": "sum", "min": "min", "max": "max",
    "avg": "mean", "mean": "mean", "average": "mean",
}  # fmt: skip
"""What others ask of a path in the path itself, and the measure that asks it here."""
_NAMES = "|".join(_MEASURES)
_ASKED: Final = (
    re.compile(rf"(?P<ask>{_NAMES})\((?P<path>.+)\)"),  # length(workers)
    re.compile(rf"(?P<path>.+?)\s*\|\s*(?P<ask>{_NAMES})(?:\(@?\))?"),  # .workers | length
    re.compile(rf"(?P<path>.+)\.(?P<ask>{_NAMES})\(\)"),  # $.workers.length()
)
_REWRITTEN: Final = (
    (re.compile(r"\.\["), "["),  # .[0]
    (re.compile(r"\[\]"), "[*]"),
    (re.compile(r"\[\(@\.length ?- ?([1-9]\d*)\)\]"), r"[-\1]"),
    (re.compile(r"\.(\d+)(?=[.\[]|$)"), r"[\1]"),
    (re.compile(r"\.(\"[^\"]+\"|'[^']+')"), r"[\1]"),
    (re.compile(r"\[\?(\(?)(?=[A-Za-z_][\w.]* *[=!<>])"), r"[?\1@."),
    (re.compile(r"`(-?[\w.]+)`"), r"\1"),
    (re.compile(r"\s*\|\s*\."), "."),  # .workers[] | .load
)  # each what was written, and what is to stand there


def advice(text: str, usable: Callable[[str], bool]) -> str:
    """Say what to write instead of *text*, which is no JSONPath; nothing when nobody can tell.

    *usable* says whether a text is one.
    """
    for form in _ASKED:
        if found := form.fullmatch(text.strip()):
            path = _jsonpath(found["path"])
            asked = f"{_MEASURES[found['ask']]}: {{…}}"
            return f"write {path}, and ask {asked} of it" if usable(path) else ""
    path = _jsonpath(text)
    return f"write {path}" if usable(path) else ""


def _jsonpath(text: str) -> str:
    path = text.strip()
    if path.startswith("/"):
        return "$" + "".join(map(_pointed, path[1:].split("/")))
    path = path.removeprefix("@")
    if not path.startswith(("$", ".", "[")):
        path = f".{path}"
    if re.match(r"\$\w", path):
        path = f"$.{path[1:]}"
    path = path if path.startswith("$") else f"${path}"
    for written, meant in _REWRITTEN:
        path = written.sub(meant, path)
    return path


def _pointed(token: str) -> str:
    """Return the step that a token of a JSON Pointer is."""
    key = token.replace("~1", "/").replace("~0", "~")
    if key.isdecimal():
        return f"[{key}]"
    return f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f"['{key}']"
