"""`validator explain`."""

from __future__ import annotations

import click

from validator.verbs.base import verb
from validator.verbs.output import PIPED, say


@verb("explain")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def explain(names: tuple[str, ...]) -> None:
    """Explain what a spec may say: a predicate, a measure, a block, a report format ..."""
    from validator.explain import explained, overview

    say("\n\n".join(map(explained, names)) if names else overview(), piped=PIPED)
