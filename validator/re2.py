"""Regular expressions as Prometheus means them: the syntax of RE2, understood by Python.

What RE2 has no word for (lookaround, backreferences) is refused, so that a spec never asks what
Prometheus could not; what the two spell differently is translated.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"""
    \\Q(?P<literal>.*?)(?:\\E|\Z)
    | \\(?P<escape>.)
    | (?P<set>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*+\])
    | (?P<open>\[)
    | (?P<group>\(\?(?:P[<=>]|<[=!]?|[a-zA-Z-]*[:)]|.?))
    | (?P<possessive>(?:[*+?]|\{\d+(?:,\d*)?\})\+)
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_SET = re.compile(r"\[:(\^?\w+):\]|\\(.)|(.)", re.DOTALL)
_FLAGS = re.compile(r"\(\?[ims]*-?[ims]*[:)]")
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = frozenset("AbBdDsSwWaftnrvx")
"""The letters that mean the same to both after a backslash."""


def compiled(written: str) -> re.Pattern[str]:
    """Compile a pattern that is to match a whole value; raise ValueError if RE2 would not."""
    translated = _PART.sub(_translated, written)
    try:
        # As in Prometheus 3, a dot matches a newline; \d, \s and \w are ASCII in RE2.
        return re.compile(translated, re.DOTALL | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


def _translated(found: re.Match[str]) -> str:
    part = found[0]
    match found.lastgroup:
        case "escape":
            return _escape(found["escape"])
        case "set":
            return _set(part)
        case "group":
            return _group(part)
        case "open":
            raise ValueError("not a regular expression: unterminated character set")
        case "possessive":
            raise ValueError(f"Prometheus has no possessive repetition: {part}")
    return re.escape(found["literal"])


def _group(opening: str) -> str:
    match opening:
        case "(?P<" | "(?<":
            return "(?P<"
        case "(?=" | "(?!" | "(?<=" | "(?<!":
            raise ValueError(f"Prometheus has no lookaround: {opening}…)")
        case "(?P=" | "(?P>":
            raise ValueError(f"Prometheus has no backreferences: {opening}…)")
    if not _FLAGS.fullmatch(opening):
        raise ValueError(f"Prometheus has no such group: {opening}…")
    return opening


def _escape(character: str) -> str:
    if character == "z":
        return r"\Z"
    if character in "123456789":
        raise ValueError(f"Prometheus has no backreferences: \\{character}")
    if character.isalnum() and character not in _ESCAPES:
        raise ValueError(f"no escape that Prometheus and this validator share: \\{character}")
    return f"\\{character}"


def _set(part: str) -> str:
    """Rewrite a character class: Python has no [:alpha:], and warns of what may become a set."""
    start = "[^" if part.startswith("[^") else "["
    out = []
    for found in _IN_SET.finditer(part, len(start), len(part) - 1):
        name, escaped, plain = found.groups()
        if plain is not None:
            out.append(f"\\{plain}" if plain in "[]&~|" else plain)
        elif escaped is not None:
            out.append(_escape(escaped))
        elif name in _POSIX:
            out.append(_POSIX[name])
        else:
            raise ValueError(f"Prometheus has no such class: {found[0]}")
    if "--" in (inner := "".join(out)):
        raise ValueError(f"write the hyphen last: {part}")
    return f"{start}{inner}]"
