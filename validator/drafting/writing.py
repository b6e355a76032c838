"""Drafts as YAML that a person goes on with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from validator.drafting.claims import HERE, Claim, Heading
from validator.source import scalar
from validator.values import printable

_WIDTH = 100
_SOME_REQUESTS = 20
_PLAIN = re.compile(r"[A-Za-z_$/.][\w$/.\-*]*", re.ASCII)
_PLAIN_OUTSIDE = re.compile(r"[A-Za-z_$/.][\w$/.\-*()+<>=]*(?: [\w$/.\-*()+<>=]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written about one endpoint."""

    id: str
    path: str
    decoder: str
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()
    """What a person should know about the page."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a spec says besides its endpoints."""

    title: str
    url: str
    requests: int = 0
    """0 for no load."""
    model: str = ""
    concurrency: int = 1
    prompts: tuple[str, ...] = ()
    has_key: bool = False
    headers: tuple[str, ...] = ()
    """Names of headers, whose values come from the environment."""


def spec_text(frame: Frame, drafts: Iterable[Draft]) -> str:
    """Return a whole spec."""
    lines = [*_head(frame), "", "endpoints:"]
    for draft in drafts:
        lines += [*endpoint_lines(draft, "  "), ""]
    return "\n".join(lines).rstrip() + "\n"


def _head(frame: Frame) -> Iterator[str]:
    yield "# Drafted by `validator init` from what the pages showed: a first spec, not a last one."
    if frame.requests:
        yield "# What is asked about change held in two loads, measured by the client's own count."
        yield "# Critical is what moved by exactly what the client saw. Raise what matters to you,"
        yield "# name it, and delete what does not."
    else:
        yield "# Nothing was sent, so nothing is known about what moves: add a load, or draft again"
        yield "# with --load N --model NAME, and counters are found by how they move."
    yield "# A warning that fails is shown, and does not change the exit code: for that there is"
    yield "# `validator run --fail-on warning`."
    yield "# `validator mutate` shows what this spec would not notice."
    yield "version: 1"
    yield f"title: {quoted(frame.title, outside=True)}"
    if frame.requests:
        yield ""
        yield "vars:"
        yield f"  model: {quoted(_escaped(frame.model), outside=True)}"
        yield f"  requests: {frame.requests}"
    yield ""
    yield "target:"
    yield f"  url: {quoted(_escaped(frame.url), outside=True)}"
    if frame.has_key:
        yield "  api_key: ${env.API_KEY}"
    if frame.headers:
        yield "  headers:"
        for name in frame.headers:
            yield f'    {quoted(name)}: "${{env.{variable(name)}}}"'
    if frame.requests:
        yield ""
        yield from load_lines(frame, "${vars.model}", "${vars.requests}")
    else:
        yield ""
        yield "# What is suggested below about change needs a load, of a model that you name:"
        example = load_lines(frame, "NAME", _SOME_REQUESTS)
        yield from (f"# {line}" for line in example)


def load_lines(frame: Frame, model: str, requests: int | str) -> Iterator[str]:
    """Yield the lines of a `load:` block."""
    yield "load:"
    yield "  driver: chat"
    yield f"  model: {quoted(model, outside=True)}"
    yield f"  requests: {requests}"
    yield f"  concurrency: {frame.concurrency}"
    yield "  max_tokens: 50"
    yield "  prompts:"
    yield from (f"    - {quoted(_escaped(p), outside=True)}" for p in frame.prompts)


def _escaped(text: str) -> str:
    return text.replace("${", "$${")


def variable(header: str) -> str:
    """Return the name of the environment variable that holds a header's value."""
    return "HEADER_" + re.sub(r"[^A-Z0-9]", "_", header.upper())


def endpoint_lines(draft: Draft, indent: str) -> Iterator[str]:
    """Yield the lines of one endpoint."""
    yield f"{indent}{draft.id}:"
    yield f"{indent}  get: {quoted(_escaped(draft.path))}"
    if draft.decoder != "json":
        yield f"{indent}  format: {draft.decoder}"
    yield f"{indent}  assert:"
    yield from claim_lines(draft, f"{indent}    ")


def claim_lines(draft: Draft, indent: str) -> Iterator[str]:
    """Yield the assertions of one endpoint, under their headings; suggestions are comments."""
    for note in draft.notes:
        yield f"{indent}# {printable(note)}"
    first = not draft.notes
    for heading in Heading:
        claims = [claim for claim in draft.claims if claim.heading is heading]
        if not claims:
            continue
        if not first:
            yield ""
        first = False
        yield f"{indent}# {heading.value}"
        for claim in claims:
            yield from _lines(claim, indent, draft.id)


def _lines(claim: Claim, indent: str, endpoint: str) -> Iterator[str]:
    whole: dict[str, Any] = {**_here(claim.place, endpoint), **claim.asks}
    if claim.suggested:
        remark = f"  # {printable(claim.remark)}" if claim.remark else ""
        yield f"{indent}# - {_flow(whole)}{remark}"
        return
    if claim.severity != "critical":  # which is what no word means
        whole["severity"] = claim.severity
    line = f"{indent}- {_flow(whole)}"
    if len(line) <= _WIDTH:
        yield line
        return
    for number, (key, value) in enumerate(whole.items()):
        lead = "  " if number else "- "
        yield f"{indent}{lead}{key}: {_written(value, outside=True)}"


def _here(value: Any, endpoint: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _here(member, endpoint) for key, member in value.items()}
    return endpoint if value == HERE else value


def _flow(value: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{quoted(k)}: {_written(v)}" for k, v in value.items()) + "}"


def _written(value: Any, *, outside: bool = False) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case str():
            return quoted(value, outside=outside)
        case list() | tuple():
            return "[" + ", ".join(map(_written, value)) + "]"
    return _flow(value)


def _number(value: float) -> str:
    text = repr(value)
    # A float that YAML would take for a text is none that a constant is made of; still, be sure.
    return text if isinstance(scalar(text), int | float) else quoted(text)


def quoted(text: str, *, outside: bool = False) -> str:
    """Write a text so that YAML reads it back as it is; *outside* braces less needs quotes."""
    plain = _PLAIN_OUTSIDE if outside else _PLAIN
    safe = plain.fullmatch(text) and isinstance(scalar(text), str) and not text.endswith(":")
    if safe or (outside and re.fullmatch(r"\$\{[\w.]+\}", text)):
        return text
    if text.isprintable() and "\ufeff" not in text:
        if '"' in text or "\\" in text:
            return "'" + text.replace("'", "''") + "'"
        return f'"{text}"'
    inside = "".join(map(_escape, text))
    return f'"{inside}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable() and character != "\ufeff":
        return character
    code = ord(character)
    if code < 0x100:  # noqa: PLR2004 - the widths of YAML's escapes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
