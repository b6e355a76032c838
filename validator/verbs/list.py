"""`validator list`."""

from __future__ import annotations

import click

from validator.verbs.base import verb


@verb("list")
def list_command() -> None:
    """List the bundled specs."""
    from validator import bundled
    from validator.errors import Problems
    from validator.source import read

    names = bundled.names()
    width = max(map(len, names), default=0)
    for name in names:
        (path,) = bundled.located((name,))
        node = read(path.read_text(encoding="utf-8"), str(path), Problems())
        title = node.at("title") if node is not None else None
        click.echo(f"{name:{width}}  {title.value if title is not None else ''}")
