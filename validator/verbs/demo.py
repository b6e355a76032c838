"""`validator demo`."""

from __future__ import annotations

from typing import Any

import click

from validator.errors import UsageError
from validator.verbs.base import leave, verb
from validator.verbs.flags import Flags, run_flags
from validator.verbs.output import say
from validator.verbs.run import perform
from validator.verbs.specs import files


@verb("demo")
@click.option("--spec", "spec", metavar="SPEC", help="Instead of the demo's own dashboard spec.")
@click.option(
    "--fault",
    "faults",
    metavar="NAME",
    multiple=True,
    help="Make the server lie in one way; `list` names them.",
)
@run_flags
def demo(spec: str | None, faults: tuple[str, ...], **flags: Any) -> None:
    """Run the dashboard spec against the embedded demo server."""
    from validator import demo as demonstration

    if "list" in faults:
        known = {**demonstration.FAULTS, **demonstration.PAGE_FAULTS}
        width = max(map(len, known))
        for name, text in known.items():
            say(f"{name:{width}}  {text}")
        return
    given = Flags(**flags)
    paths = files((spec or demonstration.SPEC,))
    if given.url is not None:
        raise UsageError("--url: the demo brings its own server; use `validator run`")
    if given.replay is not None:
        leave(perform(paths, given))
    from validator.demo.process import serving

    with serving(faults) as url:
        leave(perform(paths, given, url=url))
