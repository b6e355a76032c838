"""The texts of a spec that must not be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from validator.errors import Problems
from validator.redaction import Redaction
from validator.source import Node
from validator.spec.references import is_secret

_HARMLESS_HEADERS: Final = {
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "user-agent",
}
_REFERENCE: Final = re.compile(r"\$\{[^{}]*?(?::-([^{}]*))?\}")
_SHORTEST: Final = 4
"""A shorter text would be found everywhere, and is no secret."""


class Secrets:
    """Those that one reading of a spec has met so far."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._files: list[Node] = []

    def add(self, *texts: str | None) -> None:
        """Keep *texts* from being shown."""
        self._texts.update(text for text in texts if text)

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Keep the values of headers from being shown, and of `Bearer x` the x by itself too."""
        for name, value in headers.items():
            if name.lower() not in _HARMLESS_HEADERS:
                self.add(value)
                if " " in value.strip():
                    self.add(value.split()[-1])

    def add_file(self, node: Node) -> None:
        """Remember a file as it was written: what is wrong with it may be shown."""
        self._files.append(node)

    def known(self) -> tuple[str, ...]:
        """Return all of them that are long enough to be secrets."""
        return tuple(sorted(text for text in self._texts if len(text) >= _SHORTEST))

    def hide(self, problems: Problems) -> None:
        """Take secrets out of problems that are about to be shown."""
        written = {text for node in self._files for text in _written_in(node)}
        redaction = Redaction((*(t for t in written if len(t) >= _SHORTEST), *self.known()))
        problems.found = [
            replace(p, message=redaction.text(p.message), hint=redaction.text(p.hint))
            for p in problems.found
        ]
        problems.sources = {name: redaction.source(t) for name, t in problems.sources.items()}


def _written_in(node: Node, block: str = "", *, hidden: bool = False) -> Iterator[str]:
    """Yield the texts below *node* that must not be shown, without what they refer to."""
    match node.value:
        case dict() as members:
            for name, member in members.items():
                hide = hidden or _hides(block, name)
                yield from _written_in(member, name, hidden=hide)
        case list() as items:
            for item in items:
                yield from _written_in(item, block, hidden=hidden)
        case str() | int() | float() as value if hidden:
            words = _REFERENCE.sub(r" \1 ", str(value)).split()
            yield from (word for word in words if word.lower() not in ("bearer", "basic", "token"))


def _hides(block: str, name: str) -> bool:
    """Say whether what stands in *block* under *name* must not be shown."""
    if block == "headers":
        return name.lower() not in _HARMLESS_HEADERS
    return name == "api_key" or (block in ("vars", "env") and is_secret(name))
