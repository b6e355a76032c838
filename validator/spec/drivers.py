"""From a `load:` block to the driver of its requests."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from validator.drivers import DRIVERS, Connection, Driver
from validator.errors import Problems
from validator.source import Node
from validator.spec import prompt_sources
from validator.spec.load_keys import PromptsBlock
from validator.spec.secrets import Secrets
from validator.spec.written import CommonLoad, LoadBlock

_NO_PROMPTS: Final = ""
"""Stands in for prompts that could not be read, of which there is a problem already."""


def driver(  # noqa: PLR0913, PLR0917 - what is written, where, and where it goes to
    written: LoadBlock,
    node: Node,
    connection: Connection,
    folder: Path,
    secrets: Secrets,
    problems: Problems,
) -> Driver | None:
    """Return what sends the requests; None, and problems, when it cannot be made.

    Its prompts may be in files, which are looked for in *folder*.
    """
    name = written.driver or "chat"
    kind: Any = DRIVERS[name]
    options: dict[str, Any] = {}
    own = {f.name: f for f in fields(kind) if f.name != "connection"}
    common = {f.alias or n for n, f in CommonLoad.model_fields.items()}
    assert isinstance(node.value, dict)
    for key, member in node.value.items():
        if key in common:
            continue
        if key not in own:
            hint = f"it knows: {', '.join(own)}"
            problems.add(f"the driver {name} has no {key!r}", member.key_span, hint)
            continue
        value = getattr(written, key)
        if isinstance(value, PromptsBlock):
            found = prompt_sources.prompts(value, member, folder, written.seed or 0, problems)
            value = found or (_NO_PROMPTS,)
        options[key] = tuple(value) if isinstance(value, list) else value
    secrets.add_headers(options.get("headers", {}))
    try:
        return kind(connection=connection, **options)  # type: ignore[no-any-return]  # a Driver
    except TypeError:
        lacking = [
            n
            for n, f in own.items()
            if n not in options and f.default is MISSING and f.default_factory is MISSING
        ]
        problems.add(f"the load needs {', '.join(lacking)}", node.key_span)
    except ValueError as error:
        problems.add(str(error), node.key_span)
    return None
