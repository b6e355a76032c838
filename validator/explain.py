"""What a spec may say, explained from the docstrings of what does it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from validator.decoders import DECODERS
from validator.drivers import DRIVERS
from validator.errors import UsageError
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.registry import Registry, suggest
from validator.reporters import REPORTERS
from validator.spec import written
from validator.spec.forms import Written

_PLUGINS: dict[str, Registry[Any]] = {
    "predicates": PREDICATES,
    "measures": MEASURES,
    "drivers": DRIVERS,
    "formats": DECODERS,
    "reports": REPORTERS,
}

BLOCKS: dict[str, type[Written]] = {
    "spec": written.SpecFile,
    "target": written.TargetBlock,
    "server": written.ServerBlock,
    "load": written.LoadBlock,
    "settle": written.SettleBlock,
    "endpoints": written.EndpointBlock,
    "collect": written.CollectBlock,
    "during": written.DuringBlock,
    "reachable": written.ReachableBlock,
    "assert": written.Assertion,
    "xfail": written.XfailBlock,
}

_TOPICS_FILE = "topics.md"


def overview() -> str:
    """Return every name that can be explained, with its first sentence."""
    lines: list[str] = []
    for heading, entries in _entries().items():
        lines += ["", heading]
        width = max(map(len, entries))
        lines += [f"  {name:{width}}  {_first(text())}" for name, text in entries.items()]
    return "\n".join([*lines[1:], "", "validator explain NAME tells more."])


def explained(name: str) -> str:
    """Return all there is to say about *name*; raise `UsageError` for a name of nothing."""
    found = [
        f"{name} ({heading})\n\n{textwrap.indent(text(), '  ')}"
        for heading, entries in _entries().items()
        for entry, text in entries.items()
        if entry == name
    ]
    if not found:
        known = [entry for entries in _entries().values() for entry in entries]
        raise UsageError(f"nothing is called {name!r}: {suggest(name, known, 'names')}")
    return "\n\n".join(found)


def _entries() -> dict[str, dict[str, Callable[[], str]]]:
    plugins = {
        heading: {name: _documentation(registry, name) for name in registry}
        for heading, registry in _PLUGINS.items()
    }
    more = {name: _constant(text) for name, text in topics().items()}
    blocks = {name: _block(model) for name, model in BLOCKS.items()}
    return {**plugins, "more of an assertion": more, "blocks of a spec": blocks}


def topics() -> dict[str, str]:
    """Return the texts about what is no plug-in, by heading."""
    text = Path(__file__).with_name(_TOPICS_FILE).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def _documentation(registry: Registry[Any], name: str) -> Callable[[], str]:
    return lambda: registry.documentation(name)


def _constant(text: str) -> Callable[[], str]:
    return lambda: text


def _block(model: type[Written]) -> Callable[[], str]:
    return lambda: "\n".join([inspect.cleandoc(model.__doc__ or ""), "", *_keys(model)])


def _keys(model: type[Written]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name.startswith(written.PREDICATE_PREFIX):
            continue
        need = " (required)" if field.is_required() else ""
        yield f"{field.alias or name}{need}: {field.description or ''}".rstrip(": ")
    if issubclass(model, written.Condition):
        yield "…and any predicate, measure or quantifier; several must all hold."


def _first(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())
