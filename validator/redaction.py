"""Keep secrets out of everything that leaves the process."""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

MASK = "***"

T = TypeVar("T")


class Redaction:
    """Replaces secrets, also base64 and URL-quoted, by a mask in any text or record."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first, so that a secret inside another does not leave its rest behind.
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_found, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """Return *text* without secrets."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def source(self, text: str) -> str:
        """Return the text of a spec without secrets, every other character in its place."""
        hidden = text
        if self._pattern is not None:
            hidden = self._pattern.sub(lambda found: _stars(found[0]), hidden)
        return _GIVEN.sub(lambda f: f[1] + _hide(f[2]), _USERINFO.sub(_all_stars, hidden))

    def record(self, value: T) -> T:
        """Return a record or JSON value without secrets, in keys and values alike."""
        return value if self._pattern is None else self._any(value)

    def _any(self, value: Any) -> Any:
        match value:
            case str():
                # An enum member is a str too, and must stay what it is.
                return self.text(value) if type(value) is str else value
            case list():
                return [self._any(v) for v in value]
            case tuple():
                return tuple(self._any(v) for v in value)
            case dict():
                return {self._any(k): self._any(v) for k, v in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            changed = {
                f.name: self._any(old)
                for f in fields(value)
                if (old := getattr(value, f.name)) is not None
            }
            return replace(value, **changed)
        return value


_GIVEN = re.compile(
    r"""((?<![\w-])(?:[\w-]{0,80}(?:key|secret|password|token)|authorization|cookie)["']?"""
    r"""[ ]*:[ ]+)"""
    r"""("[^"\n]*"?|'[^'\n]*'?|(?![\[{&*!|>#])[^\s,}][^,}\n]*)""",
    re.IGNORECASE,
)
"""A secret in the text of a spec, also of one that cannot be read any further."""
_USERINFO = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)")
_DEFAULT = re.compile(r"(?<=:-)[^}\n]*")
_SHORT = 8


def without_userinfo(url: str) -> str:
    """Return *url* without its user name and password."""
    return _USERINFO.sub(MASK, url)


def _all_stars(found: re.Match[str]) -> str:
    return _stars(found[0])


def _hide(value: str) -> str:
    if "${" in value:  # what it refers to is no secret, but its default is one
        return _DEFAULT.sub(_all_stars, value)
    return _stars(value)


def _stars(text: str) -> str:
    return re.sub(r"[^\s]", "*", text)


def _found(form: str) -> str:
    """Return the pattern that finds *form*; a short one, which may be a word, only as a word."""
    if len(form) >= _SHORT:
        return re.escape(form)
    return rf"(?<![A-Za-z0-9_]){re.escape(form)}(?![A-Za-z0-9_])"


def _forms(secret: str) -> set[str]:
    """Return the ways a secret may be written: as it is, escaped, quoted or in base64."""
    raw = secret.encode()
    escaped = {
        secret.encode("unicode_escape").decode(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        html.escape(secret),
    }
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return {secret, *quoted, *escaped, raw.hex(), raw.hex().upper(), *_base64(raw)}


def _base64(raw: bytes) -> set[str]:
    """Return what base64 makes of *raw*, alone or anywhere inside a longer text."""
    found = {base64.b64encode(raw).decode().rstrip("=")}
    for before in range(3):
        # The first characters also depend on what stands before, the last on what comes after.
        shared = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        start = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        if end - start >= _SHORT:
            found.add(shared[start:end])
    return found | {text.replace("+", "-").replace("/", "_") for text in found}
